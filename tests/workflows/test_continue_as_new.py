"""A run whose history gets long goes on in a new one, and nobody can tell but by the run id."""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio.client import WorkflowExecutionStatus, WorkflowHandle

from tests.rig import EVENTS_A_RUN, Document, Rig, asks, chain, events_of, llm, run_ids, sets
from tests.workflows.states import BORN, END, KEYED, NEXT, PAUSE, STEP
from workflows._claims import claim_key

Handle = WorkflowHandle[Any, Any]

NODES = 90
FIRST_PAUSE, BACK_TO, SECOND_PAUSE = 11, 50, 81
"""Nodes that come behind the first pause, behind a rejection at the second one, and behind an approval there."""
ROUNDS = NODES + SECOND_PAUSE - BACK_TO


def long_document() -> Document:
    """Quick segments and model calls by turns; each of them adds to what the ones before it made."""
    nodes = [
        llm(f"n{number}", "{{said}} and {{word}}") if number % 2 else sets(f"n{number}", word=number, **growth(number))
        for number in range(NODES)
    ]
    return chain(
        *nodes,
        edges=[
            asks(f"n{FIRST_PAUSE - 1}", f"n{FIRST_PAUSE}", output_key="first"),
            asks(f"n{SECOND_PAUSE - 1}", f"n{SECOND_PAUSE}", output_key="second", on_reject=f"n{BACK_TO}"),
        ],
    )


def growth(number: int) -> dict[str, str]:
    return {"said": f"{{{{said}}}}.{number}"}


async def attend(rig: Rig, document: Document) -> tuple[Handle, dict[str, Any], list[int]]:
    """Run to the end, with the answers of a person; also how many runs there were at each pause."""
    handle = await rig.start(document, initial_state={"said": "0"})
    runs: list[int] = []
    asked: list[str] = []
    for times, decision in enumerate(("APPROVED", "REJECTED", "APPROVED"), start=1):
        pause = await rig.pause(handle, times=times)
        runs.append(len(await run_ids(rig, handle)))
        for earlier in asked:
            refusal = await rig.refusal(handle, {"pause_id": earlier})
            assert refusal.type == "PAUSE_ANSWERED"
            assert f"it waits at {pause['pause_id']}" in refusal.message
        asked.append(pause["pause_id"])
        await rig.respond(handle, {"pause_id": pause["pause_id"], "decision": decision, "response": f"answer {times}"})
    return handle, await handle.result(), runs


def without_times(state: dict[str, Any]) -> dict[str, Any]:
    """A state without what the clock made of it."""
    answer = {name: value for name, value in state["last_hitp_response"].items() if name != "responded_at"}
    return {**state, "last_hitp_response": answer}


async def test_a_long_run_is_the_same_in_many_histories_as_in_one(rig: Rig, short: Rig) -> None:
    document = long_document()
    (plain, plain_output, plain_runs), (cut, output, cut_runs) = await asyncio.gather(
        attend(rig, document), attend(short, document)
    )
    assert plain_runs == [1, 1, 1]
    assert 1 < cut_runs[0] < cut_runs[1] < cut_runs[2]
    runs = await run_ids(short, cut)
    assert len(runs) > cut_runs[2]
    assert len(set(runs)) == len(runs)
    for run_id in runs:
        assert len(await events_of(short.client.get_workflow_handle(cut.id, run_id=run_id))) < 1.5 * EVENTS_A_RUN

    own = ("execution_id", "start_time", "final_state_s3_path")
    assert output["execution_id"] == cut.id
    assert {k: v for k, v in output.items() if k not in own} == {k: v for k, v in plain_output.items() if k not in own}
    assert (output["loop_counter"], output["pauses"]) == (ROUNDS, 3)

    state = short.user_state(output)
    assert without_times(state) == without_times(rig.user_state(plain_output))
    assert (state["first"], state["second"]) == ("answer 1", "answer 3")

    before, after = FIRST_PAUSE - 1, SECOND_PAUSE - FIRST_PAUSE
    trace = [*BORN, *STEP, *(NEXT * before), *PAUSE, *(NEXT * after), *PAUSE]
    trace += [*(NEXT * (SECOND_PAUSE - BACK_TO)), *PAUSE, *(NEXT * (NODES - SECOND_PAUSE)), *END]
    assert await short.trace(cut) == trace == await rig.trace(plain)

    assert short.types_of(cut.id) == rig.types_of(plain.id)
    assert [event.sequence for event in short.sink.of(cut.id)] == list(range(len(short.sink.of(cut.id))))


async def test_the_claim_on_a_key_outlives_the_first_history(short: Rig) -> None:
    document = chain(*(llm(f"n{number}") for number in range(14)), edges=[asks("n12", "n13")])
    given = {"idempotency_key": "order 7"}
    holder = await short.start(document, **given)
    await short.pause(holder)
    assert len(await run_ids(short, holder)) > 1
    during = await short.failure(await short.start(document, **given))
    assert during.type == "DuplicateExecution"
    assert (during.details[0]["code"], during.details[0]["execution_id"]) == ("DUPLICATE_EXECUTION", holder.id)
    claim = short.client.get_workflow_handle(claim_key("acme", "order 7"))
    assert (await claim.describe()).status is WorkflowExecutionStatus.RUNNING
    await short.respond(holder, {})
    output = await holder.result()
    assert (await claim.result())["status"] == "SUCCEEDED"
    again = await short.start(document, **given)
    assert await again.result() == {**output, "duplicate_of": holder.id}
    assert await short.trace(again) == [*KEYED, "SucceedDuplicateExecution"]


async def test_a_chain_that_fails_in_a_later_history_frees_its_key(short: Rig) -> None:
    last = {"id": "no", "type": "operator_official", "config": {"strategy": "assert", "params": {"condition": "1 > 2"}}}
    given = {"idempotency_key": "order 8"}
    holder = await short.start(chain(*(llm(f"n{number}") for number in range(12)), last), **given)
    assert (await short.failure(holder)).type == "WorkflowExecutionFailed"
    assert len(await run_ids(short, holder)) > 1
    again = await short.start(chain(sets("a", x=1)), **given)
    assert (await again.result())["execution_id"] == again.id


async def test_a_chain_that_is_terminated_in_a_later_history_frees_its_key(short: Rig) -> None:
    document = chain(*(llm(f"n{number}") for number in range(14)), edges=[asks("n12", "n13")])
    given = {"idempotency_key": "order 9"}
    holder = await short.start(document, **given)
    await short.pause(holder)
    assert len(await run_ids(short, holder)) > 1
    await holder.terminate()
    again = await short.start(chain(sets("a", x=1)), **given)
    assert (await again.result())["execution_id"] == again.id


async def test_each_history_commits_under_its_own_name(short: Rig) -> None:
    """Versions go on counting, and no run of the chain can meet another one's records."""
    handle = await short.start(chain(*(llm(f"n{number}") for number in range(24))))
    output = await handle.result()
    runs = await run_ids(short, handle)
    assert len(runs) > 2
    blobs = short.plugin.store.execution("acme", "review", handle.id)
    names = [sorted(blobs.list_records(f"commits/{run}/")) for run in runs]
    assert all(names)
    versions = [int(name.rpartition("/")[2]) for of_a_run in names for name in of_a_run]
    assert versions == list(range(1, 26))
    assert output["loop_counter"] == 24
