"""A store that is away, an attempt that was given up and goes on, and data that was changed behind the run's back."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity
from temporalio.worker import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)

from statebag.bag import Place, list_commits
from statebag.blobs import BlobStore, LocalBackend, RetryPolicy
from statebag.config import Node
from statebag.nodes import NodeContext, Scope
from statebag.testing import FaultyBackend
from tests.rig import Rig, chain, llm, probe, sets, start_rig
from tests.workflows.states import BORN, END, FAIL, NEXT, STEP

OUTAGE_SECONDS = 1.2


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> FaultyBackend:
    return FaultyBackend(LocalBackend(tmp_path_factory.mktemp("objects")))


@pytest.fixture(scope="module")
async def faulty(
    dev_server: str, backend: FaultyBackend, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Rig]:
    """A worker on a store that can be broken, and that it never remembers anything of."""
    store = BlobStore(backend, cache_bytes=0, retry=RetryPolicy(attempts=1))
    async with start_rig(dev_server, tmp_path_factory.mktemp("store"), store=store) as rig:
        yield rig


def bag_facts(rig: Rig, output: Mapping[str, Any]) -> tuple[Any, int, int, int]:
    root = output["final_state_s3_path"]
    place = Place(owner_id="acme", workflow_id="review", execution_id=output["execution_id"], version=0, root=root)
    bag = rig.plugin.engine.read_bag(place)
    return bag.user.whole(), bag.control.bag_version, bag.control.loop_counter, bag.kernel.state_history.count


@pytest.mark.parametrize("local", [True, False], ids=["in the worker", "outside"])
async def test_a_run_waits_for_a_store_that_is_away(faulty: Rig, backend: FaultyBackend, local: bool) -> None:
    loop, stack = asyncio.get_running_loop(), ExitStack()
    calls: list[int] = []
    away = False

    def work(node: Node, scope: Scope, context: NodeContext) -> Mapping[str, Any]:
        nonlocal away
        calls.append(context.attempt)
        if away:
            away = False
            stack.enter_context(backend.outage())
            loop.call_soon_threadsafe(loop.call_later, OUTAGE_SECONDS, stack.close)
        return {"large": "x" * 50_000, "small": scope["word"]}

    faulty.behaviours["write"] = work
    document = chain(sets("a", word="hi"), probe("b", "write", local=local), llm("c", "{{small}}"), sets("d", y=1))
    outcomes: list[Any] = []
    for away_next in (False, True):
        away = away_next
        calls.clear()
        handle = await faulty.start(document)
        outcomes.append(bag_facts(faulty, await handle.result()))
        assert faulty.types_of(handle.id) == ["STARTED", "COMPLETED"]
    assert len(calls) > 1
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("local", [True, False], ids=["in the worker", "outside"])
async def test_a_store_that_is_away_at_the_start_is_waited_for(
    faulty: Rig, backend: FaultyBackend, local: bool
) -> None:
    loop, stack = asyncio.get_running_loop(), ExitStack()
    stack.enter_context(backend.outage())
    handle = await faulty.start(chain(sets("a", x=1)) if local else chain(llm("a", "hi")))
    loop.call_later(0.3, stack.close)
    assert (await handle.result())["status"] == "SUCCEEDED"


@pytest.mark.parametrize("local", [True, False], ids=["in the worker", "outside"])
async def test_data_that_was_changed_fails_the_run(faulty: Rig, backend: FaultyBackend, local: bool) -> None:
    noise = secrets.token_hex(40_000)

    def damage(node: Node, scope: Scope, context: NodeContext) -> Mapping[str, Any]:
        prefix = f"acme/review/{context.execution_id}/"
        largest = max(backend.inner.list(prefix), key=lambda listed: listed.size_bytes)
        backend.corrupt(largest.key, lambda data: data[:-8] + bytes(8))
        return {"done": True}

    faulty.behaviours["damage"] = damage
    faulty.behaviours["use"] = lambda _, scope, __: {"length": len(scope["large"])}
    document = chain(sets("a", x=1), llm("b", "hi"), probe("c", "damage"), probe("d", "use", local=local))
    handle = await faulty.start(document, initial_state={"large": noise})
    failure = await faulty.failure(handle)
    details = failure.details[0]
    assert (failure.type, details["code"]) == ("WorkflowExecutionFailed", "POINTER_CORRUPT")
    assert await faulty.trace(handle) == [*BORN, *STEP, *NEXT, *NEXT, *NEXT, *FAIL]
    assert faulty.sink.of(handle.id)[-1].detail["error_type"] == "POINTER_CORRUPT"


@pytest.mark.parametrize("local", [True, False], ids=["in the worker", "outside"])
async def test_a_plan_that_was_changed_fails_the_run(faulty: Rig, backend: FaultyBackend, local: bool) -> None:
    """Here the function itself fails, not a node. A plan this large is read segment by segment."""

    def damage(node: Node, scope: Scope, context: NodeContext) -> Mapping[str, Any]:
        for listed in list(backend.inner.list(f"acme/review/{context.execution_id}/")):
            backend.corrupt(listed.key, lambda data: data[:-8] + bytes(8))
        return {"done": True}

    faulty.behaviours["damage-all"] = damage
    handle = await faulty.start(chain(probe("a", "damage-all", local=local), llm("b", "hi" * 100_000)))
    failure = await faulty.failure(handle)
    details = failure.details[0]
    assert (failure.type, details["code"]) == ("WorkflowExecutionFailed", "POINTER_CORRUPT")
    assert details["final_state_s3_path"]["key"].startswith(f"acme/review/{handle.id}/bag/")
    assert await faulty.trace(handle) == [*BORN, "ExecuteSegment", *FAIL]
    assert faulty.types_of(handle.id) == ["STARTED", "FAILED"]


class Attempts(Interceptor):
    """Tells what each attempt at a segment answers, and keeps the first one's signs of life from the server."""

    def __init__(self) -> None:
        self.answers: dict[int, asyncio.Future[Any]] = {}

    def of(self, attempt: int) -> asyncio.Future[Any]:
        return self.answers.setdefault(attempt, asyncio.get_running_loop().create_future())

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Inbound(next, self)


