"""A worker that is told to stop lets what runs finish, as far as its time goes."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace

import pytest

from statebag.app import Settings
from tests.rig import Rig, chain, events_of, probe, sets, worker_of


@pytest.mark.parametrize("local", [True, False], ids=["in the worker", "outside"])
async def test_a_segment_that_runs_is_finished(rig: Rig, local: bool) -> None:
    settings = Settings(task_queue=f"queue-{secrets.token_hex(4)}", graceful_shutdown_seconds=20)
    entered, go_on = rig.gate("finished", {"done": True})
    mine = replace(rig, task_queue=settings.task_queue)
    worker = worker_of(mine, settings)
    serving = asyncio.create_task(worker.run())
    handle = await mine.start(chain(sets("a", x=1), probe("b", "finished", local=local), sets("c", y=1)))
    await entered.wait()
    stopping = asyncio.create_task(worker.shutdown())
    await asyncio.wait({stopping}, timeout=0.1)
    assert not serving.done()
    go_on.set()
    await stopping
    await serving
    async with worker_of(mine, settings):
        assert mine.user_state(await handle.result()) == {"x": 1, "done": True, "y": 1}
    if not local:
        started = (await events_of(handle, "ACTIVITY_TASK_STARTED"))[-1]
        assert started.activity_task_started_event_attributes.attempt == 1
        assert len(await events_of(handle, "ACTIVITY_TASK_COMPLETED")) == 2


async def test_a_segment_that_does_not_finish_in_time_is_done_by_the_next_worker(rig: Rig) -> None:
    settings = Settings(task_queue=f"queue-{secrets.token_hex(4)}", graceful_shutdown_seconds=0)
    entered, go_on = rig.gate("unfinished", {"done": True})
    mine = replace(rig, task_queue=settings.task_queue)
    async with worker_of(mine, settings):
        handle = await mine.start(chain(probe("a", "unfinished"), sets("b", y=1)))
        await entered.wait()
    go_on.set()
    async with worker_of(mine, settings):
        assert mine.user_state(await handle.result()) == {"done": True, "y": 1}
    started = (await events_of(handle, "ACTIVITY_TASK_STARTED"))[-1]
    assert started.activity_task_started_event_attributes.attempt == 2
