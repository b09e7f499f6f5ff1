"""Queries while a local activity is under way: what is done meanwhile fits to the history, and each gets its answer."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from temporalio import activity, workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, Worker

from statebag.app.temporal import PatientRunner

SECOND = timedelta(seconds=1)
QUERY_SECONDS = 0.15
STEPS, STEP_SECONDS = 60, 0.04


@workflow.defn(sandboxed=False)
class Asks:
    """Each signal leads to a call, and to a timer behind it; the last one to an activity at once."""

    def __init__(self) -> None:
        self.calls = 0
        self.over = 0

    @workflow.run
    async def run(self) -> int:
        await workflow.wait_condition(lambda: self.over == 3)
        return self.calls

    @workflow.signal
    async def call(self, name: str) -> None:
        await workflow.execute_local_activity("work", name, start_to_close_timeout=10 * SECOND)
        self.calls += 1
        await workflow.sleep(0.01)
        self.over += 1

    @workflow.signal
    async def last(self) -> None:
        await workflow.execute_activity("work", "last", start_to_close_timeout=10 * SECOND)
        self.over += 1

    @workflow.query
    def count(self) -> int:
        time.sleep(QUERY_SECONDS)
        return self.calls


@workflow.defn(sandboxed=False)
class Chain:
    """One call after another, all in one workflow task."""

    def __init__(self) -> None:
        self.calls = 0

    @workflow.run
    async def run(self) -> int:
        for _ in range(STEPS):
            await workflow.execute_local_activity("work", "step", start_to_close_timeout=10 * SECOND)
            self.calls += 1
        return self.calls

    @workflow.query
    def count(self) -> int:
        return self.calls


class Work:
    """The function that is called."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.entered, self.go_on = asyncio.Event(), asyncio.Event()

    @activity.defn(name="work")
    async def run(self, name: str) -> None:
        if name == "first":
            self.entered.set()
            await self.go_on.wait()
        if name == "second":
            await self.client.get_workflow_handle(activity.info().workflow_id or "").signal(Asks.last)
        if name == "step":
            self.entered.set()
            await asyncio.sleep(STEP_SECONDS)


@pytest.fixture
async def work(dev_server: str) -> Work:
    return Work(await Client.connect(dev_server))


@pytest.fixture
async def queue(work: Work) -> AsyncIterator[str]:
    name = f"queue-{secrets.token_hex(4)}"
    async with Worker(
        work.client,
        task_queue=name,
        workflows=[Asks, Chain],
        activities=[work.run],
        unsandboxed_workflow_runner=PatientRunner(UnsandboxedWorkflowRunner(), patience_seconds=0.2),
    ):
        yield name


async def start(work: Work, queue: str, of: Any, task_timeout: timedelta | None = None) -> WorkflowHandle[Any, int]:
    name = f"run-{secrets.token_hex(8)}"
    return await work.client.start_workflow(of.run, id=name, task_queue=queue, task_timeout=task_timeout)


async def test_a_call_that_returns_while_a_query_is_answered(work: Work, queue: str) -> None:
    """The second call comes with a query, and returns before that is answered; then there is news for the run."""
    handle = await start(work, queue, Asks)
    await handle.signal(Asks.call, "first")
    await work.entered.wait()
    await handle.signal(Asks.call, "second")
    asked = asyncio.create_task(handle.query(Asks.count))
    # The answer can't come before the first call returns: the task is not over, and the query comes with the next.
    await asyncio.wait({asked}, timeout=QUERY_SECONDS)
    assert not asked.done()
    work.go_on.set()
    assert await handle.result() == 2
    assert await asked == 2
    await Replayer(workflows=[Asks]).replay_workflow(await handle.fetch_history())


async def test_a_run_that_calls_without_a_pause_is_seen(work: Work, queue: str) -> None:
    """The query comes with the second workflow task: the first is over when most of its time is."""
    handle = await start(work, queue, Chain, task_timeout=SECOND)
    await work.entered.wait()
    seen = await handle.query(Chain.count)
    assert 0 < seen < STEPS
    assert await handle.result() == STEPS
    await Replayer(workflows=[Chain]).replay_workflow(await handle.fetch_history())
