"""Servers that tests share."""

from __future__ import annotations

import sysconfig
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from temporalio.runtime import Runtime, TelemetryConfig

from statebag.app.embedded import find_temporal, start_server
from tests.rig import Rig, start_rig
from tests.seaweed import s3_environment, s3_server

__all__ = ["dev_server", "rig", "s3_environment", "s3_server", "temporal_binary", "time_skipping_binary"]

SCRIPTS = Path(sysconfig.get_path("scripts"))


def pytest_configure() -> None:
    """The SDK's core would log on stdout, which tests of the command read.

    How long an example takes says nothing where two processes share two cores.
    """
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=None)))
    settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("shared")


@pytest.fixture(scope="session")
def temporal_binary() -> Path:
    """The ``temporal`` command."""
    return SCRIPTS / "temporal"


@pytest.fixture(scope="session")
def time_skipping_binary() -> Path:
    """A server that skips the time in which nothing happens."""
    return SCRIPTS / "temporal-test-server"


@pytest.fixture(scope="session")
async def dev_server(temporal_binary: Path) -> AsyncIterator[str]:
    """Address of a development server that lives as long as the session. Use ids of your own."""
    assert temporal_binary == find_temporal()
    async with start_server() as server:
        yield server.address


@pytest.fixture(scope="session")
async def rig(dev_server: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    """A worker on the shared server, for all that need nothing special."""
    async with start_rig(dev_server, tmp_path_factory.mktemp("store")) as started:
        yield started
