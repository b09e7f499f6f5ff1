"""``sync_branch``: a branch grows in its own frame; the parent's counters are only read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from statebag.bag._bag import Bag
from statebag.bag._pipe import Outcome, Surroundings, apply
from statebag.blobs import ExecutionBlobs
from statebag.errors import InputRefused, Problem

__all__ = ["branch_bag", "sync_branch"]


def branch_bag(branch_state: Mapping[str, Any], blobs: ExecutionBlobs) -> Bag:
    """The bag a branch works on: the state at the fork, with the branch's own frame as its counters."""
    bag = Bag.from_json(branch_state.get("state_data"), blobs)
    plan = branch_state.get("partition_map") or []
    if not isinstance(plan, list):
        problem = Problem(path="$.branch_state.partition_map", code="FIELD_TYPE", message="must be a list of segments")
        raise InputRefused([problem], what="branch_state")
    control = replace(
        bag.control,
        bag_version=branch_state.get("bag_version", 0),
        segment_to_run=branch_state.get("segment_to_run", 0),
        loop_counter=branch_state.get("loop_counter", 0),
        total_segments=max(1, len(plan)),
    )
    return replace(bag, control=control, kernel=replace(bag.kernel, partition_stack=()))


def sync_branch(branch_state: Mapping[str, Any], result: Any, around: Surroundings) -> tuple[dict[str, Any], Outcome]:
    """Merge a segment's result into a branch.

    Returns:
        The new ``branch_state`` (own ``segment_to_run``, ``loop_counter``, ``bag_version``; ``state_data`` keeps the
        parent's counters) and the outcome.
    """
    bag = branch_bag(branch_state, around.blobs)
    parent = Bag.from_json(branch_state.get("state_data"), around.blobs).control
    outcome = apply("sync_branch", bag, {"execution_result": result}, around)
    frame = outcome.bag.control
    sealed = replace(outcome.bag, control=replace(parent, last_update_time=frame.last_update_time)).to_json()
    state = {
        **branch_state,
        "bag_version": frame.bag_version,
        "segment_to_run": frame.segment_to_run,
        "total_segments": frame.total_segments,
        "loop_counter": frame.loop_counter,
        "max_branch_iterations": frame.max_branch_iterations,
        "state_data": sealed,
    }
    return state, outcome
