"""From the start of a run to its first bag: what both machines begin with."""

from __future__ import annotations

from collections.abc import Mapping

from asl_compat.machines._build import ASL, call, catch, choice, fail, is_equal, service, succeed
from asl_compat.machines._notices import publish
from asl_compat.machines._policies import retries
from statebag.events import EventType
from statebag.machine import State

__all__ = ["DOCUMENT", "begin"]

DOCUMENT = ("state_data", "next_action", "next", "failure")
"""Members of the document from the first bag on; every function that gives a bag gives all of them."""

_CHECK = "$.idempotency_check"
_NO_TABLE = "The idempotency table could not be read, so that whether this run is the only one is not known."
_DUPLICATE = "A run with this idempotency key is going on. Wait for that run."
_REFUSED = "The execution input was refused, or its data could not be stored: see the failed event of this execution."


def begin(*, then: State) -> Mapping[State, ASL]:
    """The states up to the first bag, which ``then`` gets."""
    return {
        State.CHECK_IDEMPOTENCY: choice(
            [
                (_nameless(), State.FAIL_INITIALIZATION),
                (_mocked(), State.INITIALIZE_STATE_BAG),
                (_has("$.idempotency_key", "IsString"), State.VERIFY_IDEMPOTENCY_KEY),
            ],
            otherwise=State.INITIALIZE_STATE_BAG,
        ),
        State.VERIFY_IDEMPOTENCY_KEY: service(
            "dynamodb:getItem",
            {
                "TableName": "${IdempotencyTable}",
                "Key": {"idempotency_key": {"S.$": "$.idempotency_key"}},
                "ConsistentRead": True,
            },
            into=_CHECK,
            then=State.EVALUATE_IDEMPOTENCY,
            retry=[_table_retry()],
            catches=[catch(State.HANDLE_IDEMPOTENCY_ERROR, into="$.idempotency_error")],
        ),
        State.HANDLE_IDEMPOTENCY_ERROR: choice(
            [
                (
                    {
                        "And": [
                            {"Variable": "$.ALLOW_UNSAFE_EXECUTION", "IsPresent": True},
                            {"Variable": "$.ALLOW_UNSAFE_EXECUTION", "BooleanEquals": True},
                        ]
                    },
                    State.INITIALIZE_STATE_BAG,
                )
            ],
            otherwise=State.FAIL_IDEMPOTENCY_UNAVAILABLE,
        ),
        State.FAIL_IDEMPOTENCY_UNAVAILABLE: fail("IdempotencyCheckFailed", cause=_NO_TABLE),
        State.EVALUATE_IDEMPOTENCY: choice(
            [
                (_found("RUNNING"), State.FAIL_DUPLICATE_EXECUTION),
                (_found("SUCCEEDED"), State.SUCCEED_DUPLICATE_EXECUTION),
            ],
            otherwise=State.INITIALIZE_STATE_BAG,
        ),
        State.FAIL_DUPLICATE_EXECUTION: fail("DuplicateExecution", cause=_DUPLICATE),
        State.SUCCEED_DUPLICATE_EXECUTION: succeed(output=f"{_CHECK}.Item"),
        State.INITIALIZE_STATE_BAG: call(
            "InitializeStateDataArn",
            {"input.$": "$", "execution_id.$": "$$.Execution.Name", "execution_arn.$": "$$.Execution.Id"},
            select=DOCUMENT,
            then=then,
            retry=retries("init"),
            catches=[catch(State.NOTIFY_AND_FAIL_INIT, into="$.failure")],
        ),
        State.NOTIFY_AND_FAIL_INIT: publish(
            EventType.INIT_FAILED,
            then=State.FAIL_INITIALIZATION,
            identity="$",
            catches=[catch(State.FAIL_INITIALIZATION, into=None)],
        ),
        State.FAIL_INITIALIZATION: fail("InitializationFailed", cause=_REFUSED),
    }


def _has(path: str, test: str) -> ASL:
    return {"And": [{"Variable": path, "IsPresent": True}, {"Variable": path, test: True}]}


def _nameless() -> ASL:
    """Whose the run is must be known before anything can be told of it."""
    return {"Or": [{"Not": _has("$.ownerId", "IsString")}, {"Not": _has("$.workflowId", "IsString")}]}


def _mocked() -> ASL:
    return {
        "And": [
            {"Variable": "$.MOCK_MODE", "IsPresent": True},
            is_equal("$.MOCK_MODE", ["true"]),
            {"Variable": "$.test_workflow_config", "IsPresent": True},
        ]
    }


def _found(status: str) -> ASL:
    where = f"{_CHECK}.Item.status.S"
    return {"And": [{"Variable": where, "IsPresent": True}, is_equal(where, [status])]}


def _table_retry() -> ASL:
    errors = ["DynamoDB.InternalServerErrorException", "DynamoDB.ThrottlingException", "DynamoDB.SdkClientException"]
    errors += ["DynamoDB.ProvisionedThroughputExceededException", "DynamoDB.RequestLimitExceededException"]
    return {"ErrorEquals": errors, "IntervalSeconds": 2, "BackoffRate": 2.0, "MaxAttempts": 3, "JitterStrategy": "FULL"}
