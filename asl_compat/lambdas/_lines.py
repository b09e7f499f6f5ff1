"""Lines of segments that one call runs as far as they go: branches, items of maps, stretches of a large document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from asl_compat.lambdas._failures import outcome_of
from asl_compat.lambdas._fan_outs import no_heartbeat
from statebag.bag import TERMINAL_FAILURES, NextAction, Place, RunEngine, Step
from statebag.errors import StateBagError
from statebag.machine import PROVIDER_RETRIES, waves_of

__all__ = ["LATER_TRY", "Line", "Lines", "failed"]

LATER_TRY = 2
"""A function is not told which try it is: it looks for what an earlier one has recorded, as a second one does."""
_ENDS = TERMINAL_FAILURES | {NextAction.COMPLETE}
_FANS_OUT = frozenset({NextAction.PARALLEL_GROUP, NextAction.DISTRIBUTED_MAP})


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of segments where it stands."""

    place: Place
    step: Step
    limit: int
    """Segments that it may execute."""
    action: str = "sync_branch"
    """The action that merges a segment: ``sync`` for the run itself."""

    @property
    def is_over(self) -> bool:
        """Whether it has ended, or may not go on."""
        return self.step.next_action in _ENDS or self.is_spent

    @property
    def is_spent(self) -> bool:
        """Whether it would execute more segments than it may."""
        return self.step.next_action not in _ENDS and self.step.loop_counter >= self.limit

    @property
    def waits(self) -> bool:
        """Whether a person must answer before it goes on."""
        return self.step.next_action == NextAction.PAUSED_FOR_HITP

    def outcome(self, position: int) -> dict[str, Any]:
        """What a join is told: ``{"position", "status", "bag", "error_info"?}``."""
        found: dict[str, Any] = {"position": position, "bag": dict(self.step.root)}
        if self.is_spent:
            text = f"{self.step.loop_counter} segments were executed, the limit is {self.limit}. "
            error = {"code": "LOOP_LIMIT_EXCEEDED", "message": f"{text}Raise `max_branch_iterations`."}
            return found | {"status": "LOOP_LIMIT_EXCEEDED", "error_info": error}
        if self.step.next_action == NextAction.COMPLETE:
            return found | {"status": "COMPLETE"}
        return found | {"status": "FAILED", "error_info": dict(self.step.error or {})}

    def to_json(self) -> dict[str, Any]:
        """The form in the document, beside the place it belongs to."""
        return {"step": self.step.to_json(), "lineage": self.place.lineage, "limit": self.limit, "action": self.action}

    @staticmethod
    def from_json(body: Mapping[str, Any], base: Place) -> Line:
        """Read the form in the document; ``base`` names the run."""
        step = Step.from_json(body["step"])
        place = replace(base, version=step.version, root=step.root, lineage=body["lineage"])
        return Line(place=place, step=step, limit=body["limit"], action=body["action"])


