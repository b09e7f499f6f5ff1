"""Fetch what a branch or a segment needs, and check that it is the one asked for. Changes no bag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from statebag.bag._bag import Bag
from statebag.bag._segments import load_segment
from statebag.blobs import ExecutionBlobs, Pointer, is_pointer
from statebag.errors import InputRefused, Problem

__all__ = ["hydrate_branch", "hydrate_segment", "pending_of"]


def pending_of(pending: Sequence[Any], blobs: ExecutionBlobs) -> Sequence[Any]:
    """The branches that a bag has pending, also where they are too many to be in it."""
    listed = pending[0].get("listed") if len(pending) == 1 and isinstance(pending[0], Mapping) else None
    return blobs.get(Pointer.from_json(listed)) if is_pointer(listed) else pending


def hydrate_branch(payload: Mapping[str, Any], blobs: ExecutionBlobs) -> dict[str, Any]:
    """``{"branch_config", "branch_index"}`` of ``branch_pointer``.

    A branch pointer is ``{"branch_index", "branch_id", "total_branches", "branch": pointer}``; without
    ``branch`` it is the branch's configuration itself. A fork leaves such pointers where its branches are large.

    Raises:
        InputRefused: ``RESULT_INVALID``: no object, an index outside of its range, or the object of another branch.
    """
    pointer = payload.get("branch_pointer")
    if not isinstance(pointer, Mapping):
        raise _refuse("$.branch_pointer", "must be an object")
    index = payload.get("branch_index", pointer.get("branch_index", 0))
    if not is_pointer(pointer.get("branch")):
        return {"branch_config": dict(pointer), "branch_index": index}
    total = pointer.get("total_branches")
    if not isinstance(total, int) or isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < total:
        raise _refuse("$.branch_index", f"is {index!r}, outside of 0 to {total!r} - 1")
    config = blobs.get(Pointer.from_json(pointer["branch"]))
    named = config.get("branch_id") if isinstance(config, Mapping) else None
    if named != pointer.get("branch_id"):
        raise _refuse("$.branch_pointer.branch", f"holds branch {named!r}, not {pointer.get('branch_id')!r}")
    return {"branch_config": config, "branch_index": index}


def hydrate_segment(bag: Bag, payload: Mapping[str, Any], blobs: ExecutionBlobs) -> dict[str, Any]:
    """``{"segment_config", "segment_id", "execution_order"}`` of ``segment_pointer``, or of ``segment_index``.

    Raises:
        InputRefused: ``RESULT_INVALID``: the index is no whole number.
        StateBagError: the plan has no such segment.
    """
    index = payload.get("segment_index", bag.control.segment_to_run)
    if not isinstance(index, int) or isinstance(index, bool):
        raise _refuse("$.segment_index", f"is {index!r}, not a whole number")
    pointer = payload.get("segment_pointer")
    if is_pointer(pointer):
        segment = blobs.get(Pointer.from_json(pointer))
    else:
        segment = load_segment(bag.kernel.plan, index, blobs)
    if not isinstance(segment, Mapping):
        raise _refuse("$.segment_pointer", f"leads to a {type(segment).__name__}, not to a segment")
    return {"segment_config": segment, "segment_id": segment.get("id", str(index)), "execution_order": index}


def _refuse(path: str, message: str) -> InputRefused:
    return InputRefused([Problem(path=path, code="RESULT_INVALID", message=message)], what="pointer")
