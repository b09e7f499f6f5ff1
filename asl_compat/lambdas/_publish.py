"""Lifecycle events that functions publish, since no state of a machine can."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from asl_compat.lambdas._surroundings import Surroundings
from statebag.canonical import canonical_bytes
from statebag.errors import StateBagError
from statebag.events import DETAIL_TYPE, SOURCE, EventType

__all__ = ["publish"]

_log = logging.getLogger("statebag.events")


def publish(
    around: Surroundings,
    event_type: EventType,
    *,
    execution_id: str,
    owner_id: str,
    workflow_id: str,
    status: str,
    number: str,
    at: datetime | None = None,
    **detail: Any,
) -> None:
    """Put one event on the bus. Best effort: whatever happens to it is logged, and the run goes on.

    Args:
        around: Has the bus.
        event_type: What happened.
        execution_id: The execution's ARN, as in the events of the machines.
        owner_id: Whose run it is.
        workflow_id: Of the run.
        status: Of the run after the event.
        number: Tells events of one type of a run apart; the same again where an event is published again.
        at: When it happened; now, where it isn't given.
        detail: The type's own fields; those that are None are left out.
    """
    body = {
        **{name: value for name, value in detail.items() if value is not None},
        "event_id": f"{execution_id}/{event_type}/{number}",
        "event_type": str(event_type),
        "execution_id": execution_id,
        "ownerId": owner_id,
        "workflowId": workflow_id,
        "timestamp": (at or around.now()).astimezone(UTC).isoformat(timespec="milliseconds"),
        "status": status,
    }
    try:
        answer = around.events.put_events(
            Entries=[
                {
                    "Source": SOURCE,
                    "DetailType": DETAIL_TYPE,
                    "EventBusName": around.name("event_bus"),
                    "Detail": canonical_bytes(body).decode(),
                }
            ]
        )
    except (BotoCoreError, ClientError, StateBagError):  # an event never ends a run, whatever the bus says
        _log.exception("event %s could not be published", body["event_id"])
        return
    if answer.get("FailedEntryCount"):
        _log.error("event %s was not taken: %s", body["event_id"], answer["Entries"])
