"""The state machines, and what their roles may do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asl_compat.machines import DISTRIBUTED, STANDARD
from asl_compat.sam._names import ENVIRONMENT, get, named

__all__ = ["CALLED", "MACHINES", "machines"]

MACHINES: Mapping[str, tuple[str, str]] = {
    "StepFunctionOrchestrator": ("WorkflowOrchestrator", STANDARD),
    "StepFunctionDistributedOrchestrator": ("WorkflowDistributedOrchestrator", DISTRIBUTED),
}
"""Logical id to name and definition."""

CALLED: Mapping[str, str] = {
    "InitializeStateDataArn": "InitializeStateData",
    "ExecuteSegmentArn": "SegmentRunner",
    "StateDataManagerArn": "StateDataManager",
    "StoreTaskTokenArn": "StoreTaskToken",
    "AsyncLLMHandlerArn": "AsyncLLMHandler",
    "ExecuteBranchArn": "SegmentRunner",
    "PrepareDistributedExecutionArn": "PrepareDistributedExecution",
    "ProcessSegmentChunkArn": "ProcessSegmentChunk",
    "StoreDistributedTaskTokenArn": "StoreDistributedTaskToken",
}
"""Placeholders of definitions to the functions behind them."""
_ONLY_DISTRIBUTED = frozenset(
    {
        "ExecuteBranchArn",
        "PrepareDistributedExecutionArn",
        "ProcessSegmentChunkArn",
        "StoreDistributedTaskTokenArn",
    }
)
_ONLY_STANDARD = frozenset({"AsyncLLMHandlerArn"})


def machines() -> dict[str, Any]:
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
    for logical_id, (name, file) in MACHINES.items():
        distributed = file == DISTRIBUTED
        others = _ONLY_STANDARD if distributed else _ONLY_DISTRIBUTED
        called = {place: one for place, one in CALLED.items() if place not in others}
        substitutions: dict[str, Any] = {place: {"Ref": f"{one}Function.Alias"} for place, one in called.items()}
        substitutions |= {
            "WorkflowEventBusArn": get("WorkflowEventBus"),
            "IdempotencyTable": {"Ref": "IdempotencyTable"},
        }
        if distributed:
            substitutions["WorkflowStateBucket"] = ENVIRONMENT["WORKFLOW_STATE_BUCKET"]
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
