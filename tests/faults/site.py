"""A server on a file, and workers in processes of their own that can be killed."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowHandle

from statebag.app import Settings, StateBagPlugin
from statebag.app.embedded import start_server
from statebag.app.progress import ask
from statebag.bag import Place, read_all

ROOT = Path(__file__).parent.parent.parent
OWNER, WORKFLOW = "acme", "faults"
Document = dict[str, Any]


def make_document(calls: int, *, ask_after: int | None = None) -> Document:
    """Model calls in a row between quick segments; the run notes an id and a time, and asks once if told so."""
    nodes: list[dict[str, Any]] = [
        {"id": "number", "type": "operator_official", "config": {"strategy": "uuid_generate", "output_key": "number"}},
        {"id": "begun", "type": "operator_official", "config": {"strategy": "timestamp", "output_key": "begun"}},
    ]
    for index in range(calls):
        config = {
            "prompt": f"Say {index} to {{{{number}}}}",
            "mock_response": f"{index} for {{{{number}}}}",
            "output_key": f"said_{index:03d}",
            "heartbeat_seconds": 1,
        }
        nodes.append({"id": f"say_{index}", "type": "llm_chat", "config": config})
        if index % 5 == 4:
            made = {"strategy": "hash_sha256", "input_key": f"said_{index:03d}", "output_key": f"hash_{index:03d}"}
            nodes.append({"id": f"hash_{index}", "type": "operator_official", "config": made})
    ids = [node["id"] for node in nodes]
    edges: list[dict[str, Any]] = [{"source": a, "target": b} for a, b in itertools.pairwise(ids)]
    if ask_after is not None:
        edge = next(edge for edge in edges if edge["source"] == f"say_{ask_after}")
        edge |= {"type": "hitp", "metadata": {"prompt": "Go on?", "output_key": "decided"}}
    return {"workflow_name": "Faults", "nodes": nodes, "edges": edges}


@dataclass(kw_only=True)
class Site:
    """One server's address, one store, and a client for both."""

    address: str
    folder: Path
    client: Client
    plugin: StateBagPlugin

    @property
    def environment(self) -> dict[str, str]:
        """Of workers and commands."""
        return {**os.environ, "TEMPORAL_ADDRESS": self.address, "STATEBAG_STORE": (self.folder / "store").as_uri()}

    async def start(
        self, document: Document, execution_id: str, *, mock: bool = True, machine: str = "WorkflowOrchestrator"
    ) -> WorkflowHandle[Any, Any]:
        given: dict[str, Any] = {"ownerId": OWNER, "workflowId": WORKFLOW, "workflow_config": document}
        given |= {"MOCK_MODE": "true"} if mock else {}
        # A task that dies with its worker is given to the next one when this time is over, and queries wait for it.
        patience = timedelta(seconds=2)
        return await self.client.start_workflow(
            machine, given, id=execution_id, task_queue="statebag", task_timeout=patience
        )

    @asynccontextmanager
    async def worker(
        self, *, command: Sequence[str] = ("worker.py",), **environment: str
    ) -> AsyncIterator[subprocess.Popen[bytes]]:
        """``python worker.py``, ready to work; ended gently if it still runs at the end."""
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=self.environment | environment,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
        assert process.stderr is not None
        reading: asyncio.Task[bytes] | None = None
        try:
            lines: list[bytes] = []
            while not re.search(rb"worker ready", (line := await asyncio.to_thread(process.stderr.readline))):
                lines.append(line)
                assert line, b"".join(lines).decode()
            reading = asyncio.create_task(asyncio.to_thread(process.stderr.read))
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
            await asyncio.to_thread(process.wait, 40)
            if reading is not None:
                await reading
            process.stderr.close()

    def place(self, result: Mapping[str, Any]) -> Place:
        """Where the bag is that a run's output names."""
        return Place(
            owner_id=OWNER,
            workflow_id=WORKFLOW,
            execution_id=result["execution_id"],
            version=0,
            root=result["final_state_s3_path"],
        )

    def outcome(self, result: Mapping[str, Any]) -> dict[str, Any]:
        """What a run left: the user's variables and the history, without the times that were recorded."""
        bag = self.plugin.engine.read_bag(self.place(result))
        blobs = self.plugin.store.execution(OWNER, WORKFLOW, result["execution_id"])
        state = bag.user.whole()
        assert state.pop("begun")
        answer = {key: value for key, value in state.pop("last_hitp_response", {}).items() if key != "responded_at"}
        history = [
            {key: value for key, value in entry.items() if key not in ("timestamp", "duration_ms")}
            for entry in read_all(bag.kernel.state_history, blobs)
        ]
        counters = {name: getattr(bag.control, name) for name in ("bag_version", "loop_counter", "segment_to_run")}
        return {"state": state, "answer": answer, "history": history, **counters}


@asynccontextmanager
async def open_site(folder: Path, *, port: int | None = None) -> AsyncIterator[Site]:
    """A server on the folder's file, and a client that waits for it; the same folder goes on where it was."""
    folder.mkdir(parents=True, exist_ok=True)
    arguments = ("--db-filename", str(folder / "temporal.db"), "--headless")
    async with start_server(port=port, arguments=arguments, lasting=True) as server:
        plugin = StateBagPlugin(Settings(store=(folder / "store").as_uri()))
        client = await Client.connect(server.address, plugins=[plugin])
        yield Site(address=server.address, folder=folder, client=client, plugin=plugin)


async def run_undisturbed(folder: Path, document: Document, execution_id: str, answer: Any = None) -> dict[str, Any]:
    """The outcome of the run on a server and in a store of its own, where nothing happens to it."""
    async with open_site(folder) as site, site.worker():
        handle = await site.start(document, execution_id)
        if answer is not None:
            await until_paused(handle)
            await handle.execute_update("respond", answer)
        return site.outcome(await handle.result())


async def until_paused(handle: WorkflowHandle[Any, Any]) -> None:
    while not await query(handle, "pending"):
        await asyncio.sleep(0.05)


async def query(handle: WorkflowHandle[Any, Any], name: str) -> Any:
    """A Query's answer, whenever a worker gives one: one that died in a workflow task keeps others from it for a while."""
    while (answer := await ask(handle, name)) is None:
        pass
    return answer
