"""Chunks that end without a word are noticed and counted; a map hangs for none of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError
from temporalio.exceptions import CancelledError

import workflows._window
from tests.mapping import document_of, kernel_of, parts_of
from tests.rig import Rig, probe, run_ids


def held(rig: Rig, name: str, which: int) -> tuple[asyncio.Event, Any]:
    """A node that waits at one item, and does nothing at the others."""
    entered, go_on = rig.gate(f"{name}-gate")
    rig.behaviours[name] = lambda node, scope, context: (
        rig.behaviours[f"{name}-gate"](node, scope, context) if scope["item"] == which else {"ok": scope["item"]}
    )
    return entered, go_on


async def terminate(rig: Rig, child: str) -> None:
    await rig.client.get_workflow_handle(child).terminate("somebody's mistake")


async def cancel(rig: Rig, child: str) -> None:
    await rig.client.get_workflow_handle(child).cancel()


async def delete(rig: Rig, child: str) -> None:
    request = DeleteWorkflowExecutionRequest(
        namespace=rig.client.namespace, workflow_execution=WorkflowExecution(workflow_id=child)
    )
    await rig.client.workflow_service.delete_workflow_execution(request)


@pytest.mark.parametrize(
    ("end", "how"),
    [(terminate, "was terminated"), (cancel, "was cancelled"), (delete, "")],
    ids=["terminated", "cancelled", "deleted"],
)
async def test_a_chunk_that_is_ended_from_outside_counts_as_failed(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, end: Callable[[Rig, str], Any], how: str
) -> None:
    monkeypatch.setattr(workflows._window, "SILENCE_SECONDS", 0.5)
    entered, go_on = held(rig, f"lost-{how}", 17)
    document = document_of(probe("p", f"lost-{how}"), chunk_size=10, tolerated_failure_count=10)
    handle = await rig.start(document, initial_state={"xs": list(range(40))})
    await entered.wait()
    version = (await handle.query("progress"))["bag_version"]
    await end(rig, f"{handle.id}/{version}/1")
    output = await handle.result()
    go_on.set()
    assert output["failed_items"] == 10
    out = rig.user_state(output)["out"]
    assert [index for index, result in enumerate(out) if "error" in result] == list(range(10, 20))
    assert out[17]["error"]["code"] == "CHUNK_LOST"
    assert how in out[17]["error"]["message"]
    parts = parts_of(rig, kernel_of(rig, output), handle.id)
    assert [entry["item_index"] for entry in parts["FAILED"]] == list(range(10, 20))


async def test_a_chunk_that_takes_too_long_counts_as_failed(rig: Rig) -> None:
    _, go_on = held(rig, "slow", 3)
    document = document_of(probe("p", "slow"), chunk_size=5, chunk_timeout_seconds=0.7, tolerated_failure_count=5)
    output = await (await rig.start(document, initial_state={"xs": list(range(15))})).result()
    go_on.set()
    out = rig.user_state(output)["out"]
    assert [result.get("error", {}).get("code") for result in out] == ["CHUNK_LOST"] * 5 + [None] * 10
    assert "ran out of its time" in out[0]["error"]["message"]


async def test_a_map_that_can_not_succeed_any_more_ends_what_is_under_way(rig: Rig) -> None:
    _, go_on = rig.gate("never")

    def call(node: Any, scope: Any, context: Any) -> dict[str, Any]:
        if scope["item"] < 10:
            raise AssertionError("bad")
        if scope["item"] == 19:
            while True:
                context.heartbeat(None)
                if go_on.wait(0.05):
                    return {}
        return {}

    rig.behaviours["mixed"] = call
    document = document_of(probe("p", "mixed"), chunk_size=10, max_concurrency=2)
    handle = await rig.start(document, initial_state={"xs": list(range(60))})
    error = await rig.failure(handle)
    go_on.set()
    details = error.details[0]
    assert (details["code"], details["failed"]) == ("TOLERANCE_EXCEEDED", 10)
    assert details["pending"] >= 10
    version = 3
    for chunk in range(2):
        found = await rig.client.get_workflow_handle(f"{handle.id}/{version}/{chunk}").describe()
        assert found.status is not WorkflowExecutionStatus.RUNNING


async def test_cancelling_a_run_ends_its_chunks_first(rig: Rig) -> None:
    _, go_on = rig.gate("until-cancelled-gate")

    def call(node: Any, scope: Any, context: Any) -> dict[str, Any]:
        if scope["item"] == 25:
            rig.behaviours["mark"](node, scope, context)
            while not go_on.wait(0.05):
                context.heartbeat(None)
        return {}

    marked = asyncio.Event()
    loop = asyncio.get_running_loop()
    rig.behaviours["mark"] = lambda node, scope, context: loop.call_soon_threadsafe(marked.set) or {}
    rig.behaviours["until-cancelled"] = call
    document = document_of(probe("p", "until-cancelled"), chunk_size=10)
    handle = await rig.start(document, initial_state={"xs": list(range(30))})
    await marked.wait()
    version = (await handle.query("progress"))["bag_version"]
    await handle.cancel()
    with pytest.raises(WorkflowFailureError) as failed:
        await handle.result()
    go_on.set()
    assert isinstance(failed.value.cause, CancelledError)
    found = await rig.client.get_workflow_handle(f"{handle.id}/{version}/2").describe()
    assert found.status is WorkflowExecutionStatus.CANCELED


@pytest.mark.parametrize("lost", [False, True])
async def test_chunks_that_an_earlier_history_started_are_waited_for(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, *, lost: bool
) -> None:
    import workflows._maps

    monkeypatch.setattr(workflows._maps, "HISTORY_EVENTS", 60)
    name = f"adopted-{lost}"
    entered, go_on = held(rig, name, 17)
    document = document_of(probe("p", name), chunk_size=10, tolerated_failure_count=10, max_concurrency=4)
    handle = await rig.start(document, initial_state={"xs": list(range(400))})
    await entered.wait()
    current = rig.client.get_workflow_handle(handle.id)
    while len(await run_ids(rig, handle)) < 3:
        await asyncio.sleep(0.05)
    version = (await current.query("progress"))["bag_version"]
    if lost:
        await terminate(rig, f"{handle.id}/{version}/1")
    else:
        go_on.set()
    output = await handle.result()
    go_on.set()
    out = rig.user_state(output)["out"]
    bad = [index for index, result in enumerate(out) if "error" in result]
    assert bad == (list(range(10, 20)) if lost else [])
    assert [result["ok"] for result in out if "error" not in result and "ok" in result] == [
        number for number in range(400) if number not in bad and number != 17
    ]
    for run_id in await run_ids(rig, handle):
        history = await rig.client.get_workflow_handle(handle.id, run_id=run_id).fetch_history()
        assert len(history.events) < 200


async def test_a_run_that_is_cancelled_ends_chunks_of_an_earlier_history_too(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    import workflows._maps

    monkeypatch.setattr(workflows._maps, "HISTORY_EVENTS", 60)
    marked, loop, over = asyncio.Event(), asyncio.get_running_loop(), asyncio.Event()

    def call(node: Any, scope: Any, context: Any) -> dict[str, Any]:
        if scope["item"] == 3:
            loop.call_soon_threadsafe(marked.set)
            while not over.is_set():
                context.heartbeat(None)
        return {}

    rig.behaviours["old-chunk"] = call
    document = document_of(probe("p", "old-chunk"), chunk_size=10, max_concurrency=2)
    handle = await rig.start(document, initial_state={"xs": list(range(300))})
    await marked.wait()
    while len(await run_ids(rig, handle)) < 2:
        await asyncio.sleep(0.05)
    current = rig.client.get_workflow_handle(handle.id)
    version = (await current.query("progress"))["bag_version"]
    await current.cancel()
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    over.set()
    found = await rig.client.get_workflow_handle(f"{handle.id}/{version}/0").describe()
    assert found.status is WorkflowExecutionStatus.CANCELED
