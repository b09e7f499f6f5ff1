"""How many branches run at the same time, and what many of them cost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from typing import Any

import pytest
from temporalio.client import WorkflowHandle

from tests.rig import Document, Rig, chain, events_of, forks, group, probe, sets
from tests.workflows.states import BORN, END, FORK, NEXT, STEP


class Crowd:
    """Counts those inside; lets nobody out before ``size`` came, and then one by one."""

    def __init__(self, size: int) -> None:
        self.most = 0
        self.order: list[str] = []
        self._size = size
        self._inside = 0
        self._came = threading.Condition()

    def __call__(self, node: Any, scope: object, context: object) -> Mapping[str, Any]:
        with self._came:
            self._inside += 1
            self.order.append(node.id)
            self.most = max(self.most, self._inside)
            self._came.notify_all()
            assert self._came.wait_for(lambda: len(self.order) >= self._size, timeout=20)
            self._inside -= 1
        return {node.id: 1}


@pytest.mark.parametrize(("limit", "count"), [(1, 4), (2, 7), (3, 3), (5, 3)])
async def test_no_more_branches_at_a_time_than_the_node_says(rig: Rig, limit: int, count: int) -> None:
    crowd = rig.behaviours["crowd"] = Crowd(min(limit, count))
    source = {**sets("a"), "config": {"sets": {}, "max_concurrency": limit}}
    handle = await rig.start(forks(source, *([probe(f"b{number}", "crowd")] for number in range(count))))
    state = rig.user_state(await handle.result())
    assert sorted(state) == [f"b{number}" for number in range(count)]
    assert crowd.most == min(limit, count)
    # A branch begins when one before it is over, in branch order.
    assert sorted(crowd.order[: crowd.most]) == [f"b{number}" for number in range(crowd.most)]
    assert await open_at_once(handle) == crowd.most


async def test_a_group_s_policy_limits_it_too(rig: Rig) -> None:
    policy = {"strategy": "RESOURCE_OPTIMIZED", "max_concurrent_branches": 2}
    fan = group("fan", *([sets(f"b{number}", **{f"v{number}": 1})] for number in range(5)), resource_policy=policy)
    handle = await rig.start(chain(sets("a"), fan))
    assert len(rig.user_state(await handle.result())) == 5
    assert await open_at_once(handle) <= 2


async def open_at_once(handle: WorkflowHandle[Any, Any]) -> int:
    """The most branches that a run had open at the same time, by its history."""
    now = most = 0
    for event in await events_of(handle):
        if event.HasField("start_child_workflow_execution_initiated_event_attributes"):
            now += 1
        elif event.HasField("child_workflow_execution_completed_event_attributes"):
            now -= 1
        most = max(most, now)
    return most


def many(count: int, **config: Any) -> Document:
    """A group of quick branches that each set a field of their own, and add to a list."""
    branches = [[sets(f"b{number}", **{f"v{number}": number, "collected_items": [number]})] for number in range(count)]
    return chain(sets("a", x=1), group("fan", *branches, **config), sets("z", z=1))


async def check_many(rig: Rig, handle: WorkflowHandle[Any, Any], count: int) -> None:
    """All branches came through, in order, and no history is long."""
    output = await handle.result()
    state = rig.user_state(output)
    assert state.pop("collected_items") == list(range(count))
    assert state == {"x": 1, "z": 1, **{f"v{number}": number for number in range(count)}}
    assert await rig.trace(handle) == [*BORN, *STEP, *NEXT, *FORK, *(NEXT * 2), *END]
    events = await events_of(handle)
    assert len(events) < 20 * count
    assert len(events) < 10_000
    assert sum(event.ByteSize() for event in events) < 2 * 1024 * 1024
    branches = await rig.branches(handle)
    assert len(branches) == count
    for branch in (branches[0], branches[count // 2], branches[-1]):
        own = await events_of(branch)
        assert len(own) < 10
        assert sum(event.ByteSize() for event in own) < 4_000


async def test_a_hundred_branches(rig: Rig) -> None:
    handle = await rig.start(many(100))
    await check_many(rig, handle, 100)
    assert await open_at_once(handle) <= 100


async def test_a_second_batch_begins_when_the_first_is_over(rig: Rig) -> None:
    entered, go_on = rig.gate("last of the first")
    branches = [[sets(f"b{number}", **{f"v{number}": 1})] for number in range(120)]
    branches[57] = [probe("b57", "last of the first")]
    policy = {"strategy": "SPEED_OPTIMIZED"}
    handle = await rig.start(chain(sets("a"), group("fan", *branches, resource_policy=policy), sets("z", z=1)))
    await entered.wait()
    while (await handle.query("progress"))["branches"]["done"] < 99:
        await asyncio.gather(
            *(branch.result() for branch in (await rig.branches(handle)) if not branch.id.endswith("/57"))
        )
    assert len(await rig.branches(handle)) == 100
    assert (await handle.query("progress"))["branches"] == {"total": 120, "done": 99, "failed": 0}
    go_on.set()
    state = rig.user_state(await handle.result())
    assert len(state) == 120
    assert len(await rig.branches(handle)) == 120
    (first,) = [event for event in await events_of(handle) if closed(event, f"{handle.id}/3/57")]
    starts = await events_of(handle, "START_CHILD_WORKFLOW_EXECUTION_INITIATED")
    after = [event for event in starts if event.event_id > first.event_id]
    names = [event.start_child_workflow_execution_initiated_event_attributes.workflow_id for event in after]
    assert names == [f"{handle.id}/3/{number}" for number in range(100, 120)]


def closed(event: Any, workflow_id: str) -> bool:
    field = "child_workflow_execution_completed_event_attributes"
    return event.HasField(field) and getattr(event, field).workflow_execution.workflow_id == workflow_id


@pytest.mark.slow
async def test_five_hundred_branches(rig: Rig) -> None:
    handle = await rig.start(many(500))
    await check_many(rig, handle, 500)
    assert await open_at_once(handle) <= 100
