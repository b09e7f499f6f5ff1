from typing import Any

import pytest

from statebag.bag import read_all
from statebag.blobs import Pointer
from statebag.errors import InputRefused, OffloadFailed, StateBagError


def test_a_snapshot_is_the_whole_bag_and_restoring_gives_a_copy_with_a_new_version(run: Any) -> None:
    run.init({"a": "x" * 40_000, "b": [None]})
    run.sync("CONTINUE", 1, new_history_logs=["one"])
    answer = run.act("create_snapshot", snapshot_type="manual")
    snapshot_id = answer["snapshot_id"]
    assert snapshot_id == "run/2/manual"
    assert run.state["snapshots"] == {snapshot_id: answer["snapshot_s3_path"]}
    assert answer["next_action"] == "CONTINUE"
    assert run.state["bag_version"] == 3
    stored = run.blobs.get(Pointer.from_json(answer["snapshot_s3_path"]))
    assert (stored["bag_version"], stored["segment_to_run"], stored["loop_counter"]) == (2, 1, 1)
    run.sync("CONTINUE", 2, final_state={"other": 1}, new_history_logs=["two"])
    answer = run.act("restore_snapshot", snapshot_id=snapshot_id)
    assert answer["restored_from"] == run.state["restored_from"] == snapshot_id
    assert run.state["bag_version"] == 5
    assert (run.state["segment_to_run"], run.state["loop_counter"]) == (1, 1)
    assert run.user == {"a": "x" * 40_000, "b": [None]}
    assert list(read_all(run.bag.kernel.state_history, run.blobs)) == [{"message": "one"}]
    assert snapshot_id in run.state["snapshots"]
    run.sync("CONTINUE", 2)
    assert run.state["bag_version"] == 6


def test_the_same_bag_gives_the_same_snapshot(run: Any) -> None:
    run.init({"a": 1})
    before = run.state
    first = run.act("create_snapshot")
    run.state = before
    assert run.act("create_snapshot") == first
    assert first["snapshot_id"] == "run/1/pre"


def test_snapshots_are_kept_side_by_side_and_by_later_bags(run: Any) -> None:
    run.init({"a": 1})
    run.act("create_snapshot", snapshot_type="pre")
    run.sync(following=1, final_state={"a": 2})
    run.act("create_snapshot", snapshot_type="post")
    assert sorted(run.state["snapshots"]) == ["run/1/pre", "run/3/post"]
    run.act("restore_snapshot", snapshot_id="run/1/pre")
    assert run.user == {"a": 1}
    run.act("restore_snapshot", snapshot_id="run/3/post")
    assert run.user == {"a": 2}


@pytest.mark.parametrize("kind", ["PRE_DISTRIBUTED", "", 3])
def test_a_type_that_does_not_exist_is_refused(kind: Any, run: Any) -> None:
    run.init()
    with pytest.raises(InputRefused, match="must be one of pre, post, manual"):
        run.act("create_snapshot", snapshot_type=kind)


@pytest.mark.parametrize("snapshot_id", ["run/9/pre", None, 3, ["x"]])
def test_a_snapshot_that_is_not_there_is_an_error_naming_those_that_are(snapshot_id: Any, run: Any) -> None:
    run.init()
    run.act("create_snapshot")
    with pytest.raises(StateBagError, match="there is: run/1/pre") as failed:
        run.act("restore_snapshot", snapshot_id=snapshot_id)
    assert failed.value.code == "SNAPSHOT_NOT_FOUND"


def test_an_engine_takes_and_restores_them_too(engine: Any, chain: Any) -> None:
    engine.init({"a": 1}, document=chain({"set": {"a": 2}}, {"set": {"a": 3}}, {}))
    engine.execute()
    step = engine.act("create_snapshot", snapshot_type="manual")
    assert step.extra["snapshot_id"] == "run/2/manual"
    engine.execute()
    assert engine.user == {"a": 3}
    step = engine.act("restore_snapshot", snapshot_id="run/2/manual")
    assert (step.version, step.segment_to_run, step.loop_counter, engine.user) == (5, 1, 1, {"a": 2})
    engine.execute()
    assert engine.user == {"a": 3}


def test_only_a_snapshot_that_is_not_needed_may_fail(run: Any, backend: Any) -> None:
    run.init({"a": 1})
    backend.fail_next_writes(3)
    with pytest.raises(OffloadFailed):
        run.act("create_snapshot")
    backend.fail_next_writes(3)
    answer = run.act("create_snapshot", best_effort=True)
    assert (answer["snapshot_id"], answer["snapshot_s3_path"]) == (None, None)
    assert [warning["code"] for warning in answer["warnings"]] == ["OFFLOAD_FAILED"]
    assert run.state["bag_version"] == 2
    assert "snapshots" not in run.state
