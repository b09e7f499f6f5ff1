"""How often a segment is tried, by what went wrong and by what its node says."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import pytest

from statebag.config import Node
from statebag.errors import ProviderUnavailable, StateBagError, StoreUnavailable
from statebag.nodes import NodeContext
from tests.rig import Rig, chain, events_of, probe
from tests.workflows.states import BORN, FAIL

WHERE = pytest.mark.parametrize("local", [True, False], ids=["in the worker", "outside"])


class Failing:
    """Raises some errors, one a call, and then works."""

    def __init__(self, *errors: Exception) -> None:
        self.attempts: list[int] = []
        self._errors = list(errors)

    def __call__(self, node: Node, scope: object, context: NodeContext) -> Mapping[str, Any]:
        self.attempts.append(context.attempt)
        if self._errors:
            raise self._errors.pop(0)
        return {"answer": 42}


def busy(seconds: float | None = None) -> ProviderUnavailable:
    return ProviderUnavailable("429", details={} if seconds is None else {"retry_after_seconds": seconds})


@WHERE
async def test_a_provider_is_asked_again_when_it_says(rig: Rig, local: bool) -> None:
    """Not after the node's own delay, which would be a minute."""
    failing = Failing(busy(0.01), busy(0.01))
    rig.behaviours["busy"] = failing
    node = probe("a", "busy", local=local, retry_config={"max_retries": 2, "base_delay": 60})
    handle = await rig.start(chain(node))
    assert rig.user_state(await handle.result()) == {"answer": 42}
    assert failing.attempts == [1, 2, 3]


@WHERE
async def test_a_provider_that_goes_on_refusing_fails_the_run(rig: Rig, local: bool) -> None:
    failing = Failing(*(busy(0.01) for _ in range(9)))
    rig.behaviours["refusing"] = failing
    handle = await rig.start(chain(probe("a", "refusing", local=local, retry_config={"max_retries": 2})))
    failure = await rig.failure(handle)
    assert (failure.type, failure.details[0]["code"]) == ("WorkflowExecutionFailed", "LLM_UNAVAILABLE")
    assert failing.attempts == [1, 2, 3]
    assert await rig.trace(handle) == [*BORN, "ExecuteSegment", *FAIL]


@WHERE
async def test_a_store_that_is_away_costs_the_node_no_try(rig: Rig, local: bool) -> None:
    failing = Failing(StoreUnavailable("away"), StoreUnavailable("away"))
    rig.behaviours["away"] = failing
    node = probe("a", "away", local=local, retry_config={"max_retries": 0, "base_delay": 0.05})
    assert rig.user_state(await (await rig.start(chain(node))).result()) == {"answer": 42}
    assert failing.attempts == [1, 2, 3]


@WHERE
async def test_a_node_that_takes_too_long_is_given_up_and_hears_of_it(rig: Rig, local: bool) -> None:
    ended = threading.Semaphore(0)

    def hang(node: Node, scope: object, context: NodeContext) -> Mapping[str, Any]:
        try:
            while True:
                context.heartbeat(None)
                nap.wait(0.02)
        finally:
            ended.release()

    nap = threading.Event()
    rig.behaviours["hang"] = hang
    limits = {"timeout_seconds": 0.2, "retry_config": {"max_retries": 1, "base_delay": 0.05}}
    handle = await rig.start(chain(probe("a", "hang", local=local, **limits)))
    failure = await rig.failure(handle)
    assert failure.details[0]["code"] == "NODE_TIMEOUT"
    assert "0.2 s" in failure.message
    for _ in range(2):
        assert ended.acquire(timeout=5)


async def test_a_node_that_is_silent_is_not_taken_for_dead(rig: Rig) -> None:
    """The worker gives the signs of life, more often than they are due."""
    nap = threading.Event()
    rig.behaviours["silent"] = lambda *_: nap.wait(1.0) or {"woke": True}
    handle = await rig.start(chain(probe("a", "silent", heartbeat_seconds=0.3)))
    assert rig.user_state(await handle.result()) == {"woke": True}
    started = (await events_of(handle, "ACTIVITY_TASK_STARTED"))[-1]
    assert started.activity_task_started_event_attributes.attempt == 1


async def test_a_segment_gets_a_little_more_time_than_its_node_has(rig: Rig) -> None:
    """So that the node's own error is seen before the server's, which says less."""
    rig.behaviours["quick"] = lambda *_: {"done": True}
    limits = {"timeout_seconds": 20, "heartbeat_seconds": 4, "retry_config": {"max_retries": 1, "base_delay": 3}}
    handle = await rig.start(chain(probe("a", "quick", **limits)))
    await handle.result()
    scheduled = (await events_of(handle, "ACTIVITY_TASK_SCHEDULED"))[-1].activity_task_scheduled_event_attributes
    assert scheduled.start_to_close_timeout.seconds == 25
    assert scheduled.heartbeat_timeout.seconds == 4
    assert scheduled.retry_policy.initial_interval.seconds == 3
    assert scheduled.retry_policy.maximum_attempts == 0


async def test_an_error_that_is_final_is_not_repeated(rig: Rig) -> None:
    failing = Failing(StateBagError("no such key", code="POINTER_NOT_FOUND"))
    rig.behaviours["final"] = failing
    failure = await rig.failure(await rig.start(chain(probe("a", "final"))))
    assert failure.details[0]["code"] == "POINTER_NOT_FOUND"
    assert failing.attempts == [1]
