import base64
import gzip
import hashlib
import io
import json
from typing import Any

import pytest

from statebag.bag import decompress
from statebag.blobs import Pointer
from statebag.errors import InputRefused, PointerCorrupt, StateBagError


def pack(value: Any) -> str:
    return base64.b64encode(gzip.compress(json.dumps(value).encode(), mtime=0)).decode()


OLD: dict[str, Any] = {
    "ownerId": "owner",
    "workflowId": "workflow",
    "idempotency_key": "owner#auto#x",
    "segment_to_run": 3,
    "total_segments": 9,
    "loop_counter": 4,
    "max_loop_iterations": None,
    "start_time": 1_700_000_000.0,
    "MOCK_MODE": True,
    "last_update_time": 1_700_000_001,
    "payload_size_kb": 12,
    "light_config": {"workflow_id": "workflow", "node_count": 2},
    "workflow_config_s3_path": "s3://bucket/workflow_config.json",
    "state_s3_path": "s3://bucket/state.json",
    "partition_map": [{"id": "p0"}, None],
    "segment_manifest": None,
    "state_durations": {"RUNNING": 2.5},
    "state_history": [{"type": "history_archive", "s3_path": "s3://bucket/h"}, "text", {"node_id": "n"}],
    "current_state": {"a": 1, "nulls": [None], "ref": {"type": "s3_reference", "s3_path": "s3://bucket/f"}},
    "last_hitp_response": "yes",
    "my own field": {"x": [None]},
    "_failed_segments": [],
}


def update(run: Any, state: Any, **payload: Any) -> dict[str, Any]:
    return run.manager.handle({"action": "update_and_compress", "state_data": state, **payload})


def test_nothing_of_an_old_bag_is_lost(run: Any) -> None:
    compressed = {"type": "compressed", "data": pack({"nodes": [1, None]}), "compressed_at": "then"}
    bag = update(run, OLD | {"workflow_config": compressed})
    kept = {
        name: value
        for name, value in OLD.items()
        if name not in ("max_loop_iterations", "MOCK_MODE", "last_update_time", "payload_size_kb", "state_history")
    }
    assert {name: bag[name] for name in kept} == kept
    assert bag["workflow_config"] == {"nodes": [1, None]}
    assert bag["state_history"] == [OLD["state_history"][0], {"message": "text"}, {"node_id": "n"}]
    assert bag["max_loop_iterations"] == 100
    assert (bag["MOCK_MODE"], bag["bag_version"], bag["schema_version"]) == ("true", 1, 1)
    assert bag["execution_id"] == OLD["idempotency_key"]
    assert {"compression_applied", "s3_offloaded", "last_optimization"} <= bag.keys()


def test_what_is_given_back_can_be_given_again(run: Any) -> None:
    bag = update(run, OLD)
    for index in range(3):
        result = {
            "status": "CONTINUE",
            "state_delta": {"set": {f"new_{index}": index}},
            "new_history_logs": [{"n": index}],
        }
        bag = update(run, bag, execution_result=result)
    kept = ("light_config", "workflow_config_s3_path", "state_s3_path", "partition_map", "my own field")
    assert {name: bag[name] for name in kept} == {name: OLD[name] for name in kept}
    assert bag["current_state"] == OLD["current_state"] | {"new_0": 0, "new_1": 1, "new_2": 2}
    assert [entry for entry in bag["state_history"] if "n" in entry] == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert (bag["bag_version"], bag["segment_to_run"], bag["loop_counter"]) == (4, 3, 4)


def test_the_caller_moves_the_segment_itself(run: Any) -> None:
    bag = update(run, OLD, execution_result={"status": "CONTINUE", "next_segment_to_run": 5})
    assert (bag["segment_to_run"], bag["loop_counter"]) == (5, 4)


