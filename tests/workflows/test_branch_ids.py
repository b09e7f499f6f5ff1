"""A branch whose id another workflow has, as one of an earlier try of the run that has not ended yet."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import pytest
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer

from statebag.bag import Place
from tests.rig import DISTRIBUTED, MACHINE, Document, Rig, asks, chain, events_of, forks, sets

FORK: Document = forks(sets("a"), [sets("b", b=1)], [sets("c", c=1)], join=sets("z", z=1))
REFUSED = "START_CHILD_WORKFLOW_EXECUTION_FAILED"


async def hold(rig: Rig, name: str) -> WorkflowHandle[Any, Any]:
    """Some workflow that stays under that id."""
    handle = await rig.start(chain(sets("a"), sets("b"), edges=[asks("a", "b")]), id=name)
    await rig.pause(handle)
    return handle


async def wait_for_refusals(handle: WorkflowHandle[Any, Any], count: int) -> None:
    """Wait until the start of a branch has been refused so often."""
    while True:
        try:
            refused = await events_of(handle, REFUSED)
        except RPCError:
            refused = []  # not started yet
        if len(refused) >= count:
            return
        await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("machine", "more", "parent", "branch"),
    [(MACHINE, {}, "", "/3/0"), (DISTRIBUTED, {"distributed_mode": True}, "/4/0", "/4/0/0")],
    ids=["of a run", "of a chunk"],
)
async def test_it_is_run_when_the_id_is_free(
    rig: Rig, machine: str, more: dict[str, Any], parent: str, branch: str
) -> None:
    name = f"run-{secrets.token_hex(8)}"
    other = await hold(rig, name + branch)
    handle = await rig.start({**FORK, **more}, id=name, machine=machine)
    waiting = rig.client.get_workflow_handle(name + parent)
    await wait_for_refusals(waiting, 2)
    await other.terminate()
    output = await handle.result()
    assert rig.user_state(output) == {"b": 1, "c": 1, "z": 1}
    assert "failed_branches" not in output
    await Replayer(workflows=[], plugins=[rig.plugin]).replay_workflow(await waiting.fetch_history())


async def test_it_is_lost_where_the_id_is_not_given_back(skipping: WorkflowEnvironment, skipping_rig: Rig) -> None:
    rig, name = skipping_rig, f"run-{secrets.token_hex(8)}"
    other = await rig.client.start_workflow("IdempotencyClaim", "nobody", id=f"{name}/3/0", task_queue=rig.task_queue)
    handle = await rig.start(FORK, id=name)
    ends = asyncio.create_task(handle.result())
    while not ends.done():
        await skipping.sleep(1)
    output = await ends
    assert rig.user_state(output) == {"c": 1, "z": 1}
    assert output["failed_branches"] == 1
    place = Place(
        owner_id="acme", workflow_id="review", execution_id=name, version=0, root=output["final_state_s3_path"]
    )
    failed = rig.plugin.engine.read_bag(place).kernel.failed_segments
    assert failed is not None
    assert [(line["branch_id"], line["error"]["code"]) for line in failed["sample"]] == [("B0", "BRANCH_LOST")]
    started = (await events_of(handle))[0].event_time.ToDatetime()
    refused = [event.event_time.ToDatetime() for event in await events_of(handle, REFUSED)]
    assert len(refused) == 8
    assert 25 <= (refused[-1] - started).total_seconds() < 40
    await other.terminate()
