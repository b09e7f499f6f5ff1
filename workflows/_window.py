"""A bounded number of child workflows at a time, of any number: what a map's chunks are run by.

Each child comes to exactly one outcome, whatever becomes of it: one that is terminated, times out or is deleted is
noticed. A coordinator may go on in a new history at any moment, also while children run: they are not told, and the
new history watches those that an earlier one has started.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import (
    ApplicationError,
    ChildWorkflowError,
    FailureError,
    WorkflowAlreadyStartedError,
    is_cancelled_exception,
)

from workflows._losses import how_it_ended
from workflows._machine import Machine
from workflows._window_plan import WindowPlan

with workflow.unsafe.imports_passed_through():
    from statebag.machine import IN_FLIGHT_LIMIT, SILENCE_SECONDS

__all__ = ["Window"]

_LONGEST_SILENCE = 10
"""Times the first one."""


class Window:
    """Runs the units of a plan in the workflow that makes it.

    Args:
        machine: The coordinator: calls functions.
        plan: What to run.
        task_of: The input of a unit's child workflow.
        close: Called for a unit whose child ended without an outcome, with the error to record; gives its outcome.
        waiting: How many units in flight only wait for people: they hold up no others.
        carried: What :meth:`carry` gave in an earlier history.
    """

    def __init__(
        self,
        machine: Machine,
        plan: WindowPlan,
        *,
        task_of: Callable[[int], Mapping[str, Any]],
        close: Callable[[int, Mapping[str, Any]], Awaitable[Mapping[str, Any]]],
        waiting: Callable[[], int] = lambda: 0,
        carried: Mapping[str, Any] | None = None,
    ) -> None:
        self._machine = machine
        self._plan = plan
        self._task_of = task_of
        self._close = close
        self._waiting = waiting
        self._next = 0
        self._barrier = 0
        self._in_flight: dict[int, str] = {}
        self._starting: set[int] = set()
        self._adopted: set[int] = set()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._watching: asyncio.Task[None] | None = None
        self._broken: BaseException | None = None
        self._news = False
        self._partial: dict[int, Mapping[str, int]] = {}
        self.succeeded = 0
        self.failed = 0
        self.stopped = False
        """Whether no more units begin."""
        if carried is not None:
            self._next, self._barrier = carried["next"], carried["barrier"]
            self.succeeded, self.failed = carried["succeeded"], carried["failed"]
            self.stopped = carried["stopped"]
            for unit in carried["in_flight"]:
                self._in_flight[unit] = self._child_of(unit)
                self._adopted.add(unit)

    def carry(self) -> dict[str, Any]:
        """What a new history goes on with."""
        return {
            "next": self._next,
            "barrier": self._barrier,
            "succeeded": self.succeeded,
            "failed": self.failed,
            "stopped": self.stopped,
            "in_flight": sorted(self._in_flight),
        }

    def counts(self) -> dict[str, int]:
        """``chunks``, ``chunks_done``, ``in_flight``, ``done`` and ``failed`` (items)."""
        more = [report for unit, report in self._partial.items() if unit in self._in_flight]
        failed = self.failed + sum(report["failed"] for report in more)
        succeeded = self.succeeded + sum(report["succeeded"] for report in more)
        return {
            "chunks": self._plan.units,
            "chunks_done": self._next - len(self._in_flight),
            "in_flight": len(self._in_flight),
            "done": succeeded + failed,
            "failed": failed,
        }

    def poke(self) -> None:
        """Something has changed that may let more units begin."""
        self._news = True

    def report(self, unit: int, counts: Mapping[str, int]) -> None:
        """A unit that is a window of its own tells how far it is."""
        self._partial[unit] = counts
        self.poke()

    def has(self, child: str) -> bool:
        """Whether ``child`` is a unit in flight, or inside of one."""
        return any(f"{child}/".startswith(f"{one}/") for one in self._in_flight.values())

    async def run(self, *, is_long: Callable[[], bool]) -> bool:
        """Run until all units are over, or the window has stopped and those in flight are over.

        Args:
            is_long: Whether the history has become so long that another one shall go on.

        Returns:
            Whether it is over; if not, it is time for a new history: each child that was to be started has been.
        """
        if self._adopted:
            self._watching = asyncio.create_task(self._watch())
        silence = SILENCE_SECONDS
        try:
            while True:
                due = is_long()
                while not due and self._may_start():
                    self._start(self._next)
                    self._next += 1
                if not self._in_flight and (self.stopped or self._next == self._plan.units):
                    return True
                if due and not self._starting:
                    return False
                try:
                    await workflow.wait_condition(self._take_news, timeout=timedelta(seconds=silence))
                    silence = SILENCE_SECONDS
                except TimeoutError:
                    silence = min(silence * 2, SILENCE_SECONDS * _LONGEST_SILENCE)
                    await self._find_lost()
                if self._broken is not None:
                    raise self._broken
                if self._plan.tolerated is not None and self.counts()["failed"] > self._plan.tolerated:
                    await self._stop()
        except (asyncio.CancelledError, FailureError) as ended:
            if is_cancelled_exception(ended) and workflow.cancellation_reason() is not None:
                await self._stop()
                await workflow.wait_condition(lambda: not self._in_flight or self._broken is not None)
            raise

    def _take_news(self) -> bool:
        news, self._news = self._news or self._broken is not None, False
        return news

    def _may_start(self) -> bool:
        if self.stopped or self._next == self._plan.units or len(self._in_flight) >= IN_FLIGHT_LIMIT:
            return False
        if self._next == self._barrier:
            if self._in_flight:
                return False
            end = self._plan.end_of_wave(self._next)
            self._barrier = min(end, self._next + self._plan.limit) if self._plan.batched else end
        return len(self._in_flight) - self._waiting() < self._plan.limit

    def _start(self, unit: int) -> None:
        self._in_flight[unit] = self._child_of(unit)
        self._starting.add(unit)
        self._tasks[unit] = asyncio.create_task(self._attend(unit))

    async def _attend(self, unit: int) -> None:
        try:
            report = await self._run_unit(unit)
        except FailureError as failure:
            self._broken = failure
        except asyncio.CancelledError:
            # Stopped before it was started, or the worker only drops the run from its memory.
            self._settle(unit, None)
            raise
        else:
            if report is not None or unit not in self._adopted:
                self._settle(unit, report)
        finally:
            self._starting.discard(unit)
            self.poke()

    async def _run_unit(self, unit: int) -> Mapping[str, Any] | None:
        """The unit's outcome; None where it has none, or where an earlier child runs under its id."""
        child = self._child_of(unit)
        limit = self._plan.timeout_seconds
        try:
            handle = await workflow.start_child_workflow(
                "ChunkWorkflow",
                self._task_of(unit),
                id=child,
                # A child must outlive this history, and the run that is terminated needs none to end it: each ends
                # with its chunk.
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                execution_timeout=None if limit is None else timedelta(seconds=limit),
            )
        except WorkflowAlreadyStartedError:
            self._adopt(unit)
            return None
        finally:
            self._starting.discard(unit)
            self.poke()
        try:
            return await handle
        except FailureError as failure:
            if self.stopped and is_cancelled_exception(failure):
                return None
            return await self._close(unit, _error_of(failure, child))

    def _settle(self, unit: int, report: Mapping[str, Any] | None) -> None:
        if self._in_flight.pop(unit, None) is None:
            return
        self._partial.pop(unit, None)
        self._adopted.discard(unit)
        self._tasks.pop(unit, None)
        if report is not None:
            self.succeeded += report["succeeded"]
            self.failed += report["failed"]
        self.poke()

    def _adopt(self, unit: int) -> None:
        self._adopted.add(unit)
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        """Wait for the children that this history has not started: the server tells nothing of them."""
        try:
            while self._adopted:
                children = {str(unit): self._in_flight[unit] for unit in sorted(self._adopted)}
                ended = await self._machine.call("watch_chunks", "watch_chunks", {"children": children})
                for name, end in ended.items():
                    await self._take(int(name), end)
        except FailureError as failure:
            self._broken = failure
            self.poke()

    async def _take(self, unit: int, end: Mapping[str, Any]) -> None:
        if unit not in self._in_flight:
            return
        if "report" in end:
            self._settle(unit, end["report"])
        elif self.stopped and end.get("canceled"):
            self._settle(unit, None)
        else:
            self._settle(unit, await self._close(unit, end["error"]))

    async def _find_lost(self) -> None:
        """Look for children that are gone without the server having said so: deleted ones."""
        own = {str(unit): child for unit, child in sorted(self._in_flight.items()) if unit not in self._adopted}
        if own:
            lost = await self._machine.call_local("find_lost_chunks", "find_lost_chunks", {"children": own})
            for name, end in lost.items():
                await self._take(int(name), end)

    async def _stop(self) -> None:
        if self.stopped:
            return
        self.stopped = True
        for task in list(self._tasks.values()):
            task.cancel()
        # All at once: while one is being cancelled, others come to their ends.
        await asyncio.gather(*(_cancel(self._in_flight[unit]) for unit in sorted(self._adopted)))

    def _child_of(self, unit: int) -> str:
        return f"{self._plan.prefix}{self._plan.first + unit}"


async def _cancel(child: str) -> None:
    try:
        await workflow.get_external_workflow_handle(child).cancel()
    except ApplicationError as gone:
        workflow.logger.info("chunk %s is over: %s", child, gone)


def _error_of(failure: FailureError, child: str) -> dict[str, Any]:
    cause = failure.cause if isinstance(failure, ChildWorkflowError) else failure
    if isinstance(cause, ApplicationError):
        return {"code": cause.type or "CHUNK_LOST", "message": cause.message}
    return {"code": "CHUNK_LOST", "message": f"the workflow {child} {how_it_ended(failure)}."}
