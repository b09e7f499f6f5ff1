"""Answers that can't be taken: refused with a code, and without a trace in history."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from tests.rig import Rig, asks, chain, events_of, probe, sets

SCHEMA = {"type": "object", "properties": {"amount": {"type": "number", "minimum": 1}}, "required": ["amount"]}


@pytest.fixture(scope="module")
async def waiting(rig: Rig) -> AsyncIterator[WorkflowHandle[Any, Any]]:
    """A run at a pause with a schema."""
    document = chain(sets("a", x=1), sets("b", y=1), edges=[asks("a", "b", schema=SCHEMA)])
    handle = await rig.start(document)
    await rig.pause(handle)
    await settled(handle)
    yield handle
    await handle.cancel()


async def settled(handle: WorkflowHandle[Any, Any]) -> int:
    """Length of the history once the run does nothing but wait."""
    while True:
        events = await events_of(handle)
        if events[-1].HasField("timer_started_event_attributes"):
            return len(events)


@pytest.mark.parametrize(
    ("answer", "code", "says"),
    [
        ({"pause_id": "9-9", "response": {"amount": 2}}, "PAUSE_UNKNOWN", "it waits at 1-1"),
        ({"pause_id": ["1-1"], "response": {"amount": 2}}, "PAUSE_UNKNOWN", "it waits at 1-1"),
        ({"decision": "MAYBE", "response": {"amount": 2}}, "RESPONSE_INVALID", "$.decision"),
        ({"response": {"amount": 0}}, "RESPONSE_INVALID", "$.response.amount"),
        ({"response": "much"}, "RESPONSE_INVALID", "$.response"),
        ({"decision": "APPROVED"}, "RESPONSE_INVALID", "$.response"),
        ({"response": {"amount": 2}, "responder": 7}, "RESPONSE_INVALID", "$.responder"),
        ({"response": {"amount": 2}, "respnder": "ada"}, "RESPONSE_INVALID", "$.respnder"),
        ("yes", "RESPONSE_INVALID", "not an object"),
        (None, "RESPONSE_INVALID", "not an object"),
    ],
)
async def test_a_wrong_answer_leaves_no_event(
    rig: Rig, waiting: WorkflowHandle[Any, Any], answer: Any, code: str, says: str
) -> None:
    before = await settled(waiting)
    refusal = await rig.refusal(waiting, answer)
    assert refusal.type == code
    assert refusal.details[0]["code"] == code
    assert says in refusal.message
    assert len(await events_of(waiting)) == before
    assert [pause["pause_id"] for pause in await waiting.query("pending")] == ["1-1"]


async def test_an_update_without_any_answer_is_refused_too(rig: Rig, waiting: WorkflowHandle[Any, Any]) -> None:
    before = await settled(waiting)
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await waiting.execute_update("respond")
    assert isinstance(refused.value.cause, ApplicationError)
    assert refused.value.cause.type == "RESPONSE_INVALID"
    assert len(await events_of(waiting)) == before


async def test_all_that_is_wrong_is_named(rig: Rig, waiting: WorkflowHandle[Any, Any]) -> None:
    refusal = await rig.refusal(waiting, {"decision": "MAYBE", "responder": 1, "response": {}})
    assert [problem["path"] for problem in refusal.details[0]["problems"]] == [
        "$.decision",
        "$.responder",
        "$.response",
    ]


async def test_an_option_that_was_not_offered_is_refused(rig: Rig) -> None:
    document = chain(sets("a", x=1), sets("b", y=1), edges=[asks("a", "b", options=["sign", "wait"])])
    handle = await rig.start(document)
    await rig.pause(handle)
    before = await settled(handle)
    refusal = await rig.refusal(handle, {"response": "burn"})
    assert (refusal.type, len(await events_of(handle))) == ("RESPONSE_INVALID", before)
    assert "sign, wait" in refusal.message
    await rig.respond(handle, {"response": "sign"})
    await handle.result()


async def test_a_second_answer_is_refused(rig: Rig) -> None:
    """Also while the run goes on, and is not waiting: the node behind the pause gives the second answer."""
    document = chain(
        sets("a", x=1), probe("b", "second-answer"), sets("c", z=1), edges=[asks("a", "b"), asks("b", "c")]
    )
    refusals: list[ApplicationError] = []
    entered, go_on = rig.gate("second-answer")
    handle = await rig.start(document)
    await rig.pause(handle)
    await rig.respond(handle, {"pause_id": "1-1"})
    await entered.wait()
    before = len(await events_of(handle))
    refusals.append(await rig.refusal(handle, {"pause_id": "1-1", "decision": "REJECTED"}))
    refusals.append(await rig.refusal(handle, {"decision": "REJECTED"}))
    assert len(await events_of(handle)) == before
    go_on.set()
    await rig.pause(handle, times=2)
    refusals.append(await rig.refusal(handle, {"pause_id": "1-1"}))
    assert [refusal.type for refusal in refusals] == ["PAUSE_ANSWERED", "PAUSE_UNKNOWN", "PAUSE_ANSWERED"]
    assert "it waits at 2-2" in refusals[-1].message
    await rig.respond(handle, {})
    assert rig.user_state(await handle.result())["last_hitp_response"]["decision"] == "APPROVED"


async def test_only_one_of_many_answers_at_the_same_time_is_taken(rig: Rig) -> None:
    import asyncio

    document = chain(sets("a", x=1), sets("b", y=1), edges=[asks("a", "b", output_key="winner")])
    handle = await rig.start(document)
    await rig.pause(handle)
    answers = [rig.respond(handle, {"pause_id": "1-1", "response": f"n{number}"}) for number in range(8)]
    results = await asyncio.gather(*answers, return_exceptions=True)
    taken = [number for number, result in enumerate(results) if isinstance(result, dict)]
    assert len(taken) == 1
    assert rig.user_state(await handle.result())["winner"] == f"n{taken[0]}"
    accepted = await events_of(handle, "WORKFLOW_EXECUTION_UPDATE_ACCEPTED")
    assert len(accepted) == 1
