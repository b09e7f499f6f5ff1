"""Each action of the state data manager is an activity that does what the Lambda-shaped door does."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import StateActivities
from statebag.app import Settings, StateBagPlugin
from statebag.bag import ACTIONS, Bag, BagEngine, Place, StateDataManager
from statebag.canonical import canonical_bytes
from statebag.nodes import builtin_registry
from tests.rig import asks, chain, llm, local_store

EXECUTION = "run"
STAMPS = ("compression_applied", "s3_offloaded", "last_optimization")
DOCUMENT = chain(
    *(llm(f"n{index}", "hi") for index in range(5)),
    edges=[asks("n2", "n3", output_key="verdict", on_reject="n0")],
)
INPUT = {
    "ownerId": "acme",
    "workflowId": "review",
    "workflow_config": DOCUMENT,
    "initial_state": {"kept": [1], "gone": True, "large": "x" * 60_000},
    "MOCK_MODE": "true",
}
NOW = datetime(2026, 1, 2, tzinfo=UTC)
Payload = Mapping[str, Any]


@dataclass(kw_only=True)
class Activities:
    """A run driven by the activities."""

    engine: BagEngine
    functions: Mapping[str, Callable[..., Any]]
    task: dict[str, Any] = field(default_factory=dict[str, Any])

    async def call(self, action: str, payload: Payload) -> Any:
        if action == "init":
            task: dict[str, Any] = {"input": INPUT, "execution_id": EXECUTION}
        else:
            task = {**self.task, **payload}
        answer = await ActivityEnvironment().run(self.functions[action], task)
        if isinstance(answer, dict) and "bag" in answer:
            run = {"ownerId": "acme", "workflowId": "review", "execution_id": EXECUTION}
            self.task = {"run": run, "bag": answer["bag"]}
        return answer

    def user(self) -> dict[str, Any]:
        root = self.task["bag"]["root"]
        place = Place(owner_id="acme", workflow_id="review", execution_id=EXECUTION, version=0, root=root)
        return self.engine.read_bag(place).user.whole()


@dataclass(kw_only=True)
class Door:
    """The same run at the Lambda-shaped door."""

    manager: StateDataManager
    folder: Path
    state: Any = None

    def call(self, action: str, payload: Payload) -> Any:
        if action == "init":
            event: dict[str, Any] = {"input": INPUT, "execution_id": EXECUTION}
        elif action == "sync_branch":
            counters = {"segment_to_run": 0, "loop_counter": 0, "bag_version": 1, "total_segments": 5}
            event = {"branch_state": {"branch_id": "b", "state_data": self.state, **counters}, **payload}
        else:
            event = {"state_data": self.state, **payload}
        answer = self.manager.handle({"action": action, **event})
        if action == "update_and_compress":
            self.state = answer
        elif action == "sync_branch":
            self.state = answer["branch_state"]["state_data"]
        elif action != "decompress":
            self.state = answer["state_data"]
        return answer

    def user(self) -> dict[str, Any]:
        # ``update_and_compress`` adds a few fields that say what it did.
        body = {key: value for key, value in self.state.items() if key not in STAMPS}
        return Bag.from_json(body, local_store(self.folder).execution("acme", "review", EXECUTION)).user.whole()


@pytest.fixture
def activities(tmp_path: Path) -> Activities:
    engine = BagEngine(local_store(tmp_path / "activities"), builtin_registry(), now=lambda: NOW)
    functions = {name_of(each): each for each in StateActivities(engine, ThreadPoolExecutor(2)).all()}
    return Activities(engine=engine, functions=functions)


@pytest.fixture
def door(tmp_path: Path) -> Door:
    folder = tmp_path / "door"
    manager = StateDataManager(local_store(folder), builtin_registry(), now=lambda: NOW)
    return Door(manager=manager, folder=folder)


def name_of(function: Callable[..., Any]) -> str:
    name = activity._Definition.must_from_callable(function).name
    assert name is not None
    return name


def result(status: str, following: int | None = None, **values: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"status": status, "next_segment_to_run": following}
    return {**body, "state_delta": {"set": values, "unset": ["gone"]}, "new_history_logs": [{"text": "done"}]}


INIT = ("init", {})
SYNC = ("sync", {"execution_result": result("CONTINUE", 1, x=1)})
CALL = ("sync", {"execution_result": {"status": "PAUSED_FOR_ASYNC_LLM", "next_segment_to_run": 0}})
PAUSE = ("sync", {"execution_result": result("PAUSED_FOR_HITP", 3)})
SNAPSHOT = ("create_snapshot", {"snapshot_type": "manual"})
FORK_RESULT = {
    "status": "PARALLEL_GROUP",
    "next_segment_to_run": 1,
    "convergence_segment": 1,
    "branches": [{"branch_id": name, "partition_map": [{"id": name, "nodes": []}]} for name in ("l", "r")],
}
FORK = ("sync", {"execution_result": FORK_RESULT})
JOINED = [
    {"branch_id": name, "execution_order": index, "status": "COMPLETE", "state_delta": {"set": {name: index}}}
    for index, name in enumerate(("l", "r"))
]
CHUNKS = [{"execution_order": index, "status": "COMPLETE", "final_state": {f"c{index}": 1}} for index in range(3)]
ANSWER = {"token_id": "3-1", "decision": "APPROVED", "user_response": 0, "responder": "ann", "responded_at": "now"}
PACKED = base64.b64encode(gzip.compress(b'{"a":[1,null]}', mtime=0)).decode()

CASES: Mapping[str, tuple[list[tuple[str, Payload]], Payload]] = {
    "init": ([], {}),
    "sync": ([INIT], SYNC[1]),
    "sync_branch": ([INIT], SYNC[1]),
    "aggregate_branches": ([INIT, FORK], {"parallel_results": JOINED}),
    "merge_callback": ([INIT, PAUSE], {"callback_result": ANSWER}),
    "merge_async": ([INIT, CALL], {"async_result": result("CONTINUE", 1, said="hum")}),
    "aggregate_distributed": ([INIT], {"execution_result": CHUNKS, "policy": {"failure": "fail_on_any"}}),
    "create_snapshot": ([INIT, SYNC], SNAPSHOT[1]),
    "restore_snapshot": ([INIT, SNAPSHOT, SYNC], {"snapshot_id": f"{EXECUTION}/1/manual"}),
    "hydrate_branch": ([INIT], {"branch_pointer": {"branch_id": "b", "branch_index": 1, "partition_map": []}}),
    "hydrate_segment": ([INIT], {"segment_index": 2}),
    "update_and_compress": ([INIT], SYNC[1]),
    "decompress": ([INIT], {"compressed_data": PACKED}),
}


def test_the_plugin_registers_every_action_under_its_name(tmp_path: Path) -> None:
    plugin = StateBagPlugin(Settings(store=tmp_path.as_uri()), registry=builtin_registry())
    assert isinstance(plugin.activities, list)
    names = [name_of(each) for each in plugin.activities]
    assert len(names) == len(set(names))
    others = {"execute_segment", "begin_branch", "async_llm", "publish_event", "verify_claim"}
    maps = {"prepare_map", "run_chunk", "open_chunk", "finish_chunk", "close_chunk", "join_map"}
    maps |= {"finish_branches", "join_branches", "redrive", "watch_chunks", "find_lost_chunks", "end_leftovers"}
    assert set(names) == {*ACTIONS, *others, *maps}
    assert set(CASES) == set(ACTIONS)


@pytest.mark.parametrize("action", ACTIONS)
async def test_an_action_is_the_same_through_both_ways_in(action: str, activities: Activities, door: Door) -> None:
    before, payload = CASES[action]
    for earlier, given in before:
        await activities.call(earlier, given)
        door.call(earlier, given)
    ours, theirs = await activities.call(action, payload), door.call(action, payload)
    assert canonical_bytes(activities.user()) == canonical_bytes(door.user())
    if action == "decompress":
        assert ours == theirs == {"a": [1, None]}
    elif action in ("hydrate_branch", "hydrate_segment"):
        assert ours == {key: value for key, value in theirs.items() if key != "state_data"}
    elif action != "update_and_compress":  # the door's answer is the bare bag
        assert ours["next_action"] == theirs["next_action"]
        for name in ("final_status", "snapshot_id", "restored_from"):
            assert ours.get("extra", {}).get(name) == theirs.get(name)
        # The bag has the summary; history is spared it.
        assert "summary" not in ours.get("extra", {})
    if action not in ("decompress", "hydrate_branch", "hydrate_segment", "sync_branch"):
        assert ours["bag"]["version"] == door.state["bag_version"]
        assert ours["loop_counter"] == door.state["loop_counter"]
        assert ours["segment_to_run"] == door.state["segment_to_run"]


async def test_the_same_action_again_gives_the_same_answer(activities: Activities) -> None:
    await activities.call(*INIT)
    at = activities.task
    first = await activities.call(*SYNC)
    activities.task = at
    assert await activities.call(*SYNC) == first
    activities.task = at
    with pytest.raises(ApplicationError) as conflict:
        await activities.call("sync", {"execution_result": result("CONTINUE", 2)})
    assert (conflict.value.type, conflict.value.non_retryable) == ("BAG_VERSION_CONFLICT", True)


async def test_a_result_that_breaks_the_contract_is_refused_for_good(activities: Activities) -> None:
    await activities.call(*INIT)
    with pytest.raises(ApplicationError) as refused:
        await activities.call("sync", {"execution_result": {"status": 7, "state_delta": []}})
    assert (refused.value.type, refused.value.non_retryable) == ("RESULT_INVALID", True)
    assert [problem["path"] for problem in refused.value.details[0]["details"]["problems"]] == [
        "$.state_delta",
        "$.status",
    ]
