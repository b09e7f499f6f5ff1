"""Tables and the bucket."""

from __future__ import annotations

from typing import Any

from asl_compat.sam._names import get, named

__all__ = ["storage"]


def storage() -> dict[str, Any]:
    """Their resources."""
    return {
        "IdempotencyTable": _table("Idempotency", ("idempotency_key",), recovers=True),
        "TaskTokensTable": _table(
            "TaskTokens",
            ("ownerId", "conversation_id"),
            indexes={"ExecutionIdIndex": ("ownerId", "execution_id")},
            recovers=True,
        ),
        "ExecutionsTable": _table(
            "Executions",
            ("ownerId", "executionArn"),
            indexes={"OwnerIdStartDateIndex": ("ownerId", "startDate"), "OwnerIdStatusIndex": ("ownerId", "status")},
            expires="expiration_timestamp",
            recovers=True,
        ),
        "WebsocketConnectionsTable": _table(
            "WebsocketConnections",
            ("connectionId",),
            indexes={"OwnerIdConnectionIndex": ("ownerId", "connectionId")},
        ),
        "PendingNotificationsTable": _table(
            "PendingNotifications",
            ("ownerId", "notificationId"),
            indexes={
                "OwnerIdStatusIndex": ("ownerId", "status"),
                "ExecutionIdIndex": ("ownerId", "execution_id"),
            },
        ),
        "StateBucket": {
            "Type": "AWS::S3::Bucket",
            "Condition": "MakesBucket",
            "DeletionPolicy": "RetainExceptOnCreate",
            "UpdateReplacePolicy": "Retain",
            "Properties": {
                "BucketEncryption": {
                    "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
                },
                "VersioningConfiguration": {"Status": "Enabled"},
                "PublicAccessBlockConfiguration": {
                    "BlockPublicAcls": True,
                    "BlockPublicPolicy": True,
                    "IgnorePublicAcls": True,
                    "RestrictPublicBuckets": True,
                },
                # What a run still reads must stay where it is: nothing is archived, and no current object expires.
                "LifecycleConfiguration": {
                    "Rules": [
                        {
                            "Id": "unfinished-uploads",
                            "Status": "Enabled",
                            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2},
                        },
                        {
                            "Id": "old-versions",
                            "Status": "Enabled",
                            "NoncurrentVersionExpiration": {"NoncurrentDays": 7},
                        },
                        {"Id": "temporary", "Status": "Enabled", "Prefix": "temp/", "ExpirationInDays": 7},
                    ]
                },
            },
        },
        "StateBucketPolicy": {
            "Type": "AWS::S3::BucketPolicy",
            "Condition": "MakesBucket",
            "Properties": {
                "Bucket": {"Ref": "StateBucket"},
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Sid": "OnlyOverTLS",
                            "Effect": "Deny",
                            "Principal": "*",
                            "Action": "s3:*",
                            "Resource": [get("StateBucket"), {"Fn::Sub": "${StateBucket.Arn}/*"}],
                            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                        }
                    ],
                },
            },
        },
    }


def _table(
    name: str,
    keys: tuple[str, ...],
    *,
    indexes: dict[str, tuple[str, str]] | None = None,
    expires: str = "ttl",
    recovers: bool = False,
) -> dict[str, Any]:
    attributes = sorted({*keys, *(key for pair in (indexes or {}).values() for key in pair)})
    properties: dict[str, Any] = {
        "TableName": named(name),
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key in attributes],
        "KeySchema": _schema(keys),
        "TimeToLiveSpecification": {"AttributeName": expires, "Enabled": True},
        "SSESpecification": {"SSEEnabled": True},
    }
    if indexes:
        properties["GlobalSecondaryIndexes"] = [
            {"IndexName": index, "KeySchema": _schema(pair), "Projection": {"ProjectionType": "ALL"}}
            for index, pair in indexes.items()
        ]
    if recovers:
        properties["PointInTimeRecoverySpecification"] = {"PointInTimeRecoveryEnabled": True}
    return {
        "Type": "AWS::DynamoDB::Table",
        "DeletionPolicy": "RetainExceptOnCreate" if recovers else "Delete",
        "UpdateReplacePolicy": "Retain" if recovers else "Delete",
        "Properties": properties,
    }


def _schema(keys: tuple[str, ...]) -> list[dict[str, str]]:
    return [{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)]
