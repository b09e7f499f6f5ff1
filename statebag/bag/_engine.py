"""Execute segments and apply actions for an engine that keeps the bag itself in the store.

What travels through the engine's history is a :class:`Step`: the version, one
pointer, and what the router reads. Its size does not depend on the bag's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from statebag.bag._bag import Bag
from statebag.bag._commit import Attempt, commit, digest_of, find_commit
from statebag.bag._execute import PlannedSegment
from statebag.bag._groups import BranchBag, bear_branch
from statebag.bag._hydrate import hydrate_branch, hydrate_segment
from statebag.bag._init import bear
from statebag.bag._kept import Kept
from statebag.bag._next_action import TERMINAL_FAILURES, NextAction
from statebag.bag._offload import TEMPORAL, OffloadPolicy
from statebag.bag._pipe import Outcome, Surroundings, apply, finish
from statebag.bag._plans import Plans
from statebag.bag._produce import Producer
from statebag.bag._result import Delta, Status, parse_status
from statebag.bag._step import Place, Step
from statebag.blobs import BlobStore, ExecutionBlobs, Pointer
from statebag.config import parse_execution_input
from statebag.nodes import NodeRegistry

__all__ = ["SAME_ALL_ALONG", "BagEngine", "attempt_of"]

KEPT_BAGS = 256
"""Bags and segments a worker keeps parsed: a warm segment reads and parses nothing."""

SAME_ALL_ALONG = (
    "total_segments",
    "llm_segments",
    "hitp_segments",
    "max_loop_iterations",
    "max_branch_iterations",
    "distributed_mode",
    "distributed_strategy",
    "max_concurrency",
    "start_time",
)
"""Control fields that machines are told once."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class BagEngine:
    """The state data manager of an engine with small history. Thread safe; one serves a whole worker.

    Args:
        store: where bags and values are.
        registry: the node types.
        policy: limits of the ladder.
        now: the clock of recorded times.
    """

    def __init__(
        self,
        store: BlobStore,
        registry: NodeRegistry,
        *,
        policy: OffloadPolicy = TEMPORAL,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self.store = store
        self.registry = registry
        self._policy = policy
        self._now = now
        self._kept = Kept(KEPT_BAGS)
        self._plans = Plans(self._kept, registry)
        self._producer = Producer(self._plans, registry, self._clock)

    def init(self, raw: Any, execution_id: str, *, lineage: str = "main") -> Step:
        """Make the first bag of an execution input.

        The step's ``extra`` has what stays the same for the whole run: identity, limits, counts, strategy.

        Raises:
            StateBagError: as the parts say: InputRefused with all problems, the pointer and store errors.
        """
        given = parse_execution_input(raw)
        blobs = self.store.execution(given.owner_id, given.workflow_id, execution_id)
        attempt = Attempt(lineage=lineage, version=1, action="init", result_id=digest_of("init", {"input": raw}))
        known = find_commit(blobs, attempt)
        if known is not None:
            return Step.from_json(known)
        born = bear(given, execution_id, self.store, self.registry, policy=self._policy, now=self._now())
        control = born.outcome.bag.control
        extra = {name: getattr(control, name) for name in SAME_ALL_ALONG} | {"workflow_name": born.workflow_name}
        return self._seal(replace(born.outcome, extra=extra), blobs, attempt, parent=None)

    def execute_segment(
        self,
        place: Place,
        segment: int,
        *,
        action: str = "sync",
        attempt: int = 1,
        heartbeat: Callable[[object], None] | None = None,
    ) -> Step:
        """Run a segment and merge its result: one unit, so that a crash leaves all of it or nothing.

        A repeat of a segment that was merged already returns the stored answer. A further attempt looks for that
        answer first, and then calls nothing outside; the first attempt spares the look.

        Args:
            place: the bag.
            segment: index in its plan.
            action: ``sync``, or ``sync_branch`` for the bag of a branch.
            attempt: 1-based try.
            heartbeat: takes signs of life of nodes that wait.

        Raises:
            StateBagError: a retryable one, where a node or the store fails for now; BagConflict.
        """
        blobs, bag = self._open(place)
        making = attempt_of(place, action, f"segment:{segment}:{bag.control.loop_counter}")
        planned = self._plans.segment(bag, segment, blobs)
        if attempt > 1 and planned.body.get("outside") and (known := find_commit(blobs, making)) is not None:
            return Step.from_json(known)
        outcome = self._execute(bag, planned, blobs, making, attempt=attempt, heartbeat=heartbeat)
        return self._seal(outcome, blobs, making, place.root)

    def begin_branch(
        self, place: Place, position: int, *, attempt: int = 1, heartbeat: Callable[[object], None] | None = None
    ) -> Step:
        """Make the bag of a branch, and run its first segment where that calls nothing outside.

        Args:
            place: the bag that has the branch pending; its ``lineage`` is the branch's.
            position: which of the pending branches.
            attempt: 1-based try.
            heartbeat: takes signs of life of nodes that wait.

        Returns:
            A step whose ``extra`` has ``branch_id``, ``branch_index``, ``path``, ``total_segments``,
            ``max_branch_iterations``, and ``executed``: whether the first segment is done.

        Raises:
            StateBagError: as :meth:`execute_segment`; ``RESULT_INVALID`` for a branch that is not pending.
        """
        blobs, parent = self._open(place)
        born = bear_branch(parent, position, blobs)
        making = Attempt(lineage=place.lineage, version=1, action="sync_branch", result_id=f"branch:{position}")
        return self._begin_line(born, blobs, making, attempt=attempt, heartbeat=heartbeat)

    def _begin_line(
        self,
        born: BranchBag,
        blobs: ExecutionBlobs,
        making: Attempt,
        *,
        attempt: int,
        heartbeat: Callable[[object], None] | None,
    ) -> Step:
        planned = self._plans.segment(born.bag, 0, blobs)
        asks, how = "pause" in planned.body, planned.how_to_run()
        # What has a time or retries of its own needs a call of its own.
        executed = not asks and how["mode"] == "local" and how.keys() == {"mode", "label"}
        if executed:
            outcome = self._execute(born.bag, planned, blobs, making, attempt=attempt, heartbeat=heartbeat)
        else:
            delta = Delta(status=Status.PAUSED_FOR_HITP if asks else Status.STARTED)
            outcome = finish("init", born.bag, delta, self._around(blobs))
        control = born.bag.control
        extra = {
            "branch_id": born.branch_id,
            "branch_index": born.branch_index,
            "path": born.path,
            "total_segments": control.total_segments,
            "max_branch_iterations": control.max_branch_iterations,
            "executed": executed,
        }
        return self._seal(replace(outcome, extra={**outcome.extra, **extra}), blobs, making, parent=None)

    def produce(
        self, place: Place, *, attempt: int = 1, heartbeat: Callable[[object], None] | None = None
    ) -> dict[str, Any]:
        """Run the segment that the bag is at, and return its result unmerged: ``sync`` takes it.

        Beside the execution result's own fields it has ``fork`` or ``map``: how to run what it leaves to be run.
        """
        blobs, bag = self._open(place)
        planned = self._plans.segment(bag, bag.control.segment_to_run, blobs)
        making = attempt_of(place, "sync", "")
        made = self._producer.produce(bag, planned, blobs, making, attempt=attempt, heartbeat=heartbeat)
        return {**made.result, **made.extra}

    def run_async_segment(
        self, place: Place, *, attempt: int = 1, heartbeat: Callable[[object], None] | None = None
    ) -> dict[str, Any]:
        """Run the segment that the bag waits for, and return its result unmerged: ``merge_async`` takes it."""
        blobs, bag = self._open(place)
        planned = self._plans.segment(bag, bag.control.segment_to_run, blobs)
        ran = self._producer.run(bag, planned, attempt=attempt, heartbeat=heartbeat)
        return {**ran.result, **self._plans.follow(bag, planned, ran, blobs)}

    def act(self, action: str, place: Place, payload: Mapping[str, Any], *, result_id: str | None = None) -> Step:
        """Apply any other action that changes the bag.

        Raises:
            StateBagError: as the action says; BagConflict.
        """
        blobs, bag = self._open(place)
        making = attempt_of(place, action, result_id or digest_of(action, payload))
        if action == "merge_async":
            payload = {**payload, "async_result": self._complete_async(bag, payload.get("async_result"), blobs)}
        outcome = self._apply(action, bag, payload, blobs)
        then = payload.get("then") if action == "create_snapshot" else None
        if then is not None:
            # The run goes on as if nothing had come between, also where it is taken up here.
            outcome = replace(outcome, next_action=NextAction(then["next_action"]), extra=then["extra"])
        # The summary is in the bag; a step carries none, so that many branches cost no more history than few.
        extra = {name: value for name, value in outcome.extra.items() if name != "summary"}
        return self._seal(replace(outcome, extra=extra), blobs, making, place.root)

    def hydrate(self, action: str, place: Place, payload: Mapping[str, Any]) -> dict[str, Any]:
        """``hydrate_segment`` or ``hydrate_branch``: fetch configuration, change nothing."""
        blobs, bag = self._open(place)
        return hydrate_branch(payload, blobs) if action == "hydrate_branch" else hydrate_segment(bag, payload, blobs)

    def describe_call(self, place: Place) -> tuple[Mapping[str, Any], dict[str, Any]]:
        """The segment that the bag waits for, and the user fields that its nodes read."""
        blobs, bag = self._open(place)
        planned, user = self._plans.segment(bag, bag.control.segment_to_run, blobs), bag.user.forget()
        if planned.reads is None:
            return planned.body, user.whole()
        return planned.body, {name: user[name] for name in sorted(planned.reads) if name in user}

    def ahead(self, place: Place, next_action: str) -> dict[str, Any]:
        """How to run the segment that is next (``next``), and at a pause what it asks (``pause``)."""
        blobs, bag = self._open(place)
        return self._plans.ahead(bag, NextAction(next_action), blobs)

    def read_bag(self, place: Place) -> Bag:
        """The bag at ``place``."""
        bag = self._open(place)[1]
        return replace(bag, user=bag.user.forget())

    def _clock(self) -> datetime:
        return self._now()

    def _execute(
        self,
        bag: Bag,
        planned: PlannedSegment,
        blobs: ExecutionBlobs,
        making: Attempt,
        *,
        attempt: int,
        heartbeat: Callable[[object], None] | None,
    ) -> Outcome:
        """Do what a segment is there for, and put what comes of it into the bag."""
        made = self._producer.produce(bag, planned, blobs, making, attempt=attempt, heartbeat=heartbeat)
        outcome = self._apply(making.action, bag, {"execution_result": made.result}, blobs)
        outcome = replace(outcome, warnings=(*made.warnings, *outcome.warnings)) if made.warnings else outcome
        return replace(outcome, extra=made.extra) if made.extra else outcome

    def _apply(self, action: str, bag: Bag, payload: Mapping[str, Any], blobs: ExecutionBlobs) -> Outcome:
        return apply(action, bag, payload, self._around(blobs))

    def _around(self, blobs: ExecutionBlobs) -> Surroundings:
        return Surroundings(blobs=blobs, policy=self._policy, now=self._now())

    def _complete_async(self, bag: Bag, result: Any, blobs: ExecutionBlobs) -> Any:
        """A result from outside may leave the link to us."""
        if not isinstance(result, Mapping) or result.get("next_segment_to_run") is not None:
            return result
        if parse_status(result.get("status")) not in (Status.COMPLETE, Status.CONTINUE):
            return result
        return {
            **result,
            **self._plans.follow(bag, self._plans.segment(bag, bag.control.segment_to_run, blobs), None, blobs),
        }

    def _open(self, place: Place) -> tuple[ExecutionBlobs, Bag]:
        blobs = self.store.execution(place.owner_id, place.workflow_id, place.execution_id)
        pointer = Pointer.from_json(place.root)
        return blobs, self._kept.get((blobs.prefix, pointer.key), lambda: Bag.from_json(blobs.get(pointer), blobs))

    def _seal(
        self, outcome: Outcome, blobs: ExecutionBlobs, attempt: Attempt, parent: Mapping[str, Any] | None
    ) -> Step:
        bag, action = outcome.bag, outcome.next_action
        root = blobs.put(bag.to_json(), kind="bag")
        self._kept.get((blobs.prefix, root.key), lambda: bag)
        step = Step(
            version=bag.control.bag_version,
            root=root.to_json(),
            next_action=str(action),
            segment_to_run=bag.control.segment_to_run,
            loop_counter=bag.control.loop_counter,
            error=bag.kernel.error if action in TERMINAL_FAILURES else None,
            warnings=tuple(warning.to_json() for warning in outcome.warnings),
            extra=outcome.extra,
            **self._plans.ahead(bag, action, blobs),
        )
        parent_hash = parent["sha256"] if parent else None
        answer = commit(blobs, attempt, answer=step.to_json(), root=root.sha256, parent=parent_hash, now=self._now())
        return Step.from_json(answer)


def attempt_of(place: Place, action: str, result_id: str) -> Attempt:
    """An action on its way to the version behind that of ``place``."""
    return Attempt(lineage=place.lineage, version=place.version + 1, action=action, result_id=result_id)
