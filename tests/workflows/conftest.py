"""Workers that tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from tests.rig import EVENTS_A_RUN, Rig, start_rig


@pytest.fixture(scope="session")
async def short(temporal_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    """A worker on a server that soon wants a new history."""
    async with (
        await WorkflowEnvironment.start_local(
            dev_server_existing_path=str(temporal_binary),
            dev_server_log_level="error",
            dev_server_extra_args=[
                "--dynamic-config-value",
                f"limit.historyCount.suggestContinueAsNew={EVENTS_A_RUN}",
            ],
        ) as environment,
        start_rig(environment.client.service_client.config.target_host, tmp_path_factory.mktemp("short")) as started,
    ):
        yield started


@pytest.fixture(scope="session")
async def skipping(time_skipping_binary: Path) -> AsyncIterator[WorkflowEnvironment]:
    """A server that skips the time in which nothing happens."""
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(time_skipping_binary)
    ) as environment:
        yield environment


@pytest.fixture(scope="session")
async def skipping_rig(skipping: WorkflowEnvironment, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    """A worker on it."""
    address = skipping.client.service_client.config.target_host
    async with start_rig(address, tmp_path_factory.mktemp("skipping")) as rig:
        yield rig
