from typing import Any

import pytest

from statebag.config import (
    RESERVED_KEYS,
    ExecutionInput,
    drop_reserved,
    merge_initial_state,
    parse_execution_input,
)
from statebag.errors import InputRefused

CONFIG = {"nodes": [], "edges": []}
POINTER = {"$ptr": 1, "kind": "state", "key": "k"}


def refusals(raw: Any) -> list[tuple[str, str]]:
    with pytest.raises(InputRefused) as refused:
        parse_execution_input(raw)
    return [(problem.path, problem.code) for problem in refused.value.problems]


def test_the_least_input() -> None:
    assert parse_execution_input({"workflow_config": CONFIG}) == ExecutionInput(workflow_config=CONFIG)


def test_the_whole_input() -> None:
    raw = {
        "ownerId": "o",
        "workflowId": "w",
        "user_id": "u",
        "initial_state": {"a": 1},
        "workflow_config_s3_path": POINTER,
        "MOCK_MODE": "true",
        "idempotency_key": "k" * 512,
        "quota_reservation_id": "q",
        "ALLOW_UNSAFE_EXECUTION": True,
        "orchestrator_selection": {"type": "standard"},
    }
    parsed = parse_execution_input(raw)
    assert parsed == ExecutionInput(
        owner_id="o",
        workflow_id="w",
        user_id="u",
        initial_state={"a": 1},
        workflow_config_pointer=POINTER,
        mock_mode=True,
        idempotency_key="k" * 512,
        quota_reservation_id="q",
        allow_unsafe_execution=True,
    )
    assert parsed.warnings == ()


@pytest.mark.parametrize(("given", "meant"), [("true", True), ("false", False), (True, True), (False, False)])
def test_mock_mode_is_never_guessed(given: Any, meant: bool) -> None:
    assert parse_execution_input({"workflow_config": CONFIG, "MOCK_MODE": given}).mock_mode is meant


@pytest.mark.parametrize("pointer", [POINTER, "states/1.json"])
def test_the_state_may_be_stored(pointer: Any) -> None:
    parsed = parse_execution_input({"test_workflow_config": CONFIG, "initial_state_s3_path": pointer})
    assert (parsed.initial_state, parsed.initial_state_pointer) == (None, pointer)


def test_null_counts_as_absent() -> None:
    raw = {"workflow_config": CONFIG, "idempotency_key": None, "initial_state": None, "initial_state_s3_path": POINTER}
    assert parse_execution_input(raw).initial_state_pointer == POINTER


@pytest.mark.parametrize(
    ("more", "path", "code"),
    [
        ({"ownerId": 1}, "$.ownerId", "FIELD_TYPE"),
        ({"workflowId": "w" * 257}, "$.workflowId", "FIELD_VALUE"),
        ({"initial_state": []}, "$.initial_state", "FIELD_TYPE"),
        ({"initial_state_s3_path": 4}, "$.initial_state_s3_path", "FIELD_TYPE"),
        ({"initial_state_s3_path": ""}, "$.initial_state_s3_path", "FIELD_VALUE"),
        ({"initial_state": {}, "initial_state_s3_path": "k"}, "$.initial_state_s3_path", "INPUT_CONFLICT"),
        ({"workflow_config_s3_path": POINTER}, "$.workflow_config_s3_path", "INPUT_CONFLICT"),
        ({"test_workflow_config": CONFIG}, "$.test_workflow_config", "INPUT_CONFLICT"),
        ({"workflow_config": {}}, "$.workflow_config", "INIT_INVALID_CONFIG"),
        ({"workflow_config": None}, "$.workflow_config", "INIT_INVALID_CONFIG"),
        ({"workflow_config": "{}"}, "$.workflow_config", "FIELD_TYPE"),
        ({"MOCK_MODE": "yes"}, "$.MOCK_MODE", "FIELD_VALUE"),
        ({"MOCK_MODE": 1}, "$.MOCK_MODE", "FIELD_TYPE"),
        ({"idempotency_key": ""}, "$.idempotency_key", "FIELD_VALUE"),
        ({"idempotency_key": "k" * 513}, "$.idempotency_key", "FIELD_VALUE"),
        ({"ALLOW_UNSAFE_EXECUTION": "true"}, "$.ALLOW_UNSAFE_EXECUTION", "FIELD_TYPE"),
    ],
)
def test_a_bad_input_is_refused_with_code_and_path(more: dict[str, Any], path: str, code: str) -> None:
    assert refusals({"workflow_config": CONFIG} | more) == [(path, code)]


@pytest.mark.parametrize("raw", [None, [], "x", 1])
def test_only_an_object_is_an_input(raw: Any) -> None:
    assert refusals(raw) == [("$", "INPUT_NOT_OBJECT")]


def test_all_problems_are_listed_at_once() -> None:
    raw = {"ownerId": 1, "MOCK_MODE": "1", "initial_state": 1, "initial_state_s3_path": "k", "idempotency_key": ""}
    assert sorted(refusals(raw)) == [
        ("$.MOCK_MODE", "FIELD_VALUE"),
        ("$.idempotency_key", "FIELD_VALUE"),
        ("$.initial_state", "FIELD_TYPE"),
        ("$.initial_state_s3_path", "INPUT_CONFLICT"),
        ("$.ownerId", "FIELD_TYPE"),
        ("$.workflow_config", "INIT_INVALID_CONFIG"),
    ]


def test_members_without_effect_are_told() -> None:
    warnings = parse_execution_input({"workflow_config": CONFIG, "partition_map": [], "mockMode": True}).warnings
    assert [(warning.path, warning.code) for warning in warnings] == [
        ("$.partition_map", "FIELD_UNKNOWN"),
        ("$.mockMode", "FIELD_UNKNOWN"),
    ]


def test_the_input_wins_over_the_document() -> None:
    merged = merge_initial_state({"a": 1, "b": 2, "c": 3}, {"b": None, "d": 4, "c": ""})
    assert merged.state == {"a": 1, "b": None, "c": "", "d": 4}
    assert merged.warnings == ()


def test_reserved_keys_are_dropped_from_both_sides() -> None:
    merged = merge_initial_state({"status": "x", "a": 1}, {"ownerId": "me", "b": 2})
    assert merged.state == {"a": 1, "b": 2}
    assert [(warning.path, warning.code) for warning in merged.warnings] == [
        ("$.initial_state.status", "RESERVED_KEY"),
        ("$.initial_state.ownerId", "RESERVED_KEY"),
    ]


def test_dropping_removes_and_never_nulls() -> None:
    changes = {"z": 1, "loop_counter": -1, "status": None, "a": 2, "state_s3_path": "s3://x"}
    assert drop_reserved(changes) == ({"z": 1, "a": 2}, ("loop_counter", "status", "state_s3_path"))
    assert len(changes) == 5


def test_the_engine_owns_its_names() -> None:
    assert {"ownerId", "workflowId", "state_data", "next_action", "bag", "segment_to_run"} <= RESERVED_KEYS
    assert not {"last_hitp_response", "usage", "messages", "result"} & RESERVED_KEYS
