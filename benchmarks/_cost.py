"""What one run of a workflow took, read off its history and off this process."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

__all__ = ["Cost", "histories_of", "measure"]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Cost of one step: each is the run's divided by its steps."""

    milliseconds: float
    """From the first step's schedule to the end of the run, by the server's clock."""
    cpu_milliseconds: float
    """Of this process, client and worker, for the whole run."""
    events: float
    """All events of the run, those of its start and its end too."""
    history_bytes: float
    """All bytes of them, the run's input and output too."""


async def measure(
    client: Client,
    workflow: str,
    argument: Any,
    *,
    id: str,  # noqa: A002
    task_queue: str,
    steps: int,
    first: str | None,
) -> Cost:
    """Run a workflow alone.

    Args:
        client: starts it.
        workflow: its type.
        argument: its input.
        id: its id.
        task_queue: where its worker listens.
        steps: how many it has.
        first: type of the activity or child workflow that is the first step; None for the time from the run's start.
    """
    cpu = time.process_time()
    handle = await client.start_workflow(workflow, argument, id=id, task_queue=task_queue)
    await handle.result()
    cpu = time.process_time() - cpu
    events = [event for history in await histories_of(client, id) for event in history]
    return Cost(
        milliseconds=_span(events, first) / steps,
        cpu_milliseconds=cpu * 1000 / steps,
        events=len(events) / steps,
        history_bytes=sum(event.ByteSize() for event in events) / steps,
    )


async def histories_of(client: Client, execution_id: str) -> list[list[HistoryEvent]]:
    """The events of each history of a run that goes on in new ones, oldest first."""
    found: list[list[HistoryEvent]] = []
    run_id: str | None = (await client.get_workflow_handle(execution_id).describe()).run_id
    while run_id:
        history = await client.get_workflow_handle(execution_id, run_id=run_id).fetch_history()
        found.append(list(history.events))
        run_id = found[-1][0].workflow_execution_started_event_attributes.continued_execution_run_id or None
    return found[::-1]


def _span(events: list[HistoryEvent], first: str | None) -> float:
    begin = events[0]
    if first is not None:
        begin = next(event for event in events if _schedules(event, first))
    return (events[-1].event_time.ToNanoseconds() - begin.event_time.ToNanoseconds()) / 1e6


def _schedules(event: HistoryEvent, name: str) -> bool:
    if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
        return event.activity_task_scheduled_event_attributes.activity_type.name == name
    if event.event_type == EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
        return event.start_child_workflow_execution_initiated_event_attributes.workflow_type.name == name
    return False
