"""The bag: three disjoint namespaces, as one immutable value with one JSON form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from statebag.bag._control import Control
from statebag.bag._fields import UserFields
from statebag.bag._history import History
from statebag.blobs import ExecutionBlobs, Pointer, is_pointer
from statebag.errors import StateBagError

__all__ = ["Bag", "Frame", "Kernel"]


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Where to return to after an inner plan (a sequential branch) is done."""

    plan: Pointer | None
    segment_to_run: int
    """The outer segment that follows the inner plan."""
    total_segments: int

    def to_json(self) -> dict[str, Any]:
        """The stored form."""
        plan = self.plan.to_json() if self.plan else None
        return {"plan": plan, "segment_to_run": self.segment_to_run, "total_segments": self.total_segments}

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> Frame:
        """Read the stored form."""
        return Frame(
            plan=_pointer(body.get("plan")),
            segment_to_run=body["segment_to_run"],
            total_segments=body["total_segments"],
        )


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """What the engine keeps for itself: no user output can reach it."""

    workflow_config: Pointer | None = None
    """The document as it was given."""
    plan: Pointer | None = None
    """The segments: ``{"segments": [segment or pointer, …], …}``."""
    partition_stack: tuple[Frame, ...] = ()
    state_history: History = field(default_factory=History)
    state_durations: Mapping[str, float] = field(default_factory=dict[str, float])
    """Seconds spent by status."""
    pending_branches: tuple[Any, ...] = ()
    """Branches (or pointers to them) that a fork left to run."""
    convergence_segment: int | None = None
    """Where the main loop goes on after the pending branches."""
    branch_policy: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """``{"on_conflict", "failure", "append_keys"}`` of the pending fork."""
    distributed_chunk_summary: Mapping[str, Any] | None = None
    failed_segments: Mapping[str, Any] | None = None
    """``{"count", "sample", "all": pointer or null}``."""
    snapshots: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Snapshot id to pointer."""
    restored_from: str | None = None
    error: Mapping[str, Any] | None = None
    """``{"code", "message", …}`` of the failure that ended the run."""
    carried: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Fields of an old bag that this version has no other place for: kept as they were."""

    def to_json(self) -> dict[str, Any]:
        """The stored form; empty fields are left out."""
        body: dict[str, Any] = {
            "workflow_config_s3_path": self.workflow_config and self.workflow_config.to_json(),
            "segment_manifest_s3_path": self.plan and self.plan.to_json(),
            "partition_stack": [frame.to_json() for frame in self.partition_stack],
            **self.state_history.to_json(),
            "state_durations": dict(self.state_durations),
            "pending_branches": list(self.pending_branches),
            "convergence_segment": self.convergence_segment,
            "branch_policy": dict(self.branch_policy),
            "distributed_chunk_summary": self.distributed_chunk_summary,
            "failed_segments": self.failed_segments,
            "snapshots": dict(self.snapshots),
            "restored_from": self.restored_from,
            "error": self.error,
            "carried": dict(self.carried),
        }
        return {name: value for name, value in body.items() if value not in (None, [], {})}

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> Kernel:
        """Read the fields of a bag that belong to this namespace."""
        return Kernel(
            workflow_config=_pointer(body.get("workflow_config_s3_path")),
            plan=_pointer(body.get("segment_manifest_s3_path")),
            partition_stack=tuple(Frame.from_json(frame) for frame in body.get("partition_stack", ())),
            state_history=History.from_json(body),
            state_durations=body.get("state_durations", {}),
            pending_branches=tuple(body.get("pending_branches", ())),
            convergence_segment=body.get("convergence_segment"),
            branch_policy=body.get("branch_policy", {}),
            distributed_chunk_summary=body.get("distributed_chunk_summary"),
            failed_segments=body.get("failed_segments"),
            snapshots=body.get("snapshots", {}),
            restored_from=body.get("restored_from"),
            error=body.get("error"),
            carried=body.get("carried", {}),
        )


@dataclass(frozen=True, kw_only=True)
class Bag:
    """The whole state of a run.

    The JSON form is flat: control and kernel fields under their catalogue names,
    the user's variables below ``current_state`` (or behind it, as a pointer or as
    pages), so that a variable can never be taken for a field of the engine.
    """

    control: Control
    kernel: Kernel
    user: UserFields
    user_pointer: Pointer | None = None
    """Set when the settled user map itself lives in the store."""

    def to_json(self) -> dict[str, Any]:
        """The sealed form. The bag must be settled: :func:`statebag.bag.offload` does it."""
        if self.user_pointer is not None:
            state: dict[str, Any] = {
                "current_state": self.user_pointer.to_json(),
                "state_s3_path": self.user_pointer.key,
            }
        elif "p" in self.user.node:
            state = {"current_state_pages": self.user.node}
        else:
            state = {"current_state": self.user.node["f"]}
        return {**self.control.to_json(), **self.kernel.to_json(), **state}

    @staticmethod
    def from_json(body: Any, blobs: ExecutionBlobs) -> Bag:
        """Read a sealed bag. The user's variables stay where they are until asked for.

        Raises:
            StateBagError: ``BAG_MALFORMED``.
        """
        if not isinstance(body, Mapping):
            raise StateBagError(
                f"state_data is a {type(body).__name__}, not an object. Pass on what the last action returned.",
                code="BAG_MALFORMED",
            )
        control = Control.from_json(body)
        state = body.get("current_state", {})
        pointer: Pointer | None = None
        if "current_state_pages" in body:
            node = body["current_state_pages"]
        elif is_pointer(state):
            pointer = Pointer.from_json(state)
            node = {"f": blobs.get(pointer)}
        elif isinstance(state, Mapping):
            node = {"f": state}
        else:
            raise StateBagError(
                f"state_data.current_state is a {type(state).__name__}, not an object or a pointer.",
                code="BAG_MALFORMED",
            )
        user = UserFields(blobs, node)
        return Bag(control=control, kernel=Kernel.from_json(body), user=user, user_pointer=pointer)


def _pointer(value: Any) -> Pointer | None:
    return Pointer.from_json(value) if value else None
