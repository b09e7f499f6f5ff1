"""Servers that tests share."""

from __future__ import annotations

import sysconfig
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

SCRIPTS = Path(sysconfig.get_path("scripts"))


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
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(temporal_binary), dev_server_log_level="error"
    ) as environment:
        yield environment.client.service_client.config.target_host
