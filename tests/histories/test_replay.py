"""Runs that are under way when a version changes go on: every recorded history replays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

import workflows
from statebag.app import Settings, StateBagPlugin
from statebag.machine import State
from tests.histories.record import PATHS

FOLDER = Path(__file__).parent
HISTORIES = sorted(FOLDER.glob("*.json"))


@pytest.fixture
def plugin(tmp_path: Path) -> StateBagPlugin:
    return StateBagPlugin(Settings(store=tmp_path.as_uri()))


def read(path: Path) -> WorkflowHistory:
    """By its own name, from which those of its branches are made."""
    text = path.read_text()
    started = json.loads(text)["events"][0]["workflowExecutionStartedEventAttributes"]
    return WorkflowHistory.from_json(started["workflowId"], text)


def test_each_path_has_a_history() -> None:
    names = {path.stem.removesuffix("-1").removesuffix("-2") for path in HISTORIES}
    assert names == {path.__name__.replace("_", "-") for path in PATHS}
    assert len(names) >= 6


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_a_recorded_history_replays(path: Path, plugin: StateBagPlugin) -> None:
    result = await Replayer(workflows=[], plugins=[plugin]).replay_workflow(read(path), raise_on_replay_failure=False)
    assert result.replay_failure is None


@workflow.defn(name="WorkflowOrchestrator", sandboxed=False)
class Changed(workflows.WorkflowOrchestrator):
    """Publishes one event more than the version that recorded, between two segments."""

    @workflow.run
    async def run(self, input: Any = None) -> dict[str, Any]:
        """Has to be named again in a subclass."""
        return await super().run(input)

    async def _advance(self, state: State) -> State:
        following = await super()._advance(state)
        await workflow.execute_local_activity("publish_event", {}, start_to_close_timeout=timedelta(seconds=5))
        return following


@workflow.defn(name="BranchWorkflow", sandboxed=False)
class ChangedBranch(workflows.BranchWorkflow):
    """The same of a branch."""

    @workflow.run
    async def run(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """Has to be named again in a subclass."""
        return await super().run(task)

    async def _advance(self, state: State) -> State:
        following = await super()._advance(state)
        await workflow.execute_local_activity("publish_event", {}, start_to_close_timeout=timedelta(seconds=5))
        return following


@workflow.defn(name="WorkflowDistributedOrchestrator", sandboxed=False)
class ChangedDistributed(workflows.WorkflowDistributedOrchestrator):
    """The same of the distributed machine."""

    @workflow.run
    async def run(self, input: Any = None) -> dict[str, Any]:
        """Has to be named again in a subclass."""
        return await super().run(input)

    async def _advance(self, state: State) -> State:
        following = await super()._advance(state)
        await workflow.execute_local_activity("publish_event", {}, start_to_close_timeout=timedelta(seconds=5))
        return following


@workflow.defn(name="ChunkWorkflow", sandboxed=False)
class ChangedChunk(workflows.ChunkWorkflow):
    """Publishes an event before it runs a chunk, or a window."""

    @workflow.run
    async def run(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """Has to be named again in a subclass."""
        await workflow.execute_local_activity("publish_event", {}, start_to_close_timeout=timedelta(seconds=5))
        return await super().run(task)


@pytest.mark.parametrize(
    "name",
    [
        *("straight", "pause-approved", "node-failed", "continued-1", "forked", "fork-paused-1"),
        *("branch-straight", "branch-paused", "branch-nested", "branch-continued-1"),
        *("map-straight", "map-paused", "map-redriven", "map-continued-2", "item-paused"),
        *("chunk-straight", "chunk-of-calls", "chunk-paused", "chunk-window", "chunk-of-branches"),
        *("distributed-small", "distributed-large", "distributed-branches", "distributed-map"),
    ],
)
async def test_a_changed_workflow_does_not_replay(name: str, plugin: StateBagPlugin) -> None:
    plugin.workflows = [Changed, ChangedBranch, ChangedDistributed, ChangedChunk]
    replayer = Replayer(workflows=[], plugins=[plugin])
    result = await replayer.replay_workflow(read(FOLDER / f"{name}.json"), raise_on_replay_failure=False)
    assert isinstance(result.replay_failure, NondeterminismError)


def test_the_histories_end_in_every_way_a_run_can_end() -> None:
    ends = {json.loads(path.read_text())["events"][-1]["eventType"] for path in HISTORIES}
    assert ends == {
        "EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED",
        "EVENT_TYPE_WORKFLOW_EXECUTION_FAILED",
        "EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED",
        "EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW",
    }
