"""The page's commands: what is emitted is built by SAM, deployed into a local AWS, runs there, goes back and forward."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from asl_compat.emit import emit
from asl_compat.sam import MACHINES
from statebag.bag import Bag
from statebag.blobs import Pointer, open_store
from statebag.machine import LEGACY_STANDARD_STATES, STANDARD_STATES
from tests.aws.services import environment_of, new_client
from tests.aws.tools import LAUNCHERS, ROOT, TOOLS, program, started
from tests.rig import asks, chain, llm, sets
from tests.seaweed import free_ports

pytestmark = [pytest.mark.aws, pytest.mark.timeout(400), pytest.mark.xdist_group("deployed")]

PAGE = (ROOT / "docs" / "aws.md").read_text()
ASKS: Mapping[str, Any] = {
    "ownerId": "try-out",
    "workflowId": "drill",
    "MOCK_MODE": "true",
    "initial_state": {"word": "hi"},
    "workflow_config": chain(
        llm("a", "Say {{word}}", output_key="said"), sets("b", done=1), edges=[asks("a", "b", prompt="ok?")]
    ),
}
"""A run that waits for a person between its two segments."""


def python_for_functions() -> Path:
    """A Python 3.12, which is what the functions are built for."""
    candidates = [shutil.which("python3.12"), *sorted(Path.home().glob(".pyenv/versions/3.12*/bin/python3.12"))]
    for candidate in filter(None, candidates):
        asked = [str(candidate), "-c", "import sys; print(sys.version_info[:2] == (3, 12))"]
        if subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() == "True":
            return Path(candidate)
    raise FileNotFoundError("no Python 3.12 works here: sam build needs one for the functions")


@dataclass(frozen=True, kw_only=True)
class Place:
    """A folder in which the commands of the page are typed, and the account that they talk to."""

    folder: Path
    environment: Mapping[str, str]

    def type(self, *commands: str) -> str:
        """What the commands print; each must succeed."""
        ended = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join(commands)],
            cwd=self.folder,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def client(self, service: str) -> Any:
        return new_client(service, dict(self.environment))


@pytest.fixture(scope="module")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Environment of an account on this machine."""
    folder = tmp_path_factory.mktemp("account")
    (port,) = free_ports(1)
    environment = environment_of(f"http://127.0.0.1:{port}")
    more = {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "LAMBDA_EXECUTOR": "local",
        "LAMBDA_PYTHON": str(python_for_functions()),
        "TMPDIR": str(folder),
    }
    command = [program("ministack", "python"), str(LAUNCHERS / "ministack_deployed.py")]
    with started(command, environment | more, folder / "log"):
        yield environment


def block(heading: str, first: str) -> list[str]:
    """The commands of the page's console block under a heading that begins with a command."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    blocks = [text.splitlines() for text in re.findall(r"```console\n(.*?)```", section, re.DOTALL)]
    (found,) = [lines for lines in blocks if lines[0].startswith(f"$ {first}")]
    return [line.removeprefix("$ ") for line in found]


@pytest.fixture(scope="module")
def place(local_aws: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Place:
    """What the page's first block has deployed."""
    folder = tmp_path_factory.mktemp("deployment")
    (folder / ".venv").symlink_to(ROOT / ".venv")
    paths = [str(python_for_functions().parent), *(str(TOOLS / tool / "bin") for tool in ("sam", "cli"))]
    here = {"PATH": os.pathsep.join([*paths, os.environ["PATH"]]), "SAM_CLI_TELEMETRY": "0"}
    place = Place(folder=folder, environment={**local_aws, **here, "AWS_DEFAULT_REGION": "us-east-1"})
    place.client("s3").create_bucket(Bucket="deploy")
    emit(folder / "out")
    # What `sam deploy --guided` asks for.
    config = folder / "out" / "samconfig.toml"
    asked = 's3_bucket = "deploy"\nregion = "us-east-1"'
    text = config.read_text().replace("confirm_changeset = true", "confirm_changeset = false")
    config.write_text(text.replace("resolve_s3 = true", asked))
    place.type(*block("Deploy", ".venv/bin/statebag asl emit"))
    return place


def test_the_template_is_valid(place: Place) -> None:
    assert "is a valid SAM Template" in place.type("cd out; sam validate --lint -t template.yaml 2>&1")


def test_both_machines_run_the_test_input(place: Place) -> None:
    names = sorted(f"{name}-dev" for name in MACHINES.values())
    assert sorted(arns_of(place)) == names
    for execution in [start(place, name, f"run-{name}") for name in names]:
        assert output_of(place, execution)["total_segments"] == 4
        row = wait_for_row(place, execution)
        assert (row["status"]["S"], row["eventType"]["S"]) == ("SUCCEEDED", "COMPLETED")


def test_the_page_says_how_to_verify(place: Place) -> None:
    told = place.type(*block("Verify", "aws stepfunctions list-state-machines"))
    assert '"WorkflowDistributedOrchestrator-dev"' in told
    assert '"Successful"' in told
    assert '"ExecutionStarted"' in told
    assert '"try-1"' in told


def test_a_function_goes_back_to_a_version_before(place: Place) -> None:
    place.type(*block("Go back", "aws lambda list-versions-by-function"))
    functions = place.client("lambda")
    alias = functions.get_alias(FunctionName="StateDataManager-dev", Name="live")
    assert alias["FunctionVersion"] == "1"
    output_of(place, start(place, "WorkflowOrchestrator-dev", "behind-the-alias"))


