"""Blocking work in a thread: within its time, with signs of life, and left alone when nobody waits any more."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities._threads import in_thread, sign_of_life, time_limit
from statebag.errors import ProviderUnavailable
from statebag.machine import GRACE_SECONDS

THREADS = ThreadPoolExecutor(4)


def environment(**info: Any) -> tuple[ActivityEnvironment, list[Any]]:
    made, beats = ActivityEnvironment(), list[Any]()
    made.info = replace(made.info, **info)
    made.on_heartbeat = lambda *details: beats.append(details)
    return made, beats


async def test_work_gives_its_value_or_raises_its_error() -> None:
    assert await in_thread(THREADS, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        await in_thread(THREADS, lambda: 1 // 0)


async def test_work_over_its_limit_is_left_alone_and_ends_at_its_next_heartbeat() -> None:
    go_on, ended = threading.Event(), threading.Event()

    async def act() -> None:
        async with sign_of_life() as beat:

            def work() -> None:
                try:
                    assert go_on.wait(10)
                    beat("alive")
                except asyncio.CancelledError:
                    ended.set()
                    raise

            await in_thread(THREADS, work, limit_seconds=0.05)

    made, beats = environment(heartbeat_timeout=timedelta(seconds=10))
    with pytest.raises(ProviderUnavailable) as late:
        await made.run(act)
    assert (late.value.code, late.value.details) == ("NODE_TIMEOUT", {"timeout_seconds": 0.05})
    go_on.set()
    assert await asyncio.to_thread(ended.wait, 10)
    assert ("alive",) not in beats


async def test_signs_of_life_come_from_the_worker_and_from_the_node() -> None:
    arrived = asyncio.Event()

    async def act() -> None:
        async with sign_of_life() as beat:
            await in_thread(THREADS, lambda: beat({"tokens": 5}))
            await arrived.wait()

    made, beats = environment(heartbeat_timeout=timedelta(seconds=0.03))
    made.on_heartbeat = lambda *details: (beats.append(details), arrived.set() if len(beats) > 4 else None)
    await made.run(act)
    assert ({"tokens": 5},) in beats
    assert () in beats


async def test_a_local_activity_gives_none() -> None:
    async def act() -> None:
        async with sign_of_life() as beat:
            await in_thread(THREADS, lambda: beat("x"))

    made, beats = environment(is_local=True)
    await made.run(act)
    assert beats == []


async def test_a_cancellation_does_not_wait_for_the_thread() -> None:
    entered, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    async def act() -> None:
        async with sign_of_life():
            await in_thread(THREADS, lambda: (loop.call_soon_threadsafe(entered.set), go_on.wait(10)))

    made, _ = environment()
    running = asyncio.create_task(made.run(act))
    await entered.wait()
    made.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    go_on.set()


@pytest.mark.parametrize(
    ("given", "limit"),
    [(GRACE_SECONDS + 30, 30.0), (GRACE_SECONDS, None), (1.0, None), (None, None)],
)
def test_the_limit_leaves_time_to_say_that_it_was_reached(given: float | None, limit: float | None) -> None:
    made, _ = environment(start_to_close_timeout=None if given is None else timedelta(seconds=given))
    assert made.run(time_limit) == limit
