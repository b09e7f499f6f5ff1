"""A distributed map gives what a map in one go gives, for any number of items, and fails as its tolerance says."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from statebag.errors import NodeFailed, ProviderUnavailable, StoreUnavailable
from tests.mapping import document_of, kernel_of, mapping, parts_of
from tests.rig import Rig, chain, events_of, llm, probe, sets
from tests.workflows.states import BORN, END, MAP, NEXT, STEP


def failing(every: int) -> Any:
    """A node that fails for every so-manieth item."""

    def run(node: Any, scope: Any, context: Any) -> dict[str, Any]:
        if scope["item"] % every == 0:
            raise NodeFailed(f"item {scope['item']} is bad")
        return {"good": scope["item"]}

    return run


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 137, 1001])
async def test_the_results_are_those_of_a_map_in_one_go(rig: Rig, count: int) -> None:
    body = [sets("s", twice="{{item}}", of="{{item_index}}"), llm("say", "About {{x}} and {{word}}", output_key="said")]
    states: list[dict[str, Any]] = []
    items = [number * 3 for number in range(count)]
    for distributed in (True, False):
        node = mapping(*body, item_key="x", distributed=distributed)
        document = chain(node, sets("after", done=True))
        handle = await rig.start(document, initial_state={"xs": items, "word": "bees"})
        output = await handle.result()
        states.append(rig.user_state(output))
    spread, plain = states
    for name in ("iteration_token_details",):
        assert (plain.pop(name, None) is None) == (count == 0)
        assert name not in spread
    assert spread == plain
    assert spread["m_iteration_count"] == len(spread["out"]) == count
    assert [result["twice"] for result in spread["out"]] == items


async def test_a_map_is_a_segment_whose_history_does_not_have_the_items(rig: Rig) -> None:
    handle = await rig.start(document_of(sets("s", twice="{{item}}")), initial_state={"xs": ["long" * 50] * 400})
    output = await handle.result()
    assert await rig.trace(handle) == [*BORN, *STEP, *MAP, *NEXT, *END]
    started = await events_of(handle, "START_CHILD_WORKFLOW_EXECUTION_INITIATED")
    history = await handle.fetch_history()
    assert len(started) == 40
    assert max(event.ByteSize() for event in history.events[6:]) < 2_500
    summary = kernel_of(rig, output).distributed_chunk_summary
    assert summary is not None
    assert {name: summary[name] for name in ("total", "succeeded", "failed", "pending")} == {
        "total": 400,
        "succeeded": 400,
        "failed": 0,
        "pending": 0,
    }
    (entry,) = [one for one in kernel_of(rig, output).state_history.entries if one["type"] == "map"]
    assert (entry["name"], entry["total"], entry["status"]) == ("m", 400, "COMPLETED")


@pytest.mark.parametrize(
    ("count", "every", "config", "succeeds"),
    [
        (1000, 10, {}, True),
        (1000, 10, {"tolerated_failure_percentage": 9.99}, False),
        (500, 9, {"fail_fast": False}, False),
        (100, 50, {"tolerated_failure_count": 1}, False),
        (100, 50, {"tolerated_failure_count": 2}, True),
        (100, 2, {"tolerated_failure_count": 50}, True),
        (100, 2, {"tolerated_failure_percentage": 100, "minimum_successes": 50}, True),
        (100, 2, {"tolerated_failure_percentage": 100, "minimum_successes": 51}, False),
        (100, 101, {"tolerated_failure_percentage": 0}, False),
        (100, 2, {"on_error": "continue"}, True),
        (100, 101, {"on_error": "fail"}, False),
    ],
)
async def test_a_map_fails_by_exceeding_what_it_tolerates(
    rig: Rig, count: int, every: int, config: dict[str, Any], *, succeeds: bool
) -> None:
    name = f"failing-{every}"
    rig.behaviours[name] = failing(every)
    document = document_of(probe("p", name, local=True), **config)
    handle = await rig.start(document, initial_state={"xs": list(range(count))})
    bad = [number for number in range(count) if number % every == 0]
    if succeeds:
        output = await handle.result()
        assert output["failed_items"] == len(bad)
        state = rig.user_state(output)
        assert [index for index, result in enumerate(state["out"]) if "error" in result] == bad
        assert state["out"][bad[0]] == {
            "error": {"code": "NODE_FAILED", "message": f"node p (probe_local): item {bad[0]} is bad"}
        }
        kernel = kernel_of(rig, output)
    else:
        error = await rig.failure(handle)
        details = error.details[0]
        assert details["code"] == "TOLERANCE_EXCEEDED"
        assert "map `m`: " in error.message
        assert "item 0: NODE_FAILED" in error.message
        assert details["succeeded"] + details["failed"] + details["pending"] == count
        kernel = kernel_of(rig, details, handle.id)
    parts = parts_of(rig, kernel, handle.id)
    failed = [entry["item_index"] for entry in parts["FAILED"]]
    assert failed == (bad if succeeds else [number for number in bad if number in failed])
    assert failed
    if not config.get("fail_fast", True):
        assert failed == bad
        assert not parts["PENDING"]
    done = sum(entry["count"] - len(entry["failed_at"]) for entry in parts["SUCCEEDED"])
    assert done + len(failed) + sum(entry["count"] for entry in parts["PENDING"]) == count


async def test_a_list_that_is_none_fails_the_map_and_says_why(rig: Rig) -> None:
    for state, text in (({"xs": "abc"}, "is a text"), ({}, "leads nowhere")):
        handle = await rig.start(document_of(sets("s", a=1)), initial_state=state)
        error = await rig.failure(handle)
        assert error.details[0]["code"] == "NODE_FAILED"
        assert text in error.message
        assert "node `m`" in error.message


async def test_an_item_that_is_refused_for_now_is_tried_again_alone_and_others_are_not(rig: Rig) -> None:
    calls: list[int] = []

    def call(node: Any, scope: Any, context: Any) -> dict[str, Any]:
        calls.append(scope["item"])
        if scope["item"] == 7 and calls.count(7) < 3:
            raise ProviderUnavailable("not now", details={"retry_after_seconds": 0.01})
        if scope["item"] == 3:
            raise ProviderUnavailable("never", details={"retry_after_seconds": 0.01})
        return {"called": scope["item"]}

    rig.behaviours["refusing"] = call
    document = document_of(probe("p", "refusing", retry_config={"max_retries": 2, "base_delay": 0.01}), chunk_size=20)
    handle = await rig.start(document, initial_state={"xs": list(range(20))})
    output = await handle.result()
    assert output["failed_items"] == 1
    out = rig.user_state(output)["out"]
    assert out[3]["error"]["code"] == "LLM_UNAVAILABLE"
    assert out[7] == {"called": 7}
    assert {item: calls.count(item) for item in set(calls)} == {**dict.fromkeys(range(20), 1), 7: 3, 3: 3}


@pytest.mark.parametrize("strategy", ["MAP_REDUCE", "BATCHED", "SAFE"])
async def test_a_strategy_bounds_what_runs_at_the_same_time(rig: Rig, strategy: str) -> None:
    name = f"watched-{strategy}"
    going: set[int] = set()
    seen: list[set[int]] = []

    def call(node: Any, scope: Any, context: Any) -> dict[str, Any]:
        chunk = scope["item"] // 2
        going.add(chunk)
        seen.append(set(going))
        context.heartbeat(None)
        if scope["item"] % 2:
            going.discard(chunk)
        return {}

    rig.behaviours[name] = call
    document = document_of(probe("p", name), strategy=strategy, chunk_size=2, item_concurrency=1, max_concurrency=3)
    handle = await rig.start(document, initial_state={"xs": list(range(24))})
    await handle.result()
    most = max(len(chunks) for chunks in seen)
    assert most <= {"MAP_REDUCE": 3, "BATCHED": 3, "SAFE": 1}[strategy]
    if strategy == "BATCHED":
        batches = [{chunk // 3 for chunk in chunks} for chunks in seen]
        assert all(len(batch) == 1 for batch in batches)
    if strategy == "SAFE":
        assert [min(chunks) for chunks in seen] == sorted(min(chunks) for chunks in seen)


async def test_several_windows_give_the_same(rig: Rig) -> None:
    outs: list[Any] = []
    for windows in (1, 3):
        document = document_of(sets("s", twice="{{item}}"), windows=windows, chunk_size=5, max_concurrency=6)
        handle = await rig.start(document, initial_state={"xs": list(range(203))})
        output = await handle.result()
        outs.append(rig.user_state(output))
        children = await events_of(handle, "START_CHILD_WORKFLOW_EXECUTION_INITIATED")
        assert len(children) == (41 if windows == 1 else 3)
    assert outs[0] == outs[1]


async def test_a_map_inside_of_a_branch_and_behind_a_pause_runs_as_anywhere(rig: Rig) -> None:
    from tests.rig import asks, forks

    node = mapping(sets("s", twice="{{item}}"), chunk_size=3)
    document = forks(
        sets("a", a=1), [sets("b", b=1), node], [sets("c", c=1)], join=sets("z", z=1), edges=[asks("b", "m")]
    )
    handle = await rig.start(document, initial_state={"xs": list(range(10))})
    pause = await rig.pause(handle)
    await rig.respond(handle, {"pause_id": pause["pause_id"]})
    output = await handle.result()
    state = rig.user_state(output)
    assert [result["twice"] for result in state["out"]] == list(range(10))
    assert (state["c"], state["z"]) == (1, 1)


async def test_progress_tells_items_chunks_and_rate_while_a_map_runs(rig: Rig) -> None:
    entered, go_on = rig.gate("held")
    rig.behaviours["held-last"] = lambda node, scope, context: (
        rig.behaviours["held"](node, scope, context) if scope["item"] == 29 else {}
    )
    document = document_of(probe("p", "held-last"), chunk_size=10)
    handle = await rig.start(document, initial_state={"xs": list(range(30))})
    await entered.wait()
    while (shown := (await handle.query("progress"))["map"])["done"] < 20:
        await asyncio.sleep(0.02)
    assert {
        name: shown[name] for name in ("label", "kind", "total", "chunks", "chunks_done", "in_flight", "done", "failed")
    } == {
        "label": "m",
        "kind": "calls",
        "total": 30,
        "chunks": 3,
        "chunks_done": 2,
        "in_flight": 1,
        "done": 20,
        "failed": 0,
    }
    assert shown["items_per_second"] > 0
    assert shown["seconds_left"] >= 0
    go_on.set()
    await handle.result()
    assert "map" not in await handle.query("progress")


async def test_tries_that_the_store_has_cost_are_none_of_those_of_an_item(rig: Rig) -> None:
    calls: list[int] = []

    def call(node: Any, scope: Any, context: Any) -> dict[str, Any]:
        calls.append(context.attempt)
        if len(calls) < 3:
            raise StoreUnavailable("away", details={"retry_after_seconds": 0.01})
        if len(calls) == 3:
            raise ProviderUnavailable("not now", details={"retry_after_seconds": 0.01})
        return {"called": True}

    rig.behaviours["unlucky"] = call
    document = document_of(probe("p", "unlucky", retry_config={"max_retries": 1, "base_delay": 0.01}), on_error="fail")
    output = await (await rig.start(document, initial_state={"xs": [1]})).result()
    assert rig.user_state(output)["out"] == [{"called": True}]
    assert calls == [1, 2, 3, 4]
