import json
from collections.abc import Callable
from typing import Any

import pytest

from statebag.bag import STEP_FUNCTIONS, TEMPORAL, Bag, StateDataManager, read_all, upload_state
from statebag.blobs import BlobStore, ExecutionBlobs
from statebag.canonical import size_of
from statebag.errors import InputRefused, PointerNotFound, StateBagError


def test_a_bag_is_born_started_with_its_defaults_and_has_executed_nothing(run: Any) -> None:
    answer = run.init({"a": 1}, segments=3)
    assert answer["next_action"] == "STARTED"
    assert {name: run.state[name] for name in DEFAULTS} == DEFAULTS
    assert run.user == {"a": 1}
    assert list(read_all(run.bag.kernel.state_history, run.blobs)) == []


DEFAULTS = {
    "schema_version": 1,
    "bag_version": 1,
    "segment_to_run": 0,
    "total_segments": 3,
    "loop_counter": 0,
    "max_loop_iterations": 125,
    "max_branch_iterations": 62,
    "distributed_mode": False,
    "distributed_strategy": "SAFE",
    "max_concurrency": 3,
    "batch_size": 1,
} | {"ownerId": "owner", "workflowId": "workflow", "execution_id": "run", "MOCK_MODE": "false"}


def test_what_an_orchestrator_reads_is_there(run: Any) -> None:
    answer = run.init({"a": "x" * 120_000, "b": "y" * 20_000, **{f"f{i}": "z" * 29_000 for i in range(4)}})
    assert answer.keys() >= {"state_data", "next_action"}
    names = ("segment_to_run", "loop_counter", "payload_size_kb", "last_update_time", "idempotency_key", "execution_id")
    assert set(names) <= run.state.keys()
    assert run.state["payload_size_kb"] == pytest.approx(size_of(run.state) / 1024, abs=0.05)
    assert run.state["last_update_time"].endswith("+00:00")


def test_the_document_s_state_is_the_default_for_the_input_s(run: Any, chain: Callable[..., dict[str, Any]]) -> None:
    document = chain({}) | {"initial_state": {"a": 1, "b": 2, "c": None}}
    run.init({"b": None, "d": ""}, document=document)
    assert run.user == {"a": 1, "b": None, "c": None, "d": ""}


def test_300_kib_of_state_fit_and_come_back(run: Any) -> None:
    state = {f"field_{index}": [index, "ä" * 7_000, {"n": None}] for index in range(22)}
    assert size_of(state) > 300 * 1024
    run.init(state)
    assert size_of(run.state) <= 200 * 1024
    assert run.user == state


@pytest.mark.parametrize("policy", [STEP_FUNCTIONS, TEMPORAL])
def test_uploaded_state_is_taken_over_at_either_door(policy: Any, run: Any, engine: Any, blobs: ExecutionBlobs) -> None:
    state = {f"field_{index}": "v" * 1_500 for index in range(200)} | {"$ptr": 1, "$lit": {"$ptr": 2}, "null": None}
    assert size_of(state) > 290 * 1024
    pointer = upload_state(state, blobs, policy).to_json()
    run.init(initial_state_s3_path=pointer)
    assert run.user == state
    assert size_of(run.state) <= 200 * 1024
    document = {"nodes": [{"id": "n", "type": "web"}], "edges": [], "initial_state": {"more": 1, "null": 2}}
    engine.engine.init({"workflow_config": document}, "other")
    raw = {"ownerId": "owner", "workflowId": "workflow", "workflow_config": document}
    engine.step = engine.engine.init(raw | {"initial_state_s3_path": pointer}, "run", lineage="second")
    assert engine.user == state | {"more": 1}


def test_a_state_stored_as_one_object_is_taken_over(run: Any, blobs: ExecutionBlobs) -> None:
    pointer = blobs.put({"a": [1], "loop_counter": 9}, kind="upload")
    answer = run.init(initial_state_s3_path=pointer.to_json())
    assert run.user == {"a": [1]}
    assert [w["code"] for w in answer["warnings"]] == ["RESERVED_KEY"]


