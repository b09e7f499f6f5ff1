"""A person is asked, and the answer decides where the run goes."""

from __future__ import annotations

from datetime import datetime, timedelta

from temporalio.client import WorkflowHandle

from tests.rig import Rig, asks, chain, events_of, llm, sets
from tests.workflows.states import BORN, END, FAIL, NEXT, PAUSE, STEP

SCHEMA = {"type": "object", "properties": {"amount": {"type": "number"}}, "required": ["amount"]}


def review(**metadata: object) -> dict[str, object]:
    document = chain(sets("a", x=1), sets("b", went="on"), edges=[asks("a", "b", **metadata)])
    return {**document, "nodes": [*document["nodes"], sets("c", went="back")]} if "on_reject" in metadata else document


async def test_the_run_waits_and_shows_what_it_asks(rig: Rig) -> None:
    handle = await rig.start(
        review(prompt="Go on?", options=["yes", "no"], timeout_seconds=3600, schema={"type": "string"})
    )
    pause = await rig.pause(handle)
    opened, expires = (datetime.fromisoformat(pause.pop(name)) for name in ("opened_at", "expires_at"))
    assert expires - opened == timedelta(hours=1)
    assert pause == {
        "pause_id": "1-1",
        "segment": 1,
        "prompt": "Go on?",
        "options": ["yes", "no"],
        "schema": {"type": "string"},
        "timeout_seconds": 3600.0,
    }
    progress = await handle.query("progress")
    assert (progress["status"], progress["current_state"]) == ("PAUSED_FOR_HITP", "WaitForHITPCallback")
    assert await rig.trace(handle) == [*BORN, *STEP, "WaitForHITPCallback"]
    (timer,) = await events_of(handle, "TIMER_STARTED")
    assert 3590 < timer.timer_started_event_attributes.start_to_fire_timeout.seconds <= 3600
    assert timer.user_metadata.summary.data == b'"pause 1-1"'
    await rig.respond(handle, {"response": "yes"})
    await handle.result()


async def test_an_approval_goes_on_and_leaves_the_answer_in_the_state(rig: Rig) -> None:
    handle = await rig.start(review(prompt="Go on?", output_key="verdict"))
    await rig.pause(handle)
    taken = await rig.respond(handle, {"pause_id": "1-1", "response": "fine by me", "responder": "ada"})
    assert (taken["pause_id"], taken["decision"]) == ("1-1", "APPROVED")
    output = await handle.result()
    assert (output["pauses"], output["hitp_segments"], output["loop_counter"]) == (1, 1, 2)
    assert await rig.trace(handle) == [*BORN, *STEP, *PAUSE, *NEXT, *END]
    state = rig.user_state(output)
    assert state["last_hitp_response"] == {
        "decision": "APPROVED",
        "token_id": "1-1",
        "responder": "ada",
        "responded_at": taken["responded_at"],
        "value": "fine by me",
    }
    assert state["verdict"] == "fine by me"
    assert state["messages"] == [{"role": "user", "content": "fine by me"}]
    assert state["went"] == "on"
    assert await handle.query("pending") == []


async def test_an_answer_of_null_is_an_answer(rig: Rig) -> None:
    handle = await rig.start(review(output_key="verdict"))
    await rig.pause(handle)
    await rig.respond(handle, {"decision": "ANSWER", "response": None})
    state = rig.user_state(await handle.result())
    assert state["verdict"] is None
    assert state["last_hitp_response"]["value"] is None


async def test_a_structured_answer_that_fits_the_schema_is_taken(rig: Rig) -> None:
    handle = await rig.start(review(schema=SCHEMA, output_key="verdict"))
    await rig.pause(handle)
    await rig.respond(handle, {"decision": "ANSWER", "response": {"amount": 12.5}})
    assert rig.user_state(await handle.result())["verdict"] == {"amount": 12.5}


async def test_a_rejection_goes_where_the_pause_says(rig: Rig) -> None:
    handle = await rig.start(review(on_reject="c"))
    await rig.pause(handle)
    await rig.respond(handle, {"decision": "REJECTED", "response": "no", "responder": "bob"})
    output = await handle.result()
    assert rig.user_state(output)["went"] == "back"
    assert output["loop_counter"] == 2
    assert await rig.trace(handle) == [*BORN, *STEP, *PAUSE, *NEXT, *END]


async def test_a_rejection_without_a_way_fails_the_run(rig: Rig) -> None:
    handle = await rig.start(review())
    await rig.pause(handle)
    await rig.respond(handle, {"decision": "REJECTED", "responder": "bob"})
    failure = await rig.failure(handle)
    assert failure.type == "WorkflowExecutionFailed"
    details = failure.details[0]
    assert details["code"] == "HITP_REJECTED"
    assert "bob rejected" in details["message"]
    assert await rig.trace(handle) == [*BORN, *STEP, *PAUSE, *FAIL]
    assert rig.user_state({**details, "execution_id": handle.id})["last_hitp_response"]["decision"] == "REJECTED"


async def test_each_pause_of_a_run_has_its_own_id_and_answer(rig: Rig) -> None:
    document = chain(
        sets("a", x=1),
        sets("b", y=1),
        llm("c", "hi"),
        edges=[asks("a", "b", output_key="one"), asks("b", "c", output_key="two")],
    )
    handle = await rig.start(document)
    first = await rig.pause(handle)
    await rig.respond(handle, {"pause_id": first["pause_id"], "response": "1"})
    second = await rig.pause(handle, times=2)
    await rig.respond(handle, {"pause_id": second["pause_id"], "response": "2"})
    output = await handle.result()
    assert (first["pause_id"], second["pause_id"]) == ("1-1", "2-2")
    state = rig.user_state(output)
    assert (state["one"], state["two"]) == ("1", "2")
    assert [message["content"] for message in state["messages"]] == ["1", "2"]
    assert rig.types_of(handle.id) == [
        "STARTED",
        "PAUSED_FOR_HITP",
        "RESUMED",
        "PAUSED_FOR_HITP",
        "RESUMED",
        "COMPLETED",
    ]


async def test_nothing_happens_while_it_waits(rig: Rig) -> None:
    handle = await rig.start(review())
    await rig.pause(handle)
    length = await waiting_length(handle)
    await handle.query("progress")
    await handle.query("pending")
    assert await waiting_length(handle) == length
    await handle.cancel()


async def waiting_length(handle: WorkflowHandle[object, object]) -> int:
    """Length of the history as soon as the step that opened the pause is complete."""
    while True:
        events = await events_of(handle)  # type: ignore[arg-type]
        if events[-1].HasField("timer_started_event_attributes"):
            return len(events)
