"""The lifecycle events of each path through the machine, and sinks that fail."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowFailureError, WorkflowHandle

from statebag.events import EventType, LifecycleEvent, event_id_of
from tests.rig import Recorder, Rig, asks, chain, llm, probe, sets, start_rig

PAUSED = chain(sets("a", x=1), sets("b", y=1), edges=[asks("a", "b", prompt="Go on?")])


async def check(rig: Rig, handle: WorkflowHandle[Any, Any], expected: list[tuple[str, str]]) -> list[LifecycleEvent]:
    """Types and statuses; and that ids and numbers are the run's own, without a gap."""
    events = rig.sink.of(handle.id)
    assert [(str(event.event_type), event.status) for event in events] == expected
    assert [event.sequence for event in events] == list(range(len(expected)))
    run_id = (await handle.describe()).run_id
    assert [event.event_id for event in events] == [event_id_of(run_id, number) for number in range(len(expected))]
    assert {(event.execution_id, event.ownerId, event.workflowId) for event in events} == {
        (handle.id, "acme", "review")
    }
    times = [event.timestamp for event in events]
    assert times == sorted(times)
    return events


async def test_a_straight_run_starts_and_completes(rig: Rig) -> None:
    handle = await rig.start(chain(sets("a", x=1), llm("b", "hi"), sets("c", y=2)))
    output = await handle.result()
    started, completed = await check(rig, handle, [("STARTED", "RUNNING"), ("COMPLETED", "SUCCEEDED")])
    assert started.detail == {"total_segments": 3, "distributed_strategy": "SAFE"}
    assert completed.detail == {
        "final_state_s3_path": output["final_state_s3_path"]["key"],
        "total_segments": 3,
        "loop_counter": 3,
        "start_time": output["start_time"],
    }


async def test_a_pause_is_told_when_it_opens_and_when_it_is_answered(rig: Rig) -> None:
    handle = await rig.start(PAUSED)
    pause = await rig.pause(handle)
    await rig.respond(handle, {"response": "secret", "responder": "ada"})
    await handle.result()
    events = await check(
        rig,
        handle,
        [
            ("STARTED", "RUNNING"),
            ("PAUSED_FOR_HITP", "PAUSED_FOR_HITP"),
            ("RESUMED", "RUNNING"),
            ("COMPLETED", "SUCCEEDED"),
        ],
    )
    shown = {"pause_id": "1-1", "prompt": "Go on?", "expires_at": pause["expires_at"]}
    assert events[1].detail == {"segment_to_run": 1, **shown}
    assert events[2].detail == {"pause_id": "1-1", "decision": "APPROVED"}
    assert "secret" not in str([event.to_json() for event in events])


async def test_a_slow_model_is_told(rig: Rig) -> None:
    handle = await rig.start(chain(sets("a", x=1), llm("b", "hi", **{"async": True})))
    await handle.result()
    _, asked, _ = await check(
        rig,
        handle,
        [("STARTED", "RUNNING"), ("ASYNC_LLM_PROCESSING", "PAUSED_FOR_ASYNC_LLM"), ("COMPLETED", "SUCCEEDED")],
    )
    assert asked.detail == {"segment_to_run": 1}


async def test_a_failure_is_told_with_its_cause(rig: Rig) -> None:
    def fail(*_: object) -> dict[str, Any]:
        raise ValueError("no way")

    rig.behaviours["told-failure"] = fail
    handle = await rig.start(chain(sets("a", x=1), probe("b", "told-failure")))
    details = (await rig.failure(handle)).details[0]
    _, failed = await check(rig, handle, [("STARTED", "RUNNING"), ("FAILED", "FAILED")])
    assert (failed.detail["error_type"], failed.detail["error_message"]) == ("NODE_FAILED", details["message"])
    assert "no way" in details["message"]


