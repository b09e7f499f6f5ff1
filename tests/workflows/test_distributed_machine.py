"""The distributed machine: which way it takes, and that it ends as the standard one does."""

from __future__ import annotations

from typing import Any

import pytest

from statebag.events import EventType
from tests.mapping import kernel_of, mapping
from tests.rig import DISTRIBUTED, MACHINE, Rig, asks, chain, events_of, forks, group, llm, run_ids, same_bytes, sets
from tests.workflows.states import END, FAIL, NEXT, START, STEP

BORN = [*START, "InitializeStateBag", "SelectExecutionMode"]
PREPARE = ["PrepareDistributedExecution", "NotifyDistributedStarted", "CreatePreSnapshot", "ExecuteDistributedChunks"]
JOIN = ["AggregateDistributedResults", "EvaluateNextAction"]
PAUSE = ["WaitForCallback", "MergeCallbackResult", "EvaluateNextAction"]


async def test_a_small_document_goes_from_state_to_state(rig: Rig) -> None:
    document = chain(sets("a", a=1), llm("b"), sets("c", c=1), edges=[asks("b", "c")])
    handle = await rig.start(document, machine=DISTRIBUTED)
    await rig.pause(handle)
    await rig.respond(handle, {})
    await handle.result()
    small = [*BORN, "NotifyWorkflowStarted", *STEP, *NEXT, *PAUSE, *NEXT, *END]
    assert await rig.trace(handle) == small


async def test_a_map_in_a_small_document_is_prepared_kept_run_and_joined(rig: Rig) -> None:
    document = chain(sets("a", a=1), mapping(sets("s", twice="{{item}}")), sets("z", z=1))
    handle = await rig.start(document, machine=DISTRIBUTED, initial_state={"xs": list(range(30))})
    output = await handle.result()
    way = [*BORN, "NotifyWorkflowStarted", *STEP, *NEXT, *PREPARE, *JOIN, *NEXT, *END]
    assert await rig.trace(handle) == way
    (snapshot,) = kernel_of(rig, output).snapshots
    assert snapshot.endswith("/pre")
    started = await rig.sink.wait_for(handle.id, EventType.DISTRIBUTED_STARTED)
    assert started.detail["total_items"] == 30
    assert [result["twice"] for result in rig.user_state(output)["out"]] == list(range(30))


@pytest.mark.parametrize("asked", ["document", "state"])
async def test_a_document_that_asks_for_it_runs_in_stretches_between_pauses(rig: Rig, asked: str) -> None:
    document = chain(sets("a", a=1), llm("b"), sets("c", c=1), edges=[asks("b", "c")])
    state: dict[str, Any] = {}
    (document if asked == "document" else state)["distributed_mode"] = True
    handle = await rig.start(document, machine=DISTRIBUTED, initial_state=state)
    await rig.pause(handle)
    await rig.respond(handle, {})
    output = await handle.result()
    way = [*BORN, *PREPARE, *JOIN, *PAUSE, "CheckLoopLimit", *PREPARE, *JOIN, *END]
    assert await rig.trace(handle) == way
    kinds = [name.rsplit("/", 1)[1] for name in kernel_of(rig, output).snapshots]
    assert sorted(kinds) == ["post", "pre", "pre"]


async def test_over_300_segments_are_spread_and_give_what_the_standard_machine_gives(rig: Rig) -> None:
    branches = [
        [llm(f"l{at}_{step}", f"{{{{word}}}} {at} {step}", output_key=f"o{at}_{step}") for step in range(2)]
        for at in range(80)
    ]
    document = chain(sets("a", word="bee"), group("g", *branches), llm("m"), group("h", *branches[:75]), sets("z", z=1))
    states: list[Any] = []
    for machine in (MACHINE, DISTRIBUTED):
        handle = await rig.start(document, machine=machine)
        output = await handle.result()
        states.append(rig.user_state(output))
        children = await events_of(handle, "START_CHILD_WORKFLOW_EXECUTION_INITIATED")
        if machine is DISTRIBUTED:
            assert await rig.trace(handle) == [*BORN, *PREPARE, *JOIN, *END]
            names = {
                one.start_child_workflow_execution_initiated_event_attributes.workflow_type.name for one in children
            }
            assert names == {"ChunkWorkflow"}
            assert len(children) < 40
    assert same_bytes(*states)


async def test_branches_in_chunks_pause_for_people_and_fail_as_their_policy_says(rig: Rig) -> None:
    document = forks(
        sets("a", branch=1),
        *[
            [sets(f"b{at}", **{f"b{at}": 1}), sets(f"c{at}", **{f"c{at}": "{{last_hitp_response.value}}"})]
            for at in range(3)
        ],
        join=sets("z", z=1),
        edges=[asks(f"b{at}", f"c{at}") for at in range(3)],
        distributed_mode=True,
    )
    handle = await rig.start(document, machine=DISTRIBUTED)
    await rig.sink.wait_for(handle.id, EventType.PAUSED_FOR_HITP, times=3)
    pauses = await handle.query("pending")
    for pause in sorted(pauses, key=lambda one: one["pause_id"], reverse=True):
        decision = "REJECTED" if "B1" in pause["pause_id"] else "APPROVED"
        await rig.respond(handle, {"pause_id": pause["pause_id"], "decision": decision, "response": pause["pause_id"]})
    output = await handle.result()
    state = rig.user_state(output)
    assert output["failed_branches"] == 1
    assert (state["c0"], state["c2"], state["z"]) == ("1/B0:1-1", "1/B2:1-1", 1)
    assert "c1" not in state


async def test_a_long_stretch_goes_on_in_new_histories(short: Rig) -> None:
    document = chain(
        *(llm(f"l{number}", f"{number}", output_key=f"o{number}") for number in range(30)), distributed_mode=True
    )
    handle = await short.start(document, machine=DISTRIBUTED)
    output = await handle.result()
    assert len(await run_ids(short, handle)) > 2
    assert len([name for name in short.user_state(output) if name.startswith("o")]) == 30
    assert await short.trace(short.client.get_workflow_handle(handle.id)) == [*BORN, *PREPARE, *JOIN, *END]


async def test_what_fails_in_a_stretch_fails_the_run(rig: Rig) -> None:
    document = chain(
        sets("a", a=1), {"id": "m", "type": "operator", "config": {"code": "1 / 0"}}, distributed_mode=True
    )
    handle = await rig.start(document, machine=DISTRIBUTED)
    assert "CODE_FAILED" in (await rig.failure(handle)).message
    assert await rig.trace(handle) == [*BORN, *PREPARE, *JOIN, *FAIL]


async def test_a_stretch_keeps_to_the_loop_limit(rig: Rig) -> None:
    document = chain(*(llm(f"l{number}") for number in range(9)), distributed_mode=True, max_loop_iterations=4)
    handle = await rig.start(document, machine=DISTRIBUTED)
    assert "LOOP_LIMIT_EXCEEDED" in (await rig.failure(handle)).message
