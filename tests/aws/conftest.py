"""The interpreters, each started once a session and only where a test asks for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aws.functions import FunctionServer, function_server
from tests.aws.interpreters import Interpreter
from tests.aws.local_step_functions import LocalStepFunctions
from tests.aws.on_aws import Stack, make_stack
from tests.aws.ran import Ran
from tests.aws.served import ServedInterpreter
from tests.aws.services import environment_of
from tests.aws.site import Site, new_arn, on_site
from tests.aws.tools import LAUNCHERS, NODE_MODULES, program, started
from tests.seaweed import free_ports


@pytest.fixture(scope="session")
def moto_functions() -> Iterator[FunctionServer]:
    with function_server() as server:
        yield server


@pytest.fixture(scope="session")
def moto(moto_functions: FunctionServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedInterpreter]:
    """moto's interpreter and services."""
    command = [program("moto", "python"), str(LAUNCHERS / "moto_server.py")]
    environment = environment_of("") | {"TEST_PROCESS_URL": moto_functions.url}
    with started(command, environment, tmp_path_factory.mktemp("moto") / "log") as port:
        yield ServedInterpreter(name="moto", url=f"http://127.0.0.1:{port}", functions=moto_functions)


@pytest.fixture(scope="session")
def ministack_functions() -> Iterator[FunctionServer]:
    with function_server() as server:
        yield server


@pytest.fixture(scope="session")
def ministack(
    ministack_functions: FunctionServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServedInterpreter]:
    """MiniStack's interpreter and services."""
    folder = tmp_path_factory.mktemp("ministack")
    (wanted,) = free_ports(1)
    command = [program("ministack", "python"), str(LAUNCHERS / "ministack_server.py")]
    environment = environment_of(f"http://127.0.0.1:{wanted}") | {
        "TEST_PROCESS_URL": ministack_functions.url,
        "GATEWAY_PORT": str(wanted),
        "BIND_HOST": "127.0.0.1",
        "LAMBDA_EXECUTOR": "local",
        "SFN_WAIT_SCALE": "0",
        "TMPDIR": str(folder),
    }
    with started(command, environment, folder / "log") as port:
        yield ServedInterpreter(name="ministack", url=f"http://127.0.0.1:{port}", functions=ministack_functions)


@pytest.fixture(scope="session")
def local_step_functions(
    ministack: ServedInterpreter, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LocalStepFunctions]:
    """aws-local-stepfunctions, with the services of MiniStack."""
    folder: Path = tmp_path_factory.mktemp("local")
    command = ["node", str(LAUNCHERS / "local_step_functions.mjs")]
    with function_server() as functions:
        environment = {"TEST_PROCESS_URL": functions.url, "NODE_MODULES": str(NODE_MODULES)}
        with started(command, environment, folder / "log") as port:
            yield LocalStepFunctions(url=f"http://127.0.0.1:{port}", services_url=ministack.url, functions=functions)


@pytest.fixture(scope="session", params=["moto", "ministack", "local_step_functions"])
def stack(request: pytest.FixtureRequest) -> Stack:
    """A stack beside each of the interpreters."""
    interpreter: Interpreter = request.getfixturevalue(request.param)
    return make_stack(interpreter, request.param.replace("_", "-"))


@pytest.fixture(scope="session")
def on_temporal() -> dict[str, Ran]:
    """What ran on Temporal already, by scenario: one run does for all interpreters."""
    return {}


@pytest.fixture(scope="session")
def handlers_stack(ministack: ServedInterpreter) -> Stack:
    return make_stack(ministack, f"handlers-{os.getpid()}")


@pytest.fixture
def site(handlers_stack: Stack) -> Iterator[Site]:
    """Where handlers are called one by one."""
    with on_site(handlers_stack) as found:
        yield found


@pytest.fixture
def arn() -> str:
    return new_arn()
