"""People are asked by branches, too: through the run, each under an id of its own."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from statebag.app import Settings
from statebag.bag import Place
from statebag.events import EventType
from tests.rig import Document, Rig, asks, chain, events_of, forks, group, llm, probe, sets, worker_of
from tests.workflows.states import (
    BORN,
    BRANCH_BORN,
    BRANCH_BORN_WAITING,
    BRANCH_END,
    BRANCH_FAIL,
    BRANCH_NEXT,
    BRANCH_PAUSE,
    BRANCH_STEP,
    END,
    FORK,
    NEXT,
    STEP,
)

Handle = WorkflowHandle[Any, Any]
FORKED = [*BORN, *STEP, *NEXT, *FORK, *NEXT]


def asking(**metadata: Any) -> Document:
    """Two branches that each ask between two nodes."""
    return forks(
        sets("a", x=1),
        [sets("b", b=1), sets("b2", b2=1)],
        [sets("c", c=1), llm("c2"), sets("c3", c3=1)],
        join=sets("z", z=1),
        edges=[asks("b", "b2", output_key="said_b", **metadata), asks("c2", "c3", output_key="said_c", **metadata)],
    )


def failed_of(rig: Rig, output: Mapping[str, Any]) -> dict[str, str]:
    """Branch id to code of the branches that failed."""
    where = {"owner_id": "acme", "workflow_id": "review", "execution_id": output["execution_id"]}
    bag = rig.plugin.engine.read_bag(Place(**where, version=0, root=output["final_state_s3_path"]))
    failed = bag.kernel.failed_segments
    return {} if failed is None else {line["branch_id"]: line["error"]["code"] for line in failed["sample"]}


async def test_two_branches_wait_at_once_and_each_gets_its_own_answer(rig: Rig) -> None:
    handle = await rig.start(asking(prompt="Go on?", timeout_seconds=3600))
    first, second = await rig.pause_of(handle, "1/B0:1-1"), await rig.pause_of(handle, "1/B1:2-1")
    assert (first["segment"], second["segment"], first["prompt"]) == (1, 2, "Go on?")
    assert {pause["pause_id"] for pause in await handle.query("pending")} == {"1/B0:1-1", "1/B1:2-1"}
    progress = await handle.query("progress")
    assert (progress["status"], progress["current_state"]) == ("PAUSED_FOR_HITP", "ProcessParallelBranches")
    refusal = await rig.refusal(handle, {"response": "which?"})
    assert refusal.type == "PAUSE_AMBIGUOUS"
    assert set(refusal.details[0]["pending"]) == {"1/B0:1-1", "1/B1:2-1"}

    b, c = await rig.branches(handle)
    lengths = [len(await events_of(branch)) for branch in (b, c)]
    await rig.respond(handle, {"pause_id": "1/B1:2-1", "response": "c!", "responder": "ada"})
    await c.result()
    assert await rig.trace(c) == [*BRANCH_BORN, *(BRANCH_NEXT * 1), *BRANCH_PAUSE, *BRANCH_NEXT, *BRANCH_END]
    assert len(await events_of(b)) == lengths[0]
    assert [pause["pause_id"] for pause in await handle.query("pending")] == ["1/B0:1-1"]
    assert (await handle.query("progress"))["status"] == "PAUSED_FOR_HITP"
    again = await rig.refusal(handle, {"pause_id": "1/B1:2-1"})
    assert again.type == "PAUSE_ANSWERED"
    assert "it waits at 1/B0:1-1" in again.message

    await rig.respond(handle, {"response": "b!"})
    output = await handle.result()
    assert await rig.trace(handle) == [*FORKED, *NEXT, *END]
    assert output["pauses"] == 2
    state = rig.user_state(output)
    assert (state["said_b"], state["said_c"], state["b2"], state["c3"]) == ("b!", "c!", 1, 1)
    assert state["last_hitp_response"]["token_id"] == "1/B1:2-1"
    told = [(str(event.event_type), event.detail.get("pause_id")) for event in rig.sink.of(handle.id)]
    assert told[-3:] == [("RESUMED", "1/B1:2-1"), ("RESUMED", "1/B0:1-1"), ("COMPLETED", None)]
    assert {one for one in told if one[0] == "PAUSED_FOR_HITP"} == {
        ("PAUSED_FOR_HITP", "1/B0:1-1"),
        ("PAUSED_FOR_HITP", "1/B1:2-1"),
    }


async def test_the_run_says_running_when_nobody_is_waited_for(rig: Rig) -> None:
    entered, go_on = rig.gate("busy")
    document = forks(sets("a"), [sets("b"), sets("b2")], [probe("c", "busy")], join=sets("z"), edges=[asks("b", "b2")])
    handle = await rig.start(document)
    await rig.pause(handle)
    await entered.wait()
    assert (await handle.query("progress"))["status"] == "PAUSED_FOR_HITP"
    await rig.respond(handle, {})
    first, _ = await rig.branches(handle)
    await first.result()
    assert (await handle.query("progress"))["status"] == "RUNNING"
    go_on.set()
    await handle.result()


async def test_a_rejection_fails_its_branch_only(rig: Rig) -> None:
    handle = await rig.start(asking())
    await rig.pause_of(handle, "1/B0:1-1")
    await rig.pause_of(handle, "1/B1:2-1")
    await rig.respond(handle, {"pause_id": "1/B0:1-1", "decision": "REJECTED", "responder": "bob"})
    await rig.respond(handle, {"pause_id": "1/B1:2-1"})
    output = await handle.result()
    assert failed_of(rig, output) == {"B0": "HITP_REJECTED"}
    assert (output["status"], output["pauses"]) == ("SUCCEEDED", 2)
    state = rig.user_state(output)
    assert "b" not in state
    assert (state["c3"], state["z"]) == (1, 1)
    first, _ = await rig.branches(handle)
    assert await rig.trace(first) == [*BRANCH_BORN, *BRANCH_PAUSE, *BRANCH_FAIL]


async def test_a_rejection_goes_where_the_pause_says_inside_of_its_branch(rig: Rig) -> None:
    document = forks(
        sets("a"),
        [sets("b", drafts="{{drafts}}I"), sets("b2", done=True)],
        [sets("c")],
        edges=[asks("b", "b2", on_reject="b")],
    )
    handle = await rig.start(document, initial_state={"drafts": ""})
    for number in (1, 2, 3):
        pause = await rig.pause(handle, times=number)
        assert pause["pause_id"] == f"1/B0:1-{number}"
        await rig.respond(handle, {"decision": "REJECTED" if number < 3 else "APPROVED"})
    output = await handle.result()
    state = rig.user_state(output)
    assert (state["drafts"], state["done"], output["pauses"]) == ("III", True, 3)
    first, _ = await rig.branches(handle)
    again = [*BRANCH_PAUSE, *BRANCH_NEXT]
    assert await rig.trace(first) == [*BRANCH_BORN, *(again * 3), *BRANCH_END]


async def test_nobody_answers_in_time(skipping: WorkflowEnvironment, skipping_rig: Rig) -> None:
    rig = skipping_rig
    document = forks(
        sets("a", x=1),
        [sets("b"), sets("b2", b2=1)],
        [sets("c"), sets("c2", went="on"), sets("c3", went="late")],
        join=sets("z", z=1),
        edges=[asks("b", "b2"), asks("c", "c2", timeout_seconds=7200, on_timeout="c3")],
    )
    handle = await rig.start(document)
    await rig.pause_of(handle, "1/B0:1-1")
    await rig.pause_of(handle, "1/B1:1-1")
    await skipping.sleep(timedelta(hours=3))
    _, second = await rig.branches(handle)
    await second.result()
    assert [pause["pause_id"] for pause in await handle.query("pending")] == ["1/B0:1-1"]
    refusal = await rig.refusal(handle, {"pause_id": "1/B1:1-1"})
    assert refusal.type == "PAUSE_UNKNOWN"
    assert "its time ran out" in refusal.message
    await skipping.sleep(timedelta(hours=22))
    output = await handle.result()
    assert failed_of(rig, output) == {"B0": "HITP_TIMEOUT"}
    state = rig.user_state(output)
    assert (state["went"], state["z"], output["pauses"]) == ("late", 1, 2)
    assert "b2" not in state
    told = [(str(event.event_type), event.detail.get("pause_id")) for event in rig.sink.of(handle.id)]
    assert told[-3:] == [("HITP_TIMEOUT", "1/B1:1-1"), ("HITP_TIMEOUT", "1/B0:1-1"), ("COMPLETED", None)]


@pytest.mark.parametrize("how", ["terminate", "cancel"])
async def test_a_branch_that_is_ended_while_it_waits_asks_no_more(rig: Rig, how: str) -> None:
    entered, go_on = rig.gate(f"meanwhile-{how}")
    document = forks(
        sets("a"), [sets("b"), sets("b2")], [probe("c", f"meanwhile-{how}")], join=sets("z"), edges=[asks("b", "b2")]
    )
    handle = await rig.start(document)
    await rig.pause_of(handle, "1/B0:1-1")
    await entered.wait()
    first, _ = await rig.branches(handle)
    await (first.terminate("by hand") if how == "terminate" else first.cancel())
    while await handle.query("pending"):
        pass
    assert (await handle.query("progress"))["status"] == "RUNNING"
    refusal = await rig.refusal(handle, {"pause_id": "1/B0:1-1"})
    assert refusal.type == "PAUSE_UNKNOWN"
    assert "was over before this answer" in refusal.message
    assert "it is not waiting for anybody" in refusal.message
    go_on.set()
    output = await handle.result()
    assert failed_of(rig, output) == {"B0": "BRANCH_LOST"}
    assert rig.types_of(handle.id) == ["STARTED", "PAUSED_FOR_HITP", "COMPLETED"]


async def test_a_pause_on_the_edge_into_a_branch_and_on_the_edge_out_of_one(rig: Rig) -> None:
    document = forks(
        sets("a", x=1),
        [sets("b", b="{{said_in}}")],
        [sets("c", c=1)],
        join=sets("z", z="{{said_out}}"),
        edges=[asks("a", "b", output_key="said_in"), asks("c", "z", output_key="said_out")],
    )
    handle = await rig.start(document)
    into, out = await rig.pause_of(handle, "1/B0:0-1"), await rig.pause_of(handle, "1/B1:1-1")
    assert {into["segment"], out["segment"]} == {0, 1}
    first, second = await rig.branches(handle)
    assert await rig.trace(first) == [*BRANCH_BORN_WAITING, "WaitForHITPCallback"]
    assert (await first.query("progress"))["loop_counter"] == 0
    await rig.respond(handle, {"pause_id": "1/B0:0-1", "response": "in"})
    await rig.respond(handle, {"pause_id": "1/B1:1-1", "response": "out"})
    output = await handle.result()
    state = rig.user_state(output)
    assert (state["b"], state["c"], state["z"], output["pauses"]) == ("in", 1, "out", 2)
    assert await rig.trace(first) == [*BRANCH_BORN_WAITING, *BRANCH_PAUSE, *BRANCH_NEXT, *BRANCH_END]
    assert await rig.trace(second) == [*BRANCH_BORN, *BRANCH_PAUSE, *BRANCH_NEXT, *BRANCH_END]


async def test_a_pause_on_an_edge_that_leads_right_to_the_join(rig: Rig) -> None:
    """There is no node in that branch, and the other one runs meanwhile."""
    entered, go_on = rig.gate("other way", {"b": 1})
    document = forks(
        sets("a"), [probe("b", "other way")], [], join=sets("z", z="{{ok}}"), edges=[asks("a", "z", output_key="ok")]
    )
    handle = await rig.start(document)
    pause = await rig.pause(handle)
    await entered.wait()
    await rig.respond(handle, {"pause_id": pause["pause_id"], "response": "yes"})
    go_on.set()
    state = rig.user_state(await handle.result())
    assert (state["b"], state["z"]) == (1, "yes")


async def test_a_pause_before_the_first_node_of_the_only_branch(rig: Rig) -> None:
    """The branch runs in the run's own line, and asks there."""
    only = group("g", [{**sets("b", b=1), "hitp": True}, sets("b2", b2=1)])
    handle = await rig.start(chain(sets("a"), only, sets("z", z=1)))
    await rig.pause(handle)
    assert "b" not in rig.user_state(
        {"execution_id": handle.id, "final_state_s3_path": (await handle.query("progress"))["bag"]}
    )
    await rig.respond(handle, {})
    output = await handle.result()
    assert await rig.branches(handle) == []
    state = rig.user_state(output)
    assert (state["b"], state["b2"], state["z"], output["pauses"]) == (1, 1, 1, 1)


