"""A model call that is put aside, and answered by the worker or by somebody else with the task's token."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
from temporalio.client import AsyncActivityHandle
from temporalio.exceptions import ApplicationError

from activities import AsyncRequest
from statebag.errors import StoreUnavailable
from tests.rig import Rig, asks, chain, events_of, llm, sets, start_rig
from tests.workflows.states import ASYNC, BORN, END, FAIL, NEXT, PAUSE, STEP

DOCUMENT = chain(
    sets("a", word="hi"),
    llm("think", "Think of {{word}}", **{"async": True, "output_key": "thought"}),
    sets("c", said="{{thought}}"),
)


class Desk:
    """A dispatcher that lets a test answer."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._requests: asyncio.Queue[AsyncRequest] = asyncio.Queue()
        self.refusals: list[Exception] = []

    def dispatch(self, request: AsyncRequest) -> None:
        if self.refusals:
            raise self.refusals.pop()
        self._loop.call_soon_threadsafe(self._requests.put_nowait, request)

    async def next(self, rig: Rig) -> tuple[AsyncRequest, AsyncActivityHandle]:
        """The next request, and what it is answered with."""
        request = await self._requests.get()
        return request, rig.client.get_async_activity_handle(task_token=base64.b64decode(request.task_token))


@pytest.fixture(scope="module")
async def desk() -> Desk:
    return Desk()