def test_the_machines_go_back_and_forward_again_with_runs_in_flight(place: Place) -> None:
    """Runs end by the definition that they began with, with the same variables by either."""
    name = MACHINES["StepFunctionOrchestrator"] + "-dev"
    since = start(place, name, "since-v3", given=ASKS)
    pause_since = wait_for_pause(place, "since-v3")
    place.type(*block("Go back", ".venv/bin/statebag asl emit"))
    before = start(place, name, "before-v3", given=ASKS)
    others = [start(place, f"{machine}-dev", f"before-{machine}") for machine in MACHINES.values()]
    answer(place, since, pause_since)
    assert [output_of(place, execution)["total_segments"] for execution in (since, *others)] == [2, 4, 4]
    forward = [line.replace("--machines legacy", "--machines v3") for line in block("Go back", ".venv/bin/statebag")]
    place.type(*forward)
    again = start(place, name, "since-again", given=ASKS)
    answer(place, before, wait_for_pause(place, "before-v3"))
    answer(place, again, wait_for_pause(place, "since-again"))
    ends = [output_of(place, execution) for execution in (since, before, again)]
    assert [states_of(place, execution) for execution in (since, before, again)] == [
        (True, False),
        (False, True),
        (True, False),
    ]
    variables = [variables_of(place, output) for output in ends]
    assert (variables[0]["word"], variables[0]["done"]) == ("hi", 1)
    assert variables[1] == variables[2] == variables[0]


def test_a_deployment_that_is_not_under_way_can_not_be_cancelled(place: Place) -> None:
    (command,) = block("Go back", "aws cloudformation cancel-update-stack")
    refused = place.type(f"{command} 2>&1 || true")
    assert "CancelUpdateStack" in refused
    assert "statebag-dev" in refused or "ValidationError" in refused


def arns_of(place: Place) -> dict[str, str]:
    found = place.client("stepfunctions").list_state_machines()["stateMachines"]
    return {one["name"]: one["stateMachineArn"] for one in found}


def start(place: Place, machine: str, name: str, *, given: Mapping[str, Any] | None = None) -> str:
    text = json.dumps(given) if given else (place.folder / "out" / "test_input.json").read_text()
    client = place.client("stepfunctions")
    return client.start_execution(stateMachineArn=arns_of(place)[machine], name=name, input=text)["executionArn"]


def output_of(place: Place, execution: str) -> dict[str, Any]:
    client = place.client("stepfunctions")
    while (found := client.describe_execution(executionArn=execution))["status"] == "RUNNING":
        time.sleep(0.2)
    assert found["status"] == "SUCCEEDED", found
    return json.loads(found["output"])


def states_of(place: Place, execution: str) -> tuple[bool, bool]:
    """Whether it was in states that only v3 has, and in such that only the machines before have."""
    pages = place.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=execution)
    events = [event for page in pages for event in page["events"]]
    names = {event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event}
    old, new = set(map(str, LEGACY_STANDARD_STATES)), set(map(str, STANDARD_STATES))
    return bool(names & (new - old)), bool(names & (old - new))


def variables_of(place: Place, output: Mapping[str, Any]) -> dict[str, Any]:
    with mock.patch.dict(os.environ, place.environment):
        buckets = place.client("s3").list_buckets()["Buckets"]
        (bucket,) = [one["Name"] for one in buckets if one["Name"] != "deploy"]
        name = output["execution_id"].rpartition(":")[2]
        blobs = open_store(f"s3://{bucket}/").execution(ASKS["ownerId"], ASKS["workflowId"], name)
        found = Bag.from_json(blobs.get(Pointer.from_json(output["final_state_s3_path"])), blobs).user.whole()
    answered = found.pop("last_hitp_response")
    return found | {"answer": answered["value"]}


def wait_for_pause(place: Place, name: str) -> dict[str, Any]:
    table = place.client("dynamodb")
    while True:
        items = table.scan(TableName="TaskTokens-dev")["Items"]
        found = [item for item in items if item["execution_name"]["S"] == name and item["status"]["S"] == "WAITING"]
        if found:
            return found[0]
        time.sleep(0.2)


def answer(place: Place, execution: str, pause: Mapping[str, Any]) -> None:
    body = {"execution_id": execution, "pause_id": pause["pause_id"]["S"], "decision": "APPROVED", "response": "yes"}
    event = {"body": json.dumps(body), "requestContext": {"authorizer": {"jwt": {"claims": {"sub": ASKS["ownerId"]}}}}}
    invoked = place.client("lambda").invoke(FunctionName="ResumeHandler-dev", Payload=json.dumps(event))
    assert json.loads(invoked["Payload"].read())["statusCode"] == 200


def wait_for_row(place: Place, execution: str) -> dict[str, Any]:
    """What the notifier has kept of the run, as soon as that is its end: events come in their own time."""
    table = place.client("dynamodb")
    key = {"ownerId": {"S": "try-out"}, "executionArn": {"S": execution}}
    while True:
        item = table.get_item(TableName="Executions-dev", Key=key).get("Item")
        if item and item["over"]["BOOL"]:
            return item
        time.sleep(0.2)
