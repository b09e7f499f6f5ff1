"""Tasks that publish lifecycle events: the same ones, with the same fields, as the workflows publish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from asl_compat.machines._build import ASL, service
from statebag.events import DETAIL_TYPE, SOURCE, EventType
from statebag.machine import EVENT_FIELDS, EVENT_STATUS

__all__ = ["BAG_VERSION", "publish"]

BAG_VERSION = "$.state_data.bag_version"
"""Tells events of one type apart: a run has one of a type with each version of its bag."""
_PLACES: Mapping[str, str] = {
    "error_type": "$.failure.Error",
    "error_message": "$.failure.Cause",
    "execution_name": "$$.Execution.Name",
    "final_state_s3_path": "$.next.bag.root.key",
    "state_s3_path": "$.next.bag.root.key",
    "total_items": "$.next.total_items",
}
"""Where fields are that are not the bag's own."""


def publish(
    event: EventType,
    *,
    then: str,
    catches: Sequence[ASL],
    identity: str = "$.state_data",
    number: str = "",
    hint: bool = False,
    places: Mapping[str, str] = _PLACES,
    more: ASL | None = None,
) -> ASL:
    """Put one event on the bus. ``catches`` must take every error: no event may end a run.

    Args:
        event: Which.
        then: The state that follows.
        catches: Where errors lead.
        identity: Path of the object that has ``ownerId`` and ``workflowId``.
        number: Path of what tells events of one type of a run apart, where there may be several of them.
        hint: Whether it says how to look into it.
        places: Where fields are that are not the bag's own.
        more: Further fields.
    """
    text = f"{{}}/{event}{'/{}' if number else ''}"
    detail: ASL = {
        "event_id.$": f"States.Format('{text}', $$.Execution.Id{f', {number}' if number else ''})",
        "event_type": str(event),
        "execution_id.$": "$$.Execution.Id",
        "ownerId.$": f"{identity}.ownerId",
        "workflowId.$": f"{identity}.workflowId",
        "timestamp.$": "$$.State.EnteredTime",
        "status": EVENT_STATUS[event],
        **{f"{name}.$": places.get(name, f"$.state_data.{name}") for name in EVENT_FIELDS[event]},
        **(more or {}),
    }
    if hint:
        command = "aws stepfunctions get-execution-history --execution-arn {}"
        detail["debug_hint.$"] = f"States.Format('{command}', $$.Execution.Id)"
    entry = {"Source": SOURCE, "DetailType": DETAIL_TYPE, "EventBusName": "${WorkflowEventBusArn}", "Detail": detail}
    return service("events:putEvents", {"Entries": [entry]}, then=then, into=None, catches=catches)