@dataclass(frozen=True, kw_only=True)
class Lines:
    """Runs lines, one segment after another.

    Args:
        engine: Executes and merges.
        has_time: Whether there is time for another segment in this call.
    """

    engine: RunEngine
    has_time: Callable[[], bool]

    def begin_branch(self, base: Place, position: int) -> Line:
        """The branch at ``position`` of those that the bag at ``base`` has pending."""
        place = replace(base, lineage=f"{base.lineage}/{base.version}.{position}")
        step = self.engine.begin_branch(place, position, attempt=LATER_TRY, heartbeat=no_heartbeat)
        return _line(place, step)

    def begin_item(self, base: Place, unit: int, at: int) -> Line:
        """The item at ``at`` of the chunk ``unit`` of the map that the bag at ``base`` has pending."""
        place = replace(base, lineage=f"{base.lineage}/{base.version}.{unit}.{at}")
        step = self.engine.begin_item(place, unit, at, attempt=LATER_TRY, heartbeat=no_heartbeat)
        return _line(place, step)

    def go_on(self, line: Line, *, fans_out: bool = True) -> Line:
        """Run until the line is over, waits for a person, or the call's time is.

        Args:
            line: Where it stands.
            fans_out: Whether branches and chunks inside of it run here, too, one after another.
        """
        while not (line.is_over or line.waits) and self.has_time():
            if line.step.next_action in _FANS_OUT and not fans_out:
                return line
            line = self.advance(line)
        return line

    def advance(self, line: Line) -> Line:
        """Take one step of the line.

        Raises:
            StateBagError: ``PAUSE_MISPLACED``: a branch inside of a branch waits for a person.
        """
        place, step, action = line.place, line.step, line.step.next_action
        if action == NextAction.PARALLEL_GROUP:
            after = self._join_branches(place, step)
        elif action == NextAction.DISTRIBUTED_MAP:
            after = self._run_map(place)
        elif action == NextAction.PAUSED_FOR_ASYNC_LLM:
            result = self.engine.run_async_segment(place, attempt=LATER_TRY, heartbeat=no_heartbeat)
            name = f"async:{step.version}"
            after = self.engine.act("merge_async", place, {"async_result": result}, result_id=name)
        else:
            after = self.engine.execute_segment(
                place, step.segment_to_run, action=line.action, attempt=LATER_TRY, heartbeat=no_heartbeat
            )
        return self.take(line, after)

    def answer(self, line: Line, callback: Mapping[str, Any], *, pause_id: str) -> Line:
        """Merge what a person has answered, or that nobody has."""
        payload = {"callback_result": callback}
        return self.take(line, self.engine.act("merge_callback", line.place, payload, result_id=pause_id))

    def take(self, line: Line, step: Step) -> Line:
        """The line behind a step."""
        return replace(line, step=step, place=replace(line.place, version=step.version, root=step.root))

    def _join_branches(self, place: Place, step: Step) -> Step:
        total = step.extra["fork"]["total"]
        results = [self._result(at, lambda at=at: self.begin_branch(place, at)) for at in range(total)]
        name = f"branches:{step.version}"
        return self.engine.act("aggregate_branches", place, {"parallel_results": results}, result_id=name)

    def _run_map(self, place: Place) -> Step:
        step = self.engine.prepare_map(place, heartbeat=no_heartbeat)
        if step.next_action != NextAction.DISTRIBUTED_MAP:
            return step
        here, found = replace(place, version=step.version, root=step.root), step.extra["map"]
        for first, last in waves_of(found["waves"]):
            for unit in range(first, last):
                if found["kind"] == "lines":
                    self._run_lines(here, unit)
                else:
                    self.run_chunk(here, unit)
        return self.engine.join_map(here, heartbeat=no_heartbeat)

    def run_chunk(self, place: Place, unit: int) -> dict[str, Any]:
        """Run a chunk of items that never wait."""
        return self.engine.run_chunk(
            place, unit, attempt=LATER_TRY, max_retries=PROVIDER_RETRIES, heartbeat=no_heartbeat
        )

    def _run_lines(self, place: Place, unit: int) -> None:
        positions = self.engine.open_chunk(place, unit)["positions"]
        results = [self._result(at, lambda at=at: self.begin_item(place, unit, at)) for at in positions]
        if results:
            self.engine.finish_chunk(place, unit, [outcome_of(result) for result in results])

    def _result(self, position: int, begin: Callable[[], Line]) -> dict[str, Any]:
        try:
            return self._to_the_end(begin()).outcome(position)
        except StateBagError as error:
            if error.retryable:
                raise
            return failed(position, error)

    def _to_the_end(self, line: Line) -> Line:
        while not line.is_over:
            if line.waits:
                text = (
                    "a branch or an item inside of another one waits for a person, which the machines of Step Functions "
                    "can't do. Ask before or behind the inner one, or run the document on Temporal."
                )
                raise StateBagError(text, code="PAUSE_MISPLACED")
            line = self.advance(line)
        return line


def failed(position: int, error: StateBagError) -> dict[str, Any]:
    """What a join is told of a line that an error has ended."""
    return {"position": position, "status": "FAILED", "error_info": {"code": error.code, "message": error.message}}


def _line(place: Place, step: Step) -> Line:
    here = replace(place, version=step.version, root=step.root)
    return Line(place=here, step=step, limit=step.extra["max_branch_iterations"])
