"""``make run``: two workflows on a real Temporal server, one that asks you and one whose worker is killed."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowHandle

from statebag.app import Settings, StateBagPlugin
from statebag.app.embedded import start_server
from statebag.bag import Place

ROOT = Path(__file__).parent.parent
LETTERS = 24
KILL_AT = 9


def say(text: str = "") -> None:
    """Print a line at once."""
    print(text, flush=True)


def make_letters(count: int) -> dict[str, Any]:
    """A document of ``count`` model calls in a row: each is a segment of its own."""
    nodes = [
        {
            "id": f"letter_{number}",
            "type": "llm_chat",
            "label": f"Letter {number}",
            "config": {
                "model": "gemini-2.0-flash",
                "prompt": f"Write to guest {number} that the hotel opens in May.",
                "mock_response": f"Dear guest {number}, we open in May.",
                "output_key": f"letter_{number}",
            },
        }
        for number in range(1, count + 1)
    ]
    ids = [node["id"] for node in nodes]
    edges = [{"source": one, "target": other} for one, other in itertools.pairwise(ids)]
    return {"workflow_name": "Letters", "nodes": nodes, "edges": edges}


@contextmanager
def running_worker(environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """``python worker.py`` in a process of its own, ready to work."""
    with log.open("wb") as out:
        worker = subprocess.Popen([sys.executable, "worker.py"], cwd=ROOT, env=environment, stdout=out, stderr=out)
        try:
            while b"worker ready" not in log.read_bytes():
                if worker.poll() is not None:
                    raise SystemExit(log.read_text())
                time.sleep(0.1)
            yield worker
        finally:
            worker.terminate()
            worker.wait(40)


async def review_a_contract(environment: dict[str, str]) -> None:
    """The first workflow: started by the command, which shows its progress and asks at the pause."""
    command = [str(Path(sys.executable).parent / "statebag"), "run", "examples/document_review.json"]
    command += ["--input", "@examples/document_review.input.json", "--mock", "--id", "tour-review"]
    if not sys.stdin.isatty():
        command.append("--auto-approve")
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environment)
    if await process.wait() != 0:
        raise SystemExit("the first workflow did not succeed")


async def write_letters(client: Client, environment: dict[str, str], log: Path, first: subprocess.Popen[bytes]) -> None:
    """The second workflow: its worker is killed on the way."""
    given = {"ownerId": "local", "workflowId": "letters", "MOCK_MODE": "true", "workflow_config": make_letters(LETTERS)}
    handle: WorkflowHandle[Any, Any] = await client.start_workflow(
        "WorkflowOrchestrator", given, id="tour-letters", task_queue="statebag"
    )
    written = await watch(handle, until=KILL_AT)
    first.kill()
    first.wait()
    say(f"  kill -9: the worker is dead after {written} letters. Nobody works on the run now.")
    await asyncio.sleep(1)
    say("  A new worker starts. It knows nothing but what the server and the store have.")
    started = time.monotonic()
    with running_worker(environment, log):
        await watch(handle, until=LETTERS)
        result = await handle.result()
        state = read_state(client, result)
    letters = [state.get(f"letter_{number}") for number in range(1, LETTERS + 1)]
    wanted = [f"Dear guest {number}, we open in May." for number in range(1, LETTERS + 1)]
    if letters != wanted:
        raise SystemExit(f"letters are missing or doubled: {letters}")
    say(
        f"  {result['status']}: all {LETTERS} letters, each once, {time.monotonic() - started:.0f} s after the restart."
    )


def read_state(client: Client, result: dict[str, Any]) -> dict[str, Any]:
    """The variables of a finished run, from the store."""
    plugin = next(p for p in client.config()["plugins"] if isinstance(p, StateBagPlugin))
    place = Place(
        owner_id=result["ownerId"],
        workflow_id=result["workflowId"],
        execution_id=result["execution_id"],
        version=0,
        root=result["final_state_s3_path"],
    )
    return plugin.engine.read_bag(place).user.whole()


async def watch(handle: WorkflowHandle[Any, Any], *, until: int) -> int:
    """Print progress until so many segments are done, and give the number."""
    shown = -1
    while True:
        progress = await handle.query("progress")
        done = progress["loop_counter"]
        if done != shown:
            say(f"  {done} of {LETTERS}")
            shown = done
        if done >= until:
            return done
        await asyncio.sleep(0.02)


async def tour(folder: Path) -> None:
    """Both workflows, on one server."""
    log, store = folder / "worker.log", (folder / "store").as_uri()
    say("Starting a Temporal server (on a SQLite file) and a worker ...")
    async with start_server(arguments=("--db-filename", str(folder / "temporal.db"), "--headless")) as server:
        environment = {**os.environ, "TEMPORAL_ADDRESS": server.address, "STATEBAG_STORE": store}
        client = await Client.connect(server.address, plugins=[StateBagPlugin(Settings(store=store))])
        with running_worker(environment, log) as worker:
            say()
            say("1. A contract is read; then a person is asked.")
            await review_a_contract(environment)
            say()
            say(f"2. {LETTERS} letters are written; the worker is killed on the way.")
            await write_letters(client, environment, log, worker)
    say()
    say("Next: `.venv/bin/statebag run examples/order.json --input @examples/order.input.json --mock`, and README.md.")


def main() -> None:
    """Run the tour in a folder that goes away afterwards."""
    with tempfile.TemporaryDirectory(prefix="statebag-tour-") as folder:
        asyncio.run(tour(Path(folder)))


if __name__ == "__main__":
    main()
