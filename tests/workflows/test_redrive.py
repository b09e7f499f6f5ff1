"""An ended run is taken up where it stood: what has succeeded is not done again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from statebag.errors import NodeFailed
from tests.mapping import document_of, kernel_of, mapping, parts_of
from tests.rig import DISTRIBUTED, MACHINE, Rig, asks, chain, forks, probe, run_ids, sets


async def redrive(rig: Rig, handle: WorkflowHandle[Any, Any], *, restore: str | None = None) -> Any:
    """Take up the run, as the command does."""
    current = rig.client.get_workflow_handle(handle.id)
    described = await current.describe()
    body = {"ownerId": "acme", "workflowId": "review", "lineages": [described.run_id]}
    return await rig.client.start_workflow(
        described.workflow_type,
        {"$redrive": body | ({"restore": restore} if restore else {})},
        id=handle.id,
        task_queue=rig.task_queue,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )


async def ends_badly(handle: WorkflowHandle[Any, Any]) -> Any:
    with pytest.raises(WorkflowFailureError) as failed:
        await handle.result()
    return failed.value.cause


class Ledger:
    """What items did, and which of them are bad for now."""

    def __init__(self, bad: set[int]) -> None:
        self.bad = bad
        self.done: list[int] = []
        self.tried: list[int] = []

    def call(self, node: Any, scope: Any, context: Any) -> dict[str, Any]:
        item = scope["item"]
        self.tried.append(item)
        if item in self.bad:
            raise NodeFailed(f"{item} is bad")
        self.done.append(item)
        return {"applied": item}


@pytest.mark.parametrize("distributed", [False, True])
async def test_a_redriven_map_runs_what_failed_or_never_ran_and_nothing_else(rig: Rig, *, distributed: bool) -> None:
    ledger = Ledger({number for number in range(200) if number % 8 == 0})
    name = f"ledger-{distributed}"
    rig.behaviours[name] = ledger.call
    document = document_of(probe("p", name), chunk_size=10, max_concurrency=3)
    handle = await start(rig, document, distributed=distributed, xs=list(range(200)))
    error = await ends_badly(handle)
    assert "TOLERANCE_EXCEEDED" in error.message
    first = kernel_of(rig, error.details[0], handle.id)
    parts = parts_of(rig, first, handle.id)
    assert parts["PENDING"]
    done_before = list(ledger.done)
    ledger.bad, ledger.tried = {16}, []
    output = await (await redrive(rig, handle)).result()
    assert output["failed_items"] == 1
    assert not set(ledger.tried) & set(done_before)
    assert sorted(ledger.done) == [number for number in range(200) if number != 16]
    out = rig.user_state(output)["out"]
    assert [index for index, result in enumerate(out) if "error" in result] == [16]
    kernel = kernel_of(rig, output)
    assert kernel.distributed_chunk_summary is not None
    assert kernel.distributed_chunk_summary["rounds"] == 2
    (entry,) = [one for one in kernel.state_history.entries if one["type"] == "redrive"]
    assert entry["error"]["code"] == "TOLERANCE_EXCEEDED"


async def start(rig: Rig, document: Any, *, distributed: bool, **state: Any) -> WorkflowHandle[Any, Any]:
    return await rig.start(document, initial_state=state, machine=DISTRIBUTED if distributed else MACHINE)


async def test_a_redrive_at_the_same_time_or_once_more_is_one_redrive(rig: Rig) -> None:
    ledger = Ledger(set(range(0, 40, 2)))
    rig.behaviours["twice"] = ledger.call
    handle = await rig.start(document_of(probe("p", "twice"), chunk_size=10), initial_state={"xs": list(range(40))})
    await ends_badly(handle)
    ledger.bad = set()
    taken = await asyncio.gather(*(redrive(rig, handle) for _ in range(5)))
    outputs = await asyncio.gather(*(one.result() for one in taken))
    assert all(output == outputs[0] for output in outputs)
    assert sorted(ledger.done) == list(range(40))
    from temporalio.exceptions import WorkflowAlreadyStartedError

    with pytest.raises(WorkflowAlreadyStartedError):
        await redrive(rig, handle)
    assert sorted(ledger.done) == list(range(40))


async def test_a_canceled_run_is_taken_up_in_the_middle_of_its_map(rig: Rig) -> None:
    entered, go_on = rig.gate("cancel-gate")
    ledger = Ledger(set())

    def call(node: Any, scope: Any, context: Any) -> dict[str, Any]:
        if scope["item"] == 35 and not go_on.is_set():
            entered_soon()
            while not go_on.wait(0.05):
                context.heartbeat(None)
        return ledger.call(node, scope, context)

    loop = asyncio.get_running_loop()

    def entered_soon() -> None:
        loop.call_soon_threadsafe(entered.set)

    rig.behaviours["cancel-ledger"] = call
    document = document_of(probe("p", "cancel-ledger"), chunk_size=10, max_concurrency=2, item_concurrency=1)
    handle = await rig.start(document, initial_state={"xs": list(range(80))})
    await entered.wait()
    await handle.cancel()
    await ends_badly(handle)
    go_on.set()
    output = await (await redrive(rig, handle)).result()
    assert [result["applied"] for result in rig.user_state(output)["out"]] == list(range(80))
    assert sorted(ledger.done) == list(range(80))


async def test_a_terminated_run_is_taken_up_although_it_could_not_say_where_it_was(rig: Rig) -> None:
    entered, go_on = rig.gate("terminated")
    document = chain(sets("a", a=1), probe("p", "terminated"), probe("q", "second"), sets("z", z="{{b}}"))
    calls: list[str] = []
    rig.behaviours["second"] = lambda node, scope, context: calls.append("q") or {"b": 2}
    handle = await rig.start(document)
    await entered.wait()
    await handle.terminate("somebody's mistake")
    go_on.set()
    output = await (await redrive(rig, handle)).result()
    assert (rig.user_state(output)["z"], calls) == (2, ["q"])
    assert (await rig.trace(rig.client.get_workflow_handle(handle.id)))[:6] == [
        "CheckIdempotency",
        "InitializeStateBag",
        "NotifyWorkflowStarted",
        "EvaluateNextAction",
        "CheckLoopLimit",
        "ExecuteSegment",
    ]


async def test_a_failed_segment_is_run_again_and_nothing_before_it(rig: Rig) -> None:
    calls: list[str] = []
    bad = [True]

    def call(node: Any, scope: Any, context: Any) -> dict[str, Any]:
        calls.append(node.id)
        if node.id == "q" and bad:
            raise NodeFailed("not yet")
        return {node.id: len(calls)}

    rig.behaviours["counted"] = call
    document = chain(probe("p", "counted"), probe("q", "counted"), probe("r", "counted"))
    handle = await rig.start(document)
    await ends_badly(handle)
    await ends_badly(await redrive(rig, handle))
    bad.clear()
    output = await (await redrive(rig, handle)).result()
    assert calls == ["p", "q", "q", "q", "r"]
    assert rig.user_state(output) == {"p": 1, "q": 4, "r": 5}


async def test_a_rejected_pause_is_asked_again_and_a_failed_fork_is_run_again(rig: Rig) -> None:
    bad = [True]

    def call(node: Any, scope: Any, context: Any) -> dict[str, Any]:
        if bad:
            raise NodeFailed("not yet")
        return {node.id: 1}

    rig.behaviours["forked"] = call
    document = forks(
        sets("a", branch=1),
        [probe("b", "forked")],
        [probe("c", "forked")],
        join=sets("z", z=1),
    )
    document["nodes"].append(sets("end", end=1))
    document["edges"].append(asks("z", "end"))
    handle = await rig.start(document)
    await ends_badly(handle)
    bad.clear()
    again = await redrive(rig, handle)
    pause = await rig.pause(again)
    await rig.respond(again, {"pause_id": pause["pause_id"], "decision": "REJECTED"})
    assert "HITP_REJECTED" in (await ends_badly(again)).message
    last = await redrive(rig, handle)
    pause = await rig.pause(last, times=2)
    await rig.respond(last, {"pause_id": pause["pause_id"]})
    output = await last.result()
    state = rig.user_state(output)
    assert (state["b"], state["c"], state["z"], state["end"]) == (1, 1, 1, 1)


async def test_restoring_the_snapshot_before_a_map_does_all_of_it_again(rig: Rig) -> None:
    ledger = Ledger({0, 1, 2, 3})
    rig.behaviours["restored"] = ledger.call
    document = chain(sets("a", a=1), mapping(probe("p", "restored"), chunk_size=10), sets("z", z=1))
    handle = await start(rig, document, distributed=True, xs=list(range(20)))
    await ends_badly(handle)
    ledger.bad, ledger.tried = set(), []
    output = await (await redrive(rig, handle, restore="pre")).result()
    assert sorted(ledger.tried) == list(range(20))
    kernel = kernel_of(rig, output)
    assert kernel.restored_from is not None
    assert kernel.restored_from.endswith("/pre")
    assert [result["applied"] for result in rig.user_state(output)["out"]] == list(range(20))


async def test_a_run_without_a_bag_can_not_be_taken_up(rig: Rig) -> None:
    handle = await rig.start({"nodes": [], "edges": []})
    await ends_badly(handle)
    error = await ends_badly(await redrive(rig, handle))
    assert error.type == "InitializationFailed"
    assert "REDRIVE_REFUSED" in error.message
    assert len(await run_ids(rig, handle)) == 1
