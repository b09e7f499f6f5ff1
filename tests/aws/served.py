"""Interpreters that are reached through the service's own API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from tests.aws.functions import ACCOUNT, FunctionServer
from tests.aws.history import read_history
from tests.aws.interpreters import Execution, Functions, Refused
from tests.aws.services import environment_of, new_client

ROLE = f"arn:aws:iam::{ACCOUNT}:role/none"


def as_grammar_wants(value: Any) -> Any:
    """What moto's grammar takes of what the service takes: percentages with a point, children of type STANDARD."""
    if isinstance(value, list):
        return [as_grammar_wants(each) for each in value]
    if not isinstance(value, dict):
        return value
    said = {key: as_grammar_wants(each) for key, each in value.items()}
    if isinstance(said.get("ToleratedFailurePercentage"), int):
        said["ToleratedFailurePercentage"] = float(said["ToleratedFailurePercentage"])
    if said.get("ExecutionType") == "EXPRESS":
        said["ExecutionType"] = "STANDARD"
    return said


@dataclass(frozen=True, kw_only=True)
class ServedInterpreter:
    """moto or MiniStack."""

    name: str
    url: str
    functions: FunctionServer = field(repr=False)

    @property
    def environment(self) -> Mapping[str, str]:
        """What points boto3 at the services beside the interpreter."""
        return environment_of(self.url)

    def client(self, service: str) -> Any:
        """A client of a service beside the interpreter."""
        return new_client(service, self.environment)

    def run(
        self, definition: Mapping[str, Any], given: Any, functions: Functions, *, name: str, timeout: float = 60
    ) -> Execution:
        """Create the machine, execute it, and read its history when the server tells that it has ended."""
        client = self.client("stepfunctions")
        text = json.dumps(as_grammar_wants(definition) if self.name == "moto" else definition)
        try:
            machine = client.create_state_machine(name=f"machine-{name}", definition=text, roleArn=ROLE)
        except ClientError as error:
            raise Refused(str(error)) from error
        with self.functions.serving(functions, name=name) as ended:
            started = client.start_execution(
                stateMachineArn=machine["stateMachineArn"], name=name, input=json.dumps(given)
            )
            arn = started["executionArn"]
            if not ended.wait(timeout):
                client.stop_execution(executionArn=arn)
                raise TimeoutError(f"{name} has not ended on {self.name} within {timeout} s")
        described = client.describe_execution(executionArn=arn)
        return read_history(
            events := self._history_of(client, arn),
            status=described["status"],
            output=output_in(events),
            error=described.get("error"),
            cause=described.get("cause"),
        )

    def _history_of(self, client: Any, arn: str) -> list[dict[str, Any]]:
        pages = client.get_paginator("get_execution_history").paginate(executionArn=arn, maxResults=1000)
        return [event for page in pages for event in page["events"]]


def output_in(events: list[dict[str, Any]]) -> Any:
    """Output of a successful execution: moto's description of the execution spoils texts and leaves out null."""
    for event in reversed(events):
        if event["type"] == "ExecutionSucceeded":
            return json.loads(event["executionSucceededEventDetails"]["output"])
    return None
