"""``statebag dev``: a server that keeps its runs in a file, and a worker, until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from pathlib import Path

from temporalio.envconfig import ClientConfigProfile

from statebag.app.connect import connect, load_profile
from statebag.app.embedded import HOST, DevServer, is_free, start_server
from statebag.app.output import print_note
from statebag.app.plugin import StateBagPlugin
from statebag.app.run import stop_signals
from statebag.app.serve import make_worker
from statebag.app.settings import Settings, data_folder
from statebag.errors import StateBagError

__all__ = ["default_database", "dev"]

_SAME_UI_PORT = 1000
"""What the server itself adds to its port."""


def default_database() -> Path:
    """Beside the default store."""
    return data_folder() / "temporal.db"


async def dev(settings: Settings, *, port: int, ui_port: int | None, database: Path | None) -> None:
    """Serve until SIGINT or SIGTERM: then the worker lets what runs finish, and the server stops.

    Args:
        settings: Of the worker and the store.
        port: Where the server listens.
        ui_port: Where its web page is; 1000 above ``port`` where it is None.
        database: The file that keeps the runs.

    Raises:
        StateBagError: ``PORT_TAKEN``; ``SERVER_UNREACHABLE``: the server did not start, or has ended; ``FILE_UNREADABLE``.
    """
    ui_port = ui_port if ui_port is not None else port + _SAME_UI_PORT
    for number, option in ((port, "--port"), (ui_port, "--ui-port")):
        if not is_free(number):
            text = f"port {number}: another program listens there. Stop it, or choose another port with {option}."
            raise StateBagError(text, code="PORT_TAKEN")
    database = (database or default_database()).absolute()
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=database.parent), contextlib.suppress(FileNotFoundError), database.open("rb+"):
            pass
    except OSError as cause:
        text = f"{database}: can't be written: {cause.strerror}. Choose another file with --db."
        raise StateBagError(text, code="FILE_UNREADABLE") from cause
    namespace = load_profile().namespace or "default"
    arguments = ["--ui-port", str(ui_port), "--db-filename", str(database)]
    async with (
        stop_signals() as stop,
        start_server(
            port=port, namespace=namespace, arguments=arguments, log=sys.stderr.fileno(), lasting=True
        ) as server,
    ):
        plugin = StateBagPlugin(settings)
        profile = ClientConfigProfile(address=server.address, namespace=namespace)
        client = await connect(plugin, profile=profile)
        async with make_worker(client, settings):
            _tell(settings, server, ui_port, database, namespace, plugin.store.backend.location())
            await _until_stopped(stop, server)
            if server.process.poll() is None:
                print_note(f"stopping: what runs has {settings.graceful_shutdown_seconds} s to finish")
    print_note("stopped; runs that are not over go on when `statebag dev` is started again")


async def _until_stopped(stop: asyncio.Event, server: DevServer) -> None:
    while not stop.is_set():
        if (status := server.process.poll()) is not None:
            raise StateBagError(f"the development server has ended with status {status}.", code="SERVER_UNREACHABLE")
        try:
            await asyncio.wait_for(stop.wait(), 0.5)
        except TimeoutError:
            continue


def _tell(settings: Settings, server: DevServer, ui_port: int, database: Path, namespace: str, store: str) -> None:
    rows = {
        "server": server.address,
        "web page": f"http://{HOST}:{ui_port}",
        "runs": str(database),
        "store": store,
        "worker": f"task queue {settings.task_queue}, process {os.getpid()}",
    }
    for name, value in rows.items():
        print_note(f"{name:<9} {value}")
    more = "" if namespace == "default" else f" TEMPORAL_NAMESPACE={namespace}"
    print_note(f"In another terminal: export TEMPORAL_ADDRESS={server.address}{more}; statebag run FILE")
    print_note("Ctrl-C stops it.")
