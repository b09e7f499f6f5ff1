"""Runs that are looked at all the time: they do the same, and what they did replays."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHandle
from temporalio.worker import Replayer

from statebag.blobs import BlobStore, LocalBackend, RetryPolicy
from statebag.testing import FaultyBackend
from tests.mapping import document_of
from tests.rig import DISTRIBUTED, MACHINE, Rig, asks, chain, llm, probe, sets, start_rig

ITEMS = 24
LOOKERS = 4
ANSWER_TIME = timedelta(seconds=20)


async def look(handle: WorkflowHandle[Any, Any], answered: set[str]) -> None:
    """Ask what is pending, and answer that, until all is answered."""
    while len(answered) < ITEMS:
        for pause in await handle.query("pending"):
            if pause["pause_id"] not in answered:
                answered.add(pause["pause_id"])
                await handle.execute_update("respond", {"pause_id": pause["pause_id"], "response": "yes"})


@pytest.mark.parametrize("machine", [MACHINE, DISTRIBUTED])
async def test_items_that_ask_all_at_once(rig: Rig, machine: str) -> None:
    document = document_of(
        sets("b", first="{{item}}"),
        sets("c", second="{{answer}}"),
        edges=[asks("b", "c", output_key="answer")],
        chunk_size=2,
        max_concurrency=4,
    )
    handle = await rig.start(document, machine=machine, initial_state={"xs": list(range(ITEMS))})
    answered: set[str] = set()
    await asyncio.gather(*(look(handle, answered) for _ in range(LOOKERS)))
    output = await handle.result()
    assert [result["second"] for result in rig.user_state(output)["out"]] == ["yes"] * ITEMS
    await Replayer(workflows=[], plugins=[rig.plugin]).replay_workflow(await handle.fetch_history())


async def test_a_run_is_seen_while_it_waits_for_a_store_that_is_away(dev_server: str, tmp_path: Path) -> None:
    backend = FaultyBackend(LocalBackend(tmp_path))
    store = BlobStore(backend, cache_bytes=0, retry=RetryPolicy(attempts=1))
    loop, tried = asyncio.get_running_loop(), asyncio.Event()
    async with start_rig(dev_server, tmp_path, store=store) as rig:
        with ExitStack() as away:

            def work(*_: Any) -> dict[str, Any]:
                if not tried.is_set():
                    away.enter_context(backend.outage())
                    loop.call_soon_threadsafe(tried.set)
                return {"large": "x" * 50_000}

            rig.behaviours["write"] = work
            handle = await rig.start(chain(sets("a", x=1), llm("b"), probe("c", "write", local=True), sets("d", y=1)))
            await tried.wait()
            assert await handle.query("current_state", rpc_timeout=ANSWER_TIME) == "ExecuteSegment"
        output = await handle.result()
        assert rig.user_state(output)["y"] == 1
