"""Names within the template."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["ENVIRONMENT", "get", "named"]


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
