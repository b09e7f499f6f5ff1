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
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from statebag.errors import NodeFailed
from tests.conftest import SCRIPTS
from tests.mapping import document_of, mapping
from tests.rig import DISTRIBUTED, Rig, asks, chain, events_of, forks, group, llm, probe, run_ids, sets, start_rig

FOLDER = Path(__file__).parent
EVENTS_BEFORE_CONTINUE = 40
"""On the server of :data:`SHORT`."""

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


THREE: Any = {"initial_state": {"xs": [1, 2, 3]}}
DOUBLING = sets("s", twice="{{item}}")
ASKING_ITEMS = {"edges": [asks("b", "c", output_key="answer")], "chunk_size": 2}


def asking(**config: Any) -> Any:
    """A document with a map that asks at each item."""
    return document_of(sets("b", first="{{item}}"), sets("c", second="{{answer}}"), **{**ASKING_ITEMS, **config})


async def map_straight(rig: Rig) -> Handle:
    """A map over two chunks to a success."""
    document = chain(sets("a", xs=[1, 2, 3]), mapping(DOUBLING, chunk_size=2), sets("z", z=1))
    return await rig.start(document, id="map-straight")


async def map_over_tolerance(rig: Rig) -> Handle:
    """Chunks fail one after another, until more has failed than is tolerated."""
    document = document_of(BROKEN, chunk_size=1, strategy="SAFE", tolerated_failure_count=1)
    return await rig.start(document, id="map-over-tolerance", initial_state={"xs": [1, 2, 3, 4]})


async def map_stopped(rig: Rig) -> Handle:
    """A chunk fails, and the one beside it is canceled."""
    return await rig.start(halved(rig, "map-stopped"), id="map-stopped", **THREE)


def halved(rig: Rig, name: str) -> Any:
    """A map whose first item waits until it is canceled, and whose second one fails as soon as it does."""
    waits = threading.Event()

    def call(node: Any, scope: Any, context: Any) -> dict[str, Any]:
        if scope["item"] == 1:
            waits.set()
            while True:
                context.heartbeat(None)
                time.sleep(0.05)
        waits.wait(10)
        raise NodeFailed("bad")

    rig.behaviours[name] = call
    return document_of(probe("p", name, heartbeat_seconds=5), chunk_size=1, max_concurrency=2)


async def map_in_waves(rig: Rig) -> Handle:
    """Items that depend on each other."""
    items = [{"id": "c", "after": ["b", "a"]}, {"id": "b", "after": ["a"]}, {"id": "a"}, {"id": "d"}]
    document = document_of(DOUBLING, depends_on="after")
    return await rig.start(document, id="map-in-waves", initial_state={"xs": items})


async def map_in_batches(rig: Rig) -> Handle:
    """Two chunks, and then the third one."""
    document = document_of(DOUBLING, strategy="BATCHED", chunk_size=1, max_concurrency=2)
    return await rig.start(document, id="map-in-batches", **THREE)


async def map_unreadable(rig: Rig) -> Handle:
    """There is no list."""
    return await rig.start(document_of(DOUBLING), id="map-unreadable", initial_state={"xs": "abc"})


async def map_paused(rig: Rig) -> Handle:
    """Two items ask; one is approved, the other one rejected."""
    return await answered(rig, await rig.start(asking(on_error="continue"), id="map-paused", **THREE))


async def answered(rig: Rig, handle: Handle) -> Handle:
    """The run, whose three items have got their answers."""
    for index, decision in ((2, "APPROVED"), (0, "REJECTED"), (1, "APPROVED")):
        await rig.pause_of(handle, f"0/I{index}:1-1")
        await rig.respond(handle, {"pause_id": f"0/I{index}:1-1", "decision": decision, "response": "fine"})
    return handle


async def map_lost(rig: Rig) -> Handle:
    """A chunk is terminated while its items wait for people."""
    handle = await rig.start(asking(on_error="continue"), id="map-lost", **THREE)
    for index in range(3):
        await rig.pause_of(handle, f"0/I{index}:1-1")
    await (await child_of(rig, handle, 0)).terminate()
    await rig.respond(handle, {"pause_id": "0/I2:1-1"})
    return handle


async def map_in_windows(rig: Rig) -> Handle:
    """Two windows."""
    document = document_of(DOUBLING, chunk_size=1, windows=2)
    return await rig.start(document, id="map-in-windows", initial_state={"xs": [1, 2, 3, 4]})


