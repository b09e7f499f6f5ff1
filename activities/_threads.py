"""Run blocking work of an activity in a thread, within its time, and with signs of life."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Executor
from typing import TypeVar

from temporalio import activity

from statebag.errors import ProviderUnavailable
from statebag.machine import GRACE_SECONDS

__all__ = ["in_thread", "sign_of_life", "time_limit"]

T = TypeVar("T")

HEARTBEAT_EVERY_SECONDS = 2.0


async def in_thread(threads: Executor, work: Callable[[], T], *, limit_seconds: float | None = None) -> T:
    """What ``work`` returns.

    A thread can't be stopped: what runs longer than its limit, or than the activity, is left alone, and ends at its
    next heartbeat (see :func:`sign_of_life`).

    Raises:
        ProviderUnavailable: ``NODE_TIMEOUT``: the limit is over.
    """
    future = asyncio.get_running_loop().run_in_executor(threads, work)
    try:
        await asyncio.wait({future}, timeout=limit_seconds)
        if future.done():
            return future.result()
        raise ProviderUnavailable(
            f"the segment took longer than {limit_seconds:g} s. Raise its node's `timeout_seconds`.",
            code="NODE_TIMEOUT",
            details={"timeout_seconds": limit_seconds},
        )
    finally:
        future.cancel()


def time_limit() -> float | None:
    """Seconds that a segment has by its nodes: the activity itself has a little more."""
    given = activity.info().start_to_close_timeout
    seconds = given.total_seconds() - GRACE_SECONDS if given is not None else 0.0
    return seconds if seconds > 0 else None


@contextlib.asynccontextmanager
async def sign_of_life() -> AsyncGenerator[Callable[[object], None]]:
    """Heartbeat as long as the block runs; gives a heartbeat that node code may call from its thread.

    After the block, which a cancellation or a time-out may have ended, that heartbeat raises
    ``asyncio.CancelledError``, so that the thread ends, too. A local activity has no heartbeat, and needs none: its
    worker's workflow task stands for it.
    """
    over = threading.Event()
    loop = asyncio.get_running_loop()
    context = contextvars.copy_context()
    info = activity.info()

    def beat_from_thread(detail: object) -> None:
        if over.is_set():
            raise asyncio.CancelledError("nobody waits for this attempt any more")
        if not info.is_local:
            loop.call_soon_threadsafe(activity.heartbeat, detail, context=context)

    if info.is_local:
        try:
            yield beat_from_thread
        finally:
            over.set()
        return
    allowed = info.heartbeat_timeout
    every = min(HEARTBEAT_EVERY_SECONDS, allowed.total_seconds() / 3) if allowed else HEARTBEAT_EVERY_SECONDS
    beating: asyncio.TimerHandle | None = None

    def beat() -> None:
        # The start is a sign of life already, and each beat is a call of the server: none before its time.
        nonlocal beating
        if beating is not None:
            activity.heartbeat()
        beating = loop.call_later(every, beat)

    beat()
    try:
        yield beat_from_thread
    finally:
        over.set()
        if beating is not None:
            beating.cancel()
