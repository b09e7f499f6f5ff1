"""A group of branches: what it leaves to run, how a branch is born of it, and what it brings back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from statebag.bag._bag import Bag
from statebag.bag._fields import UserFields
from statebag.bag._hydrate import hydrate_branch, pending_of
from statebag.bag._kernel import Kernel
from statebag.bag._segments import store_segments
from statebag.blobs import ExecutionBlobs
from statebag.config import ResourcePolicy
from statebag.config.expressions import names_of
from statebag.config.paths import parse_path
from statebag.errors import StateBagError
from statebag.plan import BranchNeeds, Schedule, Segment, schedule_branches

__all__ = ["BranchBag", "bear_branch", "bear_line", "fork", "link_segments"]


def link_segments(segments: Sequence[Segment], blobs: ExecutionBlobs) -> list[dict[str, Any]]:
    """The stored form of a list of segments: with the index of what follows each, by every way there is.

    Branches are objects of their own; a group has pointers to them, in the form that ``hydrate_branch`` reads.
    """
    index_of = {segment.id: segment.index for segment in segments}
    linked: list[dict[str, Any]] = []
    for segment in segments:
        body = segment.to_json()
        body["next_segment"] = len(segments) if segment.next is None else index_of[segment.next]
        if segment.routes:
            body["route_segments"] = {
                target: len(segments) if to is None else index_of[to] for target, to in segment.routes.items()
            }
        for way in ("on_reject", "on_timeout"):
            to = getattr(segment, way)
            if to is not None:
                body["pause"] = {**body["pause"], f"{way}_segment": index_of[to]}
        if segment.branches:
            body["needs"] = [branch.needs.to_json() for branch in segment.branches]
            body["branches"] = _store_branches(segment, blobs)
        linked.append(body)
    return linked


def _store_branches(segment: Segment, blobs: ExecutionBlobs) -> list[dict[str, Any]]:
    values = [
        (
            "branch",
            {
                "branch_id": branch.id,
                "path": f"{segment.id}/{branch.id}",
                "partition_map": link_segments(branch.segments, blobs),
            },
        )
        for branch in segment.branches
    ]
    pointers = blobs.put_many(values)
    return [
        {
            "branch_index": index,
            "branch_id": branch.id,
            "total_branches": len(pointers),
            "branch": pointer.to_json(),
        }
        for index, (branch, pointer) in enumerate(zip(segment.branches, pointers, strict=True))
    ]


def fork(bag: Bag, body: Mapping[str, Any], blobs: ExecutionBlobs) -> tuple[dict[str, Any], dict[str, Any]]:
    """The execution result of the group ``body``, and how to run its branches.

    A single branch has nothing beside it: it becomes a sequential branch, without a bag of its own.

    Returns:
        The result, and ``{"total", "batches", "max_concurrency"}``, where ``batches`` has the number of branches
        in each; empty for a sequential branch.
    """
    entries = body["branches"]
    if len(entries) == 1:
        config = hydrate_branch({"branch_pointer": entries[0]}, blobs)["branch_config"]
        return {"status": "SEQUENTIAL_BRANCH", "inner_partition_map": config["partition_map"]}, {}
    schedule = _schedule(bag.user, body)
    result: dict[str, Any] = {
        "branch_policy": dict(body.get("branch_policy", {})),
        "convergence_segment": body["next_segment"],
    }
    if len(schedule.batches) > 1:
        batches = [[entries[index] for index in batch] for batch in schedule.batches]
        result |= {"status": "SCHEDULED_PARALLEL", "execution_batches": batches}
    else:
        result |= {"status": "PARALLEL_GROUP", "branches": entries}
    limit = body.get("max_concurrency")
    how = {
        "total": len(entries),
        "batches": [len(batch) for batch in schedule.batches],
        "max_concurrency": schedule.max_concurrency if limit is None else min(limit, schedule.max_concurrency),
    }
    entry = {"type": "fork", "name": body.get("label", ""), "branches": len(entries), "status": "COMPLETED"}
    entry |= {name: value for name, value in schedule.to_json().items() if name not in ("batches", "max_concurrency")}
    result["new_history_logs"] = [{**entry, "batches": how["batches"]}]
    return result, how


def _schedule(user: UserFields, body: Mapping[str, Any]) -> Schedule:
    policy = body.get("resource_policy")
    return schedule_branches(
        [BranchNeeds.from_json(needs) for needs in body["needs"]],
        None if policy is None else ResourcePolicy.from_json(policy),
        lambda path: _count_items(user, path),
    )


def _count_items(user: UserFields, path: str) -> int:
    """Length of the list at a path; 0 where there is none, since this is but an estimate."""
    try:
        value = names_of(user).resolve(parse_path(path))
    except StateBagError:
        return 0
    return len(value) if isinstance(value, list) else 0


@dataclass(frozen=True, kw_only=True)
class BranchBag:
    """A branch before its first segment."""

    branch_id: str
    branch_index: int
    path: str
    """Tells it from the branches of all groups of the document."""
    bag: Bag
    """Counts for itself, begins with the fork's variables, and has no history but its own."""


def bear_branch(parent: Bag, position: int, blobs: ExecutionBlobs) -> BranchBag:
    """The bag of the branch at ``position`` of those that ``parent`` has pending.

    Raises:
        StateBagError: ``RESULT_INVALID``: there is no such branch.
    """
    pending = pending_of(parent.kernel.pending_branches, blobs)
    if not 0 <= position < len(pending):
        raise StateBagError(
            f"branch {position}: {len(pending)} branches are pending, counted from 0. Start those that the fork names.",
            code="RESULT_INVALID",
        )
    found = hydrate_branch({"branch_pointer": pending[position]}, blobs)
    config = found["branch_config"]
    return BranchBag(
        branch_id=str(config["branch_id"]),
        branch_index=found["branch_index"],
        path=config["path"],
        bag=bear_line(parent, config["partition_map"], (parent.control.loop_counter,), parent.user.forget(), blobs),
    )


def bear_line(
    parent: Bag, segments: Sequence[Any], born_at: Sequence[int], user: UserFields, blobs: ExecutionBlobs
) -> Bag:
    """The first bag of a line of segments beside ``parent``: it counts for itself, and has no history yet.

    Args:
        parent: Whose document and limits it has.
        segments: Its plan.
        born_at: What tells this line from others of the same plan.
        user: The variables that it begins with.
        blobs: Takes the plan.
    """
    control = replace(parent.control, bag_version=0, segment_to_run=0, loop_counter=0, total_segments=len(segments))
    kernel = Kernel(
        workflow_config=parent.kernel.workflow_config,
        plan=store_segments(segments, blobs),
        forked_at=(*parent.kernel.forked_at, *born_at),
    )
    return Bag(control=control, kernel=kernel, user=user)
