"""One worker for all tests that need nothing special."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.rig import Rig, start_rig


@pytest.fixture(scope="session")
async def rig(dev_server: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    """A worker on the shared server."""
    async with start_rig(dev_server, tmp_path_factory.mktemp("store")) as started:
        yield started
