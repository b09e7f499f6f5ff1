"""Merge a delta into a bag, by the rule of each field."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from statebag.bag._bag import Bag, Frame
from statebag.bag._history import append_logs
from statebag.bag._result import Delta, Status
from statebag.bag._segments import store_segments
from statebag.bag._fields import UserFields
from statebag.blobs import ExecutionBlobs
from statebag.errors import StateBagError

__all__ = ["merge"]

_SEGMENT_OWNERS = frozenset({"init", "sync", "sync_branch", "merge_async", "merge_callback", "aggregate_branches",
                             "aggregate_distributed", "update_and_compress", "restore_snapshot"})
"""Actions that may move ``segment_to_run``."""
_LOOP_OWNERS = frozenset({"sync", "sync_branch", "merge_async", "update_and_compress"})
"""Actions that execute a segment and so raise ``loop_counter``."""


def merge(bag: Bag, delta: Delta, action: str, *, blobs: ExecutionBlobs, history_tail: int) -> Bag:
    """``bag`` with ``delta`` in it.

    Control fields are replaced, never by null, and only by the action that owns
    them. Lists are replaced, never appended. A user field that lives in the store
    is replaced whole, so a stored value and an inline one can't get mixed.
    """
    control = replace(bag.control, **{name: value for name, value in delta.control.items() if value is not None})
    if delta.next_segment is not None:
        _own(action, _SEGMENT_OWNERS, "segment_to_run")
        control = replace(control, segment_to_run=delta.next_segment)
    if delta.counts_segment:
        _own(action, _LOOP_OWNERS, "loop_counter")
        control = replace(control, loop_counter=control.loop_counter + 1)
    kernel = replace(bag.kernel, **delta.kernel)
    if delta.logs:
        history = append_logs(kernel.state_history, delta.logs, blobs=blobs, tail=history_tail)
        kernel = replace(kernel, state_history=history)
    if delta.user_full:
        user = UserFields.of(delta.user_set, blobs)
    elif delta.user_set or delta.user_unset:
        user = bag.user.change(delta.user_set, delta.user_unset)
    else:
        user = bag.user
    bag = replace(bag, control=control, kernel=kernel, user=user)
    if delta.status is Status.SEQUENTIAL_BRANCH and delta.inner_plan:
        return _push(bag, delta.inner_plan, blobs)
    return _finish_plan(bag, delta)


def _own(action: str, owners: frozenset[str], counter: str) -> None:
    if action not in owners:
        raise StateBagError(f"{action}: may not change {counter}; {', '.join(sorted(owners))} may.", code="RESULT_INVALID")


def _push(bag: Bag, segments: Any, blobs: ExecutionBlobs) -> Bag:
    frame = Frame(
        plan=bag.kernel.plan,
        segment_to_run=bag.control.segment_to_run,
        total_segments=bag.control.total_segments,
    )
    kernel = replace(
        bag.kernel,
        plan=store_segments(segments, blobs),
        partition_stack=(*bag.kernel.partition_stack, frame),
    )
    return replace(bag, kernel=kernel, control=replace(bag.control, segment_to_run=0, total_segments=len(segments)))


def _finish_plan(bag: Bag, delta: Delta) -> Bag:
    """After the last segment of a plan: mark the end, or return to the plan outside of it."""
    if delta.status is Status.COMPLETE and delta.next_segment is None and delta.counts_segment:
        bag = replace(bag, control=replace(bag.control, segment_to_run=bag.control.total_segments))
    while bag.kernel.partition_stack and bag.control.segment_to_run >= bag.control.total_segments:
        *outer, frame = bag.kernel.partition_stack
        kernel = replace(bag.kernel, plan=frame.plan, partition_stack=tuple(outer))
        control = replace(
            bag.control, segment_to_run=frame.segment_to_run, total_segments=frame.total_segments
        )
        bag = replace(bag, kernel=kernel, control=control)
    return bag