@pytest.fixture(scope="module")
async def outside(dev_server: str, desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    """A worker whose asynchronous calls are answered by ``desk``."""
    async with start_rig(dev_server, tmp_path_factory.mktemp("store"), dispatcher=desk) as rig:
        yield rig


async def test_the_worker_answers_where_nobody_else_does(rig: Rig) -> None:
    handle = await rig.start(DOCUMENT)
    output = await handle.result()
    state = rig.user_state(output)
    assert state["said"] == state["thought"] != ""
    assert output["loop_counter"] == 3
    assert await rig.trace(handle) == [*BORN, *STEP, *NEXT, *ASYNC, *NEXT, *END]
    assert rig.types_of(handle.id) == ["STARTED", "ASYNC_LLM_PROCESSING", "COMPLETED"]


async def test_somebody_else_answers_by_the_task_token(outside: Rig, desk: Desk) -> None:
    handle = await outside.start(DOCUMENT, initial_state={"unread": "secret"})
    request, answer = await desk.next(outside)
    assert request.execution_id == handle.id
    assert request.state == {"word": "hi"}
    assert request.segment["nodes"][0]["id"] == "think"
    progress = await handle.query("progress")
    assert (progress["status"], progress["current_state"]) == ("PAUSED_FOR_ASYNC_LLM", "WaitForAsyncLLMCallback")
    await answer.complete({"status": "COMPLETE", "state_delta": {"set": {"thought": "42"}}})
    output = await handle.result()
    assert outside.user_state(output)["said"] == "42"
    assert output["loop_counter"] == 3
    assert await outside.trace(handle) == [*BORN, *STEP, *NEXT, *ASYNC, *NEXT, *END]


async def test_the_segment_behind_the_answer_may_have_a_pause(outside: Rig, desk: Desk) -> None:
    document = {**DOCUMENT, "edges": [DOCUMENT["edges"][0], asks("think", "c")]}
    handle = await outside.start(document)
    _, answer = await desk.next(outside)
    await answer.complete({"status": "COMPLETE", "state_delta": {"set": {"thought": "42"}}})
    await outside.pause(handle)
    await outside.respond(handle, {})
    await handle.result()
    assert await outside.trace(handle) == [*BORN, *STEP, *NEXT, *ASYNC, *PAUSE, *NEXT, *END]


async def test_a_call_that_the_desk_refuses_for_now_is_handed_over_again(outside: Rig, desk: Desk) -> None:
    desk.refusals.append(StoreUnavailable("the desk's table is away"))
    handle = await outside.start(DOCUMENT)
    _, answer = await desk.next(outside)
    await answer.complete({"status": "COMPLETE", "state_delta": {"set": {"thought": "42"}}})
    assert (await handle.result())["status"] == "SUCCEEDED"


async def test_whoever_answers_may_fail_the_call(outside: Rig, desk: Desk) -> None:
    handle = await outside.start(DOCUMENT)
    _, answer = await desk.next(outside)
    await answer.fail(ApplicationError("the model is gone", type="LLM_FAILED", non_retryable=True))
    failure = await outside.failure(handle)
    assert failure.details[0]["code"] == "LLM_FAILED"
    assert failure.details[0]["message"] == "the model is gone"
    assert await outside.trace(handle) == [*BORN, *STEP, *NEXT, *ASYNC, *FAIL]


@pytest.mark.parametrize(
    ("result", "code"),
    [
        ("a text", "RESULT_INVALID"),
        ({"status": 7}, "RESULT_INVALID"),
        ({"status": "COMPLETE", "state_delta": {"set": []}}, "RESULT_INVALID"),
    ],
)
async def test_an_answer_that_breaks_the_contract_fails_the_run(
    outside: Rig, desk: Desk, result: Any, code: str
) -> None:
    handle = await outside.start(DOCUMENT)
    _, answer = await desk.next(outside)
    await answer.complete(result)
    failure = await outside.failure(handle)
    assert (failure.type, failure.details[0]["code"]) == ("WorkflowExecutionFailed", code)
    assert (await outside.trace(handle))[-3:] == ["MergeAsyncResult", *FAIL]


@pytest.mark.parametrize(
    ("status", "code"), [("NO_SUCH", "UNKNOWN_STATUS"), ("HALTED", "RUN_FAILED"), ("SIGKILL", "RUN_FAILED")]
)
async def test_an_answer_may_end_the_run(outside: Rig, desk: Desk, status: str, code: str) -> None:
    handle = await outside.start(DOCUMENT)
    _, answer = await desk.next(outside)
    await answer.complete({"status": status})
    failure = await outside.failure(handle)
    assert failure.details[0]["code"] == code
    assert await outside.trace(handle) == [*BORN, *STEP, *NEXT, *ASYNC, *FAIL]


async def test_the_node_says_how_long_and_how_often(outside: Rig, desk: Desk) -> None:
    options = {"timeout_seconds": 30, "heartbeat_seconds": 7, "retry_config": {"max_retries": 5, "base_delay": 0.1}}
    document = chain(llm("think", "hm", **{"async": True, **options}))
    handle = await outside.start(document)
    _, answer = await desk.next(outside)
    (event,) = [
        event.activity_task_scheduled_event_attributes
        for event in await events_of(handle, "ACTIVITY_TASK_SCHEDULED")
        if event.activity_task_scheduled_event_attributes.activity_type.name == "async_llm"
    ]
    assert event.start_to_close_timeout.seconds == 35
    assert event.heartbeat_timeout.seconds == 7
    assert event.retry_policy.maximum_attempts == 6
    assert event.retry_policy.initial_interval.ToMilliseconds() == 100
    await answer.complete({"status": "COMPLETE", "state_delta": {"set": {}}})
    await handle.result()


async def test_nobody_answers_in_time(outside: Rig, desk: Desk) -> None:
    """Each try is handed over; without an answer the run fails and says why. The heartbeat is the short limit here."""
    options = {"heartbeat_seconds": 0.2, "retry_config": {"max_retries": 1, "base_delay": 0.1}}
    handle = await outside.start(chain(llm("think", "hm", **{"async": True, **options})))
    tokens = {(await desk.next(outside))[0].task_token for _ in range(2)}
    assert len(tokens) == 2
    failure = await outside.failure(handle)
    assert failure.details[0]["code"] == "RUN_FAILED"
    assert "async_llm" in failure.details[0]["message"]
