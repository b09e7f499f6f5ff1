"""How names are looked up and connections are made."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from httpcore import AsyncNetworkBackend

__all__ = ["Network", "resolve_host"]


async def resolve_host(host: str, port: int) -> Sequence[str]:
    """Ask the system for the addresses of a name, in the order in which to try them.

    Raises:
        OSError: it has none, or nobody answers.
    """
    # A thread of its own rather than the loop's: that one would be waited for when time is up.
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[str]] = loop.create_future()

    def settle(found: list[str] | OSError) -> None:
        if answer.done():
            return
        if isinstance(found, OSError):
            answer.set_exception(found)
        else:
            answer.set_result(found)

    def look_up() -> None:
        found: list[str] | OSError
        try:
            found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        except OSError as error:
            found = error
        with contextlib.suppress(RuntimeError):  # nobody waits any more, and the loop is closed
            loop.call_soon_threadsafe(settle, found)

    threading.Thread(target=look_up, name=f"look up {host}", daemon=True).start()
    return await answer


@dataclass(frozen=True, kw_only=True)
class Network:
    """The network as a call sees it; replaceable in tests."""

    resolve: Callable[[str, int], Awaitable[Sequence[str]]] = resolve_host
    """Name and port to addresses; called once for a connection."""
    connect: Callable[[], AsyncNetworkBackend] | None = None
    """Makes what connects to addresses; the system's where it is None."""
