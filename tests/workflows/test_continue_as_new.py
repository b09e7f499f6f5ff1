"""A long run is cut into several histories, and nothing of it is lost."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from tests.rig import Document, Rig, asks, chain, events_of, llm, sets, start_rig
from tests.workflows.states import BORN

SEGMENTS = 120
PAUSES_AFTER = (10, 40, 41, 90)


@pytest.fixture(scope="module")
async def short_rig(temporal_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    """A worker on a server that suggests a new history after 60 events."""
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(temporal_binary),
        dev_server_log_level="error",
        dev_server_extra_args=["--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=60"],
    ) as environment:
        address = environment.client.service_client.config.target_host
        async with start_rig(address, tmp_path_factory.mktemp("store")) as rig:
            yield rig


def long_document() -> Document:
    """A run of many segments, some of them activities, with a random and a counted field, and pauses between."""
    nodes: list[dict[str, Any]] = []
    for number in range(SEGMENTS):
        if number % 4 == 0:
            config = {"strategy": "uuid_generate", "output_key": f"id_{number}"}
            nodes.append({"id": f"n{number}", "type": "operator_official", "config": config})
        elif number % 4 == 2:
            nodes.append(llm(f"n{number}", f"Number {number}, after {{{{id_{number - 2}}}}}", output_key=f"said_{number}"))
        else:
            nodes.append(sets(f"n{number}", **{f"set_{number}": number}))
    edges = [asks(f"n{after}", f"n{after + 1}", output_key=f"answer_{after}") for after in PAUSES_AFTER]
    return chain(*nodes, edges=edges)


async def drive(rig: Rig, run_id: str, order: str) -> tuple[WorkflowHandle[Any, Any], dict[str, Any]]:
    handle = await rig.start(long_document(), id=run_id, idempotency_key=order)
    for times, after in enumerate(PAUSES_AFTER, start=1):
        pause = await rig.pause(handle, times=times)
        if times > 1:
            refusal = await rig.refusal(handle, {"pause_id": first})  # noqa: F821 - bound by the first pass
            assert refusal.type == "PAUSE_ANSWERED"
        else:
            first = pause["pause_id"]
            duplicate = await rig.start(long_document(), idempotency_key=order)
            assert (await rig.failure(duplicate)).details[0]["execution_id"] == run_id
        await rig.respond(handle, {"pause_id": pause["pause_id"], "response": f"answer {after}"})
    return handle, await rig.client.get_workflow_handle(run_id).result()


async def runs_of(handle: WorkflowHandle[Any, Any], rig: Rig) -> list[str]:
    """Run ids of the chain, in order."""
    runs = [handle.first_execution_run_id or ""]
    while True:
        last = (await events_of(rig.client.get_workflow_handle(handle.id, run_id=runs[-1])))[-1]
        if not last.HasField("workflow_execution_continued_as_new_event_attributes"):
            return runs
        runs.append(last.workflow_execution_continued_as_new_event_attributes.new_execution_run_id)


@pytest.mark.timeout(90)
async def test_a_run_in_several_histories_is_one_run(rig: Rig, short_rig: Rig) -> None:
    run_id, order = f"run-{secrets.token_hex(8)}", secrets.token_hex(6)
    _, expected = await drive(rig, run_id, order)
    handle, output = await drive(short_rig, run_id, order)
    runs = await runs_of(handle, short_rig)
    assert len(set(runs)) == len(runs) >= 3

    latest = short_rig.client.get_workflow_handle(run_id)
    trace = await short_rig.trace(latest)
    assert trace == await rig.trace(rig.client.get_workflow_handle(run_id))
    assert trace[: len(BORN)] == BORN
    assert trace.count("ExecuteSegment") == output["loop_counter"] == output["total_segments"]
    assert trace.count("WaitForHITPCallback") == output["pauses"] == len(PAUSES_AFTER)

    volatile = ("start_time", "final_state_s3_path")
    assert {k: v for k, v in output.items() if k not in volatile} == {
        k: v for k, v in expected.items() if k not in volatile
    }
    assert without_times(short_rig.user_state(output)) == without_times(rig.user_state(expected))
    assert (await short_rig.client.get_workflow_handle(run_id).query("progress"))["status"] == "SUCCEEDED"

    events = short_rig.sink.of(run_id)
    assert [event.sequence for event in events] == list(range(len(events)))
    assert short_rig.types_of(run_id) == rig.types_of(run_id)
    again = await short_rig.start(long_document(), idempotency_key=order)
    assert (await again.result())["duplicate_of"] == run_id


async def test_each_history_commits_under_its_own_name(short_rig: Rig) -> None:
    """Versions go on counting, and no run of the chain can meet another one's records."""
    document = chain(*(llm(f"n{number}", "hi") for number in range(30)))
    handle = await short_rig.start(document)
    output = await short_rig.client.get_workflow_handle(handle.id).result()
    runs = await runs_of(handle, short_rig)
    assert len(runs) >= 3
    blobs = short_rig.plugin.store.execution("acme", "review", handle.id)
    versions: list[int] = []
    for run in runs:
        names = sorted(blobs.list_records(f"commits/{run}/"))
        assert names != []
        versions += [int(name.rsplit("/", 1)[1].split(".")[0]) for name in names]
    assert versions == list(range(1, 32))
    assert output["loop_counter"] == 30


async def test_a_history_stays_short(short_rig: Rig) -> None:
    document = chain(*(llm(f"n{number}", "hi") for number in range(30)))
    handle = await short_rig.start(document)
    await short_rig.client.get_workflow_handle(handle.id).result()
    for run in await runs_of(handle, short_rig):
        assert len(await events_of(short_rig.client.get_workflow_handle(handle.id, run_id=run))) < 80


def without_times(state: dict[str, Any]) -> dict[str, Any]:
    """A state without when a person answered."""
    response = {key: value for key, value in state["last_hitp_response"].items() if key != "responded_at"}
    return {**state, "last_hitp_response": response}