async def map_canceled(rig: Rig) -> Handle:
    """The run is canceled while its chunks wait for people."""
    handle = await rig.start(asking(), id="map-canceled", **THREE)
    await rig.pause_of(handle, "0/I0:1-1")
    await rig.pause_of(handle, "0/I2:1-1")
    await handle.cancel()
    return handle


async def map_redriven(rig: Rig) -> Handle:
    """The history of the run that takes up one whose map has failed."""
    bad = [2]

    def call(node: Any, scope: Any, context: Any) -> dict[str, Any]:
        if scope["item"] in bad:
            raise NodeFailed("bad for now")
        return {"ok": scope["item"]}

    rig.behaviours["map-redriven"] = call
    document = document_of(probe("p", "map-redriven"), chunk_size=1)
    handle = await rig.start(document, id="map-redriven", **THREE)
    await rig.failure(handle)
    bad.clear()
    redrive = {"ownerId": "acme", "workflowId": "review", "lineages": [handle.first_execution_run_id]}
    return await rig.start_raw({"$redrive": redrive}, id="map-redriven")


async def map_continued(rig: Rig) -> Handle:
    """The history gets long, and the run goes on in a new one, with chunks in flight whose items wait for people."""
    indexes = range(2)
    items = mapping(sets("b"), sets("c"), edges=[asks("b", "c")], chunk_size=1, max_concurrency=1)
    handle = await rig.start(chain(items), id="map-continued", initial_state={"xs": list(indexes)})
    current = rig.client.get_workflow_handle(handle.id)
    for index in indexes:
        await rig.pause_of(current, f"0/I{index}:1-1")
    while len(await run_ids(rig, handle)) == 1:
        await asyncio.sleep(0.05)
    for index in indexes:
        await rig.respond(current, {"pause_id": f"0/I{index}:1-1", "response": index})
    return handle


async def chunk_straight(rig: Rig) -> Handle:
    """The history of a chunk whose items run in the worker itself."""
    document = document_of(DOUBLING, chunk_size=2)
    return await child_of(rig, await rig.start(document, id="chunk-straight", **THREE), 0)


async def chunk_of_calls(rig: Rig) -> Handle:
    """The history of a chunk whose items call models."""
    document = document_of(llm("say", "About {{item}}"), chunk_size=2)
    return await child_of(rig, await rig.start(document, id="chunk-of-calls", **THREE), 0)


async def chunk_paused(rig: Rig) -> Handle:
    """The history of a chunk whose items ask."""
    handle = await answered(rig, await rig.start(asking(on_error="continue"), id="chunk-paused", **THREE))
    return await child_of(rig, handle, 0)


async def chunk_loses_item(rig: Rig) -> Handle:
    """The history of a chunk one of whose items is terminated."""
    handle = await rig.start(asking(on_error="continue"), id="chunk-loses-item", **THREE)
    for index in range(3):
        await rig.pause_of(handle, f"0/I{index}:1-1")
    chunk = await child_of(rig, handle, 0)
    await (await child_of(rig, chunk, 1)).terminate()
    for index in (0, 2):
        await rig.respond(handle, {"pause_id": f"0/I{index}:1-1"})
    return chunk


async def chunk_canceled(rig: Rig) -> Handle:
    """The history of a chunk that is canceled in its call, since the one beside it has failed."""
    document = halved(rig, "chunk-canceled")
    return await child_of(rig, await rig.start(document, id="chunk-canceled", **THREE), 0)


async def chunk_window(rig: Rig) -> Handle:
    """The history of a window over some of a map's chunks."""
    document = document_of(DOUBLING, chunk_size=1, windows=2)
    handle = await rig.start(document, id="chunk-window", initial_state={"xs": [1, 2, 3, 4]})
    return await child_of(rig, handle, 0)


async def chunk_of_branches(rig: Rig) -> Handle:
    """The history of a chunk of a fork's branches."""
    handle = await rig.start(spread_fork(), id="chunk-of-branches", machine=DISTRIBUTED)
    await rig.pause_of(handle, "1/B0:1-1")
    await rig.respond(handle, {"pause_id": "1/B0:1-1"})
    return await child_of(rig, handle, 0)


async def item_paused(rig: Rig) -> Handle:
    """The history of an item that asks."""
    handle = await rig.start(asking(on_error="continue"), id="item-paused", **THREE)
    await answered(rig, handle)
    return await child_of(rig, await child_of(rig, handle, 0), 1)


def spread_fork() -> Any:
    """A document with a fork in chunks, of which one branch asks."""
    return forks(
        sets("a", a=1),
        [sets("b", b=1), sets("b2", b2=1)],
        *[[sets(f"c{number}", **{f"c{number}": 1})] for number in range(10)],
        join=sets("z", z=1),
        edges=[asks("b", "b2")],
        distributed_mode=True,
    )


