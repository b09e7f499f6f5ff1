"""ExecutionProgressNotifier: tells an owner's connections of a lifecycle event, and keeps where the run stands."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from asl_compat.lambdas._answer import answer, require
from asl_compat.lambdas._conditions import write_if
from asl_compat.lambdas._connections import push
from asl_compat.lambdas._surroundings import Surroundings, surroundings
from statebag.canonical import canonical_bytes, parse_json
from statebag.errors import InputRefused, Problem

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

__all__ = ["handle", "handler"]

MESSAGE_BYTES = 128 * 1024
"""That an API Gateway takes of a message."""
_KEPT_SECONDS = 90 * 86_400
_ENDS = frozenset({"SUCCEEDED", "FAILED", "CANCELED"})
_NEEDED = ("event_id", "event_type", "execution_id", "ownerId", "timestamp", "status")
_COMMON = frozenset({"event_id", "event_type", "execution_id", "ownerId", "workflowId", "timestamp", "status"})


def handler(event: Any, context: Any) -> Any:  # noqa: ARG001 - the signature that Lambda calls
    """An event of the bus, its ``detail`` an object or a JSON text."""
    return answer(lambda: handle(event, surroundings()))


def handle(event: Any, around: Surroundings) -> dict[str, Any]:
    """As :func:`handler`.

    Returns:
        ``{"status", "ws_sent", "db_saved"}``; ``db_saved`` is false for an event that came before, or too late.

    Raises:
        InputRefused: the event is none of ours.
    """
    given = require(event)
    if "requestContext" in given:
        return {"status": "error", "message": "Forbidden"}
    detail = given.get("detail", given)
    if isinstance(detail, str):
        try:
            detail = parse_json(detail)
        except ValueError as error:
            problem = Problem(path="$.detail", code="INPUT_NOT_JSON", message=f"is not JSON: {error}")
            raise InputRefused([problem], what="event") from error
    told = require(detail, *_NEEDED)
    moment = _check(told)
    row = _save(around, told, moment)
    sent = 0 if row is None else push(around, told["ownerId"], _message(told, row, moment, around.now()))
    return {"status": "success", "ws_sent": sent, "db_saved": row is not None}


def _check(told: Mapping[str, Any]) -> datetime:
    """When it happened.

    Raises:
        InputRefused: a member is not what it must be.
    """
    problems = [
        Problem(path=f"$.{name}", code="FIELD_TYPE", message=f"is a {type(told[name]).__name__}, not a text")
        for name in _NEEDED
        if not isinstance(told[name], str)
    ]
    if problems:
        raise InputRefused(problems, what="event")
    try:
        moment = datetime.fromisoformat(told["timestamp"])
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        text = f"is {told['timestamp']!r}, not a time in ISO 8601 with its zone"
        raise InputRefused([Problem(path="$.timestamp", code="FIELD_VALUE", message=text)], what="event")
    return moment


def _message(told: Mapping[str, Any], row: Mapping[str, Any], moment: datetime, now: datetime) -> dict[str, Any]:
    error = {name: told[name] for name in ("error_type", "error_message") if name in told}
    payload: dict[str, Any] = {
        "action": "hitp_pause" if told["event_type"] == "PAUSED_FOR_HITP" else "execution_progress",
        "event_id": told["event_id"],
        "event_type": told["event_type"],
        "status": told["status"],
        "execution_id": told["execution_id"],
        "conversation_id": told["execution_id"],
        "workflowId": told.get("workflowId", ""),
        "message": told.get("prompt") or error.get("error_message") or told["event_type"],
        "last_update_time": told["timestamp"],
        "server_timestamp": now.isoformat(timespec="milliseconds"),
        "error_details": error or None,
        **_progress(told, row, moment),
    }
    kept = {name: value for name, value in payload.items() if value is not None}
    message = {"type": "workflow_status", "payload": kept}
    if len(canonical_bytes(message)) > MESSAGE_BYTES:
        names = ("action", "event_id", "event_type", "status", "execution_id", "workflowId", "current_segment")
        short = {name: kept[name] for name in names if name in kept}
        message = {"type": "workflow_status", "payload": short | {"error": "PAYLOAD_TOO_LARGE"}}
    return message


def _progress(told: Mapping[str, Any], row: Mapping[str, Any], moment: datetime) -> dict[str, Any]:
    """How far the run is, and when it may be over if it goes on like that: what the event does not tell, the row may."""
    started = told.get("start_time") or int(float(row["startedAt"]["N"]))
    total = int(row["totalSegments"]["N"]) if "totalSegments" in row else None
    current = told.get("segment_to_run", told.get("loop_counter"))
    found = {"current_segment": current, "total_segments": total, "start_time": started}
    done = told.get("loop_counter", current)
    if not isinstance(started, int | float) or not isinstance(done, int) or done < 1:
        return found
    average = max(moment.timestamp() - started, 0.0) / done
    found["average_segment_duration"] = round(average, 3)
    if total is not None and done < total and told["status"] not in _ENDS:
        left = average * (total - done)
        found["estimated_remaining_seconds"] = round(left)
        found["estimated_completion_time"] = (moment + timedelta(seconds=left)).isoformat(timespec="milliseconds")
    return found


def _save(around: Surroundings, told: Mapping[str, Any], moment: datetime) -> Mapping[str, Any] | None:
    """Keep the newest state of the run: no event twice, none over a newer one, and none over the end.

    The end counts whenever it comes: clocks of functions and of the machine need not agree on what was first.

    Returns:
        The row; None where it is left as it was.
    """
    over = told["status"] in _ENDS
    fresh = "(#over = :no OR updatedAt <= :moment)" if over else "#over = :no AND updatedAt <= :moment"
    detail = {name: value for name, value in told.items() if name not in _COMMON}
    update = (
        "SET #status = :status, workflowId = :workflow, updatedAt = :moment, eventId = :event, "
        "eventType = :type, #detail = :detail, #over = :over, "
        "startDate = if_not_exists(startDate, :text), startedAt = if_not_exists(startedAt, :moment), "
        "expiration_timestamp = :until"
    )
    values: dict[str, AttributeValueTypeDef] = {
        ":status": {"S": told["status"]},
        ":workflow": {"S": str(told.get("workflowId", ""))},
        ":moment": {"N": f"{moment.timestamp():.3f}"},
        ":event": {"S": told["event_id"]},
        ":type": {"S": told["event_type"]},
        ":detail": {"S": canonical_bytes(detail).decode()},
        ":over": {"BOOL": over},
        ":no": {"BOOL": False},
        ":text": {"S": told["timestamp"]},
        ":until": {"N": str(int(moment.timestamp()) + _KEPT_SECONDS)},
    }
    if isinstance(told.get("total_segments"), int):
        update += ", totalSegments = :total"
        values[":total"] = {"N": str(told["total_segments"])}
    written = write_if(
        lambda: around.dynamodb.update_item(
            TableName=around.name("executions_table"),
            Key={"ownerId": {"S": told["ownerId"]}, "executionArn": {"S": told["execution_id"]}},
            UpdateExpression=update,
            ConditionExpression=f"attribute_not_exists(eventId) OR (eventId <> :event AND {fresh})",
            ExpressionAttributeNames={"#status": "status", "#detail": "detail", "#over": "over"},
            ExpressionAttributeValues=values,
            ReturnValues="ALL_NEW",
        )
    )
    return None if written is None else written["Attributes"]
