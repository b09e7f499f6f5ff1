"""Merge a delta into a bag, by the rule of each field."""

from __future__ import annotations

from dataclasses import replace

from statebag.bag._bag import Bag
from statebag.bag._fields import UserFields
from statebag.bag._history import append_logs
from statebag.bag._kernel import Frame, Kernel
from statebag.bag._offload import OffloadPolicy
from statebag.bag._result import FORKS, Delta, Status
from statebag.bag._segments import following, link, store_segments
from statebag.blobs import ExecutionBlobs
from statebag.errors import StateBagError

__all__ = ["merge"]

_SEGMENT_MOVERS = frozenset(
    {
        "sync",
        "sync_branch",
        "merge_async",
        "merge_callback",
        "aggregate_branches",
        "aggregate_distributed",
        "update_and_compress",
    }
)
_LOOP_COUNTERS = frozenset({"sync", "sync_branch", "merge_async"})
_LEAVES_BEHIND = FORKS | {Status.SEQUENTIAL_BRANCH, Status.PAUSED_FOR_HITP, Status.DISTRIBUTED_MAP}
"""Statuses of a segment that is over, so that the bag must name the one that comes after what they start."""


def merge(bag: Bag, delta: Delta, action: str, *, blobs: ExecutionBlobs, policy: OffloadPolicy) -> Bag:
    """``bag`` with ``delta`` in it.

    Control fields are changed only by the actions that own them. Lists are replaced, never appended. A user field
    that lives in the store is replaced whole, so a stored value and an inline one can't get mixed.
    """
    segment, total, loops = bag.control.segment_to_run, bag.control.total_segments, bag.control.loop_counter
    _check_owner(action, delta)
    if delta.next_segment is not None:
        segment = delta.next_segment
    elif delta.executed and delta.status in _LEAVES_BEHIND:
        segment = following(bag.kernel.plan, segment, total, blobs)
    elif delta.executed and delta.status is Status.COMPLETE:
        segment = total
    kernel = _merge_kernel(bag.kernel, delta, segment, blobs, policy)
    if delta.status is Status.SEQUENTIAL_BRANCH and delta.inner_plan:
        frame = Frame(plan=kernel.plan, segment_to_run=segment, total_segments=total)
        inner = store_segments(link(delta.inner_plan), blobs)
        kernel = replace(kernel, plan=inner, partition_stack=(*kernel.partition_stack, frame))
        segment, total = 0, len(delta.inner_plan)
    while kernel.partition_stack and segment >= total:
        *outer, frame = kernel.partition_stack
        kernel = replace(kernel, plan=frame.plan, partition_stack=tuple(outer))
        segment, total = frame.segment_to_run, frame.total_segments
    control = replace(
        bag.control,
        segment_to_run=segment,
        total_segments=total,
        loop_counter=loops + 1 if delta.counts_segment else loops,
    )
    return Bag(control=control, kernel=kernel, user=_merge_user(bag.user, delta, blobs))


def _check_owner(action: str, delta: Delta) -> None:
    for counter, changes, owners in (
        ("segment_to_run", delta.next_segment is not None or delta.executed, _SEGMENT_MOVERS),
        ("loop_counter", delta.counts_segment, _LOOP_COUNTERS),
    ):
        if changes and action not in owners:
            raise StateBagError(
                f"{action}: may not change {counter}; {', '.join(sorted(owners))} may.", code="RESULT_INVALID"
            )


def _merge_kernel(kernel: Kernel, delta: Delta, segment: int, blobs: ExecutionBlobs, policy: OffloadPolicy) -> Kernel:
    changes = dict(delta.kernel)
    if delta.status in FORKS and changes.get("convergence_segment") is None:
        changes["convergence_segment"] = segment
    if delta.error is not None:
        changes["error"] = delta.error
    if delta.logs:
        changes["state_history"] = append_logs(
            kernel.state_history, delta.logs, blobs=blobs, tail=policy.history_tail, tail_bytes=policy.history_bytes
        )
    return replace(kernel, **changes) if changes else kernel


def _merge_user(user: UserFields, delta: Delta, blobs: ExecutionBlobs) -> UserFields:
    if delta.user_full:
        return UserFields.of(delta.user_set, blobs)
    if delta.user_set or delta.user_unset:
        return user.change(delta.user_set, delta.user_unset)
    return user
