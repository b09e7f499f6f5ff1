"""What the orchestrator does next: a closed table, read after every change is in."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from statebag.bag._bag import Bag
from statebag.bag._result import FORKS, Delta, Status
from statebag.errors import Problem

__all__ = ["TERMINAL_FAILURES", "NextAction", "decide"]


class NextAction(StrEnum):
    """The router's enum; both engines have an arm for each."""

    STARTED = "STARTED"
    CONTINUE = "CONTINUE"
    COMPLETE = "COMPLETE"
    FAILED = "FAILED"
    HALTED = "HALTED"
    SIGKILL = "SIGKILL"
    PAUSED_FOR_HITP = "PAUSED_FOR_HITP"
    PAUSED_FOR_ASYNC_LLM = "PAUSED_FOR_ASYNC_LLM"
    PARALLEL_GROUP = "PARALLEL_GROUP"
    SEQUENTIAL_BRANCH = "SEQUENTIAL_BRANCH"
    DISTRIBUTED_MAP = "DISTRIBUTED_MAP"


TERMINAL_FAILURES = frozenset({NextAction.FAILED, NextAction.HALTED, NextAction.SIGKILL})
"""Actions that end a run without success."""

_BY_STATUS: Mapping[Status | None, NextAction] = {
    Status.STARTED: NextAction.STARTED,
    Status.FAILED: NextAction.FAILED,
    Status.HALTED: NextAction.HALTED,
    Status.SIGKILL: NextAction.SIGKILL,
    Status.TIMEOUT: NextAction.FAILED,
    Status.LOOP_LIMIT_EXCEEDED: NextAction.FAILED,
    Status.PARTIAL_FAILURE: NextAction.FAILED,
    Status.PAUSED_FOR_HITP: NextAction.PAUSED_FOR_HITP,
    Status.PAUSED_FOR_ASYNC_LLM: NextAction.PAUSED_FOR_ASYNC_LLM,
}


def decide(bag: Bag, delta: Delta) -> tuple[NextAction, Problem | None]:
    """The next action, and what is wrong where it is FAILED for a reason of its own (or worth a warning).

    ``bag`` already holds all that the action changed.
    """
    status, control = delta.status, bag.control
    if status is None and delta.unknown_status is not None:
        text = f"the status {delta.unknown_status!r} does not exist. Use one of {', '.join(Status)}."
        return NextAction.FAILED, _problem("UNKNOWN_STATUS", text)
    if status in _BY_STATUS:
        return _BY_STATUS[status], None
    if status in FORKS and bag.kernel.pending_branches:
        return NextAction.PARALLEL_GROUP, None
    if status is Status.DISTRIBUTED_MAP and bag.kernel.pending_map:
        return NextAction.DISTRIBUTED_MAP, None
    if status is Status.SEQUENTIAL_BRANCH and delta.inner_plan:
        return NextAction.SEQUENTIAL_BRANCH, None
    if delta.aggregation_failed is not None:
        return NextAction.FAILED, _problem("AGGREGATION_FAILED", delta.aggregation_failed)
    if not bag.kernel.partition_stack and control.segment_to_run >= control.total_segments:
        return NextAction.COMPLETE, None
    if status is Status.COMPLETE and delta.next_segment is not None:
        text = f"COMPLETE was reported although segment {control.segment_to_run} follows; going on."
        return NextAction.CONTINUE, _problem("COMPLETE_WITH_NEXT", text)
    if delta.counts_segment and delta.next_segment is None and status is not Status.COMPLETE:
        text = (
            f"{status} without `next_segment_to_run`, and segment {control.segment_to_run} of "
            f"{control.total_segments} is not the end. Name the next segment, or report COMPLETE."
        )
        return NextAction.FAILED, _problem("CONTINUE_WITHOUT_NEXT", text)
    # Here a COMPLETE has ended an inner plan: the outer one goes on.
    return NextAction.CONTINUE, None


def _problem(code: str, message: str) -> Problem:
    return Problem(path="$.status", code=code, message=message)
