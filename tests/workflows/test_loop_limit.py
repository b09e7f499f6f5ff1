"""A run that goes round and round ends at its limit."""

from __future__ import annotations

from tests.rig import Rig, asks, chain, llm, sets
from tests.workflows.states import BORN, END, NEXT, PAUSE, STEP

AGAIN = chain(
    llm("draft", "draft {{n}}"),
    sets("done", done=True),
    edges=[asks("draft", "done", on_reject="draft", prompt="good enough?")],
    max_loop_iterations=3,
)


async def test_the_segment_over_the_limit_is_not_executed(rig: Rig) -> None:
    handle = await rig.start(AGAIN)
    for times in (1, 2, 3):
        await rig.pause(handle, times=times)
        await rig.respond(handle, {"decision": "REJECTED"})
    failure = await rig.failure(handle)
    assert failure.type == "LoopLimitExceeded"
    details = failure.details[0]
    assert (details["code"], details["loop_counter"]) == ("LOOP_LIMIT_EXCEEDED", 3)
    assert "limit of each is 3" in details["message"]
    rounds = [*STEP, *PAUSE, *NEXT, *PAUSE, *NEXT, *PAUSE]
    assert await rig.trace(handle) == [*BORN, *rounds, "CheckLoopLimit", "FailLoopLimitExceeded"]
    event = rig.sink.of(handle.id)[-1]
    assert (str(event.event_type), event.detail["error_type"]) == ("FAILED", "LOOP_LIMIT_EXCEEDED")
    assert event.detail["state_s3_path"] == details["final_state_s3_path"]["key"]


async def test_a_run_of_exactly_the_limit_succeeds(rig: Rig) -> None:
    handle = await rig.start(AGAIN)
    for times, decision in ((1, "REJECTED"), (2, "APPROVED")):
        await rig.pause(handle, times=times)
        await rig.respond(handle, {"decision": decision})
    output = await handle.result()
    assert (output["loop_counter"], output["pauses"]) == (3, 2)
    assert await rig.trace(handle) == [*BORN, *STEP, *PAUSE, *NEXT, *PAUSE, *NEXT, *END]


async def test_pauses_without_a_segment_between_them_are_limited_too(rig: Rig) -> None:
    document = chain(
        sets("a", x=1),
        sets("b", y=1),
        edges=[asks("a", "b", on_reject="b", prompt="again?")],
        max_loop_iterations=2,
    )
    handle = await rig.start(document)
    for times in (1, 2):
        await rig.pause(handle, times=times)
        await rig.respond(handle, {"decision": "REJECTED"})
    failure = await rig.failure(handle)
    assert failure.type == "LoopLimitExceeded"
    assert await rig.trace(handle) == [*BORN, *STEP, *PAUSE, *PAUSE, "WaitForHITPCallback", "FailLoopLimitExceeded"]
