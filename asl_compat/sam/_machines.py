"""The state machines, and what their roles may do."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal

from asl_compat.machines import DISTRIBUTED, LEGACY_DISTRIBUTED, LEGACY_STANDARD, STANDARD, definitions
from asl_compat.sam._names import ENVIRONMENT, get, named

__all__ = ["CALLED", "GENERATIONS", "MACHINES", "Generation", "machines", "placeholders_in"]

Generation = Literal["v3", "legacy"]
"""Which machines are deployed; the legacy ones are there for going back."""

MACHINES: Mapping[str, str] = {
    "StepFunctionOrchestrator": "WorkflowOrchestrator",
    "StepFunctionDistributedOrchestrator": "WorkflowDistributedOrchestrator",
}
"""Logical id to name."""

GENERATIONS: Mapping[Generation, Mapping[str, str]] = {
    "v3": {"StepFunctionOrchestrator": STANDARD, "StepFunctionDistributedOrchestrator": DISTRIBUTED},
    "legacy": {
        "StepFunctionOrchestrator": LEGACY_STANDARD,
        "StepFunctionDistributedOrchestrator": LEGACY_DISTRIBUTED,
    },
}
"""Logical id to definition."""

CALLED: Mapping[str, str] = {
    "InitializeStateDataArn": "InitializeStateData",
    "ExecuteSegmentArn": "SegmentRunner",
    "SegmentRunnerArn": "SegmentRunner",
    "ExecuteBranchArn": "SegmentRunner",
    "StateDataManagerArn": "StateDataManager",
    "StoreTaskTokenArn": "StoreTaskToken",
    "AsyncLLMHandlerArn": "AsyncLLMHandler",
    "PrepareDistributedExecutionArn": "PrepareDistributedExecution",
    "ProcessSegmentChunkArn": "ProcessSegmentChunk",
    "StoreDistributedTaskTokenArn": "StoreDistributedTaskToken",
    "MergeCallbackArn": "MergeCallback",
    "AggregateResultsArn": "AggregateDistributedResults",
    "AggregateDistributedResultsArn": "AggregateDistributedResults",
    "LoadLatestStateArn": "LoadLatestState",
    "SaveLatestStateArn": "SaveLatestState",
    "ResumeChunkProcessingArn": "ResumeChunkProcessing",
}
"""Placeholders of definitions to the functions behind them."""
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")


def placeholders_in(text: str) -> set[str]:
    """Names of the ``${…}`` in the text of a definition."""
    return set(_PLACEHOLDER.findall(text))


def machines(generation: Generation) -> dict[str, Any]:
    """Their resources, and that of their logs."""
    made: dict[str, Any] = {
        "StateMachineLogs": {
            "Type": "AWS::Logs::LogGroup",
            "Properties": {
                "LogGroupName": {"Fn::Sub": "/aws/vendedlogs/states/statebag-${StageName}"},
                "RetentionInDays": {"Ref": "LogRetentionDays"},
            },
        }
    }
    written = definitions()
    for logical_id, name in MACHINES.items():
        file = GENERATIONS[generation][logical_id]
        wanted = placeholders_in(json.dumps(written[file]))
        called = {place: one for place, one in CALLED.items() if place in wanted}
        others = {
            "WorkflowEventBusArn": get("WorkflowEventBus"),
            "IdempotencyTable": {"Ref": "IdempotencyTable"},
            "WorkflowStateBucket": ENVIRONMENT["WORKFLOW_STATE_BUCKET"],
        }
        substitutions: dict[str, Any] = {place: {"Ref": f"{one}Function.Alias"} for place, one in called.items()}
        substitutions |= {place: value for place, value in others.items() if place in wanted}
        distributed = "WorkflowStateBucket" in wanted
        made[logical_id] = {
            "Type": "AWS::Serverless::StateMachine",
            "Properties": {
                "Name": named(name),
                "Type": "STANDARD",
                "DefinitionUri": f"statemachines/{file}",
                "DefinitionSubstitutions": substitutions,
                "Logging": {
                    "Level": "ERROR",
                    "IncludeExecutionData": False,
                    "Destinations": [{"CloudWatchLogsLogGroup": {"LogGroupArn": get("StateMachineLogs")}}],
                },
                "Tracing": {"Enabled": True},
                "Policies": [
                    {"Version": "2012-10-17", "Statement": _statements(sorted({*called.values()}), name, distributed)}
                ],
            },
        }
    return made


def _statements(called: list[str], name: str, distributed: bool) -> list[dict[str, Any]]:
    invoked = [
        {
            "Fn::Sub": f"arn:${{AWS::Partition}}:lambda:${{AWS::Region}}:${{AWS::AccountId}}:function:{one}-${{StageName}}:live"
        }
        for one in called
    ]
    statements: list[dict[str, Any]] = [
        _allow(["lambda:InvokeFunction"], invoked),
        _allow(["dynamodb:GetItem"], get("IdempotencyTable")),
        _allow(["events:PutEvents"], get("WorkflowEventBus")),
        # Delivery of logs and traces has no resources to name.
        _allow(
            [
                "logs:CreateLogDelivery",
                "logs:GetLogDelivery",
                "logs:UpdateLogDelivery",
                "logs:DeleteLogDelivery",
                "logs:ListLogDeliveries",
                "logs:PutResourcePolicy",
                "logs:DescribeResourcePolicies",
                "logs:DescribeLogGroups",
                "xray:PutTraceSegments",
                "xray:PutTelemetryRecords",
                "xray:GetSamplingRules",
                "xray:GetSamplingTargets",
            ],
            "*",
        ),
    ]
    if distributed:
        bucket = ENVIRONMENT["WORKFLOW_STATE_BUCKET"]
        here = "${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}"
        statements += [
            _allow(
                ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
                {"Fn::Sub": ["arn:${AWS::Partition}:s3:::${Name}/*", {"Name": bucket}]},
            ),
            _allow(
                ["states:StartExecution"],
                {"Fn::Sub": f"arn:{here}:stateMachine:{name}-${{StageName}}"},
            ),
            _allow(
                ["states:DescribeExecution", "states:StopExecution"],
                {"Fn::Sub": f"arn:{here}:execution:{name}-${{StageName}}:*"},
            ),
        ]
    return statements


def _allow(actions: list[str], resource: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resource}
