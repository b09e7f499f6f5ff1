"""Nobody answers: hours and days pass on a server that skips time."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

from temporalio.testing import WorkflowEnvironment

from statebag.events import EventType
from tests.rig import Hold, Rig, asks, chain, sets, start_rig
from tests.workflows.states import BORN, END, FAIL, NEXT, PAUSE, STEP


async def test_after_a_day_without_an_answer_the_run_fails(skipping: WorkflowEnvironment, skipping_rig: Rig) -> None:
    rig = skipping_rig
    handle = await rig.start(chain(sets("a", x=1), sets("b", y=1), edges=[asks("a", "b", prompt="Go on?")]))
    pause = await rig.pause(handle)
    opened, expires = (datetime.fromisoformat(pause[name]) for name in ("opened_at", "expires_at"))
    assert expires - opened == timedelta(hours=24)
    await skipping.sleep(timedelta(hours=23, minutes=59))
    assert await handle.query("current_state") == "WaitForHITPCallback"
    await skipping.sleep(timedelta(minutes=2))
    failure = await rig.failure(handle)
    assert failure.type == "WorkflowExecutionFailed"
    assert failure.details[0]["code"] == "HITP_TIMEOUT"
    assert "86400 s" in failure.details[0]["message"]
    assert await rig.trace(handle) == [*BORN, *STEP, *PAUSE, *FAIL]
    assert rig.types_of(handle.id) == ["STARTED", "PAUSED_FOR_HITP", "HITP_TIMEOUT", "FAILED"]
    fired = datetime.fromisoformat(rig.sink.of(handle.id)[2].timestamp)
    assert timedelta(0) <= fired - expires < timedelta(minutes=2)


async def test_a_time_out_goes_where_the_pause_says(skipping: WorkflowEnvironment, skipping_rig: Rig) -> None:
    rig = skipping_rig
    document = chain(sets("a", x=1), sets("b", went="on"), edges=[asks("a", "b", timeout_seconds=90, on_timeout="c")])
    document["nodes"].append(sets("c", went="late"))
    handle = await rig.start(document)
    await rig.pause(handle)
    await skipping.sleep(91)
    output = await handle.result()
    assert rig.user_state(output)["went"] == "late"
    assert "last_hitp_response" not in rig.user_state(output)
    assert await rig.trace(handle) == [*BORN, *STEP, *PAUSE, *NEXT, *END]
    assert rig.types_of(handle.id) == ["STARTED", "PAUSED_FOR_HITP", "HITP_TIMEOUT", "COMPLETED"]


async def test_an_answer_that_comes_too_late_is_refused(skipping: WorkflowEnvironment, skipping_rig: Rig) -> None:
    """Also while the run is still telling that the time is over: what is accepted counts, so this is not accepted."""
    rig = skipping_rig
    document = chain(
        sets("a", x=1),
        sets("b", went="on"),
        edges=[asks("a", "b", timeout_seconds=60, on_timeout="c")],
    )
    document["nodes"] += [sets("c", went="late"), sets("d", z=1)]
    document["edges"].append(asks("c", "d"))
    handle = await rig.start(document)
    await rig.pause(handle)
    await skipping.sleep(61)
    second = await rig.pause(handle, times=2)
    refusal = await rig.refusal(handle, {"pause_id": "1-1", "response": "yes"})
    assert refusal.type == "PAUSE_UNKNOWN"
    assert "its time ran out" in refusal.message
    await rig.respond(handle, {"pause_id": second["pause_id"]})
    output = await handle.result()
    assert rig.user_state(output)["went"] == "late"


async def test_time_spent_on_telling_counts(skipping: WorkflowEnvironment, skipping_rig: Rig) -> None:
    rig = skipping_rig
    document = chain(sets("a", x=1), sets("b", y=1), edges=[asks("a", "b", timeout_seconds=0.001)])
    handle = await rig.start(document)
    assert (await rig.failure(handle)).details[0]["code"] == "HITP_TIMEOUT"


async def test_an_answer_while_the_time_out_is_told_is_refused(dev_server: str, tmp_path: Path) -> None:
    hold = Hold(EventType.HITP_TIMEOUT)
    document = chain(sets("a", x=1), sets("b", went="on"), edges=[asks("a", "b", timeout_seconds=0.2, on_timeout="c")])
    document["nodes"] += [sets("c", went="late"), sets("d", z=1)]
    document["edges"].append(asks("c", "d"))
    async with start_rig(dev_server, tmp_path, sinks=[hold]) as rig:
        handle = await rig.start(document)
        await hold.entered.wait()
        answering = asyncio.create_task(rig.refusal(handle, {"pause_id": "1-1", "response": "yes"}))
        hold.go_on.set()
        assert (await answering).type == "PAUSE_UNKNOWN"
        await rig.pause(handle, times=2)
        await rig.respond(handle, {})
        assert rig.user_state(await handle.result())["went"] == "late"


async def test_an_answer_while_the_pause_is_told_counts(dev_server: str, tmp_path: Path) -> None:
    """It is taken as soon as the pause is open, before the event is out."""
    hold = Hold(EventType.PAUSED_FOR_HITP)
    document = chain(sets("a", x=1), sets("b", y=1), edges=[asks("a", "b", output_key="said")])
    async with start_rig(dev_server, tmp_path, sinks=[hold]) as rig:
        handle = await rig.start(document)
        await hold.entered.wait()
        answering = asyncio.create_task(rig.respond(handle, {"pause_id": "1-1", "response": "early"}))
        hold.go_on.set()
        assert (await answering)["pause_id"] == "1-1"
        assert rig.user_state(await handle.result())["said"] == "early"
        assert rig.types_of(handle.id) == ["STARTED", "PAUSED_FOR_HITP", "RESUMED", "COMPLETED"]
