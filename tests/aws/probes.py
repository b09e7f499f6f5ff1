"""Small definitions for trying the interpreters, each about one thing they must all do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.aws.functions import function_arn

INVOKE = "arn:aws:states:::lambda:invoke"
WAITING = f"{INVOKE}.waitForTaskToken"

State = dict[str, Any]


def machine(**states: State) -> dict[str, Any]:
    """States by name, the first of which is the start."""
    return {"StartAt": next(iter(states)), "States": states}


def called(function: str, payload: Mapping[str, Any], **fields: Any) -> State:
    """A task that invokes a function, and takes its payload for result."""
    parameters = {"FunctionName": function_arn(function), "Payload": dict(payload)}
    return {
        "Type": "Task",
        "Resource": INVOKE,
        "Parameters": parameters,
        "ResultSelector": {"value.$": "$.Payload"},
        **fields,
    }


def waiting(function: str, payload: Mapping[str, Any], **fields: Any) -> State:
    """A task that ends with what is sent for its token."""
    given = {"token.$": "$$.Task.Token", **payload}
    parameters = {"FunctionName": function_arn(function), "Payload": given}
    return {"Type": "Task", "Resource": WAITING, "Parameters": parameters, **fields}


def retried(*errors: str, times: int = 3) -> State:
    """A retry that would wait for minutes."""
    return {
        "ErrorEquals": list(errors),
        "IntervalSeconds": 100,
        "MaxAttempts": times,
        "BackoffRate": 2.0,
        "JitterStrategy": "FULL",
    }


def caught(next_state: str, *errors: str) -> list[State]:
    """A catch that keeps the input."""
    return [{"ErrorEquals": list(errors or ["States.ALL"]), "ResultPath": "$.error", "Next": next_state}]


def mapped(states: Mapping[str, State], selector: Mapping[str, Any], **fields: Any) -> State:
    """A Map over ``$.items``, its items run as part of the execution."""
    return {
        "Type": "Map",
        "ItemsPath": "$.items",
        "ItemSelector": dict(selector),
        "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **machine(**states)},
        **fields,
    }


def distributed(states: Mapping[str, State], bucket: str, **fields: Any) -> State:
    """A Map over the file ``items.json``, each item run as an execution of its own, its results written to files."""
    return {
        "Type": "Map",
        "Label": "Chunks",
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "JSON"},
            "Parameters": {"Bucket": bucket, "Key.$": "$.key"},
        },
        "ItemSelector": {"index.$": "$$.Map.Item.Index", "value.$": "$$.Map.Item.Value", "shared.$": "$.shared"},
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            **machine(**states),
        },
        "MaxConcurrency": 4,
        "ResultWriter": {
            "Resource": "arn:aws:states:::s3:putObject",
            "Parameters": {"Bucket": bucket, "Prefix": "results"},
        },
        **fields,
    }


def everything(*, table: str, bus: str) -> dict[str, Any]:
    """One machine with each kind of state that the emitted ones have."""
    return machine(
        Look={
            "Type": "Task",
            "Resource": "arn:aws:states:::dynamodb:getItem",
            "Parameters": {
                "TableName": table,
                "Key": {"key": {"S.$": "$.key"}},
                "ProjectionExpression": "#st",
                "ExpressionAttributeNames": {"#st": "status"},
            },
            "ResultPath": "$.found",
            "Next": "Known",
        },
        Known={
            "Type": "Choice",
            "Choices": [
                {
                    "And": [
                        {"Variable": "$.found.Item", "IsPresent": True},
                        {"Variable": "$.found.Item.status.S", "StringEquals": "SUCCEEDED"},
                    ],
                    "Next": "Prepare",
                }
            ],
            "Default": "Unknown",
        },
        Unknown={"Type": "Fail", "Error": "Unknown", "Cause": "the item is not there"},
        Prepare={
            "Type": "Pass",
            "Parameters": {
                "items.$": "$.items",
                "width": 2,
                "name.$": "$$.Execution.Name",
                "state.$": "$$.State.Name",
                "label.$": "States.Format('{}/{}', $.key, $.found.Item.status.S)",
            },
            "Next": "Count",
        },
        Count=called(
            "count",
            {"items.$": "$.items"},
            Retry=[retried("Busy", times=2)],
            ResultPath="$.counted",
            Next="Each",
        ),
        Each=mapped(
            {
                "Double": called(
                    "double",
                    {"value.$": "$.value"},
                    ResultPath="$.doubled",
                    Catch=caught("Refused", "TooLarge"),
                    Next="Keep",
                ),
                "Keep": {"Type": "Pass", "Parameters": {"is.$": "$.doubled.value", "at.$": "$.index"}, "End": True},
                "Refused": {"Type": "Pass", "Parameters": {"is": None, "why.$": "$.error.Error"}, "End": True},
            },
            {"value.$": "$$.Map.Item.Value", "index.$": "$$.Map.Item.Index"},
            MaxConcurrencyPath="$.width",
            ResultPath="$.doubles",
            Next="Both",
        ),
        Both={
            "Type": "Parallel",
            "Branches": [
                machine(Ask=waiting("ask", {"who": "one"}, HeartbeatSeconds=3600, End=True)),
                machine(AskToo=waiting("ask", {"who": "two"}, End=True)),
            ],
            "ResultPath": "$.answers",
            "Next": "Pause",
        },
        Pause={"Type": "Wait", "Seconds": 600, "Next": "Tell"},
        Tell={
            "Type": "Task",
            "Resource": "arn:aws:states:::events:putEvents",
            "Parameters": {
                "Entries": [
                    {
                        "EventBusName": bus,
                        "Source": "statebag",
                        "DetailType": "Told",
                        "Detail": {"name.$": "$.name", "answers.$": "$.answers"},
                    }
                ]
            },
            "ResultPath": None,
            "Next": "Done",
        },
        Done={"Type": "Succeed"},
    )


def states_of(definition: Mapping[str, Any]) -> Sequence[str]:
    """Names of its own states."""
    return list(definition["States"])