async def distributed_small(rig: Rig) -> Handle:
    """The distributed machine from state to state, with a pause."""
    document = chain(sets("a", x=1), llm("b"), sets("c", y=2), edges=[asks("b", "c")])
    handle = await rig.start(document, id="distributed-small", machine=DISTRIBUTED)
    await rig.pause(handle)
    await rig.respond(handle, {})
    return handle


async def distributed_large(rig: Rig) -> Handle:
    """The distributed machine in stretches, with a pause between two."""
    document = chain(sets("a", x=1), llm("b"), sets("c", y=2), edges=[asks("b", "c")], distributed_mode=True)
    handle = await rig.start(document, id="distributed-large", machine=DISTRIBUTED)
    await rig.pause(handle)
    await rig.respond(handle, {})
    return handle


async def distributed_branches(rig: Rig) -> Handle:
    """A fork in two chunks; a branch asks."""
    handle = await rig.start(spread_fork(), id="distributed-branches", machine=DISTRIBUTED)
    await rig.pause_of(handle, "1/B0:1-1")
    await rig.respond(handle, {"pause_id": "1/B0:1-1"})
    return handle


async def distributed_map(rig: Rig) -> Handle:
    """A map in a small document."""
    document = chain(sets("a", xs=[1, 2, 3]), mapping(DOUBLING, chunk_size=2), sets("z", z=1))
    return await rig.start(document, id="distributed-map", machine=DISTRIBUTED)


async def distributed_map_in_stretch(rig: Rig) -> Handle:
    """A map and what is around it in one stretch."""
    nodes = (sets("a", xs=[1, 2, 3]), mapping(DOUBLING, chunk_size=2), llm("z"))
    document = chain(*nodes, distributed_mode=True)
    return await rig.start(document, id="distributed-map-in-stretch", machine=DISTRIBUTED)


async def distributed_failed(rig: Rig) -> Handle:
    """A stretch fails."""
    document = chain(sets("a", x=1), llm("b"), BROKEN, distributed_mode=True)
    return await rig.start(document, id="distributed-failed", machine=DISTRIBUTED)


async def child_of(rig: Rig, handle: Handle, number: int) -> Handle:
    """The chunk, branch or item of that number, as soon as it has begun."""
    while True:
        for event in await events_of(handle, "CHILD_WORKFLOW_EXECUTION_STARTED"):
            name = event.child_workflow_execution_started_event_attributes.workflow_execution.workflow_id
            if name.endswith(f"/{number}"):
                return rig.client.get_workflow_handle(name)


SHORT: tuple[Path_, ...] = (
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
    map_continued,
)
"""Recorded on a server that soon wants a new history."""

LONG: tuple[Path_, ...] = (
    map_straight,
    map_over_tolerance,
    map_stopped,
    map_in_waves,
    map_in_batches,
    map_unreadable,
    map_paused,
    map_lost,
    map_in_windows,
    map_canceled,
    map_redriven,
    chunk_straight,
    chunk_of_calls,
    chunk_paused,
    chunk_loses_item,
    chunk_canceled,
    chunk_window,
    chunk_of_branches,
    item_paused,
    distributed_small,
    distributed_large,
    distributed_branches,
    distributed_map,
    distributed_map_in_stretch,
    distributed_failed,
)
"""Recorded on a server that lets a history grow."""

PATHS = (*SHORT, *LONG)


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
    limit = f"limit.historyCount.suggestContinueAsNew={EVENTS_BEFORE_CONTINUE}"
    for paths, options in ((SHORT, ["--dynamic-config-value", limit]), (LONG, [])):
        missing = [path for path in paths if not _is_recorded(path.__name__.replace("_", "-"))]
        if missing:
            await record_all(missing, options)


async def record_all(paths: Iterable[Path_], server_options: list[str]) -> None:
    """Record ``paths`` on a server of their own."""
    server = await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(SCRIPTS / "temporal"),
        dev_server_log_level="error",
        dev_server_extra_args=server_options,
    )
    with tempfile.TemporaryDirectory() as folder:
        async with server as environment:
            address = environment.client.service_client.config.target_host
            async with start_rig(address, Path(folder)) as rig:
                for path in paths:
                    await record(rig, path)


def _is_recorded(name: str) -> bool:
    return any((FOLDER / f"{name}{suffix}.json").exists() for suffix in ("", "-1"))


if __name__ == "__main__":
    asyncio.run(main())
