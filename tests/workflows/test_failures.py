"""Runs that fail: the real cause is what the run ends with, what the event says, and what the trace shows."""

from __future__ import annotations

import pytest

from tests.rig import Rig, chain, llm, probe, sets
from tests.workflows.states import BORN, FAIL, NEXT, START, STEP


async def test_a_node_that_fails_ends_the_run_with_its_error(rig: Rig) -> None:
    node = {
        "id": "gate",
        "type": "operator_official",
        "config": {"strategy": "assert", "input_key": "x", "params": {"condition": "$ > 5", "message": "x is small"}},
    }
    handle = await rig.start(chain(sets("a", x=1), llm("b", "hi"), node, sets("never", y=1)))
    failure = await rig.failure(handle)
    assert failure.type == "WorkflowExecutionFailed"
    assert failure.non_retryable
    details = failure.details[0]
    assert details["code"] == "ASSERTION_FAILED"
    assert details["node_id"] == "gate"
    assert failure.message == f"ASSERTION_FAILED: {details['message']}"
    assert await rig.trace(handle) == [*BORN, *STEP, *NEXT, *NEXT, *FAIL]
    state = rig.user_state({**details, "execution_id": handle.id})
    assert state["x"] == 1
    assert "y" not in state
    event = rig.sink.of(handle.id)[-1]
    assert str(event.event_type) == "FAILED"
    assert event.detail == {
        "error_type": "ASSERTION_FAILED",
        "error_message": details["message"],
        "state_s3_path": details["final_state_s3_path"]["key"],
        "execution_name": handle.id,
        "debug_hint": f"statebag history {handle.id}",
    }
    assert (await handle.query("progress"))["status"] == "FAILED"


@pytest.mark.parametrize("local", [True, False], ids=["in the worker", "outside"])
async def test_a_bug_in_a_node_fails_the_run_with_its_exception(rig: Rig, local: bool) -> None:
    def divide(*_: object) -> dict[str, float]:
        return {"never": 1 / 0}

    rig.behaviours["divide"] = divide
    failure = await rig.failure(await rig.start(chain(probe("sum", "divide", local=local))))
    assert failure.details[0]["code"] == "NODE_FAILED"
    assert "node sum" in failure.details[0]["message"]
    assert "ZeroDivisionError: division by zero" in failure.details[0]["message"]


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        ("no object", ["INPUT_NOT_OBJECT"]),
        (None, ["INPUT_NOT_OBJECT"]),
        ({"ownerId": 7, "workflowId": "w", "MOCK_MODE": "maybe"}, ["FIELD_TYPE", "FIELD_VALUE", "INIT_INVALID_CONFIG"]),
        ({"workflow_config": {}, "initial_state": {}}, ["INIT_INVALID_CONFIG"]),
    ],
)
async def test_an_input_that_is_refused_never_starts(rig: Rig, body: object, codes: list[str]) -> None:
    handle = await rig.start_raw(body)
    failure = await rig.failure(handle)
    assert failure.type == "InitializationFailed"
    assert [problem["code"] for problem in failure.details[0]["problems"]] == codes
    assert failure.details[0]["code"] == codes[0]
    assert await rig.trace(handle) == ["CheckIdempotency", "NotifyAndFailInit", "FailInitialization"]
    assert rig.types_of(handle.id) == ["INIT_FAILED"]


async def test_a_document_that_is_refused_names_all_its_problems(rig: Rig) -> None:
    document = {
        "nodes": [sets("a", x=1), sets("a", x=2), {"id": "b", "type": "no_such_type", "config": {}}],
        "edges": [{"source": "a", "target": "nowhere"}],
    }
    handle = await rig.start(document)
    failure = await rig.failure(handle)
    assert failure.type == "InitializationFailed"
    codes = {problem["code"] for problem in failure.details[0]["problems"]}
    assert codes == {"NODE_DUPLICATE", "NODE_TYPE_UNKNOWN", "EDGE_DANGLING"}
    assert await rig.trace(handle) == [*START, "InitializeStateBag", "NotifyAndFailInit", "FailInitialization"]
    (event,) = rig.sink.of(handle.id)
    assert (str(event.event_type), event.status, event.ownerId) == ("INIT_FAILED", "FAILED", "acme")
    assert event.detail == {"error_type": failure.details[0]["code"], "error_message": failure.details[0]["message"]}


async def test_an_input_that_is_not_json_is_refused_instead_of_stuck(rig: Rig) -> None:
    """Python's own JSON has NaN, which a hash of the input can't be made of."""
    handle = await rig.start(chain(sets("a", x=1)), initial_state={"ratio": float("nan")}, idempotency_key="nan")
    failure = await rig.failure(handle)
    assert (failure.type, failure.details[0]["code"]) == ("InitializationFailed", "UNSERIALISABLE_FIELD")


async def test_a_document_that_is_not_there_is_named(rig: Rig) -> None:
    pointer = rig.plugin.store.execution("acme", "review", "elsewhere").put({"nodes": []}, kind="document").to_json()
    handle = await rig.start({}, workflow_config=..., workflow_config_s3_path=pointer)
    failure = await rig.failure(handle)
    assert (failure.type, failure.details[0]["code"]) == ("InitializationFailed", "POINTER_FORBIDDEN")
