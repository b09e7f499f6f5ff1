"""A canceled run stops where it is, says so, and gives back what it holds."""

from __future__ import annotations

import asyncio
import secrets
import threading
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import CancelledError

from statebag.events import EventType
from tests.rig import Hold, Rig, asks, chain, llm, probe, sets, start_rig
from tests.workflows.states import BORN, KEYED_BORN, STEP
from workflows._claims import claim_key

PAUSING = chain(sets("a", x=1), sets("b", y=1), edges=[asks("a", "b")])


async def canceled(handle: WorkflowHandle[Any, Any]) -> None:
    """The run ended as canceled, and nothing else."""
    with pytest.raises(WorkflowFailureError) as failed:
        await handle.result()
    assert isinstance(failed.value.cause, CancelledError)
    assert (await handle.describe()).status is WorkflowExecutionStatus.CANCELED


async def test_at_a_pause(rig: Rig) -> None:
    order = secrets.token_hex(6)
    handle = await rig.start(PAUSING, idempotency_key=order)
    await rig.pause(handle)
    await handle.cancel()
    await canceled(handle)
    assert rig.types_of(handle.id) == ["STARTED", "PAUSED_FOR_HITP", "ABORTED"]
    event = rig.sink.of(handle.id)[-1]
    progress = await handle.query("progress")
    assert (event.status, event.detail) == ("CANCELED", {"state_s3_path": progress["bag"]["key"]})
    assert (progress["status"], progress["current_state"]) == ("CANCELED", "WaitForHITPCallback")
    assert await handle.query("pending") == []
    assert await rig.trace(handle) == [*KEYED_BORN, *STEP, "WaitForHITPCallback"]
    with pytest.raises(WorkflowFailureError) as released:
        await rig.client.get_workflow_handle(claim_key("acme", order)).result()
    assert getattr(released.value.cause, "type", None) == "CLAIM_RELEASED"


async def test_in_a_segment_that_calls_the_outside_world(rig: Rig) -> None:
    """The node hears of it at its next heartbeat, and its result is not merged."""
    entered, ended = asyncio.Event(), asyncio.Event()
    loop, nap = asyncio.get_running_loop(), threading.Event()

    def work(_: object, __: object, context: Any) -> dict[str, Any]:
        loop.call_soon_threadsafe(entered.set)
        try:
            while True:
                context.heartbeat("still at it")
                nap.wait(0.05)
        finally:
            loop.call_soon_threadsafe(ended.set)

    rig.behaviours["work-long"] = work
    handle = await rig.start(chain(sets("a", x=1), probe("b", "work-long", heartbeat_seconds=1)))
    await entered.wait()
    await handle.cancel()
    await canceled(handle)
    await ended.wait()
    assert rig.types_of(handle.id) == ["STARTED", "ABORTED"]
    assert await rig.trace(handle) == [*BORN, *STEP, "CheckLoopLimit", "ExecuteSegment"]


async def test_while_a_model_is_waited_for(dev_server: str, tmp_path: Path) -> None:
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    class Silent:
        def dispatch(self, request: object) -> None:
            loop.call_soon_threadsafe(asked.set)

    async with start_rig(dev_server, tmp_path, dispatcher=Silent()) as rig:
        handle = await rig.start(chain(llm("a", "hm", **{"async": True})))
        await asked.wait()
        await handle.cancel()
        await canceled(handle)
        assert rig.types_of(handle.id) == ["STARTED", "ASYNC_LLM_PROCESSING", "ABORTED"]


@pytest.mark.parametrize("event_type", [EventType.STARTED, EventType.PAUSED_FOR_HITP])
async def test_while_an_event_is_published(dev_server: str, tmp_path: Path, event_type: EventType) -> None:
    """An event that goes wrong is passed over; a cancellation in the middle of it is not."""
    hold = Hold(event_type)
    async with start_rig(dev_server, tmp_path, sinks=[hold]) as rig:
        handle = await rig.start(PAUSING)
        await hold.entered.wait()
        await handle.cancel()
        hold.go_on.set()
        await canceled(handle)
        assert rig.types_of(handle.id)[-1] == "ABORTED"


async def test_before_the_first_step(rig: Rig) -> None:
    """There is no bag yet, and no claim."""
    handle = await rig.start(chain(sets("a", x=1), probe("b", "never")), idempotency_key=secrets.token_hex(6))
    await handle.cancel()
    await canceled(handle)


async def test_in_the_middle_of_a_quick_segment(rig: Rig) -> None:
    entered, go_on = rig.gate("quick")
    handle = await rig.start(chain(sets("a", x=1), probe("b", "quick", local=True), llm("c", "hi"), sets("d", z=1)))
    await entered.wait()
    await handle.cancel()
    go_on.set()
    await canceled(handle)
    assert "NotifyWorkflowCompleted" not in await rig.trace(handle)
    assert rig.types_of(handle.id)[-1] == "ABORTED"
