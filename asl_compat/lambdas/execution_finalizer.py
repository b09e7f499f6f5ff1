"""ExecutionFinalizer: what is left to do when an execution has ended, however it has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asl_compat.lambdas._answer import answer, require
from asl_compat.lambdas._claims import close_claim
from asl_compat.lambdas._conditions import write_if
from asl_compat.lambdas._failures import error_of_task
from asl_compat.lambdas._publish import publish
from asl_compat.lambdas._surroundings import Surroundings, surroundings
from asl_compat.lambdas._tokens import Tokens
from statebag.canonical import parse_json
from statebag.events import EventType

__all__ = ["handle", "handler"]

_TOLD_BY_THE_MACHINE = frozenset({"WorkflowExecutionFailed", "InitializationFailed"})
"""Errors before which a state has published the event; an end by any other has told nobody."""
_NEEDED = {
    "SUCCEEDED": ("input", "output"),
    "FAILED": ("input", "error"),
    "TIMED_OUT": ("input",),
    "ABORTED": ("input",),
}
"""Statuses that are ends, and what must be known of each. The event leaves out what is large."""
_CODES = {
    "LoopLimitExceeded": "LOOP_LIMIT_EXCEEDED",
    "DuplicateExecution": "DUPLICATE_EXECUTION",
    "IdempotencyCheckFailed": "IDEMPOTENCY_UNVERIFIED",
}


def handler(event: Any, context: Any) -> Any:  # noqa: ARG001 - the signature that Lambda calls
    """A status change of an execution, as Step Functions puts it on the default bus."""
    return answer(lambda: handle(event, surroundings()))


def handle(event: Any, around: Surroundings) -> dict[str, Any]:
    """As :func:`handler`; doing it twice changes nothing.

    Raises:
        InputRefused: the event is none of Step Functions.
    """
    detail = require(require(event, "detail")["detail"], "executionArn", "status")
    arn, status = detail["executionArn"], detail["status"]
    if status not in _NEEDED:
        return {"status": "ignored", "reason": "the execution has not ended"}
    detail = _whole(around, detail)
    given = _input_of(detail)
    owner_id, workflow_id = (given.get(name) for name in ("ownerId", "workflowId"))
    if not isinstance(owner_id, str) or not isinstance(workflow_id, str):
        return {"status": "ignored", "reason": "the execution's input names no owner"}
    whose: dict[str, Any] = {"execution_id": arn, "owner_id": owner_id, "workflow_id": workflow_id}
    if status == "ABORTED":
        publish(around, EventType.ABORTED, **whose, status="CANCELED", number="end")
    elif status in ("FAILED", "TIMED_OUT") and detail.get("error") not in _TOLD_BY_THE_MACHINE:
        error = _error_of(detail)
        publish(
            around,
            EventType.FAILED,
            **whose,
            status="FAILED",
            number="end",
            error_type=error["code"],
            error_message=error["message"],
            execution_name=str(detail.get("name") or arn.rpartition(":")[2]),
        )
    closed = _close_pauses(around, owner_id, arn)
    key = given.get("idempotency_key")
    if isinstance(key, str) and key:
        ended = "SUCCEEDED" if status == "SUCCEEDED" else "FAILED"
        close_claim(around, key=key, execution_arn=arn, status=ended, output=str(detail.get("output") or ""))
    return {"status": "done", "pauses_closed": closed}


def _error_of(detail: Mapping[str, Any]) -> dict[str, Any]:
    name = str(detail.get("error") or detail["status"])
    found = error_of_task({"Error": name, "Cause": detail.get("cause")})
    return {**found, "code": _CODES[name]} if name in _CODES else found


def _whole(around: Surroundings, detail: Mapping[str, Any]) -> Mapping[str, Any]:
    if all(isinstance(detail.get(name), str) for name in _NEEDED[detail["status"]]):
        return detail
    described: Mapping[str, Any] = around.step_functions.describe_execution(executionArn=detail["executionArn"])
    return {name: described.get(name) for name in ("input", "output", "error", "cause")} | {
        name: value for name, value in detail.items() if value is not None
    }


def _input_of(detail: Mapping[str, Any]) -> Mapping[str, Any]:
    given = parse_json(detail.get("input") or "{}")
    return given if isinstance(given, dict) else {}


def _close_pauses(around: Surroundings, owner_id: str, arn: str) -> int:
    """Nobody can answer them any more: forget them, and the notices that ask for it."""
    tokens = Tokens(around)
    waiting = tokens.of_execution(owner_id, arn)
    for pause in waiting:
        tokens.forget(pause)
    table = around.name("pending_notifications_table")
    pages = around.dynamodb.get_paginator("query").paginate(
        TableName=table,
        IndexName="ExecutionIdIndex",
        KeyConditionExpression="ownerId = :owner AND execution_id = :execution",
        ExpressionAttributeValues={":owner": {"S": owner_id}, ":execution": {"S": arn}},
    )
    for item in [found for page in pages for found in page["Items"]]:
        # A notice whose time ran out in between must not come back, half of it and for good.
        write_if(
            lambda item=item: around.dynamodb.update_item(
                TableName=table,
                Key={"ownerId": item["ownerId"], "notificationId": item["notificationId"]},
                UpdateExpression="SET #status = :over",
                ConditionExpression="attribute_exists(ownerId)",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues={":over": {"S": "completed"}},
            )
        )
    return len(waiting)
