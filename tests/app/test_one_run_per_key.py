"""The execution id is an idempotency key."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.envconfig import ClientConfigProfile

from statebag.app.connect import connect
from statebag.app.inputs import RunRequest, read_request
from statebag.app.plugin import StateBagPlugin
from statebag.app.settings import Settings
from statebag.app.start import start_run
from statebag.errors import RunConflict
from statebag.nodes import builtin_registry
from tests.app.shell import Call, Shell, wait_for_line
from tests.rig import asks, chain, sets

PAUSED = chain(sets("a", a=1), sets("b", b=2), edges=[asks("a", "b")], workflow_name="Paused")
FAILING = chain(
    sets("a", a=1),
    {"id": "no", "type": "operator_official", "config": {"strategy": "assert", "params": {"condition": "$.a == 2"}}},
    workflow_name="Failing",
)


def request_of(shell: Shell, document: Any, name: str, *, state: str | None = None) -> RunRequest:
    path = str(shell.folder / shell.write("d.json", document))
    return read_request(path, state, registry=builtin_registry(), mock=True, owner_id="acme", execution_id=name)


async def runs_of(client: Client, name: str) -> list[WorkflowExecutionStatus | None]:
    return [found.status async for found in client.list_workflows(f"WorkflowId = '{name}'")]


async def connected(shell: Shell) -> tuple[Client, StateBagPlugin]:
    plugin = StateBagPlugin(Settings(store=shell.environment["STATEBAG_STORE"]))
    profile = ClientConfigProfile(address=shell.environment["TEMPORAL_ADDRESS"])
    return await connect(plugin, profile=profile), plugin


@pytest.fixture
def name(shared: Shell) -> str:
    return "key-" + shared.folder.parent.name


async def test_fifty_starts_at_once_make_one_run(shared: Shell, name: str) -> None:
    places = [await connected(shared) for _ in range(5)]
    queue = shared.environment["STATEBAG_TASK_QUEUE"]
    request = request_of(shared, PAUSED, name, state='{"n": 1}')
    started = await asyncio.gather(
        *(start_run(places[n % 5][0], request, places[n % 5][1].store, task_queue=queue) for n in range(50))
    )
    descriptions = await asyncio.gather(*(one.handle.describe() for one in started))
    assert len({described.run_id for described in descriptions}) == 1
    assert await runs_of(places[0][0], name) == [WorkflowExecutionStatus.RUNNING]
    await started[0].handle.terminate()


async def test_fifty_different_inputs_under_one_key_make_one_run_and_49_conflicts(shared: Shell, name: str) -> None:
    client, plugin = await connected(shared)
    queue = shared.environment["STATEBAG_TASK_QUEUE"]
    requests = [request_of(shared, PAUSED, name, state=f'{{"n": {n}}}') for n in range(50)]
    results = await asyncio.gather(
        *(start_run(client, request, plugin.store, task_queue=queue) for request in requests), return_exceptions=True
    )
    conflicts = [result for result in results if isinstance(result, RunConflict)]
    assert len(conflicts) == 49
    assert {conflict.code for conflict in conflicts} == {"IDEMPOTENCY_CONFLICT"}
    assert await runs_of(client, name) == [WorkflowExecutionStatus.RUNNING]
    await client.get_workflow_handle(name).terminate()


def test_two_commands_share_a_run_and_a_third_with_another_input_is_refused(
    shared: Shell, call: Call, name: str
) -> None:
    shared.write("d.json", PAUSED)
    arguments = ("run", "d.json", "--json", "--id", name, "--input")
    first = shared.start(*arguments, '{"n": 1}')
    wait_for_line(first, "answer with:")
    second = shared.start(*arguments, '{ "n" : 1 }')
    wait_for_line(second, "joined")
    conflict = call(*arguments, '{"n": 2}')
    assert (conflict.status, conflict.body["status"]) == (1, "FAILED")
    assert conflict.body["error"]["code"] == "IDEMPOTENCY_CONFLICT"
    assert conflict.body["error"]["execution_id"] == name
    assert call("respond", name).status == 0
    one, other = shared.finish(first), shared.finish(second)
    assert (one.status, one.body) == (other.status, other.body)
    assert one.body["final_state"]["n"] == 1
    again = shared.run(*arguments, '{"n": 1}')
    assert (again.status, again.body) == (0, one.body)
    late = call(*arguments, '{"n": 2}')
    assert (late.status, late.body["error"]["code"]) == (1, "IDEMPOTENCY_CONFLICT")
    assert [run["status"] for run in call("list", "--json").body["runs"] if run["execution_id"] == name] == [
        "SUCCEEDED"
    ]


async def test_after_a_failure_the_key_is_free(shared: Shell, name: str) -> None:
    shared.write("d.json", FAILING)
    assert shared.run("run", "d.json", "--json", "--id", name).body["error"]["code"] == "ASSERTION_FAILED"
    fixed = chain(sets("a", a=2), *FAILING["nodes"][1:], workflow_name="Failing")
    shared.write("d.json", fixed)
    ended = shared.run("run", "d.json", "--json", "--id", name)
    assert (ended.status, ended.body["status"]) == (0, "SUCCEEDED")
    client, _ = await connected(shared)
    assert sorted(map(str, await runs_of(client, name))) == sorted(
        map(str, [WorkflowExecutionStatus.COMPLETED, WorkflowExecutionStatus.FAILED])
    )


async def test_a_run_that_another_client_started_is_joined_by_its_input(shared: Shell, name: str) -> None:
    client, plugin = await connected(shared)
    queue = shared.environment["STATEBAG_TASK_QUEUE"]
    request = request_of(shared, PAUSED, name)
    foreign = await client.start_workflow("WorkflowOrchestrator", request.execution_input(), id=name, task_queue=queue)
    joined = await start_run(client, request, plugin.store, task_queue=queue)
    assert joined.joined
    assert (await joined.handle.describe()).run_id == foreign.result_run_id
    with pytest.raises(RunConflict, match="another input is running"):
        await start_run(client, request_of(shared, PAUSED, name, state="{}"), plugin.store, task_queue=queue)
    await foreign.terminate()


async def test_a_conflict_leaves_nothing_in_the_store(shared: Shell, name: str) -> None:
    client, plugin = await connected(shared)
    queue = shared.environment["STATEBAG_TASK_QUEUE"]
    small = request_of(shared, PAUSED, name)
    started = await start_run(client, small, plugin.store, task_queue=queue)
    large = request_of(shared, PAUSED, name, state='{"text": "' + "x" * 100_000 + '"}')
    with pytest.raises(RunConflict):
        await start_run(client, large, plugin.store, task_queue=queue)
    assert plugin.store.stats().bytes_written == 0
    await started.handle.terminate()