@pytest.mark.parametrize("at", ["a pause", "a node outside"])
async def test_a_cancellation_is_told(rig: Rig, at: str) -> None:
    if at == "a pause":
        handle = await rig.start(PAUSED)
        await rig.pause(handle)
        before = [("STARTED", "RUNNING"), ("PAUSED_FOR_HITP", "PAUSED_FOR_HITP")]
        await handle.cancel()
    else:
        entered, go_on = rig.gate("canceled-node")
        handle = await rig.start(chain(sets("a", x=1), probe("b", "canceled-node", heartbeat_seconds=1)))
        await entered.wait()
        before = [("STARTED", "RUNNING")]
        await handle.cancel()
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    if at != "a pause":
        go_on.set()
    events = await check(rig, handle, [*before, ("ABORTED", "CANCELED")])
    assert events[-1].detail["state_s3_path"].startswith(f"acme/review/{handle.id}/")


class Broken:
    """Takes nothing, ever."""

    def __init__(self) -> None:
        self.tries: list[str] = []

    def send(self, event: LifecycleEvent) -> None:
        self.tries.append(event.event_id)
        raise ConnectionError("the bus is away")


class Stuck:
    """Hangs until it is let go."""

    def __init__(self) -> None:
        self.go_on = threading.Event()

    def send(self, event: LifecycleEvent) -> None:
        self.go_on.wait(30)


class Forgetful(Recorder):
    """Fails at the first try of each event."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def send(self, event: LifecycleEvent) -> None:
        if event.event_id not in self.seen:
            self.seen.add(event.event_id)
            raise ConnectionError("not yet")
        super().send(event)


@pytest.fixture
async def broken(dev_server: str, tmp_path: Path) -> AsyncIterator[tuple[Rig, Broken, Forgetful]]:
    broken, forgetful = Broken(), Forgetful()
    async with start_rig(dev_server, tmp_path, sinks=[broken, forgetful]) as rig:
        yield rig, broken, forgetful


async def test_a_sink_that_fails_neither_fails_nor_delays_the_run(broken: tuple[Rig, Broken, Forgetful]) -> None:
    rig, sink, forgetful = broken
    begun = time.monotonic()
    handle = await rig.start(PAUSED)
    await rig.pause(handle)
    await rig.respond(handle, {})
    assert (await handle.result())["status"] == "SUCCEEDED"
    # Waiting for all tries of each of its four events would take ten seconds.
    assert time.monotonic() - begun < 5
    expected = ["STARTED", "PAUSED_FOR_HITP", "RESUMED", "COMPLETED"]
    assert rig.types_of(handle.id) == expected
    assert [event.event_id for event in rig.sink.deliveries] == [event.event_id for event in rig.sink.of(handle.id)]
    await forgetful.wait_for(handle.id, EventType.COMPLETED)
    assert [str(event.event_type) for event in forgetful.of(handle.id)] == expected
    assert set(sink.tries) == {event.event_id for event in rig.sink.of(handle.id)}
    assert len(sink.tries) > len(expected)


async def test_a_sink_that_hangs_does_not_hold_the_run(dev_server: str, tmp_path: Path) -> None:
    stuck = Stuck()
    async with start_rig(dev_server, tmp_path, sinks=[stuck]) as rig:
        handle = await rig.start(chain(sets("a", x=1)))
        begun = time.monotonic()
        assert (await handle.result())["status"] == "SUCCEEDED"
        assert time.monotonic() - begun < 6
        assert rig.types_of(handle.id) == ["STARTED", "COMPLETED"]
        stuck.go_on.set()


async def test_no_event_has_anything_of_the_users_state(rig: Rig) -> None:
    handle = await rig.start(chain(sets("a", x="TOP-SECRET"), llm("b", "TOP-SECRET {{x}}")))
    await handle.result()
    assert "TOP-SECRET" not in str([event.to_json() for event in rig.sink.of(handle.id)])


async def test_a_second_run_of_the_same_id_has_event_ids_of_its_own(rig: Rig) -> None:
    """Otherwise consumers, which drop what they have seen, would never hear of it."""
    for _ in range(2):
        handle = await rig.start(chain(sets("a", x=1)), id="events-twice")
        await handle.result()
    assert rig.types_of("events-twice") == ["STARTED", "STARTED", "COMPLETED", "COMPLETED"]
