"""Forks inside of branches, and groups of a single branch, which runs in its group's own line."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.rig import Rig, asks, chain, events_of, forks, group, llm, probe, sets
from tests.workflows.states import (
    BORN,
    BRANCH_BORN,
    BRANCH_END,
    BRANCH_FORK,
    BRANCH_NEXT,
    BRANCH_PAUSE,
    END,
    FORK,
    NEXT,
    PAUSE,
    STEP,
)


async def test_forks_two_deep(rig: Rig) -> None:
    def add(node: Any, scope: Any, context: Any) -> dict[str, Any]:
        return {"collected_items": [*scope.get("collected_items", []), node.id], f"own_{node.id}": scope["x"]}

    rig.behaviours["gather"] = add
    deepest = group("g3", [probe("e", "gather")], [probe("f", "gather", local=True)])
    middle = group("g2", [probe("c", "gather"), deepest], [probe("d", "gather")])
    document = forks(
        sets("a", x=1), [probe("b", "gather", local=True), middle], [probe("h", "gather")], join=sets("z", z=1)
    )
    handle = await rig.start(document)
    output = await handle.result()
    state = rig.user_state(output)
    assert state.pop("collected_items") == ["b", "c", "e", "f", "d", "h"]
    assert state == {"x": 1, "z": 1, **{f"own_{name}": 1 for name in "bcdefh"}}
    assert await rig.trace(handle) == [*BORN, *STEP, *NEXT, *FORK, *(NEXT * 2), *END]
    outer, plain = await rig.branches(handle)
    assert await rig.branches(plain) == []
    inner, _ = await rig.branches(outer)
    assert len(await rig.branches(inner)) == 2
    forked = [*BRANCH_NEXT, *BRANCH_FORK, *BRANCH_NEXT]
    assert await rig.trace(outer) == [*BRANCH_BORN, *forked, *BRANCH_END]
    assert (await outer.query("progress"))["path"] == "1/B0"
    assert (await inner.query("progress"))["path"] == "1/B0/1/b0"
    assert ((await (await rig.branches(inner))[1].query("progress"))["path"]) == "1/B0/1/B0/1/b1"
    assert output["loop_counter"] == 4


async def test_a_branch_may_begin_with_a_fork(rig: Rig) -> None:
    inner = group("g", [sets("b", b=1)], [sets("c", c=1)])
    handle = await rig.start(forks(sets("a"), [inner, sets("d", d=1)], [sets("e", e=1)]))
    assert rig.user_state(await handle.result()) == {"b": 1, "c": 1, "d": 1, "e": 1}
    outer, _ = await rig.branches(handle)
    assert await rig.trace(outer) == [*BRANCH_BORN, *BRANCH_FORK, *(BRANCH_NEXT * 2), *BRANCH_END]


async def test_what_fails_inside_is_counted_where_it_forked(rig: Rig) -> None:
    """A branch whose own fork fails is one failed branch of the fork outside; one that tolerates it is none."""
    bad = {"id": "no", "type": "operator_official", "config": {"strategy": "assert", "params": {"condition": "1 > 2"}}}
    strict = group("g", [bad], [sets("c", c=1)], branch_policy={"failure": "fail_on_any"})
    handle = await rig.start(forks(sets("a"), [strict], [sets("e", e=1)], join=sets("z", z=1)))
    assert rig.user_state(await handle.result()) == {"e": 1, "z": 1}
    outer, _ = await rig.branches(handle)
    failure = await rig.failure(outer)
    assert failure.details[0]["error_info"]["code"] == "AGGREGATION_FAILED"
    assert (await rig.trace(outer))[-3:] == ["AggregateParallelResults", "EvaluateBranchNext", "HandleBranchError"]

    lenient = group("g", [bad], [sets("c", c=1)])
    handle = await rig.start(forks(sets("a"), [lenient], [sets("e", e=1)], join=sets("z", z=1)))
    assert rig.user_state(await handle.result()) == {"c": 1, "e": 1, "z": 1}


async def test_a_single_branch_runs_in_the_run_s_own_line(rig: Rig) -> None:
    only = group("g", [sets("b", b=1), llm("b2"), sets("b3", b3="{{b}}")])
    handle = await rig.start(chain(sets("a", x=1), only, sets("z", z="{{b3}}")))
    output = await handle.result()
    state = rig.user_state(output)
    assert (state["b"], state["b3"], state["z"]) == (1, 1, 1)
    assert await rig.branches(handle) == []
    # The group itself, its three segments, where it ends, and what follows.
    assert await rig.trace(handle) == [*BORN, *STEP, *NEXT, *(NEXT * 3), *(NEXT * 2), *END]
    assert output["loop_counter"] == 7
    assert output["total_segments"] == 4


async def test_a_single_branch_inside_of_another_one_with_a_pause_inside(rig: Rig) -> None:
    inner = group("g2", chain(sets("c", c=1), sets("c2", c2="{{said}}"), edges=[asks("c", "c2", output_key="said")]))
    outer = group("g", [sets("b", b=1), inner, sets("b3", b3="{{c2}}")])
    handle = await rig.start(chain(sets("a", x=1), outer, sets("z", z="{{b3}}")))
    pause = await rig.pause(handle)
    assert pause["pause_id"] == "1-1"
    await rig.respond(handle, {"response": "yes"})
    output = await handle.result()
    state = rig.user_state(output)
    assert (state["c2"], state["b3"], state["z"]) == ("yes", "yes", "yes")
    assert await rig.branches(handle) == []
    assert await rig.trace(handle) == [*BORN, *STEP, *(NEXT * 4), *PAUSE, *(NEXT * 5), *END]


async def test_a_single_branch_inside_of_a_branch(rig: Rig) -> None:
    only = group("g", chain(sets("c", c=1), sets("c2", c2=1), edges=[asks("c", "c2")]))
    handle = await rig.start(forks(sets("a"), [sets("b", b=1), only, sets("d", d=1)], [sets("e", e=1)]))
    pause = await rig.pause(handle)
    await rig.respond(handle, {})
    assert pause["pause_id"] == "1/B0:1-1"
    assert rig.user_state(await handle.result())["d"] == 1
    first, _ = await rig.branches(handle)
    assert await rig.branches(first) == []
    trace = [*BRANCH_BORN, *(BRANCH_NEXT * 2), *BRANCH_PAUSE, *(BRANCH_NEXT * 3), *BRANCH_END]
    assert await rig.trace(first) == trace


async def test_a_fork_inside_of_a_single_branch(rig: Rig) -> None:
    inner = group("g2", [sets("c", c=1)], [llm("d"), sets("d2", d2=1)])
    handle = await rig.start(chain(sets("a"), group("g", [sets("b", b=1), inner, sets("b2", b2=1)]), sets("z", z=1)))
    state = rig.user_state(await handle.result())
    assert (state["b"], state["c"], state["d2"], state["b2"], state["z"]) == (1, 1, 1, 1, 1)
    assert len(await rig.branches(handle)) == 2
    assert await rig.trace(handle) == [*BORN, *STEP, *(NEXT * 3), *FORK, *(NEXT * 4), *END]


async def test_two_forks_side_by_side_fork_at_the_same_time(rig: Rig) -> None:
    """Four branches two deep are under way at once, in workflows of four names."""
    gates = [rig.gate(f"deep-{number}") for number in range(4)]
    groups = [
        group(f"g{side}", *([probe(f"p{side}{number}", f"deep-{2 * side + number}")] for number in range(2)))
        for side in range(2)
    ]
    handle = await rig.start(forks(sets("a"), *([one] for one in groups), join=sets("z", z=1)))
    await asyncio.gather(*(entered.wait() for entered, _ in gates))
    children = [child for branch in await rig.branches(handle) for child in await rig.branches(branch)]
    assert len({child.id for child in children}) == 4
    assert len(await events_of(handle, "CHILD_WORKFLOW_EXECUTION_STARTED")) == 2
    for _, go_on in gates:
        go_on.set()
    assert rig.user_state(await handle.result())["z"] == 1
