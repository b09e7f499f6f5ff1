"""What an action brings: the execution result's contract, and the delta made of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from statebag.canonical import canonical_bytes
from statebag.errors import CODES, InputRefused, Problem

__all__ = ["FORKS", "Delta", "Status", "check_execution_result", "error_of", "parse_status", "wrong_logs"]


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
    DISTRIBUTED_MAP = "DISTRIBUTED_MAP"
    SKIPPED = "SKIPPED"
    PARTIAL_FAILURE = "PARTIAL_FAILURE"
    LOOP_LIMIT_EXCEEDED = "LOOP_LIMIT_EXCEEDED"
    TIMEOUT = "TIMEOUT"


FORKS = frozenset({Status.PARALLEL_GROUP, Status.SCHEDULED_PARALLEL})
"""Statuses that leave branches to run."""

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
    kernel: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Kernel fields to replace."""
    user_set: Mapping[str, Any] = field(default_factory=dict[str, Any])
    user_unset: tuple[str, ...] = ()
    user_full: bool = False
    """Whether ``user_set`` is the whole user state rather than a change to it."""
    logs: tuple[Any, ...] = ()
    next_segment: int | None = None
    executed: bool = False
    """Whether it tells of an executed segment, so that a missing ``next_segment`` means something."""
    counts_segment: bool = False
    """Whether that segment is to be counted."""
    inner_plan: Any = None
    """The inner segments of a sequential branch."""
    error: Mapping[str, Any] | None = None
    """``{"code", "message", …}`` that the result brings."""
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
    problems = [*_wrong_state(result), *_wrong_flow(result)]
    problems += [_problem(f"$.new_history_logs{where}", what) for where, what in wrong_logs(result)]
    if problems:
        raise InputRefused(problems, what="execution_result")
    return result


def wrong_logs(result: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Place and fault of each entry of ``new_history_logs`` that can't become history."""
    logs = result.get("new_history_logs")
    if logs is None:
        return
    if not isinstance(logs, list | tuple):
        yield "", "must be a list"
        return
    for index, entry in enumerate(logs):
        if not isinstance(entry, Mapping | str):
            yield f"[{index}]", f"is a {type(entry).__name__}; entries are objects or texts"


def error_of(info: Any) -> dict[str, Any]:
    """An error as the bag keeps it, ``{"code", "message", …}``, of whatever a producer gave."""
    if not isinstance(info, Mapping):
        return {"code": "RUN_FAILED", "message": info if isinstance(info, str) else canonical_bytes(info).decode()}
    code = info.get("code", info.get("error_type"))
    message = info.get("message", info.get("error_message", info.get("Cause")))
    return {
        **info,
        "code": code if code in CODES else "RUN_FAILED",
        "message": message if isinstance(message, str) else canonical_bytes(dict(info)).decode(),
    }


def _wrong_state(result: Mapping[str, Any]) -> Iterator[Problem]:
    given = [name for name in ("state_delta", "final_state", "final_state_s3_path") if result.get(name) is not None]
    if len(given) > 1:
        yield _problem(f"$.{given[-1]}", f"{' and '.join(given)} were given for the same thing; give one")
    final, delta = result.get("final_state"), result.get("state_delta")
    if final is not None and not isinstance(final, Mapping):
        yield _problem("$.final_state", "must be an object (the whole user state)")
    if delta is None:
        return
    shape = '{"set": object, "unset": list of names}'
    if not isinstance(delta, Mapping) or delta.keys() - {"set", "unset"}:
        yield _problem("$.state_delta", f"must be {shape} and nothing else")
        return
    if not isinstance(delta.get("set", {}), Mapping):
        yield _problem("$.state_delta.set", "must be an object")
    unset = delta.get("unset", [])
    if not isinstance(unset, list | tuple) or not all(isinstance(name, str) for name in unset):
        yield _problem("$.state_delta.unset", "must be a list of names")


def _wrong_flow(result: Mapping[str, Any]) -> Iterator[Problem]:
    if not isinstance(result.get("status"), str):
        yield _problem("$.status", "must be a text such as CONTINUE or COMPLETE")
    for name in ("next_segment_to_run", "convergence_segment"):
        index = result.get(name)
        if index is not None and (not isinstance(index, int) or isinstance(index, bool) or index < 0):
            yield _problem(f"$.{name}", "must be a whole number from 0, or null")
    for name in ("branches", "inner_partition_map"):
        items = result.get(name)
        if items is not None and not (isinstance(items, list | tuple) and all(isinstance(i, Mapping) for i in items)):
            yield _problem(f"$.{name}", "must be a list of objects")
    batches = result.get("execution_batches")
    if batches is not None and not (
        isinstance(batches, list | tuple)
        and all(isinstance(batch, list | tuple) and all(isinstance(i, Mapping) for i in batch) for batch in batches)
    ):
        yield _problem("$.execution_batches", "must be a list of lists of branches")
    if not isinstance(result.get("branch_policy", {}), Mapping | None):
        yield _problem("$.branch_policy", "must be an object")
    status = parse_status(result.get("status"))
    if status in FORKS and not (result.get("branches") or any(batches or ())):
        yield _problem("$.branches", f"must hold at least one branch with status {status}")
    if status is Status.DISTRIBUTED_MAP and not isinstance(result.get("pending_map"), Mapping):
        yield _problem("$.pending_map", "must be an object with this status")
    if status is Status.SEQUENTIAL_BRANCH and not result.get("inner_partition_map"):
        yield _problem("$.inner_partition_map", "must hold at least one segment with this status")


def _problem(path: str, message: str) -> Problem:
    return Problem(path=path, code="RESULT_INVALID", message=message)
