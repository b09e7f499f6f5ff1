"""The interpreter aws-local-stepfunctions, whose tasks are done in this process."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from tests.aws.functions import ACCOUNT, REGION, FunctionServer
from tests.aws.history import read_history
from tests.aws.interpreters import Execution, Functions, Refused
from tests.aws.launchers.map_results import write_results
from tests.aws.services import environment_of, new_client

SERVICES = {"dynamodb": "DynamoDB", "events": "EventBridge"}
"""Names of services in resources, and in names of errors."""
GRACE = 5
"""Seconds for the answer about an execution that was stopped."""


@dataclass(frozen=True, kw_only=True)
class LocalStepFunctions:
    """Takes callbacks itself; all other services are those of another server."""

    url: str
    services_url: str
    functions: FunctionServer = field(repr=False)
    name: str = "aws-local-stepfunctions"

    @property
    def environment(self) -> Mapping[str, str]:
        """What points boto3 at the other server, and at this one for callbacks."""
        return environment_of(self.services_url, step_functions=self.url)

    def client(self, service: str) -> Any:
        """A client of a service of the other server, or for callbacks."""
        return new_client(service, self.environment)

    def run(
        self, definition: Mapping[str, Any], given: Any, functions: Functions, *, name: str, timeout: float = 60
    ) -> Execution:
        """Have it executed, its tasks done here."""
        answers = {"/tasks": self.do_task, "/items": self.read_items, "/map-results": self.write_map_results}
        states = f"arn:aws:states:{REGION}:{ACCOUNT}"
        asked = {
            "definition": as_it_takes(definition),
            "input": given,
            "name": name,
            "arn": f"{states}:execution:machine-{name}:{name}",
            "stateMachineArn": f"{states}:stateMachine:machine-{name}",
            "seconds": timeout,
        }
        with self.functions.serving(functions, name=name, answers=answers):
            ran = ask(self.url, asked, timeout + GRACE)
        if "refused" in ran:
            raise Refused(ran["refused"])
        if ran["status"] == "ABORTED":
            raise TimeoutError(f"{name} has not ended on {self.name} within {timeout} s")
        return read_history(
            ran["events"],
            status=ran["status"],
            output=ran.get("output"),
            error=ran.get("error"),
            cause=ran.get("cause"),
        )

    def do_task(self, body: Any) -> Any:
        """The result of a task, or the name and cause of its error."""
        resource, parameters = body["resource"].removesuffix(".waitForTaskToken"), body["parameters"]
        if ":function:" in resource:
            return self.invoke(resource, parameters)
        service, _, action = resource.removeprefix("arn:aws:states:::").partition(":")
        if service == "lambda":
            answer = self.invoke(parameters["FunctionName"], parameters.get("Payload", {}))
            if "result" not in answer:
                return answer
            return {"result": {"ExecutedVersion": "$LATEST", "StatusCode": 200, "Payload": answer["result"]}}
        return self.call_service(service, action, parameters)

    def invoke(self, reference: str, event: Any) -> dict[str, Any]:
        """Call a function."""
        answer = self.functions.call(reference.rsplit(":function:", maxsplit=1)[-1].split(":", maxsplit=1)[0], event)
        if not answer:
            return {"error": {"name": "Lambda.ResourceNotFoundException", "cause": f"Function not found: {reference}"}}
        if "error" in answer:
            return {"error": {"name": answer["error"]["errorType"], "cause": json.dumps(answer["error"])}}
        return answer

    def call_service(self, service: str, action: str, parameters: Any) -> dict[str, Any]:
        """Call the other server."""
        method: Callable[..., Any] = getattr(self.client(service), re.sub("(?=[A-Z])", "_", action).lower())
        if service == "events":
            parameters = parameters | {"Entries": [with_text(entry) for entry in parameters["Entries"]]}
        try:
            result = method(**parameters)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            return {"error": {"name": f"{SERVICES[service]}.{code}", "cause": str(error)}}
        del result["ResponseMetadata"]
        if result.get("FailedEntryCount"):
            return {"error": {"name": "EventBridge.FailedEntry", "cause": json.dumps(result)}}
        return {"result": result}

    def read_items(self, body: Any) -> dict[str, Any]:
        """The items of a distributed Map, out of a JSON file."""
        if body["resource"] != "arn:aws:states:::s3:getObject" or body["config"].get("InputType", "JSON") != "JSON":
            return {"error": {"cause": f"{self.name} reads JSON from objects only, not {body}"}}
        try:
            read = self.client("s3").get_object(**body["parameters"])
        except ClientError as error:
            return {"error": {"cause": str(error)}}
        items = json.loads(read["Body"].read())
        return {"result": items[: body["config"].get("MaxItems", len(items))]}

    def write_map_results(self, body: Any) -> dict[str, Any]:
        """The files of a ResultWriter."""
        to = body["parameters"]
        result = write_results(
            self.client("s3"),
            bucket=to["Bucket"],
            prefix=to.get("Prefix", ""),
            map_run_arn=body["mapRunArn"],
            children=body["children"],
        )
        return {"result": result}


def as_it_takes(value: Any) -> Any:
    """What it takes of what the service takes: it looks for a task's time in the payload, and for a cause by paths only."""
    if isinstance(value, list):
        return [as_it_takes(each) for each in value]
    if not isinstance(value, dict):
        return value
    said = {key: as_it_takes(each) for key, each in value.items() if key != "TimeoutSecondsPath"}
    if str(said.get("CausePath", "")).startswith("States."):
        said["Cause"] = said.pop("CausePath")
    return said


def with_text(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry of PutEvents whose detail may be an object, as the service's integration lets it be."""
    detail = entry.get("Detail")
    return {**entry, "Detail": detail if isinstance(detail, str) else json.dumps(detail)}


def ask(url: str, body: Any, timeout: float) -> Any:
    """What a local server answers."""
    address = urlsplit(url)
    assert address.hostname
    connection = HTTPConnection(address.hostname, address.port, timeout=timeout)
    try:
        connection.request("POST", "/run", json.dumps(body))
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()