async def test_pauses_inside_of_groups_inside_of_branches(rig: Rig) -> None:
    deep = chain(sets("d", d=1), sets("d2", d2="{{said}}"), edges=[asks("d", "d2", output_key="said")])
    fan = group("fan", deep, [sets("e", e=1)])
    document = forks(sets("a"), [sets("b", b=1), fan], [sets("c", c=1)], join=sets("z", z=1))
    handle = await rig.start(document)
    pause = await rig.pause(handle)
    assert pause["pause_id"] == "1/B0/1/b0:1-1"
    outer, _ = await rig.branches(handle)
    inner, _ = await rig.branches(outer)
    assert await rig.trace(inner) == [*BRANCH_BORN, "WaitForHITPCallback"]
    await rig.respond(handle, {"response": "deep"})
    output = await handle.result()
    assert rig.user_state(output)["d2"] == "deep"
    assert output["pauses"] == 1


@pytest.mark.parametrize("how", ["inner", "outer"])
async def test_what_is_inside_of_a_branch_that_is_ended_asks_no_more(rig: Rig, how: str) -> None:
    entered, go_on = rig.gate(f"rest-{how}")
    deep = chain(sets("d"), sets("d2"), edges=[asks("d", "d2")])
    fan = group("fan", deep, [probe("e", f"rest-{how}")])
    other, go_on_too = rig.gate(f"more-{how}")
    handle = await rig.start(forks(sets("a"), [fan], [probe("c", f"more-{how}")], join=sets("z", z=1)))
    await rig.pause_of(handle, "1/B0/0/b0:1-1")
    await asyncio.gather(entered.wait(), other.wait())
    outer, _ = await rig.branches(handle)
    inner, _ = await rig.branches(outer)
    await (inner if how == "inner" else outer).terminate("by hand")
    while await handle.query("pending"):
        pass
    assert (await handle.query("progress"))["status"] == "RUNNING"
    go_on.set()
    go_on_too.set()
    output = await handle.result()
    assert failed_of(rig, output) == ({"B0": "BRANCH_LOST"} if how == "outer" else {})


