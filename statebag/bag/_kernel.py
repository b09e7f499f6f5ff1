"""The kernel namespace: what the engine keeps for itself. No user output can reach it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from statebag.bag._history import History
from statebag.blobs import Pointer
from statebag.errors import StateBagError

__all__ = ["KERNEL_FIELDS", "Frame", "Kernel"]


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
    def from_json(body: Any) -> Frame:
        """Read the stored form.

        Raises:
            StateBagError: ``BAG_MALFORMED``.
        """
        if not isinstance(body, Mapping) or not all(
            _is_index(body.get(n)) for n in ("segment_to_run", "total_segments")
        ):
            raise StateBagError(
                f"partition_stack: a frame is {body!r}, without whole `segment_to_run` and `total_segments`. "
                "Pass on what the last action returned, unchanged.",
                code="BAG_MALFORMED",
            )
        return Frame(
            plan=_pointer(body.get("plan")),
            segment_to_run=body["segment_to_run"],
            total_segments=body["total_segments"],
        )


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """History, plan, forks, joins and snapshots of one run."""

    workflow_config: Pointer | None = None
    """The document as it was given."""
    plan: Pointer | None = None
    """The segments: ``{"segments": [segment or pointer, …], …}``."""
    partition_stack: tuple[Frame, ...] = ()
    forked_at: tuple[int, ...] = ()
    """Of a branch: the ``loop_counter`` of the run, and of each branch around it, where it was born. A fork that is
    passed again gives other branches."""
    state_history: History = field(default_factory=History)
    state_durations: Mapping[str, float] = field(default_factory=dict[str, float])
    """Seconds spent by status."""
    pending_branches: tuple[Any, ...] = ()
    """Branches, or pointers to them where they are large, that a fork left to run; read by ``pending_of``."""
    execution_batches: tuple[Any, ...] = ()
    """Lists of indices into ``pending_branches``: one batch runs after another. Empty: all at once."""
    convergence_segment: int | None = None
    """Where the main loop goes on after the pending branches."""
    branch_policy: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """``{"on_conflict", "failure", "append_keys"}`` of the pending fork."""
    pending_map: Mapping[str, Any] | None = None
    """The map that is under way: ``{"id", "plan", "segment", "visit"}``; once its items are in chunks, also ``manifest``
    (of the first round), ``work`` (of this one), ``round``."""
    distributed_chunk_summary: Mapping[str, Any] | None = None
    failed_segments: Mapping[str, Any] | None = None
    """``{"count", "sample", "all": pointer}``."""
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
            "forked_at": list(self.forked_at),
            **self.state_history.to_json(),
            "state_durations": self.state_durations,
            "pending_branches": list(self.pending_branches),
            "execution_batches": list(self.execution_batches),
            "branch_policy": self.branch_policy,
            "pending_map": self.pending_map,
            "distributed_chunk_summary": self.distributed_chunk_summary,
            "failed_segments": self.failed_segments,
            "snapshots": self.snapshots,
            "restored_from": self.restored_from,
            "error": self.error,
            "carried": self.carried,
        }
        filled = {name: value for name, value in body.items() if value}
        return (
            filled if self.convergence_segment is None else filled | {"convergence_segment": self.convergence_segment}
        )

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> Kernel:
        """Read the fields of a bag that belong to this namespace.

        Raises:
            StateBagError: ``BAG_MALFORMED``, naming every field that is wrong.
            PointerRefused: a pointer is malformed.
        """
        wrong = [
            f"{name} is {type(body[name]).__name__}, not {kind.__name__}"
            for name, kind in _SHAPES.items()
            if name in body and not isinstance(body[name], kind)
        ]
        if wrong:
            raise StateBagError(
                f"state_data is not a bag: {'; '.join(wrong)}. Pass on what the last action returned, unchanged.",
                code="BAG_MALFORMED",
            )
        return Kernel(
            workflow_config=_pointer(body.get("workflow_config_s3_path")),
            plan=_pointer(body.get("segment_manifest_s3_path")),
            partition_stack=tuple(Frame.from_json(frame) for frame in body.get("partition_stack", ())),
            forked_at=tuple(body.get("forked_at", ())),
            state_history=History.from_json(body),
            state_durations=body.get("state_durations", {}),
            pending_branches=tuple(body.get("pending_branches", ())),
            execution_batches=tuple(body.get("execution_batches", ())),
            convergence_segment=body.get("convergence_segment"),
            branch_policy=body.get("branch_policy", {}),
            pending_map=body.get("pending_map"),
            distributed_chunk_summary=body.get("distributed_chunk_summary"),
            failed_segments=body.get("failed_segments"),
            snapshots=body.get("snapshots", {}),
            restored_from=body.get("restored_from"),
            error=body.get("error"),
            carried=body.get("carried", {}),
        )


_SHAPES: Mapping[str, type] = {
    "workflow_config_s3_path": dict,
    "segment_manifest_s3_path": dict,
    "partition_stack": list,
    "forked_at": list,
    "state_history": list,
    "state_history_archive": dict,
    "state_durations": dict,
    "pending_branches": list,
    "execution_batches": list,
    "convergence_segment": int,
    "branch_policy": dict,
    "pending_map": dict,
    "distributed_chunk_summary": dict,
    "failed_segments": dict,
    "snapshots": dict,
    "restored_from": str,
    "error": dict,
    "carried": dict,
}

KERNEL_FIELDS = frozenset(_SHAPES)
"""Names under which this namespace is stored."""


def _pointer(value: Any) -> Pointer | None:
    return Pointer.from_json(value) if value else None


def _is_index(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
