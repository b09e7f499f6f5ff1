"""Reach the Temporal server that the environment names."""

from __future__ import annotations

from temporalio.client import Client
from temporalio.envconfig import ClientConfigProfile

from statebag.app.plugin import StateBagPlugin
from statebag.errors import StateBagError

__all__ = ["DEFAULT_ADDRESS", "connect", "load_profile"]

DEFAULT_ADDRESS = "localhost:7233"
"""Where a server is looked for when the environment names none."""


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
    config = {"target_host": DEFAULT_ADDRESS, **profile.to_client_connect_config()}
    try:
        return await Client.connect(**config, plugins=[plugin])
    except (RuntimeError, OSError) as cause:
        raise StateBagError(
            f"{config['target_host']}: no Temporal server answers: {cause}. Start one with `statebag dev` or "
            "`temporal server start-dev`, or set TEMPORAL_ADDRESS.",
            code="SERVER_UNREACHABLE",
        ) from cause
    except ValueError as cause:
        raise StateBagError(f"{config['target_host']}: {cause}", code="SETTING_INVALID") from cause
