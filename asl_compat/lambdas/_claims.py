"""Idempotency keys: which execution has one, in a table that refuses a second."""

from __future__ import annotations

from typing import Any

from asl_compat.lambdas._conditions import passing_faults, write_if
from asl_compat.lambdas._surroundings import Surroundings
from statebag.errors import RunConflict

__all__ = ["KEPT_SECONDS", "claim", "close_claim"]

KEPT_SECONDS = 366 * 86_400
"""A claim outlives every run: an execution may last a year."""
RESULT_SECONDS = 86_400
"""Time for which a run that is over answers for its key."""


def claim(around: Surroundings, *, key: str, execution_arn: str, input_hash: str) -> None:
    """Claim a key for an execution; that it has it already is no error.

    Raises:
        RunConflict: ``DUPLICATE_EXECUTION`` or, where the other one had another input, ``IDEMPOTENCY_CONFLICT``.
        StoreUnavailable: the table does not answer.
    """
    table, now = around.name("idempotency_table"), int(around.now().timestamp())
    item: dict[str, Any] = {
        "idempotency_key": {"S": key},
        "executionArn": {"S": execution_arn},
        "status": {"S": "RUNNING"},
        "input_hash": {"S": input_hash},
        "created_at": {"N": str(now)},
        "ttl": {"N": str(now + KEPT_SECONDS)},
    }
    free = "attribute_not_exists(idempotency_key) OR executionArn = :mine OR #status = :failed OR #ttl < :now"
    claimed = write_if(
        lambda: around.dynamodb.put_item(
            TableName=table,
            Item=item,
            ConditionExpression=free,
            ExpressionAttributeNames={"#status": "status", "#ttl": "ttl"},
            ExpressionAttributeValues={
                ":mine": {"S": execution_arn},
                ":failed": {"S": "FAILED"},
                ":now": {"N": str(now)},
            },
        )
    )
    if claimed is None:
        with passing_faults():
            held = around.dynamodb.get_item(TableName=table, Key={"idempotency_key": {"S": key}}, ConsistentRead=True)
        raise _conflict(key, held.get("Item", {}), input_hash)


def close_claim(around: Surroundings, *, key: str, execution_arn: str, status: str, output: str) -> None:
    """Record how the execution that has the key ended; nothing, where another one has it."""
    until = int(around.now().timestamp()) + RESULT_SECONDS
    write_if(
        lambda: around.dynamodb.update_item(
            TableName=around.name("idempotency_table"),
            Key={"idempotency_key": {"S": key}},
            UpdateExpression="SET #status = :status, #output = :output, #ttl = :ttl",
            ConditionExpression="executionArn = :mine",
            ExpressionAttributeNames={"#status": "status", "#output": "output", "#ttl": "ttl"},
            ExpressionAttributeValues={
                ":status": {"S": status},
                ":output": {"S": output},
                ":ttl": {"N": str(until)},
                ":mine": {"S": execution_arn},
            },
        )
    )


def _conflict(key: str, held: Any, input_hash: str) -> RunConflict:
    who = held.get("executionArn", {}).get("S", "another execution")
    details = {"execution_id": who}
    if held.get("input_hash", {}).get("S", input_hash) != input_hash:
        text = f"idempotency key {key}: execution {who} used it with another input. Use a new key."
        return RunConflict(text, details=details)
    text = f"idempotency key {key}: execution {who} has it. Wait for that one, or use its result."
    return RunConflict(text, code="DUPLICATE_EXECUTION", details=details)
