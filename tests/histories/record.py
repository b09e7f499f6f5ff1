"""Record one history for each path of the orchestrator: ``python -m tests.histories.record``.

A recorded history is a promise to the runs that are under way when a new version is deployed: it must replay. So
record anew only for a path that has none yet; a change that breaks one needs ``workflow.patched``.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from tests.conftest import SCRIPTS
from tests.rig import Rig, asks, chain, llm, sets, start_rig

FOLDER = Path(__file__).parent
EVENTS_BEFORE_CONTINUE = 40

Handle = WorkflowHandle[Any, Any]
Path_ = Callable[[Rig], Awaitable[Handle]]


async def straight(rig: Rig) -> Handle:
    """Quick segments and model calls to a success."""
    return await rig.start(chain(sets("a", x=1), llm("b"), sets("c", y=2)), id="straight")


async def pause_approved(rig: Rig) -> Handle:
    """A person approves."""
    handle = await rig.start(chain(sets("a", x=1), sets("b", y=2), edges=[asks("a", "b", prompt="?")]), id="approved")
    await rig.pause(handle)
    await rig.respond(handle, {"decision": "APPROVED", "response": {"why": "fine"}, "responder": "ann"})
    return handle


async def pause_rejected(rig: Rig) -> Handle:
    """A person rejects once, and the run goes back; then approves."""
    document = chain(sets("a", x=1), sets("b", y=2), edges=[asks("a", "b", on_reject="a")])
    handle = await rig.start(document, id="rejected")
    await rig.pause(handle)
    await rig.respond(handle, {"decision": "REJECTED"})
    await rig.pause(handle, times=2)
    await rig.respond(handle, {"decision": "APPROVED"})
    return handle


async def pause_timed_out(rig: Rig) -> Handle:
    """Nobody answers in time."""
    return await rig.start(
        chain(sets("a", x=1), sets("b", y=2), edges=[asks("a", "b", timeout_seconds=0.2)]), id="timed-out"
    )


async def async_llm(rig: Rig) -> Handle:
    """A model call that may be answered from outside."""
    return await rig.start(chain(sets("a", x=1), llm("b", **{"async": True}), sets("c", y=2)), id="async")


async def node_failed(rig: Rig) -> Handle:
    """A node fails for good."""
    failing = {
        "id": "b",
        "type": "operator_official",
        "config": {"strategy": "assert", "params": {"condition": "$.x == 2"}},
    }
    return await rig.start(chain(sets("a", x=1), failing), id="failed")


async def init_refused(rig: Rig) -> Handle:
    """The document is refused."""
    return await rig.start({"nodes": [{"id": "a", "type": "no_such_type"}], "edges": []}, id="refused")


async def loop_limit(rig: Rig) -> Handle:
    """More segments than allowed."""
    document = chain(sets("a", x=1), llm("b"), llm("c"), max_loop_iterations=2)
    return await rig.start(document, id="loop-limit")


async def key_claimed(rig: Rig) -> Handle:
    """The run holds an idempotency key."""
    return await rig.start(chain(sets("a", x=1)), id="claimed", idempotency_key="key-1")


async def key_taken(rig: Rig) -> Handle:
    """Another run has succeeded with the key: its result is this one's."""
    return await rig.start(chain(sets("a", x=1)), id="taken", idempotency_key="key-1")


async def retried(rig: Rig) -> Handle:
    """A model call is refused once, and repeated."""
    node = llm("a", prompt="SIMULATE_RATE_LIMIT_ERROR", retry_config={"max_retries": 2, "base_delay": 0.1})
    return await rig.start(chain(node, sets("b", y=2)), id="retried")


async def canceled(rig: Rig) -> Handle:
    """The run is canceled at a pause."""
    handle = await rig.start(chain(sets("a", x=1), sets("b", y=2), edges=[asks("a", "b")]), id="canceled")
    await rig.pause(handle)
    await handle.cancel()
    return handle


async def continued(rig: Rig) -> Handle:
    """The history gets long, and the run goes on in a new one."""
    nodes = [llm(f"n{number}") for number in range(9)]
    handle = await rig.start(chain(*nodes, edges=[asks("n0", "n1")]), id="continued")
    await rig.pause(handle)
    await rig.respond(handle, {})
    return handle


PATHS: tuple[Path_, ...] = (
    straight,
    pause_approved,
    pause_rejected,
    pause_timed_out,
    async_llm,
    node_failed,
    init_refused,
    loop_limit,
    key_claimed,
    key_taken,
    retried,
    canceled,
    continued,
)


async def record(rig: Rig, path: Path_) -> None:
    """Run ``path`` and keep its history, or one for each of its runs."""
    handle = await path(rig)
    first = (await handle.describe()).run_id if path is not continued else handle.first_execution_run_id
    with contextlib.suppress(WorkflowFailureError):
        await handle.result()
    name = path.__name__.replace("_", "-")
    runs = [first]
    if path is continued:
        last = (await rig.client.get_workflow_handle(handle.id).describe()).run_id
        runs = [first, last]
    for number, run_id in enumerate(runs):
        history = await rig.client.get_workflow_handle(handle.id, run_id=run_id).fetch_history()
        suffix = f"-{number + 1}" if len(runs) > 1 else ""
        (FOLDER / f"{name}{suffix}.json").write_text(_without_places(history.to_json()) + "\n")


def _without_places(text: str) -> str:
    """Stack traces and identities name folders and hosts of the machine that recorded: nothing of the path."""
    for place, name in ((str(FOLDER.parent.parent), "."), (sys.base_prefix, "python"), (socket.gethostname(), "host")):
        text = text.replace(place, name)
    return text


async def main() -> None:
    """Record the paths that have no history yet."""
    server = await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(SCRIPTS / "temporal"),
        dev_server_log_level="error",
        dev_server_extra_args=[
            "--dynamic-config-value",
            f"limit.historyCount.suggestContinueAsNew={EVENTS_BEFORE_CONTINUE}",
        ],
    )
    with tempfile.TemporaryDirectory() as folder:
        async with server as environment:
            address = environment.client.service_client.config.target_host
            async with start_rig(address, Path(folder)) as rig:
                for path in PATHS:
                    if not list(FOLDER.glob(f"{path.__name__.replace('_', '-')}*.json")):
                        await record(rig, path)


if __name__ == "__main__":
    asyncio.run(main())
