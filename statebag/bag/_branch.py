"""``sync_branch``: a branch grows in its own frame; the parent's counters and plan are only read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from statebag.bag._bag import Bag
from statebag.bag._kernel import Frame
from statebag.bag._pipe import Outcome, Surroundings, apply
from statebag.blobs import ExecutionBlobs, Pointer
from statebag.canonical import canonical_bytes, sha256_hex
from statebag.errors import InputRefused, Problem

__all__ = ["Branch"]

_COUNTERS = ("bag_version", "segment_to_run", "loop_counter")
_FRAME = ("segment_manifest_s3_path", "partition_stack")
"""The plan inside of which the branch is, and those around it; absent while it is in its ``partition_map``."""


@dataclass(frozen=True, kw_only=True)
class Branch:
    """A branch as its machine carries it."""

    body: Mapping[str, Any]
    """``{"branch_id" | "branch_index", "segment_to_run", "loop_counter", "partition_map", "state_data", …}``."""
    parent: Bag
    """``state_data``: the fork's counters and plan, with the branch's variables and history."""
    bag: Bag
    """The same with the branch's own frame as counters and plan."""

    @staticmethod
    def from_json(body: Any, blobs: ExecutionBlobs) -> Branch:
        """Read a ``branch_state``. Counters that are absent start at 0.

        Raises:
            InputRefused: ``FIELD_MISSING`` or ``FIELD_TYPE`` problems.
            StateBagError: as for :meth:`Bag.from_json`.
        """
        problems: list[Problem] = []
        if not isinstance(body, Mapping):
            raise InputRefused([_problem("", "FIELD_MISSING", "must be the branch's state")], what="event")
        if body.get("branch_id") is None and body.get("branch_index") is None:
            problems.append(_problem(".branch_id", "FIELD_MISSING", "must tell the branch from its siblings"))
        plan = body.get("partition_map") or []
        if not isinstance(plan, list):
            problems.append(_problem(".partition_map", "FIELD_TYPE", "must be a list of segments"))
        for name in (*_COUNTERS, "total_segments"):
            value = body.get(name, 0)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                problems.append(_problem(f".{name}", "FIELD_TYPE", "must be a whole number from 0"))
        if problems:
            raise InputRefused(problems, what="branch_state")
        parent = Bag.from_json(body.get("state_data"), blobs)
        inner = body.get("segment_manifest_s3_path")
        control = replace(
            parent.control,
            total_segments=body.get("total_segments") or max(1, len(plan)),
            **{name: body.get(name, 0) for name in _COUNTERS},
        )
        kernel = replace(
            parent.kernel,
            plan=Pointer.from_json(inner) if inner else None,
            partition_stack=tuple(Frame.from_json(frame) for frame in body.get("partition_stack", ())),
        )
        return Branch(body=body, parent=parent, bag=replace(parent, control=control, kernel=kernel))

    @property
    def lineage(self) -> str:
        """Tells this branch from its siblings and from those of other forks."""
        identity = [self.body.get("branch_id"), self.body.get("branch_index")]
        return f"{self.parent.control.bag_version}-{sha256_hex(canonical_bytes(identity))[:16]}"

    def sync(self, result: Any, around: Surroundings) -> tuple[dict[str, Any], Outcome]:
        """Merge a segment's result.

        Returns:
            The new ``branch_state``, whose ``state_data`` keeps the parent's counters, and the outcome.
        """
        outcome = apply("sync_branch", self.bag, {"execution_result": result}, around)
        after, parent = outcome.bag, self.parent
        control = replace(
            parent.control,
            last_update_time=after.control.last_update_time,
            payload_size_kb=after.control.payload_size_kb,
        )
        kernel = replace(after.kernel, plan=parent.kernel.plan, partition_stack=parent.kernel.partition_stack)
        frame = after.kernel
        state: dict[str, Any] = {
            **{name: value for name, value in self.body.items() if name not in _FRAME},
            **{name: getattr(after.control, name) for name in _COUNTERS},
            "total_segments": after.control.total_segments,
            "max_branch_iterations": after.control.max_branch_iterations,
            "state_data": replace(after, control=control, kernel=kernel).to_json(),
        }
        if frame.plan is not None:
            state["segment_manifest_s3_path"] = frame.plan.to_json()
        if frame.partition_stack:
            state["partition_stack"] = [one.to_json() for one in frame.partition_stack]
        return state, outcome


def _problem(where: str, code: str, message: str) -> Problem:
    return Problem(path=f"$.branch_state{where}", code=code, message=message)