def test_a_large_old_state_moves_to_the_store_and_its_old_pointer_stays(run: Any) -> None:
    large = OLD | {"current_state": {f"f{index:04}": "some value" for index in range(6_000)}}
    large["huge"] = ["y" * 100] * 3_000
    bag = update(run, large)
    assert bag["s3_offloaded"] is True
    assert bag["carried"]["state_s3_path"] == OLD["state_s3_path"]
    assert bag["state_s3_path"] == bag["current_state"]["key"]
    bag = update(run, bag, execution_result={"status": "CONTINUE", "state_delta": {"set": {"one": 1}}})
    assert bag["carried"]["state_s3_path"] == OLD["state_s3_path"]
    blobs = run.store.execution("owner", "workflow", OLD["idempotency_key"])
    assert blobs.get(Pointer.from_json(bag["huge"])) == large["huge"]
    stored = blobs.get(Pointer.from_json(bag["current_state"]))["f"]
    assert stored == large["current_state"] | {"one": 1}


def test_runs_without_a_name_do_not_meet(run: Any) -> None:
    nameless = {name: value for name, value in OLD.items() if name != "idempotency_key"}
    one, other = update(run, nameless), update(run, nameless | {"current_state": {"b": 2}})
    one = update(run, one, execution_result={"status": "CONTINUE", "state_delta": {"set": {"x": 1}}})
    other = update(run, other, execution_result={"status": "CONTINUE", "state_delta": {"set": {"x": 2}}})
    assert (one["current_state"]["x"], other["current_state"]) == (1, {"b": 2, "x": 2})


def test_a_bag_of_this_version_goes_through_as_well(run: Any) -> None:
    run.init({"a": 1}, segments=3)
    bag = update(run, run.state, execution_result={"status": "CONTINUE", "next_segment_to_run": 1})
    assert bag["segment_to_run"] == 1
    run.state = {k: v for k, v in bag.items() if k not in ("compression_applied", "s3_offloaded", "last_optimization")}
    run.sync(following=2)
    assert run.user == {"a": 1}


def test_an_old_bag_with_a_control_field_that_can_t_be_read_is_refused(run: Any) -> None:
    with pytest.raises(StateBagError, match="total_segments is 'many'") as refused:
        update(run, OLD | {"total_segments": "many"})
    assert refused.value.code == "BAG_MALFORMED"


def test_no_action_means_update_and_compress(run: Any) -> None:
    assert run.manager.handle({"state_data": OLD})["my own field"] == OLD["my own field"]


@pytest.mark.parametrize("value", [None, "", 0, [None, {"ü": 2**70}], {"rows": ["same"] * 10_000}])
def test_what_was_compressed_comes_back(value: Any, run: Any) -> None:
    digest = hashlib.sha256(json.dumps(value).encode()).hexdigest()
    assert decompress(pack(value), sha256=digest) == value
    assert run.manager.handle({"action": "decompress", "compressed_data": pack(value)}) == value
    if value and len(json.dumps(value)) > 1_000:
        assert len(pack(value)) < len(json.dumps(value)) / 10


def bomb() -> str:
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=9, mtime=0) as stream:
        for _ in range(65):
            stream.write(b"0" * 1024 * 1024)
    return base64.b64encode(out.getvalue()).decode()


@pytest.mark.parametrize(
    ("data", "sha256", "error", "match"),
    [
        (None, None, InputRefused, "base64 text"),
        ("", None, InputRefused, "base64 text"),
        (3, None, InputRefused, "base64 text"),
        ("@@@", None, InputRefused, "not base64"),
        ("ä", None, InputRefused, "not base64"),
        (base64.b64encode(b"plain").decode(), None, PointerCorrupt, "no gzip"),
        (pack({"a": 1})[:24], None, PointerCorrupt, "no gzip"),
        (base64.b64encode(gzip.compress(b"not json", mtime=0)).decode(), None, PointerCorrupt, "no JSON"),
        (pack(1), "0" * 64, PointerCorrupt, "SHA-256"),
        (bomb(), None, PointerCorrupt, "inflates to more than"),
    ],
)
def test_what_can_t_be_decompressed_is_an_error(data: Any, sha256: Any, error: Any, match: str) -> None:
    with pytest.raises(error, match=match):
        decompress(data, sha256=sha256)


def test_data_that_is_damaged_inside_is_an_error() -> None:
    packed = bytearray(base64.b64decode(pack(list(range(5_000)))))
    for place in range(20, len(packed) - 8, 97):
        packed[place] ^= 0xFF
    with pytest.raises(PointerCorrupt):
        decompress(base64.b64encode(bytes(packed)).decode())
