"""The plans of the bags that a worker has in memory: a segment of one, what follows it, and what is ahead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from statebag.bag._bag import Bag
from statebag.bag._execute import PlannedSegment, Ran
from statebag.bag._kept import Kept
from statebag.bag._next_action import TERMINAL_FAILURES, NextAction
from statebag.bag._segments import load_plan, pick_segment
from statebag.blobs import ExecutionBlobs, Pointer
from statebag.nodes import NodeRegistry

__all__ = ["Plans"]


class Plans:
    """Reads plans and segments once each.

    Args:
        kept: where they stay.
        registry: the node types.
    """

    def __init__(self, kept: Kept, registry: NodeRegistry) -> None:
        self._kept = kept
        self._registry = registry

    def segment(self, bag: Bag, index: int, blobs: ExecutionBlobs) -> PlannedSegment:
        """The segment at ``index`` of the bag's plan.

        Raises:
            StateBagError: ``RESULT_INVALID`` for an index that the plan does not have.
        """
        return self.segment_of(bag.kernel.plan, index, blobs)

    def segment_of(self, plan: Pointer | None, index: int, blobs: ExecutionBlobs) -> PlannedSegment:
        """The segment at ``index`` of ``plan``; raises as :meth:`segment`."""
        key = (blobs.prefix, f"{plan.key if plan else ''}:{index}")
        return self._kept.get(key, lambda: PlannedSegment.of(self._load(plan, index, blobs), self._registry))

    def follow(self, bag: Bag, planned: PlannedSegment, ran: Ran | None, blobs: ExecutionBlobs) -> dict[str, Any]:
        """Status and next segment by the segment's own link, or by what its last node chose."""
        if ran is not None and ran.error is not None:
            return {"status": "FAILED", "error_info": ran.error}
        following = planned.body.get("next_segment")
        if ran is not None and ran.next_node is not None:
            following = planned.body["route_segments"][ran.next_node]
        if following is None or following >= bag.control.total_segments:
            return {"status": "COMPLETE"}
        asks = "pause" in self.segment(bag, following, blobs).body
        return {"status": "PAUSED_FOR_HITP" if asks else "CONTINUE", "next_segment_to_run": following}

    def ahead(self, bag: Bag, next_action: NextAction, blobs: ExecutionBlobs) -> dict[str, Any]:
        """What an engine must know of the segment that is next."""
        control = bag.control
        over = next_action in TERMINAL_FAILURES or next_action is NextAction.COMPLETE
        if over or control.segment_to_run >= control.total_segments:
            return {}
        planned = self.segment(bag, control.segment_to_run, blobs)
        ahead: dict[str, Any] = {"next": planned.how_to_run()}
        if next_action is NextAction.PAUSED_FOR_HITP:
            ahead["pause"] = planned.body.get("pause") or {}
        return ahead

    def _load(self, plan: Pointer | None, index: int, blobs: ExecutionBlobs) -> Mapping[str, Any]:
        # A long plan is parsed once, not once a segment.
        listed = self._kept.get((blobs.prefix, plan.key if plan else ""), lambda: load_plan(plan, blobs))
        return pick_segment(listed, index, blobs)
