"""Branches, and runs between two forks, whose histories get long go on in new ones."""

from __future__ import annotations

from typing import Any

from tests.rig import EVENTS_A_RUN, Rig, asks, chain, events_of, forks, llm, run_ids, sets
from tests.workflows.states import BORN, BRANCH_BORN, BRANCH_END, BRANCH_NEXT, BRANCH_PAUSE, END, FORK, NEXT, STEP


def growth(number: int) -> dict[str, Any]:
    return {"said": f"{{{{said}}}}.{number}"}


def long_branch(rounds: int) -> list[dict[str, Any]]:
    """Quick segments and model calls by turns, each of which adds to what was said before."""
    return [
        llm(f"b{number}", "{{said}}") if number % 2 else sets(f"b{number}", **growth(number))
        for number in range(rounds)
    ]


async def test_a_long_branch_is_the_same_in_many_histories_as_in_one(rig: Rig, short: Rig) -> None:
    nodes = long_branch(30)
    document = forks(
        sets("a", said="0"),
        nodes,
        [sets("c", c=1), sets("c2", c2=1)],
        join=sets("z", z=1),
        edges=[asks("b19", "b20", output_key="answer")],
    )
    states: list[dict[str, Any]] = []
    for one in (rig, short):
        handle = await one.start(document)
        pause = await one.pause(handle)
        assert pause["pause_id"] == "1/B0:20-1"
        branch, _ = await one.branches(handle)
        runs = len(await run_ids(one, branch))
        await one.respond(handle, {"response": "go on"})
        output = await handle.result()
        ids = await run_ids(one, branch)
        assert (len(ids) > runs > 1) if one is short else (len(ids) == 1)
        for run_id in ids:
            events = await events_of(one.client.get_workflow_handle(branch.id, run_id=run_id))
            assert one is rig or len(events) < 1.5 * EVENTS_A_RUN
        latest = one.client.get_workflow_handle(branch.id)
        trace = [*BRANCH_BORN, *(BRANCH_NEXT * 19), *BRANCH_PAUSE, *(BRANCH_NEXT * 10), *BRANCH_END]
        assert await one.trace(latest) == trace
        assert output["pauses"] == 1
        state = one.user_state(output)
        assert state.pop("last_hitp_response")["token_id"] == "1/B0:20-1"
        states.append(state)
    assert states[0] == states[1]
    assert states[0]["said"] == ".".join(["0", *(str(number) for number in range(0, 30, 2))])


async def test_a_run_goes_on_in_a_new_history_between_two_forks(short: Rig) -> None:
    first = forks(sets("a", x=1), [sets("b", b=1), sets("b2", b2=1)], [llm("c")], join=sets("j", j=1))
    second = forks(sets("k", k=1), [llm("d")], [sets("e", e=1), sets("e2", e2="{{ok}}")], join=sets("z", z=1))
    middle = [llm(f"m{number}") for number in range(8)]
    between = chain(sets("j"), *middle, sets("k"))["edges"]
    document = {
        "nodes": [*first["nodes"], *middle, *second["nodes"]],
        "edges": [*first["edges"], *between, *second["edges"]],
    }
    asked = [asks("b", "b2"), asks("e", "e2", output_key="ok")]
    ends = {(edge["source"], edge["target"]): edge for edge in asked}
    document["edges"] = [ends.get((edge["source"], edge["target"]), edge) for edge in document["edges"]]
    handle = await short.start(document)
    pause = await short.pause(handle)
    await short.respond(handle, {"pause_id": pause["pause_id"]})
    second_pause = await short.pause(handle, times=2)
    assert (await short.refusal(handle, {"pause_id": pause["pause_id"]})).type == "PAUSE_ANSWERED"
    await short.respond(handle, {"pause_id": second_pause["pause_id"], "response": "fine"})
    output = await handle.result()
    assert len(await run_ids(short, handle)) > 1
    state = short.user_state(output)
    assert (state["b2"], state["e2"], state["z"], output["pauses"]) == (1, "fine", 1, 2)
    trace = [*BORN, *STEP, *NEXT, *FORK, *(NEXT * 2), *(NEXT * 8), *(NEXT * 2), *FORK, *(NEXT * 2), *END]
    assert await short.trace(short.client.get_workflow_handle(handle.id)) == trace
    assert output["loop_counter"] == trace.count("ExecuteSegment")
