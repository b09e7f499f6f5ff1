"""What an action brings: the execution result's contract, and the delta made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from statebag.errors import InputRefused, Problem

__all__ = ["Delta", "Status", "check_execution_result", "parse_status"]


class Status(StrEnum):
    """What a segment, branch or chunk reports. Aliases are resolved at the boundary."""

    STARTED = "STARTED"
    CONTINUE = "CONTINUE"
    COMPLETE = "COMPLETE"
    FAILED = "FAILED"
    HALTED = "HALTED"
    SIGKILL = "SIGKILL"
    PAUSED_FOR_HITP = "PAUSED_FOR_HITP"
    PAUSED_FOR_ASYNC_LLM = "PAUSED_FOR_ASYNC_LLM"
    PARALLEL_GROUP = "PARALLEL_GROUP"
    SCHEDULED_PARALLEL = "SCHEDULED_PARALLEL"
    SEQUENTIAL_BRANCH = "SEQUENTIAL_BRANCH"
    SKIPPED = "SKIPPED"
    PARTIAL_FAILURE = "PARTIAL_FAILURE"
    LOOP_LIMIT_EXCEEDED = "LOOP_LIMIT_EXCEEDED"
    TIMEOUT = "TIMEOUT"


_ALIASES = {
    "PAUSE": Status.PAUSED_FOR_HITP,
    "SUCCESS": Status.COMPLETE,
    "SUCCEEDED": Status.COMPLETE,
    "COMPLETED": Status.COMPLETE,
    "ASYNC_CHILD_WORKFLOW_STARTED": Status.CONTINUE,
}


def parse_status(text: Any) -> Status | None:
    """The status a text means, whatever its case; None for one that does not exist."""
    if not isinstance(text, str):
        return None
    word = text.strip().upper()
    return _ALIASES.get(word) or (Status(word) if word in Status.__members__ else None)


@dataclass(frozen=True, kw_only=True)
class Delta:
    """A normalised result: what the merge applies and what the decision reads.

    Signals to the pipe are fields here; none of them ever becomes a field of the bag.
    """

    status: Status | None = None
    unknown_status: str | None = None
    control: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Control fields that this action owns; None never replaces a value."""
    kernel: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Kernel fields to replace."""
    user_set: Mapping[str, Any] = field(default_factory=dict[str, Any])
    user_unset: tuple[str, ...] = ()
    user_full: bool = False
    """Whether ``user_set`` is the whole user state rather than a change to it."""
    logs: tuple[Any, ...] = ()
    next_segment: int | None = None
    counts_segment: bool = False
    """Whether a segment of the main loop was executed."""
    inner_plan: Any = None
    """The inner segments of a sequential branch."""
    aggregation_failed: str | None = None
    """Why the failure policy is violated."""
    warnings: tuple[Problem, ...] = ()




def check_execution_result(result: Any) -> Mapping[str, Any]:
    """Refuse a result that breaks the contract, naming all that is wrong.

    Raises:
        InputRefused: ``RESULT_INVALID`` problems.
    """
    if not isinstance(result, Mapping):
        raise InputRefused([_problem("$", f"is a {type(result).__name__}, not an object")], what="execution_result")
    problems: list[Problem] = []
    if not isinstance(result.get("status"), str):
        problems.append(_problem("$.status", "must be a text such as CONTINUE or COMPLETE"))
    final = result.get("final_state")
    if final is not None and not isinstance(final, Mapping):
        problems.append(_problem("$.final_state", "must be an object (the whole user state)"))
    delta = result.get("state_delta")
    if delta is not None and (
        not isinstance(delta, Mapping)
        or not isinstance(delta.get("set", {}), Mapping)
        or not isinstance(delta.get("unset", []), list | tuple)
    ):
        problems.append(_problem("$.state_delta", 'must be {"set": object, "unset": list of names}'))
    following = result.get("next_segment_to_run")
    if following is not None and (not isinstance(following, int) or isinstance(following, bool) or following < 0):
        problems.append(_problem("$.next_segment_to_run", "must be a whole number from 0, or null"))
    for key, kind in (("new_history_logs", list | tuple), ("branches", list | tuple), ("inner_partition_map", list)):
        if result.get(key) is not None and not isinstance(result[key], kind):
            problems.append(_problem(f"$.{key}", "must be a list"))
    status = parse_status(result.get("status"))
    if status in (Status.PARALLEL_GROUP, Status.SCHEDULED_PARALLEL):
        batches = result.get("execution_batches")
        if not result.get("branches") and not batches:
            problems.append(_problem("$.branches", f"must hold at least one branch with status {status}"))
    if status is Status.SEQUENTIAL_BRANCH and not result.get("inner_partition_map"):
        problems.append(_problem("$.inner_partition_map", "must hold at least one segment with this status"))
    if problems:
        raise InputRefused(problems, what="execution_result")
    return result


def _problem(path: str, message: str) -> Problem:
    return Problem(path=path, code="RESULT_INVALID", message=message)
