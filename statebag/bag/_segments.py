"""The plan in the store: one object with all segments, or with a pointer to each where they are large."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from statebag.blobs import ExecutionBlobs, Pointer, is_pointer
from statebag.canonical import size_of
from statebag.errors import StateBagError

__all__ = ["INLINE_PLAN_BYTES", "following", "link", "load_plan", "load_segment", "pick_segment", "store_segments"]

INLINE_PLAN_BYTES = 64 * 1024
"""A longer plan is stored a segment an object, so that running one segment reads one."""


def store_segments(segments: Sequence[Mapping[str, Any]], blobs: ExecutionBlobs) -> Pointer:
    """Store a plan's segments (their JSON form, linked by ``next_segment``)."""
    if size_of(segments) <= INLINE_PLAN_BYTES:
        return blobs.put({"segments": list(segments)}, kind="plan")
    pointers = blobs.put_many([("segment", segment) for segment in segments])
    return blobs.put({"segments": [pointer.to_json() for pointer in pointers]}, kind="plan")


def link(segments: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Segments that run one behind another, where none of them says what follows it."""
    if any("next_segment" in segment for segment in segments):
        return list(segments)
    return [
        segment if index + 1 == len(segments) else {**segment, "next_segment": index + 1}
        for index, segment in enumerate(segments)
    ]


def load_segment(plan: Pointer | None, index: int, blobs: ExecutionBlobs) -> Mapping[str, Any]:
    """The segment at ``index``.

    Raises:
        StateBagError: ``RESULT_INVALID`` for an index that the plan does not have.
    """
    return pick_segment(load_plan(plan, blobs), index, blobs)


def load_plan(plan: Pointer | None, blobs: ExecutionBlobs) -> Sequence[Any]:
    """The plan's segments, or pointers to them."""
    return blobs.get(plan)["segments"] if plan is not None else ()


def pick_segment(segments: Sequence[Any], index: int, blobs: ExecutionBlobs) -> Mapping[str, Any]:
    """As :func:`load_segment`, for a plan that is loaded.

    Raises:
        StateBagError: ``RESULT_INVALID``.
    """
    if not 0 <= index < len(segments):
        raise StateBagError(
            f"segment {index}: the plan has {len(segments)} segments, from 0. Check `next_segment_to_run`.",
            code="RESULT_INVALID",
        )
    entry = segments[index]
    return blobs.get(Pointer.from_json(entry)) if is_pointer(entry) else entry


def following(plan: Pointer | None, index: int, total: int, blobs: ExecutionBlobs) -> int:
    """The segment behind ``index``: by its link, or, without a plan, the next one; ``total`` at the end."""
    if index >= total:
        return total
    return index + 1 if plan is None else load_segment(plan, index, blobs).get("next_segment", total)
