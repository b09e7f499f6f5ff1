"""Two versions of the worker beside each other, deployed and withdrawn with the commands of docs/operations.md."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import subprocess
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.enums.v1 import RoutingConfigUpdateState, VersioningBehavior
from temporalio.api.workflowservice.v1 import DescribeWorkerDeploymentRequest
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import TerminatedError

from statebag.app import Settings, StateBagPlugin
from statebag.app.embedded import start_server
from tests.faults.site import OWNER, ROOT, WORKFLOW, Document, Site, query, until_paused
from tests.mapping import mapping
from tests.rig import EVENTS_A_RUN, asks, chain, events_of, group, llm, sets

PAGE = (ROOT / "docs/operations.md").read_text()
LOOKS_OFTEN = (
    'matching.wv.VersionDrainageStatusRefreshInterval="1s"',
    'matching.wv.VersionDrainageStatusVisibilityGracePeriod="1s"',
)
"""What still runs on a version is looked up each second, in place of each three minutes."""
SHORT_HISTORIES = (f"limit.historyCount.suggestContinueAsNew={EVENTS_A_RUN}",)
"""The server's own workflows continue as new early by it, too, and forget meanwhile how far a change of versions is."""
CALLS = 8
"""Model calls: more than fit into one such history."""
Handle = WorkflowHandle[Any, Any]


