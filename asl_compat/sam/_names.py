"""Names within the template."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["ENVIRONMENT", "MADE_WITH", "MODEL_KEYS", "get", "named"]


def get(resource: str, attribute: str = "Arn") -> dict[str, Any]:
    """An attribute of a resource."""
    return {"Fn::GetAtt": [resource, attribute]}


def named(name: str) -> dict[str, Any]:
    """A name with the stage behind it."""
    return {"Fn::Sub": f"{name}-${{StageName}}"}


ENVIRONMENT: Mapping[str, Any] = {
    "STAGE": {"Ref": "StageName"},
    "WORKFLOW_STATE_BUCKET": {"Fn::If": ["MakesBucket", {"Ref": "StateBucket"}, {"Ref": "WorkflowStateBucket"}]},
    "IDEMPOTENCY_TABLE": {"Ref": "IdempotencyTable"},
    "TASK_TOKENS_TABLE": {"Ref": "TaskTokensTable"},
    "EXECUTIONS_TABLE": {"Ref": "ExecutionsTable"},
    "CONNECTIONS_TABLE": {"Ref": "WebsocketConnectionsTable"},
    "PENDING_NOTIFICATIONS_TABLE": {"Ref": "PendingNotificationsTable"},
    "WORKFLOW_EVENT_BUS": {"Ref": "WorkflowEventBus"},
    "WEBSOCKET_ENDPOINT": {"Ref": "WebsocketEndpoint"},
}
"""Variables that all functions have."""

MODEL_KEYS: Mapping[str, str] = {
    "ANTHROPIC_API_KEY": "AnthropicApiKey",
    "GOOGLE_API_KEY": "GoogleApiKey",
    "OPENAI_API_KEY": "OpenAiApiKey",
}
"""Variables of functions that call models, by the parameters they come from."""

_CONFIGURING = ("DependenciesLayer", "FunctionTimeout", "WorkflowStateBucket", "WebsocketEndpoint", "Revision")

MADE_WITH: Mapping[str, Any] = {"Fn::Sub": " ".join(f"${{{name}}}" for name in _CONFIGURING)}
"""What a version of a function was made with, in 256 characters at most. It is the version's description and a variable
of the function, so that both change when it does: SAM itself looks neither at values of parameters nor into the layer
when it decides whether there is to be a new version, and Lambda makes none of a function that is the same."""
