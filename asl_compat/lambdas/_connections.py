"""Messages to the WebSocket connections of an owner."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from asl_compat.lambdas._surroundings import Surroundings
from statebag.canonical import canonical_bytes

__all__ = ["push"]

_IMPATIENT = Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 1})
"""Whoever waits for the function must not wait for a connection: a message is only a message."""
_ALL_SECONDS = 5.0
"""For all connections together: a gateway that says nothing does so on each of them."""
_log = logging.getLogger("statebag.connections")


def push(around: Surroundings, owner_id: str, message: Mapping[str, Any]) -> int:
    """Send a message to all connections of an owner; those that are gone are deleted.

    Returns:
        How many got it; 0 where no endpoint is set.
    """
    endpoint = around.environment.get("WEBSOCKET_ENDPOINT", "")
    if not endpoint:
        return 0
    import boto3  # noqa: PLC0415 - only where there is an endpoint

    gateway: Any = boto3.client("apigatewaymanagementapi", endpoint_url=endpoint, config=_IMPATIENT)  # pyright: ignore[reportUnknownMemberType]
    data, sent = canonical_bytes(dict(message)), 0
    until = time.monotonic() + _ALL_SECONDS
    for connection in _connections_of(around, owner_id):
        if time.monotonic() > until:
            _log.warning("the gateway is slow: some connections of %s were not told", owner_id)
            break
        try:
            gateway.post_to_connection(ConnectionId=connection, Data=data)
            sent += 1
        except (BotoCoreError, ClientError) as error:
            if not _is_gone(error):
                _log.warning("connection %s: did not take the message: %s", connection, error)
                continue
            around.dynamodb.delete_item(
                TableName=around.name("connections_table"), Key={"connectionId": {"S": connection}}
            )
    return sent


def _is_gone(error: BotoCoreError | ClientError) -> bool:
    return isinstance(error, ClientError) and error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 410


def _connections_of(around: Surroundings, owner_id: str) -> list[str]:
    pages = around.dynamodb.get_paginator("query").paginate(
        TableName=around.name("connections_table"),
        IndexName="OwnerIdConnectionIndex",
        KeyConditionExpression="ownerId = :owner",
        ExpressionAttributeValues={":owner": {"S": owner_id}},
    )
    return [str(item["connectionId"].get("S")) for page in pages for item in page["Items"]]
