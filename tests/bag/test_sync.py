import copy
from typing import Any

import pytest

from statebag.bag import read_all
from statebag.errors import InputRefused, PointerNotFound


def test_a_full_state_replaces_and_a_delta_changes(run: Any) -> None:
    run.init({"a": 1, "b": [1, 2], "c": {"x": 1}})
    run.sync(following=1, state_delta={"set": {"b": [3], "c": {"y": 2}}, "unset": ["a", "never"]})
    assert run.user == {"b": [3], "c": {"y": 2}}
    run.sync(following=2, final_state={"d": [None, 1, None]})
    assert run.user == {"d": [None, 1, None]}
    run.sync(following=3)
    assert run.user == {"d": [None, 1, None]}
    assert (run.state["segment_to_run"], run.state["loop_counter"], run.state["bag_version"]) == (3, 3, 4)


def test_a_list_that_comes_back_unchanged_is_not_doubled(run: Any) -> None:
    run.init({"messages": ["a"], "items": [1, 2]})
    for following in (1, 2, 3):
        run.sync(following=following, final_state=run.user)
    assert run.user == {"messages": ["a"], "items": [1, 2]}


def test_a_null_final_state_changes_nothing(run: Any) -> None:
    run.init({"a": None})
    run.sync(following=1, final_state=None, final_state_s3_path=None, state_delta=None, new_history_logs=None)
    assert run.user == {"a": None}


def test_a_stored_final_state_is_read_and_nothing_else_is_guessed(run: Any) -> None:
    run.init({"a": 1})
    pointer = run.blobs.put({"b": {"$ptr": 1}}, kind="state").to_json()
    run.sync(following=1, final_state_s3_path=pointer)
    assert run.user == {"b": {"$ptr": 1}}
    before = run.state
    gone = dict(pointer, key=pointer["key"].replace("state/", "gone/"))
    with pytest.raises(PointerNotFound):
        run.sync(following=2, final_state_s3_path=gone)
    with pytest.raises(InputRefused, match="leads to a list"):
        run.sync(following=2, final_state_s3_path=run.blobs.put([1], kind="state").to_json())
    assert run.state == before
    run.sync(following=2)
    assert run.user == {"b": {"$ptr": 1}}


def test_the_user_map_of_one_bag_can_be_the_state_of_a_result(run: Any) -> None:
    state = {f"f{index}": "x" * 29_000 for index in range(8)} | {"$ptr": 1, "p": {"$lit": 1}}
    run.init(state)
    large = {f"f{index:04}": "v" * 60 for index in range(2_000)} | state
    run.sync(following=1, final_state=large)
    pointer = run.state["current_state"]
    assert pointer["kind"] == "fields"
    assert run.state["state_s3_path"] == pointer["key"]
    run.sync(following=2, final_state={"gone": 1})
    run.sync(following=3, final_state_s3_path=pointer)
    assert run.user == large


def test_large_dicts_and_lists_in_the_store_are_replaced_whole(run: Any) -> None:
    table, rows = {"k": "x" * 40_000}, [1] * 30_000
    run.init({"table": table, "rows": rows, "rest": 1})
    assert {entry["kind"] for entry in (run.state["current_state"][name] for name in ("table", "rows"))} == {"field"}
    run.sync(following=1, state_delta={"set": {"table": {"new": 1}, "rows": [2]}})
    assert run.user == {"table": {"new": 1}, "rows": [2], "rest": 1}
    run.sync(following=2, state_delta={"set": {"table": {"k": "y" * 40_000}}})
    run.sync(following=3, state_delta={"set": {"rest": 2}})
    assert run.user == {"table": {"k": "y" * 40_000}, "rows": [2], "rest": 2}


@pytest.mark.parametrize(
    ("result", "path"),
    [
        (None, "$"),
        ([], "$"),
        ({}, "$.status"),
        ({"status": 3}, "$.status"),
        ({"status": "CONTINUE", "final_state": []}, "$.final_state"),
        ({"status": "CONTINUE", "state_delta": {"sets": {}}}, "$.state_delta"),
        ({"status": "CONTINUE", "state_delta": {"set": []}}, "$.state_delta.set"),
        ({"status": "CONTINUE", "state_delta": {"unset": [1]}}, "$.state_delta.unset"),
        ({"status": "CONTINUE", "state_delta": {"unset": "abc"}}, "$.state_delta.unset"),
        ({"status": "CONTINUE", "state_delta": {}, "final_state": {}}, "$.final_state"),
        ({"status": "CONTINUE", "next_segment_to_run": -1}, "$.next_segment_to_run"),
        ({"status": "CONTINUE", "next_segment_to_run": True}, "$.next_segment_to_run"),
        ({"status": "CONTINUE", "next_segment_to_run": "1"}, "$.next_segment_to_run"),
        ({"status": "CONTINUE", "new_history_logs": "text"}, "$.new_history_logs"),
        ({"status": "CONTINUE", "new_history_logs": [{}, 3]}, "$.new_history_logs[1]"),
        ({"status": "PARALLEL_GROUP"}, "$.branches"),
        ({"status": "PARALLEL_GROUP", "branches": []}, "$.branches"),
        ({"status": "PARALLEL_GROUP", "branches": [1]}, "$.branches"),
        ({"status": "SCHEDULED_PARALLEL", "execution_batches": [[], []]}, "$.branches"),
        ({"status": "SCHEDULED_PARALLEL", "execution_batches": [3]}, "$.execution_batches"),
        ({"status": "SEQUENTIAL_BRANCH"}, "$.inner_partition_map"),
        ({"status": "PARALLEL_GROUP", "branches": [{}], "branch_policy": 1}, "$.branch_policy"),
    ],
)
def test_a_result_that_breaks_the_contract_is_refused_with_its_place(result: Any, path: str, run: Any) -> None:
    run.init({"a": 1})
    with pytest.raises(InputRefused) as refused:
        run.act("sync", execution_result=result)
    assert refused.value.code == "RESULT_INVALID"
    assert path in [problem.path for problem in refused.value.problems]
    assert run.state["bag_version"] == 1


def test_all_faults_of_a_result_are_named_at_once(run: Any) -> None:
    run.init()
    with pytest.raises(InputRefused) as refused:
        run.act("sync", execution_result={"status": None, "final_state": 1, "next_segment_to_run": "x", "branches": 1})
    assert len(refused.value.problems) == 4


def test_history_takes_objects_and_texts(run: Any) -> None:
    run.init()
    run.sync(following=1, new_history_logs=[{"node_id": "a"}, "text"])
    run.sync(following=2, new_history_logs=["text", {"node_id": "b"}])
    history = list(read_all(run.bag.kernel.state_history, run.blobs))
    assert history == [{"node_id": "a"}, {"message": "text"}, {"node_id": "b"}]


def test_internal_signals_of_a_result_never_become_fields(run: Any) -> None:
    run.init()
    before = run.state.keys()
    run.sync(following=1, _status="FAILED", _increment_segment=True, segment_type="llm", kernel_actions=[1], raw=1)
    assert run.state.keys() == before
    assert run.user == {}


def test_an_event_is_never_changed(run: Any) -> None:
    run.init({"a": {"b": [1]}})
    result = {"status": "CONTINUE", "next_segment_to_run": 1, "state_delta": {"set": {"x": {"y": [1]}}, "unset": ["a"]}}
    event = {"action": "sync", "state_data": run.state, "execution_result": result}
    before = copy.deepcopy(event)
    run.manager.handle(event)
    assert event == before
