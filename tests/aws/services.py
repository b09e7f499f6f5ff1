"""Clients of AWS services on this machine, and what definitions find in them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config

from tests.aws.functions import ACCOUNT, REGION
from tests.aws.interpreters import Interpreter

LONGEST_CALL = 600
"""Seconds. A Map with a function that waits keeps a call open."""


def environment_of(url: str, *, step_functions: str | None = None) -> dict[str, str]:
    """What points boto3 at the services of that URL, and nowhere else."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ENDPOINT_URL_SFN": step_functions or url,
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def new_client(service: str, environment: Mapping[str, str]) -> Any:
    """A client apart from what the process's environment says."""
    specific = "AWS_ENDPOINT_URL_SFN" if service == "stepfunctions" else "AWS_ENDPOINT_URL"
    return boto3.client(  # pyright: ignore[reportCallIssue]
        service,  # pyright: ignore[reportArgumentType]
        region_name=REGION,
        endpoint_url=environment[specific],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        config=Config(
            retries={"total_max_attempts": 1},
            read_timeout=LONGEST_CALL,
            max_pool_connections=64,
            inject_host_prefix=False,
        ),
    )


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a definition or a function expects to be there."""

    tables: Iterable[Mapping[str, Any]] = ()
    """Arguments of CreateTable."""
    buckets: Iterable[str] = ()
    buses: Iterable[str] = ()
    """The events put on each are kept for its ``EventTap``."""


@dataclass(frozen=True, kw_only=True)
class EventTap:
    """The events on a bus."""

    interpreter: Interpreter
    queue_url: str = field(repr=False)

    def take(self) -> list[dict[str, Any]]:
        """The events since the last time, in no order. Delivery is done when the call that puts them returns."""
        client, taken = self.interpreter.client("sqs"), list[dict[str, Any]]()
        while True:
            messages = client.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10).get("Messages", [])
            if not messages:
                return taken
            for message in messages:
                taken.append(json.loads(message["Body"]))
                client.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])


def create(interpreter: Interpreter, resources: Resources) -> dict[str, EventTap]:
    """Create them in the interpreter's services, and tap the buses, by name. Names must be new."""
    tables, buckets = interpreter.client("dynamodb"), interpreter.client("s3")
    for table in resources.tables:
        tables.create_table(**{"BillingMode": "PAY_PER_REQUEST", **table})
    for bucket in resources.buckets:
        buckets.create_bucket(Bucket=bucket)
    return {bus: create_bus(interpreter, bus) for bus in resources.buses}


def create_bus(interpreter: Interpreter, bus: str) -> EventTap:
    """A bus whose events all go to a queue."""
    events, queues = interpreter.client("events"), interpreter.client("sqs")
    events.create_event_bus(Name=bus)
    url = queues.create_queue(QueueName=f"{bus}-tap")["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = json.dumps({"account": [ACCOUNT]})
    events.put_rule(Name="tap", EventBusName=bus, EventPattern=pattern)
    events.put_targets(Rule="tap", EventBusName=bus, Targets=[{"Id": "tap", "Arn": arn}])
    return EventTap(interpreter=interpreter, queue_url=url)


def table(name: str, hash_key: str, range_key: str | None = None) -> dict[str, Any]:
    """Arguments of CreateTable for string keys."""
    keys = [(hash_key, "HASH"), *([(range_key, "RANGE")] if range_key else [])]
    return {
        "TableName": name,
        "KeySchema": [{"AttributeName": key, "KeyType": kind} for key, kind in keys],
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key, _ in keys],
    }
