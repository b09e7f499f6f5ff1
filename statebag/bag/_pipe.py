"""The one pipe: normalise a result into a delta, merge it, offload, decide what comes next.

Birth, growth and joining all go through :func:`apply`. It is pure but for the
store handed to it: the bag that goes in is never changed, and a failure leaves
it as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from statebag.bag._aggregate import normalise_aggregate
from statebag.bag._bag import Bag
from statebag.bag._merge import merge
from statebag.bag._next_action import NextAction, decide
from statebag.bag._normalise import normalise_callback, normalise_result
from statebag.bag._offload import OffloadPolicy, offload
from statebag.bag._result import Delta
from statebag.bag._snapshot import restore, take_snapshot
from statebag.blobs import ExecutionBlobs
from statebag.errors import Problem, StateBagError

__all__ = ["ACTIONS", "Outcome", "Surroundings", "apply", "finish"]

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
    extra: dict[str, Any] = {}
    if action == "create_snapshot":
        bag, snapshot_id, pointer = take_snapshot(bag, payload.get("snapshot_type"), around.policy, around.blobs)
        extra = {"snapshot_id": snapshot_id, "snapshot_s3_path": pointer.to_json()}
        delta = Delta()
    elif action == "restore_snapshot":
        bag = restore(bag, payload.get("snapshot_id"), around.blobs)
        extra = {"restored_from": payload.get("snapshot_id")}
        delta = Delta()
    else:
        delta = _normalise(action, bag, payload, around.blobs)
    outcome = finish(action, bag, delta, around)
    if action in ("aggregate_distributed", "aggregate_branches"):
        extra = {
            "final_status": "FAILED" if outcome.next_action is NextAction.FAILED else "COMPLETE",
            "summary": outcome.bag.kernel.distributed_chunk_summary,
        }
    return replace(outcome, extra=extra)


def finish(action: str, bag: Bag, delta: Delta, around: Surroundings) -> Outcome:
    """Merge, decide, stamp and offload: the part of the pipe that every action shares."""
    merged = merge(bag, delta, action, blobs=around.blobs, history_tail=around.policy.history_tail)
    next_action, problem = decide(merged, delta)
    warnings = delta.warnings
    if problem is not None:
        if next_action is NextAction.FAILED:
            error = {"code": problem.code, "message": problem.message}
            merged = replace(merged, kernel=replace(merged.kernel, error=error))
        else:
            warnings = (*warnings, problem)
    control = replace(
        merged.control,
        bag_version=bag.control.bag_version + 1,
        last_update_time=around.now.astimezone(UTC).isoformat(timespec="milliseconds"),
    )
    settled, size = offload(replace(merged, control=control), around.policy, around.blobs)
    stamped = replace(settled, control=replace(control, payload_size_kb=round(size / 1024, 3)))
    return Outcome(bag=stamped, next_action=next_action, warnings=warnings)


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
    raise StateBagError(
        f"action {action!r}: does not exist. Use one of {', '.join(ACTIONS)}.", code="ACTION_UNKNOWN"
    )


def _normalise_branches(bag: Bag, payload: Mapping[str, Any], blobs: ExecutionBlobs) -> Delta:
    error = payload.get("map_error")
    if error:
        return Delta(
            aggregation_failed=f"the branches could not be run: {error}",
            kernel={"error": {"code": "AGGREGATION_FAILED", "message": f"the branches could not be run: {error}"}},
        )
    results = payload.get("parallel_results", payload.get("branch_pointers"))
    policy = {**bag.kernel.branch_policy, **(payload.get("policy") or {})}
    return normalise_aggregate(bag, results, policy, blobs)
