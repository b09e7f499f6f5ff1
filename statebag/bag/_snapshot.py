"""Snapshots: a whole bag at a version. All it points to is immutable, so a pointer to it is enough."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from statebag.bag._bag import Bag
from statebag.bag._offload import OffloadPolicy, offload
from statebag.blobs import ExecutionBlobs, Pointer
from statebag.errors import InputRefused, Problem, StateBagError

__all__ = ["restore", "take_snapshot"]

_TYPES = ("pre", "post", "manual")


def take_snapshot(bag: Bag, kind: Any, policy: OffloadPolicy, blobs: ExecutionBlobs) -> tuple[Bag, str, Pointer]:
    """Store the bag as it is; the same again gives the same snapshot.

    Returns:
        The bag with the snapshot in its list, the snapshot's id
        (``{execution}/{bag_version}/{type}``) and the pointer to it.
    """
    kind = kind if kind is not None else "pre"
    if kind not in _TYPES:
        problem = Problem(path="$.snapshot_type", code="FIELD_VALUE", message=f"must be one of {', '.join(_TYPES)}")
        raise InputRefused([problem], what="create_snapshot")
    snapshot_id = f"{bag.control.execution_id}/{bag.control.bag_version}/{kind}"
    settled, _ = offload(bag, policy, blobs)
    pointer = blobs.put(settled.to_json(), kind="snapshot")
    snapshots = {**bag.kernel.snapshots, snapshot_id: pointer.to_json()}
    return replace(settled, kernel=replace(settled.kernel, snapshots=snapshots)), snapshot_id, pointer


def restore(bag: Bag, snapshot_id: Any, blobs: ExecutionBlobs) -> Bag:
    """The bag as it was, at the version of ``bag``: the pipe raises it, so that versions never repeat.

    Raises:
        StateBagError: ``SNAPSHOT_NOT_FOUND``, naming those there are.
    """
    stored = bag.kernel.snapshots.get(snapshot_id) if isinstance(snapshot_id, str) else None
    if stored is None:
        there = ", ".join(sorted(bag.kernel.snapshots)) or "none"
        raise StateBagError(
            f"snapshot {snapshot_id!r}: not in execution {bag.control.execution_id}; there is: {there}.",
            code="SNAPSHOT_NOT_FOUND",
        )
    old = Bag.from_json(blobs.get(Pointer.from_json(stored)), blobs)
    return replace(
        old,
        control=replace(old.control, bag_version=bag.control.bag_version),
        kernel=replace(old.kernel, snapshots=bag.kernel.snapshots, restored_from=snapshot_id),
    )
