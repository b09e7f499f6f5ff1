"""A worker in a process of its own, hit by signals exactly in the middle of a node that a package brought."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import textwrap
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHandle

from statebag.bag import list_commits
from tests.faults.site import OWNER, WORKFLOW, Document, Site, open_site
from tests.rig import chain, events_of, sets

NODES = '''
import os, time
from pathlib import Path
from statebag.nodes import NodeOutput

FOLDER = Path(os.environ["GATES"])


class Gated:
    """Notes that it was entered, waits until its gate is open, and notes that it is done."""

    name = "gated"
    outside = True

    def check(self, node, path):
        return ()

    def reads(self, node):
        return frozenset()

    def run(self, node, scope, context):
        with (FOLDER / f"{node.id}.entered").open("a") as notes:
            notes.write(f"{os.getpid()}\\n")
        while not (FOLDER / f"{node.id}.open").exists():
            time.sleep(0.01)
        with (FOLDER / f"{node.id}.done").open("a") as notes:
            notes.write(f"{os.getpid()}\\n")
        return NodeOutput(changes={node.id: context.seed("mark").hex()})


class GatedHere(Gated):
    name = "gated_here"
    outside = False
'''
ENTRY_POINTS = """
[statebag.nodes]
gated = gated_nodes:Gated
gated_here = gated_nodes:GatedHere
"""


@dataclass(frozen=True, kw_only=True)
class Gates:
    """A package of node types, and the files by which a test and its nodes speak."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {"PYTHONPATH": str(self.folder), "GATES": str(self.folder)}

    def open(self, node: str) -> None:
        (self.folder / f"{node}.open").touch()

    async def notes(self, node: str, what: str, times: int) -> list[int]:
        """Processes that entered the node, or were done with it, once there are so many."""
        path = self.folder / f"{node}.{what}"
        while not path.exists() or len(path.read_text().splitlines()) < times:
            await asyncio.sleep(0.01)
        return [int(line) for line in path.read_text().splitlines()]


@pytest.fixture
def gates(tmp_path: Path) -> Gates:
    folder = tmp_path / "package"
    info = folder / "gated_nodes-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "gated_nodes.py").write_text(NODES)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: gated_nodes\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(textwrap.dedent(ENTRY_POINTS))
    return Gates(folder=folder)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path / "site") as opened:
        yield opened


async def start(site: Site, document: Document) -> WorkflowHandle[Any, Any]:
    """Start a run whose workflow tasks are given up soon: a worker that is dead is noticed by that."""
    given = {"ownerId": OWNER, "workflowId": WORKFLOW, "workflow_config": document}
    return await site.client.start_workflow(
        "WorkflowOrchestrator", given, id="hit", task_queue="statebag", task_timeout=timedelta(seconds=1)
    )


def document(kind: str) -> Document:
    gated = {"id": "b", "type": kind, "config": {"heartbeat_seconds": 1} if kind == "gated" else {}}
    return chain(sets("a", x=1), gated, sets("c", y=2))


async def attempts(handle: WorkflowHandle[Any, Any]) -> int:
    started = await events_of(handle, "ACTIVITY_TASK_STARTED")
    return started[-1].activity_task_started_event_attributes.attempt


@pytest.mark.parametrize("kind", ["gated", "gated_here"])
async def test_a_worker_killed_in_a_node_is_replaced(site: Site, gates: Gates, kind: str) -> None:
    """The segment is done once more, elsewhere, and gives what it would have given."""
    async with site.worker(**gates.environment) as first:
        handle = await start(site, document(kind))
        assert await gates.notes("b", "entered", 1) == [first.pid]
        first.kill()
    async with site.worker(**gates.environment) as second:
        assert await gates.notes("b", "entered", 2) == [first.pid, second.pid]
        gates.open("b")
        output = await handle.result()
        assert await gates.notes("b", "done", 1) == [second.pid]
    assert kind == "gated_here" or await attempts(handle) >= 2
    state = site.plugin.engine.read_bag(site.place(output)).user.whole()
    assert (state["x"], state["y"], len(state["b"])) == (1, 2, 64)


async def test_a_worker_told_to_stop_finishes_its_node(site: Site, gates: Gates) -> None:
    async with site.worker(**gates.environment) as worker:
        handle = await start(site, document("gated"))
        await gates.notes("b", "entered", 1)
        worker.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            await asyncio.to_thread(worker.wait, 0.5)
        gates.open("b")
        assert await asyncio.to_thread(worker.wait, 20) == 0
    assert await gates.notes("b", "done", 1) == [worker.pid]
    async with site.worker(**gates.environment):
        assert (await handle.result())["status"] == "SUCCEEDED"
    assert await attempts(handle) == 1


@pytest.mark.parametrize("kind", ["gated", "gated_here"])
async def test_a_worker_told_to_stop_leaves_a_node_that_does_not_end(site: Site, gates: Gates, kind: str) -> None:
    async with site.worker(**gates.environment, STATEBAG_GRACEFUL_SHUTDOWN_SECONDS="1") as worker:
        handle = await start(site, document(kind))
        await gates.notes("b", "entered", 1)
        worker.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(worker.wait, 15) == 0
    gates.open("b")
    async with site.worker(**gates.environment) as other:
        assert (await handle.result())["status"] == "SUCCEEDED"
        assert await gates.notes("b", "done", 1) == [other.pid]


async def test_a_worker_that_was_frozen_in_a_node_changes_nothing_when_it_wakes(site: Site, gates: Gates) -> None:
    """It was taken for dead; another one has done the segment. Its late result is the same one again."""
    async with site.worker(**gates.environment) as frozen:
        handle = await start(site, document("gated"))
        await gates.notes("b", "entered", 1)
        frozen.send_signal(signal.SIGSTOP)
        try:
            async with site.worker(**gates.environment) as other:
                assert await gates.notes("b", "entered", 2) == [frozen.pid, other.pid]
                gates.open("b")
                output = await handle.result()
                frozen.send_signal(signal.SIGCONT)
                done = await gates.notes("b", "done", 2)
                assert (done[0], set(done[1:])) == (other.pid, {frozen.pid})
        finally:
            frozen.send_signal(signal.SIGCONT)
    # The server may hand further attempts to the frozen worker, whose call for work is still open.
    assert await attempts(handle) >= 2
    run_id = (await handle.describe()).run_id
    commits = list_commits(site.plugin.store.execution(OWNER, WORKFLOW, "hit"), lineage=run_id)
    assert [(record["bag_version"], record["action"]) for record in commits] == [
        (1, "init"),
        (2, "sync"),
        (3, "sync"),
        (4, "sync"),
    ]
    assert site.plugin.engine.read_bag(site.place(output)).control.loop_counter == 3
