"""A server of its own kind for what is large."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from statebag.app.embedded import start_server


@pytest.fixture(scope="session")
async def responsive_server() -> AsyncIterator[str]:
    """Address of a development server without its limit of 20 reads of a queue a second."""
    async with start_server(responsive=True) as server:
        yield server.address