class _Inbound(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, attempts: Attempts) -> None:
        super().__init__(next)
        self._attempts = attempts

    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        super().init(_Silent(outbound))

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        answer = await super().execute_activity(input)
        if activity.info().activity_type == "execute_segment" and not activity.info().is_local:
            self._attempts.of(activity.info().attempt).set_result(answer)
        return answer


class _Silent(ActivityOutboundInterceptor):
    def heartbeat(self, *details: Any) -> None:
        if activity.info().attempt > 1:
            super().heartbeat(*details)


@pytest.mark.parametrize("first", [1, 2])
async def test_of_two_attempts_at_once_the_first_to_finish_counts(dev_server: str, tmp_path: Path, first: int) -> None:
    """The server took the first attempt for dead, and it was not."""
    attempts, loop = Attempts(), asyncio.get_running_loop()
    entered = {attempt: asyncio.Event() for attempt in (1, 2)}
    go_on = {attempt: threading.Event() for attempt in (1, 2)}

    def race(node: Node, scope: Scope, context: NodeContext) -> Mapping[str, Any]:
        loop.call_soon_threadsafe(entered[context.attempt].set)
        assert go_on[context.attempt].wait(30)
        return {"by": context.attempt}

    async with start_rig(dev_server, tmp_path, interceptors=[attempts]) as rig:
        rig.behaviours["race"] = race
        handle = await rig.start(chain(probe("a", "race", heartbeat_seconds=1), sets("b", seen="{{by}}")))
        for attempt in (1, 2):
            await entered[attempt].wait()
        answers: list[Any] = []
        for attempt in (first, 3 - first):
            go_on[attempt].set()
            answers.append(await attempts.of(attempt))
        output = await handle.result()
        assert answers[0] == answers[1]
        assert rig.user_state(output)["by"] == first
        assert await rig.trace(handle) == [*BORN, *STEP, *NEXT, *END]
        run_id = (await handle.describe()).run_id
        commits = list_commits(rig.plugin.store.execution("acme", "review", handle.id), lineage=run_id)
        assert [(record["bag_version"], record["action"]) for record in commits] == [
            (1, "init"),
            (2, "sync"),
            (3, "sync"),
        ]