async def test_an_answer_waits_for_a_worker(rig: Rig) -> None:
    settings = Settings(task_queue=f"queue-{secrets.token_hex(4)}")
    mine = replace(rig, task_queue=settings.task_queue)
    async with worker_of(mine, settings):
        handle = await mine.start(asking())
        await mine.pause_of(handle, "1/B0:1-1")
        await mine.pause_of(handle, "1/B1:2-1")
    answers = [
        asyncio.create_task(mine.respond(handle, {"pause_id": pause_id, "response": pause_id}))
        for pause_id in ("1/B0:1-1", "1/B1:2-1")
    ]
    done, _ = await asyncio.wait(answers, timeout=0.2)
    assert not done
    async with worker_of(mine, settings):
        await asyncio.gather(*answers)
        output = await handle.result()
    state = mine.user_state(output)
    assert (state["said_b"], state["said_c"]) == ("1/B0:1-1", "1/B1:2-1")


async def test_a_pause_of_a_fork_that_is_passed_again_has_another_id(rig: Rig) -> None:
    """Or an answer that is given twice would be taken for one to the next question."""
    again: dict[str, Any] = {"branches": [{"condition": "$.round < 3", "target": "a"}], "default_target": "end"}
    rig.behaviours["pass"] = lambda node, scope, context: {"round": scope.get("round", 0) + 1}
    document = forks(
        probe("a", "pass", local=True),
        [sets("b"), sets("b2", **{"said_{{round}}": 1})],
        [sets("c")],
        join={"id": "r", "type": "route_condition", "config": again},
        edges=[asks("b", "b2", output_key="said")],
    )
    document["nodes"].append(sets("end"))
    handle = await rig.start(document)
    asked: list[str] = []
    for number in (1, 2, 3):
        pause = await rig.pause(handle, times=number)
        for earlier in asked:
            assert (await rig.refusal(handle, {"pause_id": earlier})).type == "PAUSE_ANSWERED"
        asked.append(pause["pause_id"])
        await rig.respond(handle, {"pause_id": pause["pause_id"], "response": number})
    output = await handle.result()
    assert asked == ["1/B0:1-1", "1/B0:1-1.2", "1/B0:1-1.3"]
    state = rig.user_state(output)
    assert (state["said"], output["pauses"]) == (3, 3)
    assert state["last_hitp_response"]["token_id"] == "1/B0:1-1.3"


