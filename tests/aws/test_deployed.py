"""The emitted folder is built by SAM, deployed into a local AWS, and the machines run with their real functions."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from asl_compat.emit import emit
from asl_compat.sam import MACHINES
from tests.aws.services import environment_of, new_client
from tests.aws.tools import LAUNCHERS, program, started
from tests.seaweed import free_ports

pytestmark = [pytest.mark.aws, pytest.mark.timeout(400), pytest.mark.xdist_group("deployed")]

STACK = "statebag-dev"


def python_for_functions() -> Path:
    """A Python 3.12, which is what the functions are built for."""
    candidates = [shutil.which("python3.12"), *sorted(Path.home().glob(".pyenv/versions/3.12*/bin/python3.12"))]
    for candidate in filter(None, candidates):
        asked = [str(candidate), "-c", "import sys; print(sys.version_info[:2] == (3, 12))"]
        if subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() == "True":
            return Path(candidate)
    raise FileNotFoundError("no Python 3.12 works here: sam build needs one for the functions")


def run_sam(folder: Path, environment: Mapping[str, str], *arguments: str) -> str:
    path = f"{python_for_functions().parent}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        [program("sam", "sam"), *arguments],
        cwd=folder,
        env={**os.environ, "PATH": path, "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "us-east-1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("emitted")
    emit(folder)
    run_sam(folder, {}, "build")
    return folder


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


def test_the_template_is_valid(built: Path) -> None:
    assert "is a valid SAM Template" in run_sam(built, {}, "validate", "--lint", "-t", "template.yaml")


def test_both_machines_run_the_test_input(built: Path, local_aws: dict[str, str]) -> None:
    new_client("s3", local_aws).create_bucket(Bucket="deploy")
    deploy = ["deploy", "-t", ".aws-sam/build/template.yaml", "--stack-name", STACK, "--s3-bucket", "deploy"]
    run_sam(built, local_aws, *deploy, "--no-resolve-s3", "--no-confirm-changeset", "--region", "us-east-1")
    client = new_client("stepfunctions", local_aws)
    arns = {one["name"]: one["stateMachineArn"] for one in client.list_state_machines()["stateMachines"]}
    assert sorted(arns) == sorted(f"{name}-dev" for name in MACHINES.values())
    given = (built / "test_input.json").read_text()
    for name, arn in sorted(arns.items()):
        execution = client.start_execution(stateMachineArn=arn, name=f"run-{name}", input=given)["executionArn"]
        ended = wait_for(client, execution)
        assert ended["status"] == "SUCCEEDED", (name, ended)
        output = json.loads(ended["output"])
        assert (output["status"], output["total_segments"]) == ("SUCCEEDED", 4)
        row = wait_for_row(local_aws, execution)
        assert (row["status"]["S"], row["eventType"]["S"]) == ("SUCCEEDED", "COMPLETED")


def wait_for(client: Any, execution: str) -> dict[str, Any]:
    while (found := client.describe_execution(executionArn=execution))["status"] == "RUNNING":
        time.sleep(0.2)
    return found


def wait_for_row(local_aws: dict[str, str], execution: str) -> dict[str, Any]:
    """What the notifier has kept of the run, as soon as that is its end: events come in their own time."""
    table = new_client("dynamodb", local_aws)
    key = {"ownerId": {"S": "try-out"}, "executionArn": {"S": execution}}
    while True:
        item = table.get_item(TableName="Executions-dev", Key=key).get("Item")
        if item and item["over"]["BOOL"]:
            return item
        time.sleep(0.2)
