"""A run forks, and what its branches bring is joined in branch order, whichever of them is done first."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio.client import WorkflowHandle

from statebag.bag import Bag, Place, read_all
from statebag.nodes import NodeOutput
from tests.rig import Document, Rig, chain, events_of, forks, group, llm, probe, sets, start_rig
from tests.workflows.states import (
    BORN,
    BRANCH_BORN,
    BRANCH_BORN_WAITING,
    BRANCH_END,
    BRANCH_NEXT,
    BRANCH_STEP,
    END,
    FORK,
    NEXT,
    STEP,
)

Handle = WorkflowHandle[Any, Any]
FORKED = [*BORN, *STEP, *NEXT, *FORK, *NEXT]
"""A segment, a fork, and where its branches come together."""


def bag_of(rig: Rig, output: Mapping[str, Any]) -> Bag:
    """The bag at a run's end."""
    where = {"owner_id": "acme", "workflow_id": "review", "execution_id": output["execution_id"]}
    return rig.plugin.engine.read_bag(Place(**where, version=0, root=output["final_state_s3_path"]))


def history_of(rig: Rig, output: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """All history entries at a run's end."""
    blobs = rig.plugin.store.execution("acme", "review", output["execution_id"])
    return list(read_all(bag_of(rig, output).kernel.state_history, blobs))


def steps_of(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """The nodes that ran, by the history."""
    return [step.partition(":")[0] for entry in entries for step in entry.get("steps", ())]


def summary_of(rig: Rig, output: Mapping[str, Any]) -> Mapping[str, Any]:
    summary = bag_of(rig, output).kernel.distributed_chunk_summary
    assert summary is not None
    return summary


async def test_a_diamond(rig: Rig) -> None:
    document = forks(sets("a", x=1), [sets("b", b=1), llm("b2")], [llm("c"), sets("c2", c=2)], join=sets("d", z=1))
    handle = await rig.start(document)
    output = await handle.result()
    assert await rig.trace(handle) == [*FORKED, *NEXT, *END]
    assert (output["loop_counter"], output["total_segments"], output["pauses"]) == (4, 4, 0)
    quick, slow = await rig.branches(handle)
    assert await rig.trace(quick) == [*BRANCH_BORN, *BRANCH_NEXT, *BRANCH_END]
    assert await rig.trace(slow) == [*BRANCH_BORN_WAITING, *BRANCH_STEP, *BRANCH_NEXT, *BRANCH_END]
    state = rig.user_state(output)
    assert {name: state[name] for name in ("x", "b", "c", "z")} == {"x": 1, "b": 1, "c": 2, "z": 1}
    assert state["b2_output"] == state["c_output"] != ""
    assert rig.types_of(handle.id) == ["STARTED", "COMPLETED"]
    kernel = bag_of(rig, output).kernel
    assert (kernel.pending_branches, kernel.execution_batches, kernel.branch_policy) == ((), (), {})
    assert kernel.convergence_segment is None


async def test_a_run_may_end_in_branches(rig: Rig) -> None:
    handle = await rig.start(forks(sets("a", x=1), [sets("b", b=1)], [sets("c", c=1)]))
    output = await handle.result()
    assert await rig.trace(handle) == [*FORKED, *END]
    assert rig.user_state(output) == {"x": 1, "b": 1, "c": 1}


async def test_a_planned_group_forks_like_edges_do(rig: Rig) -> None:
    fan = group("fan", [sets("b", b=1), sets("b2", b2="{{x}}")], [sets("c", c=1)])
    handle = await rig.start(chain(sets("a", x=1), fan, sets("d", z="{{b2}}")))
    output = await handle.result()
    assert await rig.trace(handle) == [*FORKED, *NEXT, *END]
    assert rig.user_state(output) == {"x": 1, "b": 1, "b2": 1, "c": 1, "z": 1}
    assert [line["branch_id"] for line in summary_of(rig, output)["chunk_results"]] == ["b0", "b1"]


@pytest.fixture(scope="module")
async def frozen(dev_server: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A worker for which no time passes."""
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    async with start_rig(dev_server, tmp_path_factory.mktemp("frozen"), now=lambda: moment) as started:
        yield started


async def test_the_bag_is_the_same_to_the_byte_whichever_branch_is_done_first(frozen: Rig) -> None:
    rig, roots = frozen, list[Any]()
    document = forks(
        sets("a", collected_items=["a"], shared=0),
        [probe("b", "first"), sets("b2", b2=1)],
        [probe("c", "second"), llm("c2")],
        [probe("d", "third")],
        join=sets("e", z=1),
    )
    names = ("first", "second", "third")
    for order in ((0, 1, 2), (2, 1, 0), (1, 0, 2)):
        gates = [
            rig.gate(name, {"collected_items": ["a", name], "shared": number, name: "x" * 9_000})
            for number, name in enumerate(names)
        ]
        handle = await rig.start(document, id="diamond")
        await asyncio.gather(*(entered.wait() for entered, _ in gates))
        branches = await rig.branches(handle)
        for number in order:
            gates[number][1].set()
            await branches[number].result()
        output = await handle.result()
        roots.append(output["final_state_s3_path"])
        state = rig.user_state(output)
        assert (state["collected_items"], state["shared"]) == (["a", *names], 2)
        assert steps_of(history_of(rig, output)) == ["a", "b", "b2", "c", "c2", "d", "e"]
    assert roots[0] == roots[1] == roots[2]


async def test_what_travels_to_a_branch_and_back_does_not_grow_with_the_bag(rig: Rig) -> None:
    async def sizes(size: int) -> list[tuple[int, int]]:
        rig.behaviours[f"fork-{size}"] = lambda *_: {f"big_{n}": "x" * size for n in range(10)}
        rig.behaviours[f"grow-{size}"] = lambda node, *_: {f"{node.id}_{n}": "y" * size for n in range(5)}
        branches = [[probe(name, f"grow-{size}")] for name in ("b", "c")]
        handle = await rig.start(forks(probe("a", f"fork-{size}"), *branches), id=f"sized-{size:06}")
        await handle.result()
        given = await events_of(handle, "START_CHILD_WORKFLOW_EXECUTION_INITIATED")
        got = await events_of(handle, "CHILD_WORKFLOW_EXECUTION_COMPLETED")
        return [
            (
                one.start_child_workflow_execution_initiated_event_attributes.input.ByteSize(),
                other.child_workflow_execution_completed_event_attributes.result.ByteSize(),
            )
            for one, other in zip(given, got, strict=True)
        ]

    small, large = await sizes(10), await sizes(300_000)
    for (given, got), (given_large, got_large) in zip(small, large, strict=True):
        assert given < 600
        assert got < 500
        assert abs(given_large - given) < 20
        assert abs(got_large - got) < 20


async def test_lists_get_what_each_branch_added_once_and_in_branch_order(rig: Rig) -> None:
    def add(node: Any, scope: Any, context: Any) -> dict[str, Any]:
        names = ("collected_items", "found", "search_results")
        return {name: [*scope.get(name, []), node.id] for name in names}

    rig.behaviours["add"] = add
    policy = {"append_keys": ["fou*"]}
    source = {**sets("a", collected_items=["start"], found=["start"]), "type": "operator"}
    source["config"]["branch_policy"] = policy
    document = forks(source, [probe("b", "add"), probe("b2", "add")], [probe("c", "add", local=True)], join=sets("d"))
    state = rig.user_state(await (await rig.start(document)).result())
    assert state["collected_items"] == state["found"] == ["start", "b", "b2", "c"]
    assert state["search_results"] == ["b", "b2", "c"]


def differing(on_conflict: str | None) -> Document:
    """Three branches, two of which set ``shared`` differently, and all of which set ``same`` alike."""
    source = sets("a", shared="a", list=[1])
    if on_conflict is not None:
        source["config"]["branch_policy"] = {"on_conflict": on_conflict}
    return forks(
        source,
        [sets("b", shared="b", same=1, list=[1, 2])],
        [sets("c", same=1)],
        [sets("d", shared="d", same=1, list=[1, 3])],
    )


@pytest.mark.parametrize(
    ("policy", "kept", "by"), [(None, "d", "B2"), ("last_wins", "d", "B2"), ("keep_first", "b", "B0")]
)
async def test_fields_that_branches_set_differently(rig: Rig, policy: str | None, kept: str, by: str) -> None:
    output = await (await rig.start(differing(policy))).result()
    state = rig.user_state(output)
    assert (state["shared"], state["same"]) == (kept, 1)
    assert state["list"] == [1, 3 if kept == "d" else 2]
    summary = summary_of(rig, output)
    assert summary["conflicts"] == [
        {"field": name, "branches": ["B0", "B2"], "kept": by} for name in ("list", "shared")
    ]
    assert (summary["total"], summary["succeeded"], summary["failed"]) == (3, 3, 0)


async def test_a_conflict_may_end_the_run(rig: Rig) -> None:
    handle = await rig.start(differing("error"))
    failure = await rig.failure(handle)
    assert (failure.type, failure.details[0]["code"]) == ("WorkflowExecutionFailed", "AGGREGATION_FAILED")
    assert "shared (by B0, B2)" in failure.message
    assert rig.user_state({**failure.details[0], "execution_id": handle.id}) == {"shared": "a", "list": [1]}
    assert (await rig.trace(handle))[-3:] == ["AggregateParallelResults", "NotifyAndFail", "WorkflowFailed"]


async def test_what_a_branch_removes_is_gone(rig: Rig) -> None:
    rig.behaviours["unset"] = lambda node, *_: NodeOutput(changes={node.id: 1}, unset=("gone", node.config["also"]))
    document = forks(
        sets("a", gone=1, kept=1, changed=1),
        [probe("b", "unset", also="nothing")],
        [probe("c", "unset", also="changed", local=True)],
        [sets("d", changed=2)],
    )
    output = await (await rig.start(document)).result()
    assert rig.user_state(output) == {"kept": 1, "changed": 2, "b": 1, "c": 1}
    assert summary_of(rig, output)["conflicts"] == [{"field": "changed", "branches": ["B1", "B2"], "kept": "B2"}]


async def test_each_entry_of_a_branch_s_history_is_in_the_run_s_once_in_branch_order(rig: Rig) -> None:
    log = {"type": "note", "node_id": "?"}
    rig.behaviours["note"] = lambda node, *_: NodeOutput(logs=({**log, "node_id": node.id}, log))
    gates = [rig.gate(name) for name in ("early", "late")]
    document = forks(
        sets("a", x=1),
        [probe("b", "note"), probe("b2", "late"), probe("b3", "note", local=True)],
        [probe("c", "note"), probe("c2", "early"), probe("c3", "note")],
        join=probe("d", "note"),
    )
    handle = await rig.start(document)
    for entered, go_on in gates:
        await entered.wait()
        go_on.set()
    output = await handle.result()
    entries = history_of(rig, output)
    assert len({entry["log_id"] for entry in entries if "log_id" in entry}) == len(entries) - 1
    told = [(entry["type"], entry.get("node_id") or "".join(steps_of([entry]))) for entry in entries]
    assert told == [
        ("segment", "a"),
        ("fork", ""),
        *itertools.chain.from_iterable(
            ([("note", node), ("note", "?")] if notes else []) + [("segment", node)]
            for node, notes in (("b", 1), ("b2", 0), ("b3", 1), ("c", 1), ("c2", 0), ("c3", 1))
        ),
        ("segment", ""),
        ("note", "d"),
        ("note", "?"),
        ("segment", "d"),
    ]


def repeating(*branches: Sequence[Mapping[str, Any]], edges: Sequence[Mapping[str, Any]] = ()) -> Document:
    """A fork that is passed three times: behind its join the run goes back to the node before it."""
    again = {
        "id": "again",
        "type": "route_condition",
        "config": {"branches": [{"condition": "$.round < 3", "target": "a"}], "default_target": "end"},
    }
    document = forks(probe("a", "round", local=True), *branches, join=again, edges=edges)
    document["nodes"].append(sets("end", ended=True))
    return document


def count_round(node: Any, scope: Any, context: Any) -> dict[str, Any]:
    return {"round": scope.get("round", 0) + 1}


async def test_a_fork_that_is_passed_again_is_another_one(rig: Rig) -> None:
    """What its branches make by chance differs, and their history is no repeat of that of the first time."""
    rig.behaviours["round"] = count_round
    rig.behaviours["draw"] = lambda node, scope, context: {f"{node.id}_{scope['round']}": context.seed(node.id).hex()}
    fan = group("fan", [probe("c", "draw")], [probe("d", "draw", local=True)])
    handle = await rig.start(repeating([probe("b", "draw")], [fan]))
    output = await handle.result()
    state = rig.user_state(output)
    drawn = [state[f"{node}_{number}"] for node in "bcd" for number in (1, 2, 3)]
    assert len(set(drawn)) == 9
    assert state["ended"]
    assert steps_of(history_of(rig, output)) == [*(["a", "b", "c", "d", "again"] * 3), "end"]
    assert len(await rig.branches(handle)) == 6
    assert output["loop_counter"] == 3 * 4 + 1


async def test_progress_counts_the_branches(rig: Rig) -> None:
    gates = [rig.gate(name) for name in ("count-1", "count-2")]
    handle = await rig.start(forks(sets("a"), [probe("b", "count-1")], [probe("c", "count-2")], [sets("d")]))
    await asyncio.gather(*(entered.wait() for entered, _ in gates))
    first, second, third = await rig.branches(handle)
    await third.result()
    gates[0][1].set()
    await first.result()
    progress = await handle.query("progress")
    while progress["branches"]["done"] < 2:
        progress = await handle.query("progress")
    assert progress["branches"] == {"total": 3, "done": 2, "failed": 0}
    assert (progress["status"], progress["current_state"]) == ("RUNNING", "ProcessParallelBranches")
    assert progress["segment_to_run"] == 2
    own = await second.query("progress")
    assert (own["path"], own["branch_id"], own["branch_index"]) == ("1/B1", "B1", 1)
    assert (own["total_segments"], own["loop_counter"], own["current_state"]) == (1, 0, "ExecuteBranchSegment")
    gates[1][1].set()
    await handle.result()
    assert "branches" not in await handle.query("progress")


async def test_an_asynchronous_model_call_in_a_branch(rig: Rig) -> None:
    think = llm("think", "Think of {{word}}", **{"async": True, "output_key": "thought"})
    document = forks(sets("a", word="hi"), [think, sets("b", said="{{thought}}")], [sets("c", c=1)])
    handle = await rig.start(document)
    state = rig.user_state(await handle.result())
    assert state["said"] == state["thought"] != ""
    first, _ = await rig.branches(handle)
    asked = ["HandleAsyncLLM", "WaitForAsyncLLMCallback", "MergeAsyncResult", "EvaluateBranchNext"]
    assert await rig.trace(first) == [*BRANCH_BORN_WAITING, *BRANCH_STEP, *asked, *BRANCH_NEXT, *BRANCH_END]
    events = {str(event.event_type): event for event in rig.sink.of(handle.id)}
    assert sorted(events) == ["ASYNC_LLM_PROCESSING", "COMPLETED", "STARTED"]
    assert events["ASYNC_LLM_PROCESSING"].detail == {"branch": "1/B0", "segment_to_run": 0}
