"""A worker that dies with many calls under way: nothing is lost, and what had been answered is not asked again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from statebag.canonical import canonical_bytes
from tests.faults.counting import CountingServer, serve_counting
from tests.faults.site import Document, open_site

pytestmark = pytest.mark.slow

BRANCHES = 20
ITEMS = 200
AT_A_TIME = 8
KILLS = 3


def forking(url: str) -> Document:
    """A fork into branches that call, then set a field; the run notes when it began."""
    begun = {"id": "begun", "type": "operator_official", "config": {"strategy": "timestamp", "output_key": "begun"}}
    nodes: list[dict[str, Any]] = [begun]
    edges: list[dict[str, Any]] = []
    for index in range(BRANCHES):
        call = {"url": f"{url}/branch/{index}", "output_key": f"answer_{index}", "heartbeat_seconds": 1}
        sets = {f"path_{index}": f"{{{{answer_{index}.path}}}}", "collected_paths": [index]}
        nodes += [
            {"id": f"call_{index}", "type": "api_call", "config": call},
            {"id": f"set_{index}", "type": "operator", "config": {"sets": sets}},
        ]
        edges += [
            {"source": "begun", "target": f"call_{index}"},
            {"source": f"call_{index}", "target": f"set_{index}"},
            {"source": f"set_{index}", "target": "end"},
        ]
    nodes.append({"id": "end", "type": "operator", "config": {"sets": {"ended": True}}})
    return {"workflow_name": "Branches under way", "nodes": nodes, "edges": edges}


def repeating(url: str) -> Document:
    """One node that calls for each item of a list."""
    call = {"id": "call", "type": "api_call", "config": {"url": f"{url}/item/{{{{item}}}}", "output_key": "answer"}}
    config = {
        "input_list_key": "numbers",
        "sub_workflow": {"nodes": [call]},
        "max_concurrency": AT_A_TIME,
        "heartbeat_seconds": 1,
        "output_key": "answers",
    }
    nodes: list[dict[str, Any]] = [{"id": "each", "type": "for_each", "config": config}]
    return {"nodes": nodes, "edges": [], "initial_state": {"numbers": list(range(ITEMS))}}


def allowing(server: CountingServer) -> dict[str, str]:
    return {"STATEBAG_API_ALLOW": server.url.removeprefix("http://")}


async def finish(folder: Path, document: Document, server: CountingServer, *, kill: bool) -> dict[str, Any]:
    async with open_site(folder) as site:
        handle = await site.start(document, "under-way", mock=False)
        if kill:
            server.open.clear()
            async with site.worker(**allowing(server)) as worker:
                while server.due < BRANCHES:
                    await asyncio.sleep(0.01)
                worker.kill()
            server.open.set()
        async with site.worker(**allowing(server)):
            return site.outcome(await handle.result())


@pytest.mark.timeout(120)
async def test_a_worker_killed_with_twenty_branches_in_flight_changes_nothing(tmp_path: Path) -> None:
    with serve_counting(0.05) as server:
        document = forking(server.url)
        calm = await finish(tmp_path / "calm", document, server, kill=False)
        assert set(server.asked.values()) == {1}
        rough = await finish(tmp_path / "rough", document, server, kill=True)
    assert calm["state"]["collected_paths"] == list(range(BRANCHES))
    assert calm["state"]["path_19"] == "/branch/19"
    assert canonical_bytes(rough) == canonical_bytes(calm)
    assert set(server.asked.values()) == {3}  # one calm call, one that was killed, and its repeat


@pytest.mark.timeout(180)
async def test_calls_of_a_list_that_were_answered_are_not_made_again(tmp_path: Path) -> None:
    with serve_counting(0.05) as server:
        async with open_site(tmp_path) as site:
            handle = await site.start(repeating(server.url), "list", mock=False)
            for kill in range(KILLS):
                async with site.worker(**allowing(server)) as worker:
                    while len(server.asked) < (kill + 1) * ITEMS // (KILLS + 1) or not server.due:
                        await asyncio.sleep(0.005)
                    worker.kill()
            async with site.worker(**allowing(server)):
                result = await handle.result()
            state = site.plugin.engine.read_bag(site.place(result)).user.whole()
            events = [event async for event in handle.fetch_history_events()]
    assert [entry["answer"]["path"] for entry in state["answers"]] == [f"/item/{number}" for number in range(ITEMS)]
    assert len(server.asked) == ITEMS
    repeated = sum(server.asked.values()) - ITEMS
    assert 0 < repeated <= KILLS * AT_A_TIME
    assert len(events) < 30