async def test_canceling_the_run_ends_all_pauses_without_a_word_of_a_time_out(rig: Rig) -> None:
    handle = await rig.start(asking())
    await rig.pause_of(handle, "1/B0:1-1")
    await rig.pause_of(handle, "1/B1:2-1")
    await handle.cancel()
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    assert rig.types_of(handle.id)[-1] == "ABORTED"
    assert EventType.HITP_TIMEOUT not in rig.types_of(handle.id)
    progress = await handle.query("progress")
    assert (progress["status"], await handle.query("pending")) == ("CANCELED", [])


async def test_questions_of_branches_that_are_not_there_are_passed_over(rig: Rig) -> None:
    """They may come late: a signal of a branch and the news of its end come on different ways."""
    entered, go_on = rig.gate("in flight")
    handle = await rig.start(forks(sets("a"), [probe("b", "in flight")], [sets("c")]))
    await entered.wait()
    while (await handle.query("progress"))["branches"]["done"] < 1:
        pass
    question = {"pause_id": "1/B0:9-9", "segment": 9, "spec": {}}
    for child in ("nobody", f"{handle.id}/3/1", f"{handle.id}/2/0", f"{handle.id}/3/00"):
        await handle.signal("branch_pause", args=[child, question])
    inside = f"{handle.id}/3/0/4/5"
    await handle.signal("branch_over", inside)
    for child in (inside, f"{inside}/2/0"):
        await handle.signal("branch_pause", args=[child, question])
    assert await handle.query("pending") == []
    assert (await handle.query("progress"))["status"] == "RUNNING"
    go_on.set()
    output = await handle.result()
    assert output["pauses"] == 0