def test_a_state_is_found_by_the_key_of_a_pointer_record(run: Any, blobs: ExecutionBlobs) -> None:
    blobs.record_once("inputs/first", blobs.put({"a": 1}, kind="upload").to_json())
    with pytest.raises(PointerNotFound, match="nothing is recorded"):
        run.init(initial_state_s3_path="inputs/second")
    run.init(initial_state_s3_path="inputs/first")
    assert run.user == {"a": 1}


def test_a_document_is_found_by_its_pointer(run: Any, chain: Any, blobs: ExecutionBlobs, manager: Any) -> None:
    pointer = blobs.put(chain({}, {}), kind="upload").to_json()
    event = {"action": "init", "execution_id": "run", "ownerId": "owner", "workflowId": "workflow"}
    missing = dict(pointer, key=pointer["key"].replace("upload", "nothing"))
    with pytest.raises(PointerNotFound):
        manager.handle(event | {"workflow_config_s3_path": missing})
    run.take(manager.handle(event | {"workflow_config_s3_path": pointer}))
    assert run.state["total_segments"] == 2


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ({"input": {}}, "INIT_INVALID_CONFIG"),
        ({"input": {"workflow_config": {}}}, "INIT_INVALID_CONFIG"),
        ({"input": 3}, "INPUT_NOT_OBJECT"),
        ({"input": {"workflow_config": {"nodes": [], "edges": []}, "initial_state": []}}, "FIELD_TYPE"),
    ],
)
def test_what_can_t_start_is_refused(event: dict[str, Any], code: str, manager: Any) -> None:
    with pytest.raises(InputRefused) as refused:
        manager.handle({"action": "init", "execution_id": "run", **event})
    assert refused.value.code == code


def test_a_run_needs_a_name(manager: Any, chain: Any) -> None:
    with pytest.raises(InputRefused, match="execution_id: must name this run") as refused:
        manager.handle({"action": "init", "input": {"workflow_config": chain({})}})
    assert refused.value.code == "FIELD_MISSING"
    answer = manager.handle({"action": "init", "input": {"workflow_config": chain({}), "idempotency_key": "key"}})
    assert answer["state_data"]["execution_id"] == "key"


def test_two_executions_in_one_second_share_no_key(store: BlobStore, registry: Any, clock: Any, chain: Any) -> None:
    moment = clock()
    manager = StateDataManager(store, registry, now=lambda: moment)
    document = chain({}, {})
    state = {"a": "x" * 50_000}
    for name in ("run-1", "run-2"):
        body = {"ownerId": "owner", "workflowId": "workflow", "workflow_config": document, "initial_state": state}
        manager.handle({"action": "init", "execution_id": name, "input": body})
    keys = {name: {item.key for item in store.backend.list(f"owner/workflow/{name}/")} for name in ("run-1", "run-2")}
    assert keys["run-1"]
    assert keys["run-1"].isdisjoint(keys["run-2"])
    assert {key.rpartition("/")[2] for key in keys["run-1"] if "/field/" in key} == {
        key.rpartition("/")[2] for key in keys["run-2"] if "/field/" in key
    }


def test_one_execution_can_t_read_another_s_values(run: Any, store: BlobStore) -> None:
    run.init({"a": "x" * 50_000})
    stranger = store.execution("owner", "workflow", "stranger")
    with pytest.raises(StateBagError) as refused:
        Bag.from_json(run.state, stranger).user["a"]
    assert refused.value.code == "POINTER_FORBIDDEN"


def test_control_stays_small_however_large_the_state(run: Any) -> None:
    run.init({f"f{index}": "x" * 1_000 for index in range(201)})
    control = run.bag.control.to_json()
    assert size_of(control) < 10 * 1024
    assert not control.keys() & {"current_state", "state_history", "f1"}
    assert json.loads(json.dumps(control)) == control
