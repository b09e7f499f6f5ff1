"""The one pipe: normalise a result into a delta, merge it, decide what comes next, offload.

Birth, growth and joining all go through :func:`apply`. It is pure but for the
store handed to it: the bag that goes in is never changed, and a failure leaves
it as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from statebag.bag._aggregate import name_results, normalise_aggregate
from statebag.bag._bag import Bag
from statebag.bag._hydrate import pending_of
from statebag.bag._merge import merge
from statebag.bag._next_action import TERMINAL_FAILURES, NextAction, decide
from statebag.bag._normalise import normalise_callback, normalise_result
from statebag.bag._offload import OffloadPolicy, offload
from statebag.bag._result import Delta
from statebag.bag._snapshot import restore, take_snapshot
from statebag.blobs import ExecutionBlobs
from statebag.errors import OffloadFailed, Problem, StateBagError

__all__ = ["ACTIONS", "Outcome", "Surroundings", "apply", "finish", "unknown_action"]

ACTIONS = (
    "init",
    "sync",
    "sync_branch",
    "aggregate_branches",
    "merge_callback",
    "merge_async",
    "aggregate_distributed",
    "create_snapshot",
    "restore_snapshot",
    "hydrate_branch",
    "hydrate_segment",
    "update_and_compress",
    "decompress",
)
"""The actions of the state data manager, under their names."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the pipe is given from outside."""

    blobs: ExecutionBlobs
    policy: OffloadPolicy
    now: datetime
    """Time to record."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What an action ends in."""

    bag: Bag
    """Settled: ready for its JSON form."""
    next_action: NextAction
    warnings: tuple[Problem, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Further fields of the answer, such as ``snapshot_id``."""


def apply(action: str, bag: Bag, payload: Mapping[str, Any], around: Surroundings) -> Outcome:
    """Apply an action that changes a bag.

    Raises:
        StateBagError: as the action's own part says; ``ACTION_UNKNOWN``.
    """
    if action == "create_snapshot":
        return _take_snapshot(bag, payload, around)
    if action == "restore_snapshot":
        snapshot_id = payload.get("snapshot_id")
        restored = restore(bag, snapshot_id, around.blobs)
        return replace(finish(action, restored, Delta(), around), extra={"restored_from": snapshot_id})
    outcome = finish(action, bag, _normalise(action, bag, payload, around.blobs), around)
    if action in ("aggregate_distributed", "aggregate_branches"):
        final = outcome.next_action if outcome.next_action in _UNJOINED else NextAction.COMPLETE
        summary = outcome.bag.kernel.distributed_chunk_summary
        return replace(outcome, extra={"final_status": str(final), "summary": summary})
    return outcome


def finish(action: str, bag: Bag, delta: Delta, around: Surroundings) -> Outcome:
    """Merge, decide, stamp and offload: the part of the pipe that every action shares."""
    merged = merge(bag, delta, action, blobs=around.blobs, policy=around.policy)
    next_action, problem = decide(merged, delta)
    kernel, warnings = merged.kernel, delta.warnings
    if next_action in TERMINAL_FAILURES:
        kernel = replace(kernel, error=_error(merged, delta, problem))
    elif problem is not None:
        warnings = (*warnings, problem)
    control = replace(
        merged.control,
        bag_version=bag.control.bag_version + 1,
        last_update_time=around.now.astimezone(UTC).isoformat(timespec="milliseconds"),
    )
    settled, size = offload(Bag(control=control, kernel=kernel, user=merged.user), around.policy, around.blobs)
    if around.policy.warn is not None and size > around.policy.warn:
        warnings = (*warnings, _near_limit(size, around.policy))
    control = replace(control, payload_size_kb=round(size / 1024, 3))
    return Outcome(bag=replace(settled, control=control), next_action=next_action, warnings=warnings)


def unknown_action(action: Any) -> StateBagError:
    """The error for an action that does not exist."""
    return StateBagError(f"action {action!r}: does not exist. Use one of {', '.join(ACTIONS)}.", code="ACTION_UNKNOWN")


def _take_snapshot(bag: Bag, payload: Mapping[str, Any], around: Surroundings) -> Outcome:
    try:
        taken, snapshot_id, pointer = take_snapshot(bag, payload.get("snapshot_type"), around.policy, around.blobs)
    except OffloadFailed as failure:
        if payload.get("best_effort") is not True:
            raise
        outcome = finish("create_snapshot", bag, Delta(), around)
        warning = Problem(path="$.snapshot_id", code=failure.code, message=f"no snapshot was taken: {failure.message}")
        extra: dict[str, Any] = {"snapshot_id": None, "snapshot_s3_path": None}
        return replace(outcome, extra=extra, warnings=(*outcome.warnings, warning))
    extra = {"snapshot_id": snapshot_id, "snapshot_s3_path": pointer.to_json()}
    return replace(finish("create_snapshot", taken, Delta(), around), extra=extra)


_UNJOINED = TERMINAL_FAILURES | {NextAction.PAUSED_FOR_HITP}


def _error(bag: Bag, delta: Delta, problem: Problem | None) -> Mapping[str, Any]:
    """Why the run ends: never that of an earlier failure which it has survived."""
    if problem is not None:
        return {"code": problem.code, "message": problem.message}
    if delta.error is not None:
        return delta.error
    code = "LOOP_LIMIT_EXCEEDED" if delta.status == "LOOP_LIMIT_EXCEEDED" else "RUN_FAILED"
    where = f"segment {bag.control.segment_to_run} of {bag.control.total_segments}"
    return {"code": code, "message": f"{where} reported {delta.status} without saying why (`error_info`)."}


def _near_limit(size: int, policy: OffloadPolicy) -> Problem:
    text = f"the bag has {size} bytes after offloading; above {policy.refuse} it is refused."
    return Problem(path="$", code="BAG_NEAR_LIMIT", message=text)


def _normalise(action: str, bag: Bag, payload: Mapping[str, Any], blobs: ExecutionBlobs) -> Delta:
    if action in ("sync", "sync_branch"):
        return normalise_result(payload.get("execution_result"), blobs)
    if action == "update_and_compress":
        # Its callers count segments and choose the next one themselves.
        result = payload.get("execution_result")
        return Delta() if result is None else replace(normalise_result(result, blobs), counts_segment=False)
    if action == "merge_async":
        return normalise_result(payload.get("async_result"), blobs)
    if action == "merge_callback":
        return normalise_callback(bag, payload.get("callback_result"), blobs)
    if action == "aggregate_branches":
        return _normalise_branches(bag, payload, blobs)
    if action == "aggregate_distributed":
        results = payload.get("execution_result", payload.get("distributed_results"))
        policy = {"failure": "tolerate:10", **(payload.get("policy") or {})}
        return normalise_aggregate(bag, results, policy, blobs)
    raise unknown_action(action)


def _normalise_branches(bag: Bag, payload: Mapping[str, Any], blobs: ExecutionBlobs) -> Delta:
    error = payload.get("map_error")
    if error:
        return Delta(aggregation_failed=f"the branches could not be run: {error}")
    results = payload.get("parallel_results", payload.get("branch_pointers"))
    policy = {**bag.kernel.branch_policy, **(payload.get("policy") or {})}
    return normalise_aggregate(
        bag, name_results(results, pending_of(bag.kernel.pending_branches, blobs)), policy, blobs
    )
