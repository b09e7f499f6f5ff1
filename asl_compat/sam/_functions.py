"""The functions: what each is, how long it may take, and what it may touch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asl_compat.sam._names import ENVIRONMENT, MADE_WITH, MODEL_KEYS, get, named
from statebag.machine import FUNCTIONS

__all__ = ["LAMBDAS", "Lambda", "functions"]

_LONGEST_SECONDS = 900
"""Of a function on Lambda."""
_GRANTS: Mapping[str, Sequence[tuple[Sequence[str], Any]]] = {
    "state": [
        (
            ["s3:GetObject", "s3:PutObject"],
            {"Fn::Sub": ["arn:${AWS::Partition}:s3:::${Name}/*", {"Name": ENVIRONMENT["WORKFLOW_STATE_BUCKET"]}]},
        ),
        (
            ["s3:ListBucket"],
            {"Fn::Sub": ["arn:${AWS::Partition}:s3:::${Name}", {"Name": ENVIRONMENT["WORKFLOW_STATE_BUCKET"]}]},
        ),
    ],
    "claims": [(["dynamodb:GetItem", "dynamodb:PutItem"], get("IdempotencyTable"))],
    "ends of claims": [(["dynamodb:UpdateItem"], get("IdempotencyTable"))],
    "pauses": [
        (["dynamodb:PutItem"], get("TaskTokensTable")),
        (["dynamodb:PutItem"], get("PendingNotificationsTable")),
    ],
    "answers of pauses": [
        (["dynamodb:UpdateItem"], get("TaskTokensTable")),
        (["dynamodb:Query"], {"Fn::Sub": "${TaskTokensTable.Arn}/index/ExecutionIdIndex"}),
    ],
    "ends of pauses": [
        (["dynamodb:DeleteItem"], get("TaskTokensTable")),
        (["dynamodb:Query"], {"Fn::Sub": "${TaskTokensTable.Arn}/index/ExecutionIdIndex"}),
        (["dynamodb:UpdateItem"], get("PendingNotificationsTable")),
        (["dynamodb:Query"], {"Fn::Sub": "${PendingNotificationsTable.Arn}/index/ExecutionIdIndex"}),
    ],
    "connections": [
        (["dynamodb:DeleteItem"], get("WebsocketConnectionsTable")),
        (["dynamodb:Query"], {"Fn::Sub": "${WebsocketConnectionsTable.Arn}/index/OwnerIdConnectionIndex"}),
        (
            ["execute-api:ManageConnections"],
            {"Fn::Sub": "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:*/*/POST/@connections/*"},
        ),
    ],
    # Inference profiles lead to models in regions of their own choice.
    "models": [
        (
            ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"],
            [
                {"Fn::Sub": "arn:${AWS::Partition}:bedrock:*::foundation-model/*"},
                {"Fn::Sub": "arn:${AWS::Partition}:bedrock:*:${AWS::AccountId}:inference-profile/*"},
            ],
        )
    ],
    "executions": [(["dynamodb:UpdateItem"], get("ExecutionsTable"))],
    "events": [(["events:PutEvents"], get("WorkflowEventBus"))],
    # The service has no resources to name for the answer of a token: whoever has the token may give it.
    "answers": [(["states:SendTaskSuccess", "states:SendTaskFailure"], "*")],
    "inputs": [
        (
            ["states:DescribeExecution"],
            {
                "Fn::Sub": f"arn:${{AWS::Partition}}:states:${{AWS::Region}}:${{AWS::AccountId}}:execution:{machine}-${{StageName}}:*"
            },
        )
        for machine in ("WorkflowOrchestrator", "WorkflowDistributedOrchestrator")
    ],
}
"""What a grant allows, and on what."""


@dataclass(frozen=True, kw_only=True)
class Lambda:
    """One function."""

    name: str
    """Also its logical id, with ``Function`` behind it."""
    module: str
    """Of its handler, in ``asl_compat.lambdas``."""
    what: str
    seconds: Any
    megabytes: int
    grants: tuple[str, ...]
    takes_events: bool = False
    """Whether it is called by rules, which nobody waits for."""

    @property
    def runs_nodes(self) -> bool:
        """Whether it calls models."""
        return "models" in self.grants

    @property
    def logical_id(self) -> str:
        """In the template."""
        return f"{self.name}Function"


def _seconds(function: str) -> int:
    return min(_LONGEST_SECONDS, int(FUNCTIONS[function].timeout_seconds))


_KEYS: Mapping[str, Any] = {
    variable: {"Fn::If": [f"Has{parameter}", {"Ref": parameter}, {"Ref": "AWS::NoValue"}]}
    for variable, parameter in MODEL_KEYS.items()
}

_DELIVERY: Mapping[str, Any] = {
    "MaximumEventAgeInSeconds": 3600,
    "MaximumRetryAttempts": 2,
    "DestinationConfig": {"OnFailure": {"Type": "SQS", "Destination": get("EventDeadLetters")}},
}
"""A rule is done when Lambda has taken an event; what becomes of one that the function fails on is said here."""

_ASKS = ("pauses", "connections", "events")

LAMBDAS: Sequence[Lambda] = (
    Lambda(
        name="InitializeStateData",
        module="initialize_state_data",
        what="From an execution input to the first bag.",
        seconds=_seconds("init"),
        megabytes=1024,
        grants=("state", "claims"),
    ),
    Lambda(
        name="SegmentRunner",
        module="segment_runner",
        what="Executes segments, branches, and chunks of maps.",
        seconds=_seconds("execute_segment"),
        megabytes=2048,
        grants=("state", "models", "answers", *_ASKS),
    ),
    Lambda(
        name="StateDataManager",
        module="state_data_manager",
        what="Every action on a bag.",
        seconds={"Ref": "FunctionTimeout"},
        megabytes=1024,
        grants=("state", "events"),
    ),
    Lambda(
        name="StoreTaskToken",
        module="store_task_token",
        what="Asks a person; on the distributed machine, a slow model, too.",
        seconds=_seconds("async_llm"),
        megabytes=1024,
        grants=("state", "models", "answers", *_ASKS),
    ),
    Lambda(
        name="StoreDistributedTaskToken",
        module="store_distributed_task_token",
        what="Asks a person for a branch or a chunk.",
        seconds=_seconds("state_data_manager"),
        megabytes=512,
        grants=_ASKS,
    ),
    Lambda(
        name="AsyncLLMHandler",
        module="async_llm_handler",
        what="Answers a slow model's segment.",
        seconds=_seconds("async_llm"),
        megabytes=1024,
        grants=("state", "models", "answers"),
    ),
    Lambda(
        name="PrepareDistributedExecution",
        module="prepare_distributed_execution",
        what="Puts what is to be run into a list of chunks.",
        seconds=_seconds("prepare_map"),
        megabytes=2048,
        grants=("state",),
    ),
    Lambda(
        name="ProcessSegmentChunk",
        module="process_segment_chunk",
        what="Runs a chunk.",
        seconds=_seconds("run_chunk"),
        megabytes=2048,
        grants=("state", "models", "events"),
    ),
    Lambda(
        name="MergeCallback",
        module="merge_callback",
        what="Legacy machines: puts an answer into the bag.",
        seconds=_seconds("state_data_manager"),
        megabytes=1024,
        grants=("state", "events"),
    ),
    Lambda(
        name="AggregateDistributedResults",
        module="aggregate_distributed_results",
        what="Legacy machines: joins chunks.",
        seconds=_seconds("join_map"),
        megabytes=2048,
        grants=("state",),
    ),
    Lambda(
        name="LoadLatestState",
        module="load_latest_state",
        what="Legacy machines: where a chunk stands.",
        seconds=_seconds("state_data_manager"),
        megabytes=512,
        grants=("state",),
    ),
    Lambda(
        name="SaveLatestState",
        module="save_latest_state",
        what="Legacy machines: keeps where a chunk stands.",
        seconds=_seconds("state_data_manager"),
        megabytes=512,
        grants=("state",),
    ),
    Lambda(
        name="ResumeChunkProcessing",
        module="resume_chunk_processing",
        what="Legacy machines: goes on with a chunk behind an answer.",
        seconds=_seconds("run_chunk"),
        megabytes=2048,
        grants=("state", "models", "events"),
    ),
    Lambda(
        name="ResumeHandler",
        module="resume_handler",
        what="POST /resume: answers a pause.",
        seconds=30,
        megabytes=512,
        grants=("answers of pauses", "answers", "events"),
    ),
    Lambda(
        name="ExecutionProgressNotifier",
        module="execution_progress_notifier",
        what="Tells owners of lifecycle events.",
        seconds=30,
        megabytes=512,
        grants=("executions", "connections"),
        takes_events=True,
    ),
    Lambda(
        name="ExecutionFinalizer",
        module="execution_finalizer",
        what="Closes what an execution leaves open.",
        seconds=30,
        megabytes=512,
        grants=("ends of claims", "ends of pauses", "events", "inputs"),
        takes_events=True,
    ),
)
"""All functions of the stack."""


def functions() -> dict[str, Any]:
    """Their resources, and those of their logs."""
    made: dict[str, Any] = {}
    for one in LAMBDAS:
        made[one.logical_id] = {
            "Type": "AWS::Serverless::Function",
            # A version is replaced by the next one, and is what a rollback goes back to.
            "UpdateReplacePolicy": "Retain",
            "Properties": {
                "FunctionName": named(one.name),
                "Description": one.what,
                "CodeUri": "src/",
                "Handler": f"asl_compat.lambdas.{one.module}.handler",
                "Timeout": one.seconds,
                "MemorySize": one.megabytes,
                "AutoPublishAlias": "live",
                "AutoPublishAliasAllProperties": True,
                "VersionDescription": MADE_WITH,
                **({"Environment": {"Variables": dict(_KEYS)}} if one.runs_nodes else {}),
                **({"EventInvokeConfig": _DELIVERY} if one.takes_events else {}),
                "LoggingConfig": {"LogGroup": {"Ref": f"{one.name}Logs"}},
                "Policies": [{"Version": "2012-10-17", "Statement": _statements(one.grants)}],
            },
        }
        made[f"{one.name}Logs"] = {
            "Type": "AWS::Logs::LogGroup",
            "Properties": {
                "LogGroupName": {"Fn::Sub": f"/aws/lambda/{one.name}-${{StageName}}"},
                "RetentionInDays": {"Ref": "LogRetentionDays"},
            },
        }
    return made


def _statements(grants: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {"Effect": "Allow", "Action": list(actions), "Resource": resource}
        for grant in grants
        for actions, resource in _GRANTS[grant]
    ]
