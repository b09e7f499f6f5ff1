"""Which chunk workflows a history has left in flight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHistory

__all__ = ["chunks_left"]

_CONTINUED = "$continued"
_CHUNK = "ChunkWorkflow"
_ENDS = frozenset(
    f"child_workflow_execution_{end}_event_attributes"
    for end in ("completed", "failed", "canceled", "timed_out", "terminated")
)


async def chunks_left(client: Client, history: WorkflowHistory) -> list[str]:
    """Workflow ids of the chunks that were started in this history, or carried into it, and whose end is not in it."""
    started: list[str] = []
    over: set[str] = set()
    for event in history.events:
        if event.HasField("child_workflow_execution_started_event_attributes"):
            found = event.child_workflow_execution_started_event_attributes
            if found.workflow_type.name == _CHUNK:
                started.append(found.workflow_execution.workflow_id)
        over |= _ended_by(event)
    return [*await _carried(client, history), *(child for child in started if child not in over)]


def _ended_by(event: HistoryEvent) -> set[str]:
    name = event.WhichOneof("attributes")
    if name not in _ENDS:
        return set()
    return {getattr(event, name).workflow_execution.workflow_id}


async def _carried(client: Client, history: WorkflowHistory) -> list[str]:
    payloads = history.events[0].workflow_execution_started_event_attributes.input.payloads
    (given, *_) = await client.data_converter.decode(payloads) or [None]
    state: Any = given.get(_CONTINUED) if isinstance(given, Mapping) else None
    if not isinstance(state, Mapping) or "window" not in state:
        return []
    prefix = f"{history.workflow_id}/{state['map']['version']}/"
    return [f"{prefix}{unit}" for unit in state["window"]["in_flight"]]
