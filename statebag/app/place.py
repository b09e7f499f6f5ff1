"""Where a run goes: the server that the environment names, else one for the length of the command."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.envconfig import ClientConfigProfile
from temporalio.worker import Worker

from statebag.app.connect import DEFAULT_ADDRESS, connect, load_profile
from statebag.app.embedded import start_server
from statebag.app.failures import typed_rpc_errors
from statebag.app.output import print_note
from statebag.app.plugin import StateBagPlugin
from statebag.app.serve import make_worker
from statebag.app.settings import Settings
from statebag.nodes import NodeRegistry

__all__ = ["Place", "is_served", "open_place"]

_EMBEDDED_GRACE_SECONDS = 2
_FRESH_POLL = timedelta(seconds=75)
"""A worker asks the server for work at least once a minute."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A server, and the store that its workers use."""

    client: Client
    plugin: StateBagPlugin
    address: str
    embedded: bool
    """Whether both go when the command ends."""
    ensure_worker: Callable[[], Awaitable[None]]
    """Start a worker in this process where nobody polls the task queue."""


@asynccontextmanager
async def open_place(settings: Settings, registry: NodeRegistry, *, may_embed: bool = True) -> AsyncGenerator[Place]:
    """The server that the environment names, else one of our own; with a worker where nobody else works.

    Args:
        settings: Of a worker here, and of the store.
        registry: The node types.
        may_embed: Whether a server of our own will do; otherwise one is looked for at the usual address.

    Raises:
        StateBagError: ``SERVER_UNREACHABLE``, ``SETTING_INVALID``.
    """
    profile = load_profile()
    async with AsyncExitStack() as stack:
        embedded = profile.address is None and may_embed
        if embedded:
            settings = replace(settings, graceful_shutdown_seconds=_EMBEDDED_GRACE_SECONDS)
            if "STATEBAG_STORE" not in os.environ:
                folder = stack.enter_context(
                    tempfile.TemporaryDirectory(prefix="statebag-", ignore_cleanup_errors=True)
                )
                settings = replace(settings, store=Path(folder).as_uri())
            server = await stack.enter_async_context(start_server())
            profile = ClientConfigProfile(address=server.address, namespace="default")
        plugin = StateBagPlugin(settings, registry=registry)
        client = await connect(plugin, profile=profile)

        mine: list[Worker] = []

        async def ensure_worker() -> None:
            if mine or (not embedded and await is_served(client, settings.task_queue)):
                return
            if not embedded:
                queue = settings.task_queue
                print_note(f"no worker polls task queue {queue}: one runs here as long as this command does.")
            mine.append(make_worker(client, settings))
            await stack.enter_async_context(mine[0])

        await ensure_worker()
        yield Place(
            client=client,
            plugin=plugin,
            address=profile.address or DEFAULT_ADDRESS,
            embedded=embedded,
            ensure_worker=ensure_worker,
        )


async def is_served(client: Client, task_queue: str) -> bool:
    """Whether a worker polls the task queue."""
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=task_queue),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    )
    with typed_rpc_errors():
        answer = await client.workflow_service.describe_task_queue(request)
    oldest = datetime.now(UTC) - _FRESH_POLL
    fresh = [poller for poller in answer.pollers if poller.last_access_time.ToDatetime(tzinfo=UTC) > oldest]
    return any(not _is_gone(poller.identity) for poller in fresh)


def _is_gone(identity: str) -> bool:
    """Whether a worker was a process of this machine that has ended: the server lists it for some minutes more."""
    number, _, host = identity.partition("@")
    if host != socket.gethostname() or not number.isdecimal():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
