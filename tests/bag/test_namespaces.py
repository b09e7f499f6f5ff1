import copy
from collections.abc import Callable
from typing import Any

import pytest

from statebag.bag import Bag, Control
from statebag.config import RESERVED_KEYS
from statebag.errors import StateBagError

ODD_NAMES = ("$ptr", "$lit", "p", "n", "f", "", "a.b", "ü", "pending_branches", "state_history", "snapshots", "carried")
"""Names that could be taken for the bag's own, and are not."""


def mark(name: str) -> dict[str, Any]:
    return {"status": "CONTINUE", "$ptr": 1, "name": name}


@pytest.mark.parametrize("whole", [False, True])
def test_a_variable_may_have_any_name_that_is_not_reserved(run: Any, *, whole: bool) -> None:
    state = {name: mark(name) for name in (*ODD_NAMES, *Control().to_json()) if name not in RESERVED_KEYS}
    assert {"$ptr", "bag_version", "max_concurrency", "pending_branches"} <= state.keys()
    run.init()
    before = {name: value for name, value in run.state.items() if name not in CHANGING}
    result = {"final_state": state} if whole else {"state_delta": {"set": state}}
    answer = run.sync(following=1, **result)
    assert "warnings" not in answer
    assert run.user == state
    assert {name: value for name, value in run.state.items() if name not in CHANGING} == before
    run.sync(following=2, state_delta={"unset": list(state)})
    assert run.user == {}


CHANGING = {"bag_version", "segment_to_run", "loop_counter", "last_update_time", "payload_size_kb", "current_state"}


@pytest.mark.parametrize(
    "state",
    [{"$ptr": 1}, {"$lit": 1}, {"$lit": {"$ptr": 1}}, {"$ptr": 1, "$lit": 2, "x": 3}, {"p": {}, "n": 1}, {"f": {}}],
)
@pytest.mark.parametrize("large", [False, True])
def test_a_state_that_looks_like_a_pointer_is_none(state: dict[str, Any], run: Any, *, large: bool) -> None:
    if large:
        state = state | {f"field_{index:04}": "small value" for index in range(5_000)}
    run.init(state)
    assert run.user == state
    run.sync(following=1, state_delta={"set": {"more": state}})
    assert run.user == state | {"more": state}
    run.act("create_snapshot", snapshot_type="manual")
    run.sync(following=2, final_state={})
    run.act("restore_snapshot", snapshot_id=next(iter(run.state["snapshots"])))
    assert run.user == state | {"more": state}


@pytest.mark.parametrize("name", sorted(RESERVED_KEYS))
def test_a_reserved_key_is_dropped_with_a_warning_and_never_nulled(name: str, run: Any) -> None:
    run.init({"mine": 1})
    before = run.state
    answer = run.sync(following=1, state_delta={"set": {name: -1, "mine": 2}})
    assert run.user == {"mine": 2}
    assert [(w["code"], w["path"]) for w in answer["warnings"]] == [("RESERVED_KEY", f"$.state_delta.set.{name}")]
    same = ("ownerId", "workflowId", "execution_id", "max_loop_iterations", "total_segments")
    assert {field: run.state[field] for field in same} == {field: before[field] for field in same}
    assert run.state["loop_counter"] == 1


def test_what_a_model_writes_keeps_only_what_is_the_workflow_s(run: Any) -> None:
    run.init()
    said = {"status": "FAILED", "segment_to_run": 9, "final_state": {}, "execution_logs": [], "step_history": []}
    run.sync(following=1, final_state=said | {"summary": "s", "nested": said})
    assert run.user == {"summary": "s", "nested": said}
    assert run.answer["next_action"] == "CONTINUE"


def test_nulls_are_values_everywhere(run: Any) -> None:
    state = {"null": None, "list": [None, 1, None], "nested": {"a": None, "b": [{"c": None}]}, "many": [None] * 20_000}
    run.init(state)
    run.sync(following=1, state_delta={"set": {"other": [None]}})
    assert run.user == state | {"other": [None]}
    assert None in run.state["current_state"].values()
    assert "null" in run.bag.user
    assert run.bag.user.get("null", 1) is None
    assert run.bag.user.get("absent", 1) == 1


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda s: s | {"surprise": 1, "_status": 2}, "_status, surprise"),
        (lambda s: s | {"schema_version": 2}, "schema_version is 2"),
        (lambda s: {k: v for k, v in s.items() if k != "schema_version"}, "schema_version is None"),
        (lambda s: {k: v for k, v in s.items() if k != "loop_counter"}, "loop_counter is absent"),
        (lambda s: s | {"loop_counter": "1", "ownerId": 3}, "ownerId is 3, not a text; loop_counter is '1'"),
        (lambda s: s | {"loop_counter": -1}, "loop_counter is -1, not a whole number from 0"),
        (lambda s: s | {"loop_counter": None}, "loop_counter is None"),
        (lambda s: s | {"distributed_mode": 1}, "distributed_mode is 1, not true or false"),
        (lambda s: s | {"state_history": {}, "snapshots": []}, "state_history is dict, not list; snapshots is list"),
        (lambda s: s | {"state_history": [1]}, "state_history must hold objects"),
        (lambda s: s | {"state_history_archive": {"page": {}}}, "a `page` and a `count`"),
        (lambda s: s | {"partition_stack": [{"plan": None}]}, "partition_stack: a frame"),
        (lambda s: s | {"current_state": []}, "current_state is a list"),
        (lambda s: s | {"current_state_pages": {"p": 1}}, "current_state_pages is no page"),
        (lambda s: [s], "is a list, not an object"),
        (lambda _: None, "is a NoneType, not an object"),
        (lambda _: {}, "bag_version is absent"),
    ],
)
def test_what_is_no_bag_is_refused_with_its_faults(change: Callable[[Any], Any], named: str, run: Any) -> None:
    run.init({"a": 1})
    state = change(copy.deepcopy(run.state))
    with pytest.raises(StateBagError, match="Pass on") as refused:
        run.manager.handle({"action": "sync", "state_data": state, "execution_result": {"status": "COMPLETE"}})
    assert refused.value.code == "BAG_MALFORMED"
    assert named in refused.value.message


@pytest.mark.parametrize("field", ["segment_manifest_s3_path", "workflow_config_s3_path", "current_state"])
def test_a_pointer_out_of_the_execution_is_not_followed(field: str, run: Any) -> None:
    run.init({"a": "x" * 40_000}, segments=3)
    pointer = run.store.execution("owner", "other", "run").put({"secret": 1}, kind="fields").to_json()
    state = run.state | {field: pointer}
    event = {"action": "hydrate_segment", "state_data": state}
    if field == "workflow_config_s3_path":
        bag = Bag.from_json(state, run.blobs)
        assert bag.kernel.workflow_config is not None
        with pytest.raises(StateBagError) as refused:
            run.blobs.get(bag.kernel.workflow_config)
    else:
        with pytest.raises(StateBagError) as refused:
            run.manager.handle(event)
    assert refused.value.code == "POINTER_FORBIDDEN"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), b"bytes", {1: 2}, {1, 2}, object()])
def test_a_value_that_is_no_json_is_refused_with_its_place(value: Any, run: Any) -> None:
    run.init({"a": 1})
    before = copy.deepcopy(run.state)
    with pytest.raises(StateBagError) as refused:
        run.sync(following=1, result_id=None, state_delta={"set": {"x": {"y": [value]}}})
    assert refused.value.code == "UNSERIALISABLE_FIELD"
    assert "x.y[0]" in refused.value.message
    assert run.state == before