async def test_an_answer_to_a_branch_that_is_gone_meanwhile_is_no_trouble(rig: Rig) -> None:
    entered, go_on = rig.gate("still in flight")
    handle = await rig.start(forks(sets("a"), [probe("b", "still in flight")], [sets("c")]))
    await entered.wait()
    gone = f"{handle.id}/3/0/4/5"
    await handle.signal("branch_pause", args=[gone, {"pause_id": "gone", "segment": 1, "spec": {}}])
    await rig.pause_of(handle, "gone")
    await rig.respond(handle, {"pause_id": "gone"})
    await rig.sink.wait_for(handle.id, EventType.RESUMED)
    go_on.set()
    output = await handle.result()
    assert output["status"] == "SUCCEEDED"
    assert len(await events_of(handle, "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED")) == 1


async def test_a_model_call_and_a_pause_in_one_branch(rig: Rig) -> None:
    think = llm("b", "hm", **{"async": True})
    document = forks(sets("a"), [think, sets("b2", b2=1)], [sets("c")], edges=[asks("b", "b2")])
    handle = await rig.start(document)
    await rig.pause(handle)
    await rig.respond(handle, {})
    output = await handle.result()
    first, _ = await rig.branches(handle)
    asked = ["HandleAsyncLLM", "WaitForAsyncLLMCallback", "MergeAsyncResult", "EvaluateBranchNext"]
    trace = [*BRANCH_BORN_WAITING, *BRANCH_STEP, *asked, *BRANCH_PAUSE, *BRANCH_NEXT, *BRANCH_END]
    assert await rig.trace(first) == trace
    assert rig.user_state(output)["b2"] == 1
