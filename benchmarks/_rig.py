"""A server, a store and workers of our own for the length of a benchmark."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import temporalio
from temporalio.api.workflowservice.v1 import GetSystemInfoRequest
from temporalio.client import Client
from temporalio.worker import Worker

from benchmarks._bare import BareBranch, BareFanOut, BareLoop, bare_step
from benchmarks._meter import StoreMeter
from benchmarks._pure_loop import PureLoop
from statebag.app.embedded import start_server
from statebag.app.plugin import StateBagPlugin
from statebag.app.serve import make_worker
from statebag.app.settings import Settings

__all__ = ["BARE_QUEUE", "PURE_QUEUE", "Rig", "describe_machine", "open_rig"]

BARE_QUEUE = "bench-bare"
PURE_QUEUE = "bench-pure"


@dataclass(frozen=True, kw_only=True)
class Rig:
    """What the benchmarks share."""

    client: Client
    """With our plugin."""
    bare: Client
    """As the library makes it."""
    plugin: StateBagPlugin
    meter: StoreMeter
    settings: Settings
    environment: Mapping[str, Any]
    """Machine and versions."""


@asynccontextmanager
async def open_rig(*, stock_server: bool = False) -> AsyncGenerator[Rig]:
    """Start everything.

    The server keeps its data in memory, and so does the store where there is a file system for that: what a disk adds
    is the disk's.

    Args:
        stock_server: leave the development server its limit of 20 reads of a queue a second.
    """
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="statebag-bench-", dir=_memory_folder()))
        settings = Settings(store=Path(folder, "store").as_uri())
        plugin = StateBagPlugin(settings, sinks=())
        server = await stack.enter_async_context(start_server(responsive=not stock_server))
        bare = await Client.connect(server.address)
        meter = StoreMeter(plugin.store)
        client = await Client.connect(server.address, plugins=[plugin], interceptors=[meter])
        await stack.enter_async_context(make_worker(client, settings))
        await stack.enter_async_context(Worker(client, task_queue=PURE_QUEUE, workflows=[PureLoop]))
        await stack.enter_async_context(
            Worker(
                bare,
                task_queue=BARE_QUEUE,
                workflows=[BareLoop, BareFanOut, BareBranch],
                activities=[bare_step],
            )
        )
        system = await bare.workflow_service.get_system_info(GetSystemInfoRequest())
        environment = describe_machine() | {"server": system.server_version}
        yield Rig(client=client, bare=bare, plugin=plugin, meter=meter, settings=settings, environment=environment)


def describe_machine() -> dict[str, Any]:
    """The machine, and the versions that matter."""
    return {
        "cpus": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "temporalio": temporalio.__version__,
    }


def _memory_folder() -> str | None:
    shared = "/dev/shm"
    return shared if os.access(shared, os.W_OK | os.X_OK) else None
