"""ExecutionProgressNotifier: tells an owner's connections of a lifecycle event, and keeps where the run stands."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from asl_compat.lambdas._answer import answer, require
from asl_compat.lambdas._connections import push
from asl_compat.lambdas._surroundings import Surroundings, surroundings
from statebag.canonical import canonical_bytes, parse_json
from statebag.errors import InputRefused, Problem

__all__ = ["handle", "handler"]

MESSAGE_BYTES = 128 * 1024
"""That an API Gateway takes of a message."""
_KEPT_SECONDS = 90 * 86_400
_ENDS = frozenset({"SUCCEEDED", "FAILED", "CANCELED"})
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
    told = require(detail, "event_id", "event_type", "execution_id", "ownerId", "timestamp", "status")
    saved = _save(around, told)
    sent = push(around, told["ownerId"], _message(told, around.now())) if saved else 0
    return {"status": "success", "ws_sent": sent, "db_saved": saved}


def _message(told: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    started, done = told.get("start_time"), told.get("loop_counter")
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
        "current_segment": told.get("segment_to_run", done),
        "total_segments": told.get("total_segments"),
        "start_time": started,
        "error_details": error or None,
    }
    if isinstance(started, int) and isinstance(done, int) and done > 0:
        payload["average_segment_duration"] = round((now.timestamp() - started) / done, 3)
    kept = {name: value for name, value in payload.items() if value is not None}
    message = {"type": "workflow_status", "payload": kept}
    if len(canonical_bytes(message)) > MESSAGE_BYTES:
        names = ("action", "event_id", "event_type", "status", "execution_id", "workflowId", "current_segment")
        short = {name: kept[name] for name in names if name in kept}
        message = {"type": "workflow_status", "payload": short | {"error": "PAYLOAD_TOO_LARGE"}}
    return message


def _save(around: Surroundings, told: Mapping[str, Any]) -> bool:
    """Keep the newest state of the run: no event twice, none over a newer one, and none over the end."""
    moment = datetime.fromisoformat(told["timestamp"])
    over = told["status"] in _ENDS
    detail = {name: value for name, value in told.items() if name not in _COMMON}
    try:
        around.dynamodb.update_item(
            TableName=around.name("executions_table"),
            Key={"ownerId": {"S": told["ownerId"]}, "executionArn": {"S": told["execution_id"]}},
            UpdateExpression=(
                "SET #status = :status, workflowId = :workflow, updatedAt = :moment, eventId = :event, "
                "eventType = :type, #detail = :detail, #over = :over, "
                "startDate = if_not_exists(startDate, :text), expiration_timestamp = :until"
            ),
            ConditionExpression=(
                "attribute_not_exists(executionArn) OR "
                "(eventId <> :event AND updatedAt <= :moment AND (#over = :no OR :over = :yes))"
            ),
            ExpressionAttributeNames={"#status": "status", "#detail": "detail", "#over": "over"},
            ExpressionAttributeValues={
                ":status": {"S": told["status"]},
                ":workflow": {"S": told.get("workflowId", "")},
                ":moment": {"N": f"{moment.timestamp():.3f}"},
                ":event": {"S": told["event_id"]},
                ":type": {"S": told["event_type"]},
                ":detail": {"S": canonical_bytes(detail).decode()},
                ":over": {"BOOL": over},
                ":yes": {"BOOL": True},
                ":no": {"BOOL": False},
                ":text": {"S": told["timestamp"]},
                ":until": {"N": str(int(moment.timestamp()) + _KEPT_SECONDS)},
            },
        )
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "ConditionalCheckFailedException":
            return False
        raise
    return True
