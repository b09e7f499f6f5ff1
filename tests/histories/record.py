"""Record one history for each path of the machines: ``python -m tests.histories.record``.

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
from tests.rig import Rig, asks, chain, forks, group, llm, run_ids, sets, start_rig

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


async def forked(rig: Rig) -> Handle:
    """Three branches to a success."""
    document = forks(sets("a", x=1), [sets("b", b=1), llm("b2")], [llm("c")], [sets("d", d=1)], join=sets("z", z=1))
    return await rig.start(document, id="forked")


ASKING = forks(
    sets("a", x=1),
    [sets("b", b=1), sets("b2", b2=1)],
    [llm("c"), sets("c2", c2=1)],
    join=sets("z", z=1),
    edges=[asks("b", "b2", on_reject="b"), asks("c", "c2")],
)


async def fork_paused(rig: Rig) -> Handle:
    """Two branches ask; one is approved, the other one rejected."""
    handle = await rig.start(ASKING, id="fork-paused")
    await rig.pause_of(handle, "1/B0:1-1")
    await rig.pause_of(handle, "1/B1:1-1")
    await rig.respond(handle, {"pause_id": "1/B1:1-1", "decision": "REJECTED"})
    await rig.respond(handle, {"pause_id": "1/B0:1-1", "response": "fine"})
    return handle


async def fork_timed_out(rig: Rig) -> Handle:
    """Nobody answers a branch in time."""
    edges = [asks("b", "b2", timeout_seconds=0.2)]
    document = forks(sets("a"), [sets("b"), sets("b2")], [sets("c", c=1)], join=sets("z"), edges=edges)
    return await rig.start(document, id="fork-timed-out")


BROKEN = {"id": "no", "type": "operator_official", "config": {"strategy": "assert", "params": {"condition": "1 > 2"}}}


async def fork_tolerant(rig: Rig) -> Handle:
    """A branch fails, and the run goes on."""
    return await rig.start(forks(sets("a"), [sets("b"), llm("b2"), BROKEN], [sets("c")]), id="fork-tolerant")


async def fork_failed(rig: Rig) -> Handle:
    """A branch fails, and by the policy the run does, too."""
    source = {**sets("a"), "config": {"sets": {}, "branch_policy": {"failure": "fail_on_any"}}}
    return await rig.start(forks(source, [BROKEN], [sets("c")]), id="fork-failed")


async def fork_lost(rig: Rig) -> Handle:
    """A branch is terminated while it waits for a person."""
    handle = await rig.start(ASKING, id="fork-lost")
    await rig.pause_of(handle, "1/B0:1-1")
    await rig.pause_of(handle, "1/B1:1-1")
    await (await rig.branches(handle))[0].terminate()
    await rig.respond(handle, {"pause_id": "1/B1:1-1"})
    return handle


async def fork_canceled(rig: Rig) -> Handle:
    """The run is canceled while its branches wait."""
    handle = await rig.start(ASKING, id="fork-canceled")
    await rig.pause_of(handle, "1/B0:1-1")
    await rig.pause_of(handle, "1/B1:1-1")
    await handle.cancel()
    return handle


async def fork_nested(rig: Rig) -> Handle:
    """A branch forks again, and a branch inside of it asks."""
    inner = group("g", chain(sets("c"), sets("c2"), edges=[asks("c", "c2")]), [llm("d")])
    handle = await rig.start(forks(sets("a"), [sets("b"), inner], [sets("e")], join=sets("z")), id="fork-nested")
    await rig.pause(handle)
    await rig.respond(handle, {})
    return handle


async def fork_in_batches(rig: Rig) -> Handle:
    """Three batches, the branches of each one at a time."""
    policy = {"strategy": "RESOURCE_OPTIMIZED", "max_concurrent_branches": 2}
    branches = [[sets(f"b{number}", **{f"v{number}": 1})] for number in range(5)]
    fan = group("fan", *branches, resource_policy=policy, max_concurrency=1)
    return await rig.start(chain(sets("a"), fan, sets("z")), id="fork-in-batches")


async def single_branch(rig: Rig) -> Handle:
    """A group of one branch, with a pause inside."""
    only = group("fan", chain(sets("b"), sets("b2"), edges=[asks("b", "b2")]))
    handle = await rig.start(chain(sets("a"), only, sets("z")), id="single-branch")
    await rig.pause(handle)
    await rig.respond(handle, {})
    return handle


async def branch_straight(rig: Rig) -> Handle:
    """The history of a branch to its success."""
    handle = await rig.start(forks(sets("a"), [sets("b"), llm("b2"), sets("b3")], [sets("c")]), id="branch-straight")
    return await branch_of(rig, handle)


async def branch_of_a_call(rig: Rig) -> Handle:
    """The history of a branch that begins with an outside call, and then with one that is put aside."""
    branch = [llm("b"), llm("b2", **{"async": True})]
    return await branch_of(rig, await rig.start(forks(sets("a"), branch, [sets("c")]), id="branch-of-a-call"))


async def branch_paused(rig: Rig) -> Handle:
    """The history of a branch that asks twice."""
    handle = await rig.start(ASKING, id="branch-paused")
    await rig.pause_of(handle, "1/B1:1-1")
    await rig.respond(handle, {"pause_id": "1/B1:1-1"})
    for number, decision in ((1, "REJECTED"), (2, "APPROVED")):
        await rig.pause_of(handle, f"1/B0:1-{number}")
        await rig.respond(handle, {"pause_id": f"1/B0:1-{number}", "decision": decision})
    return await branch_of(rig, handle)


async def branch_nested(rig: Rig) -> Handle:
    """The history of a branch that forks, and loses a branch of its own."""
    inner = group("g", chain(sets("c"), sets("c2"), edges=[asks("c", "c2")]), [llm("d")])
    handle = await rig.start(forks(sets("a"), [sets("b"), inner, sets("f")], [sets("e")]), id="branch-nested")
    await rig.pause(handle)
    outer = await branch_of(rig, handle)
    await (await branch_of(rig, outer)).terminate()
    return outer


async def branch_failed(rig: Rig) -> Handle:
    """The history of a branch that fails."""
    return await branch_of(
        rig, await rig.start(forks(sets("a"), [sets("b"), llm("b2"), BROKEN], [sets("c")]), id="branch-failed")
    )


async def branch_loop_limit(rig: Rig) -> Handle:
    """The history of a branch that goes round until it is stopped."""
    back = {"branches": [{"condition": "true", "target": "b"}], "default_target": "z"}
    branch = [sets("b"), llm("b2"), {"id": "r", "type": "route_condition", "config": back}]
    document = forks(sets("a"), branch, [sets("c")], join=sets("z"), max_branch_iterations=3)
    return await branch_of(rig, await rig.start(document, id="branch-loop-limit"))


async def branch_canceled(rig: Rig) -> Handle:
    """The history of a branch whose run is canceled."""
    handle = await rig.start(ASKING, id="branch-canceled")
    await rig.pause_of(handle, "1/B0:1-1")
    await handle.cancel()
    return await branch_of(rig, handle)


async def branch_continued(rig: Rig) -> Handle:
    """The history of a branch gets long, and it goes on in a new one."""
    nodes = [llm(f"b{number}") for number in range(9)]
    document = forks(sets("a"), nodes, [sets("c")], edges=[asks("b7", "b8")])
    handle = await rig.start(document, id="branch-continued")
    await rig.pause(handle)
    await rig.respond(handle, {})
    return await branch_of(rig, handle)


async def branch_of(rig: Rig, handle: Handle) -> Handle:
    """The first branch of a run, as soon as it has begun."""
    while True:
        for branch in await rig.branches(handle):
            if branch.id.endswith("/0"):
                return branch


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
    forked,
    fork_paused,
    fork_timed_out,
    fork_tolerant,
    fork_failed,
    fork_lost,
    fork_canceled,
    fork_nested,
    fork_in_batches,
    single_branch,
    branch_straight,
    branch_of_a_call,
    branch_paused,
    branch_nested,
    branch_failed,
    branch_loop_limit,
    branch_canceled,
    branch_continued,
)


async def record(rig: Rig, path: Path_) -> None:
    """Run ``path`` and keep its history; of a chain of runs, those of the first and the last one."""
    handle = await path(rig)
    with contextlib.suppress(WorkflowFailureError):
        await handle.result()
    name = path.__name__.replace("_", "-")
    first, *later = await run_ids(rig, handle)
    runs = [first, *later[-1:]]
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
