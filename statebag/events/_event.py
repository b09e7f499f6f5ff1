"""Lifecycle events of a run: small, without user data, each with an id of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from statebag.canonical import sha256_hex

__all__ = ["DETAIL_TYPE", "SOURCE", "EventType", "LifecycleEvent", "event_id_of"]

SOURCE = "analemma.orchestrator"
"""Source of the events: part of the contract with their consumers."""
DETAIL_TYPE = "WorkflowLifecycleEvent"


class EventType(StrEnum):
    """What happened."""

    INIT_FAILED = "INIT_FAILED"
    STARTED = "STARTED"
    LARGE_WORKFLOW_WARNING = "LARGE_WORKFLOW_WARNING"
    """Told by the legacy machine only, whose loop is a long one then."""
    DISTRIBUTED_STARTED = "DISTRIBUTED_STARTED"
    ASYNC_LLM_PROCESSING = "ASYNC_LLM_PROCESSING"
    PAUSED_FOR_HITP = "PAUSED_FOR_HITP"
    RESUMED = "RESUMED"
    HITP_TIMEOUT = "HITP_TIMEOUT"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    ABORTED = "ABORTED"


@dataclass(frozen=True, kw_only=True)
class LifecycleEvent:
    """One event. Delivered at least once: consumers drop a repeated ``event_id``."""

    event_id: str
    event_type: EventType
    sequence: int
    """Counts the events of a run from 0, and those of a branch of it (``branch`` in the detail) for themselves."""
    execution_id: str
    ownerId: str  # noqa: N815
    workflowId: str  # noqa: N815
    timestamp: str
    """UTC, ISO 8601: when the state was entered."""
    status: str
    """The run's status after the event: RUNNING, PAUSED_FOR_HITP, SUCCEEDED, FAILED or CANCELED."""
    detail: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Fields of the event's own type: counts, pointers, ``error_type``, ``error_message``."""

    def to_json(self) -> dict[str, Any]:
        """The event as consumers get it: the type's own fields stand beside the common ones."""
        common = {
            "event_id": self.event_id,
            "event_type": str(self.event_type),
            "sequence": self.sequence,
            "execution_id": self.execution_id,
            "ownerId": self.ownerId,
            "workflowId": self.workflowId,
            "timestamp": self.timestamp,
            "status": self.status,
        }
        return {**self.detail, **common}


def event_id_of(execution_id: str, sequence: int) -> str:
    """The id of a run's event, the same again when publishing is tried again."""
    return sha256_hex(f"{execution_id}\x1f{sequence}".encode())[:32]
