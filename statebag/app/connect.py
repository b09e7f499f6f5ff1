"""Reach the Temporal server that the environment names."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from temporalio.client import Client
from temporalio.envconfig import ClientConfigProfile

from statebag.app.plugin import StateBagPlugin
from statebag.errors import StateBagError

__all__ = ["DEFAULT_ADDRESS", "connect", "load_profile"]

DEFAULT_ADDRESS = "localhost:7233"
"""Where a server is looked for when the environment names none."""
CONNECT_SECONDS = 10.0
"""Time for a first answer: a server that is there needs some milliseconds."""


def load_profile() -> ClientConfigProfile:
    """Address, namespace, TLS and key, from ``TEMPORAL_*`` and ``temporal.toml``.

    Raises:
        StateBagError: ``SETTING_INVALID``.
    """
    try:
        return ClientConfigProfile.load()
    except (RuntimeError, ValueError, OSError) as cause:
        raise StateBagError(
            f"Temporal's settings can't be read: {cause}. Check TEMPORAL_PROFILE, TEMPORAL_CONFIG_FILE and the file.",
            code="SETTING_INVALID",
        ) from cause


async def connect(plugin: StateBagPlugin, *, profile: ClientConfigProfile | None = None) -> Client:
    """A client with our plugin.

    Raises:
        StateBagError: ``SERVER_UNREACHABLE``, naming the address; ``SETTING_INVALID``.
    """
    profile = profile or load_profile()
    try:
        config: Any = {"target_host": DEFAULT_ADDRESS, **profile.to_client_connect_config()}
    except (OSError, RuntimeError, ValueError) as cause:
        raise StateBagError(
            f"Temporal's TLS settings can't be used: {cause}. Check TEMPORAL_TLS_*.", code="SETTING_INVALID"
        ) from cause
    address = config["target_host"]
    try:
        return await asyncio.wait_for(Client.connect(**config, plugins=[plugin]), CONNECT_SECONDS)
    except (RuntimeError, OSError, TimeoutError) as cause:
        reason = _reason_of(cause)
        raise StateBagError(
            f"{address}: no Temporal server answers: {reason}. Start one with `statebag dev` or "
            "`temporal server start-dev`, or set TEMPORAL_ADDRESS.",
            code="SERVER_UNREACHABLE",
        ) from cause
    except ValueError as cause:
        raise StateBagError(f"{address}: {cause}. Check TEMPORAL_ADDRESS.", code="SETTING_INVALID") from cause


def _reason_of(cause: Exception) -> str:
    """The system's own words, out of the layers that the library wraps around them."""
    text = str(cause) or f"nothing came within {CONNECT_SECONDS:.0f} s"
    quoted = re.findall(r'(?:message|error): "([^"]+)"', text)
    return quoted[-1] if quoted else text