def commands_under(heading: str) -> list[str]:
    """The lines behind ``$`` of the heading's console blocks."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"```console\n(.*?)```", section, re.DOTALL)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]


FIRST, FIRST_CURRENT = commands_under("The first version")
SECOND, LOOK, LOOK_CLOSER, RAMP, SECOND_CURRENT = commands_under("The next version")
UNRAMP, BACK, WITHDRAW, REDRIVE = commands_under("Go back")
WHERE, WHAT = commands_under("Which run is where")
(DRAINED,) = commands_under("Take a version away")


@asynccontextmanager
async def open_site(folder: Path, *configured: str) -> AsyncGenerator[Site]:
    """A server of its own, as the command starts it, with values of its dynamic configuration."""
    arguments = [argument for value in configured for argument in ("--dynamic-config-value", value)]
    async with start_server(arguments=("--headless", *arguments)) as server:
        plugin = StateBagPlugin(Settings(store=(folder / "store").as_uri()))
        client = await Client.connect(server.address, plugins=[plugin])
        yield Site(address=server.address, folder=folder, client=client, plugin=plugin)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path, *LOOKS_OFTEN) as opened:
        yield opened


async def shell(site: Site, line: str, **named: str) -> str:
    """What a documented command says; ``named`` takes the place of names in capitals."""
    for name, value in named.items():
        line = re.sub(rf"\b{name}\b", value, line)
    environment = site.environment | {"PATH": f"{ROOT}/.venv/bin:{site.environment['PATH']}"}
    command = ["bash", "-c", line]
    done = await asyncio.to_thread(subprocess.run, command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, (line, done.stdout, done.stderr)
    return done.stdout


def worker(site: Site, line: str) -> AbstractAsyncContextManager[subprocess.Popen[bytes]]:
    """The worker that a documented line starts."""
    *settings, python, script = shlex.split(line)
    assert (python, script) == ("python", "worker.py")
    return site.worker(**dict(setting.split("=", 1) for setting in settings))


async def route(site: Site, line: str) -> None:
    """Run a command that says where new runs go, and wait until all of the server knows."""
    await shell(site, line)
    asked = DescribeWorkerDeploymentRequest(namespace="default", deployment_name="statebag")
    while True:
        told = (await site.client.workflow_service.describe_worker_deployment(asked)).worker_deployment_info
        if told.routing_config_update_state == RoutingConfigUpdateState.ROUTING_CONFIG_UPDATE_STATE_COMPLETED:
            return
        await asyncio.sleep(0.05)


def whole() -> Document:
    """Asks; then calls models until the history is long, forks, and maps."""
    calls = [
        llm(f"say_{number}", mock_response=f"said {number}", output_key=f"said_{number}") for number in range(CALLS)
    ]
    sides = [[llm(side, mock_response=f"from the {side}", output_key=side)] for side in ("left", "right")]
    items = mapping(llm("about", "About {{item}}", mock_response="seen", output_key="seen"), chunk_size=1)
    return chain(
        {"id": "begun", "type": "operator_official", "config": {"strategy": "timestamp", "output_key": "begun"}},
        sets("a", xs=["p", "q"], word="x"),
        *calls,
        group("both", *sides),
        items,
        sets("z", done=True),
        edges=[asks("a", "say_0", output_key="answer")],
    )


def asking_items() -> Document:
    """A map whose items ask."""
    items = mapping(sets("b", b=1), sets("c", c=2), edges=[asks("b", "c")], chunk_size=1)
    return chain(sets("a", xs=["p", "q"]), items, sets("z", done=True))


async def start(site: Site, document: Document, execution_id: str) -> Handle:
    given = {"ownerId": OWNER, "workflowId": WORKFLOW, "workflow_config": document, "MOCK_MODE": "true"}
    given["idempotency_key"] = f"key-{execution_id}"
    # A task that dies with its worker is given to the next one when this time is over.
    return await site.client.start_workflow(
        "WorkflowOrchestrator", given, id=execution_id, task_queue="statebag", task_timeout=timedelta(seconds=2)
    )


async def start_paused(site: Site, execution_id: str) -> Handle:
    handle = await start(site, whole(), execution_id)
    await until_paused(handle)
    return handle


async def answer(handle: Handle, **more: str) -> dict[str, Any]:
    return await handle.execute_update("respond", {"decision": "APPROVED", "response": "yes", **more})


@dataclass(frozen=True, kw_only=True)
class Done:
    """Who did one history of a run."""

    type: str
    builds: frozenset[str]
    """Versions that its workflow tasks were done on, as the history has them."""
    pinned_to: str
    """The version that the server has for it."""
    workers: frozenset[str]
    """Processes that its workflow tasks and activities ran in."""


async def who_did(site: Site, execution_id: str, run_id: str) -> list[Done]:
    """One for each history of a run and of all below it."""
    handle = site.client.get_workflow_handle(execution_id, run_id=run_id)
    described = (await handle.describe()).raw_description.workflow_execution_info
    assert described.versioning_info.behavior == VersioningBehavior.VERSIONING_BEHAVIOR_PINNED
    builds: set[str] = set()
    workers: set[str] = set()
    below: list[tuple[str, str]] = []
    for event in await events_of(handle):
        if event.HasField("workflow_task_completed_event_attributes"):
            task = event.workflow_task_completed_event_attributes
            assert task.deployment_version.deployment_name == "statebag"
            builds.add(task.deployment_version.build_id)
            workers.add(task.identity)
        elif event.HasField("activity_task_started_event_attributes"):
            workers.add(event.activity_task_started_event_attributes.identity)
        elif event.HasField("child_workflow_execution_started_event_attributes"):
            child = event.child_workflow_execution_started_event_attributes.workflow_execution
            below.append((child.workflow_id, child.run_id))
        elif event.HasField("workflow_execution_continued_as_new_event_attributes"):
            following = event.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
            below.append((execution_id, following))
    done = Done(
        type=described.type.name,
        builds=frozenset(builds),
        pinned_to=described.versioning_info.deployment_version.build_id,
        workers=frozenset(name.partition("@")[0] for name in workers),
    )
    return [done, *[found for one in below for found in await who_did(site, *one)]]


async def assert_wholly_on(
    site: Site, handle: Handle, build: str, workers: Sequence[subprocess.Popen[bytes]], *, histories: int = 1
) -> None:
    """The run and all below it were done by workers of that version alone, in so many histories of the run at least."""
    assert handle.first_execution_run_id is not None
    found = await who_did(site, handle.id, handle.first_execution_run_id)
    assert {(done.builds, done.pinned_to) for done in found} == {(frozenset({build}), build)}
    assert frozenset[str]().union(*(done.workers for done in found)) <= {str(worker.pid) for worker in workers}
    types = [done.type for done in found]
    assert types.count("WorkflowOrchestrator") >= histories
    assert (types.count("BranchWorkflow"), types.count("ChunkWorkflow"), types.count("IdempotencyClaim")) == (2, 2, 1)


async def bag_of(site: Site, handle: Handle) -> dict[str, Any]:
    """What the run left, once it has succeeded."""
    output = await handle.result()
    assert output["status"] == "SUCCEEDED"
    outcome = site.outcome(output)
    # These are made from the run's own id.
    own = ("log_id", "result_manifest")
    history = [{name: value for name, value in entry.items() if name not in own} for entry in outcome["history"]]
    return outcome | {"history": history}


async def test_runs_end_on_the_version_that_they_began_with(site: Site) -> None:
    async with site.worker():
        undisturbed = await start_paused(site, "undisturbed")
        await answer(undisturbed)
        wanted = await bag_of(site, undisturbed)
        assert wanted["state"]["said_0"] == "said 0"
        assert wanted["answer"]["value"] == "yes"
        before = await start_paused(site, "before")
    async with worker(site, FIRST) as one, worker(site, SECOND) as two:
        await route(site, FIRST_CURRENT)
        # One from before the versions goes on in the first of them.
        await answer(before)
        assert await bag_of(site, before) == wanted
        assert re.search(r"BuildId +1\n", await shell(site, WHERE, ID="before"))
        a = await start_paused(site, "a")
        described = await shell(site, LOOK)
        assert re.search(r"CurrentVersionBuildID +1\n", described)
        assert "workflow" in await shell(site, LOOK_CLOSER)

        await route(site, RAMP)
        assert re.search(r"RampingVersionPercentage +10\n", await shell(site, LOOK))
        await route(site, UNRAMP)
        assert "RampingVersionBuildID" not in await shell(site, LOOK)
        await route(site, SECOND_CURRENT)
        b = await start_paused(site, "b")
        assert re.search(r"BuildId +2\n", await shell(site, WHERE, ID="b"))
        await route(site, BACK)
        c = await start_paused(site, "c")
        two.kill()
        await asyncio.to_thread(two.wait)
        done = len(await events_of(b, "WORKFLOW_TASK_COMPLETED"))
        waiting = asyncio.create_task(answer(b))
        for handle in (a, c):
            await answer(handle)
            assert await bag_of(site, handle) == wanted
            await assert_wholly_on(site, handle, "1", [one])
        assert not waiting.done()
        assert len(await events_of(b, "WORKFLOW_TASK_COMPLETED")) == done
        running = (await shell(site, WHAT)).splitlines()[1:]
        assert [line.split()[:2] for line in running if "WorkflowOrchestrator" in line] == [["Running", "b"]]
        assert "draining" in await shell(site, DRAINED)

        async with worker(site, SECOND) as back:
            assert (await waiting)["decision"] == "APPROVED"
            assert await bag_of(site, b) == wanted
            await assert_wholly_on(site, b, "2", [two, back])
            while "drained" not in await shell(site, DRAINED):
                await asyncio.sleep(0.2)
    # Bags are read without the version that wrote them.
    history = json.loads(await shell(site, "statebag history b --json"))
    assert len(history["entries"]) > CALLS


async def test_what_a_run_starts_while_another_version_is_current_is_on_its_own_one(tmp_path: Path) -> None:
    """Its branches, its chunks, and the histories that it continues as."""
    async with open_site(tmp_path, *SHORT_HISTORIES) as site, worker(site, FIRST) as one:
        await shell(site, FIRST_CURRENT)
        handle = await start_paused(site, "early")
        async with worker(site, SECOND):
            await shell(site, SECOND_CURRENT)
            assert re.search(r"CurrentVersionBuildID +2\n", await shell(site, LOOK))
            await answer(handle)
            assert (await handle.result())["status"] == "SUCCEEDED"
        await assert_wholly_on(site, handle, "1", [one], histories=2)


async def test_a_run_of_a_withdrawn_version_is_taken_up_on_the_current_one(site: Site) -> None:
    async with worker(site, FIRST) as one:
        async with worker(site, SECOND) as two:
            await route(site, SECOND_CURRENT)
            handle = await start(site, asking_items(), "w")
            while len(await query(handle, "pending")) < 2:
                await asyncio.sleep(0.05)
            await route(site, BACK)
            two.kill()
        await shell(site, WITHDRAW)
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
        assert isinstance(failed.value.cause, TerminatedError)
        taking = asyncio.create_task(shell(site, f"{REDRIVE} --json", ID="w"))
        again = site.client.get_workflow_handle("w")
        while (described := await again.describe()).status is WorkflowExecutionStatus.TERMINATED:
            await asyncio.sleep(0.05)
        while len(pauses := await query(again, "pending")) < 2:
            await asyncio.sleep(0.05)
        for pause in pauses:
            await answer(again, pause_id=pause["pause_id"])
        outcome = json.loads(await taking)
        assert outcome["status"] == "SUCCEEDED"
        assert outcome["final_state"]["done"] is True
        found = await who_did(site, "w", described.run_id)
    assert {(done.builds, done.pinned_to) for done in found} == {(frozenset({"1"}), "1")}
    assert [done.type for done in found].count("BranchWorkflow") == 2
    assert frozenset[str]().union(*(done.workers for done in found)) == {str(one.pid)}
