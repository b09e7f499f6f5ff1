"""The claim on an idempotency key: who has it, when it is given up, and what a run without it leaves behind."""

from __future__ import annotations

import contextlib
import secrets
import uuid
from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import CancelledError
from temporalio.testing import ActivityEnvironment

from activities import ClaimActivities
from tests.rig import Rig, asks, chain, events_of, sets
from tests.workflows.states import END, FAIL, INIT, KEYED, KEYED_BORN, STEP, VERIFY
from workflows._claims import claim_key

Handle = WorkflowHandle[Any, Any]

QUICK = chain(sets("a", x=1))
PAUSED = chain(sets("a", x=1), sets("b", y=2), edges=[asks("a", "b")])
FAILING = chain(
    {"id": "no", "type": "operator_official", "config": {"strategy": "assert", "params": {"condition": "$.a == 2"}}}
)


def new_key() -> str:
    return f"order {secrets.token_hex(4)}"


def blobs_of(rig: Rig, handle: Handle) -> list[str]:
    store = rig.plugin.store
    return [found.key for found in store.backend.list(store.execution("acme", "review", handle.id).prefix)]


async def claim_status(rig: Rig, key: str) -> WorkflowExecutionStatus | None:
    """How the newest claim on a key ended, once it has."""
    claim = rig.client.get_workflow_handle(claim_key("acme", key))
    with contextlib.suppress(WorkflowFailureError):
        await claim.result()
    return (await claim.describe()).status


async def refused(rig: Rig, handle: Handle) -> dict[str, Any]:
    """Details of the failure of a run that another one is in the way of; nothing of it has begun."""
    failure = await rig.failure(handle)
    assert failure.type == "DuplicateExecution"
    assert await rig.trace(handle) == [*KEYED, "FailDuplicateExecution"]
    assert rig.types_of(handle.id) == ["FAILED"]
    assert blobs_of(rig, handle) == []
    details: dict[str, Any] = failure.details[0]
    return details


async def test_a_run_that_is_refused_initialises_nothing(rig: Rig) -> None:
    key = new_key()
    holder = await rig.start(PAUSED, idempotency_key=key)
    await rig.pause(holder)
    assert blobs_of(rig, holder)
    assert (await refused(rig, await rig.start(PAUSED, idempotency_key=key)))["code"] == "DUPLICATE_EXECUTION"
    other = await rig.start(PAUSED, idempotency_key=key, initial_state={"n": 2})
    assert (await refused(rig, other))["code"] == "IDEMPOTENCY_CONFLICT"
    await rig.respond(holder, {})
    output = await holder.result()
    assert await claim_status(rig, key) is WorkflowExecutionStatus.COMPLETED
    again = await rig.start(PAUSED, idempotency_key=key)
    assert await again.result() == {**output, "duplicate_of": holder.id}
    assert blobs_of(rig, again) == []


async def test_the_order_of_the_members_makes_no_other_input(rig: Rig) -> None:
    key = new_key()
    holder = await rig.start(QUICK, idempotency_key=key, initial_state={"a": 1, "b": 2})
    await holder.result()
    again = await rig.start(QUICK, initial_state={"b": 2, "a": 1}, idempotency_key=key)
    assert (await again.result())["duplicate_of"] == holder.id


async def test_after_a_failure_the_key_is_free_for_any_input(rig: Rig) -> None:
    key = new_key()
    failed = await rig.start(FAILING, idempotency_key=key)
    assert (await rig.failure(failed)).type == "WorkflowExecutionFailed"
    assert await rig.trace(failed) == [*KEYED_BORN, *STEP, *FAIL]
    assert await claim_status(rig, key) is WorkflowExecutionStatus.FAILED
    again = await rig.start(QUICK, idempotency_key=key)
    assert (await again.result())["execution_id"] == again.id
    assert await rig.trace(again) == [*KEYED_BORN, *STEP, *END]


async def test_a_document_that_is_refused_frees_the_key(rig: Rig) -> None:
    key = new_key()
    bad = await rig.start(chain({"id": "a", "type": "no_such_type", "config": {}}), idempotency_key=key)
    assert (await rig.failure(bad)).type == "InitializationFailed"
    again = await rig.start(QUICK, idempotency_key=key)
    assert (await again.result())["execution_id"] == again.id


async def test_a_canceled_run_says_so_and_frees_the_key(rig: Rig) -> None:
    key = new_key()
    holder = await rig.start(PAUSED, idempotency_key=key)
    await rig.pause(holder)
    await holder.cancel()
    with pytest.raises(WorkflowFailureError) as ended:
        await holder.result()
    assert isinstance(ended.value.cause, CancelledError)
    assert rig.types_of(holder.id) == ["STARTED", "PAUSED_FOR_HITP", "ABORTED"]
    event, progress = rig.sink.of(holder.id)[-1], await holder.query("progress")
    assert (event.status, progress["status"]) == ("CANCELED", "CANCELED")
    assert event.detail["state_s3_path"] == progress["bag"]["key"]
    assert await claim_status(rig, key) is WorkflowExecutionStatus.FAILED
    again = await rig.start(QUICK, idempotency_key=key)
    assert (await again.result())["execution_id"] == again.id


async def reset(rig: Rig, handle: Handle) -> Handle:
    """Let a run go on anew from the moment at which it had its claim."""
    (claimed,) = await events_of(handle, "CHILD_WORKFLOW_EXECUTION_STARTED")
    tasks = await events_of(handle, "WORKFLOW_TASK_COMPLETED")
    point = next(task.event_id for task in tasks if task.event_id > claimed.event_id)
    request = ResetWorkflowExecutionRequest(
        namespace=rig.client.namespace,
        workflow_execution=WorkflowExecution(workflow_id=handle.id, run_id=(await handle.describe()).run_id),
        reason="test",
        workflow_task_finish_event_id=point,
        request_id=secrets.token_hex(8),
    )
    answer = await rig.client.workflow_service.reset_workflow_execution(request)
    return rig.client.get_workflow_handle(handle.id, run_id=answer.run_id)


async def test_a_holder_that_is_reset_still_has_the_key(rig: Rig) -> None:
    key = new_key()
    holder = await rig.start(PAUSED, idempotency_key=key)
    await rig.pause(holder)
    anew = await reset(rig, holder)
    await rig.pause(anew, times=2)
    assert (await rig.failure(await rig.start(PAUSED, idempotency_key=key))).details[0]["execution_id"] == holder.id
    await rig.respond(anew, {})
    output = await anew.result()
    assert await claim_status(rig, key) is WorkflowExecutionStatus.COMPLETED
    again = await rig.start(PAUSED, idempotency_key=key)
    assert await again.result() == {**output, "duplicate_of": holder.id}


async def test_a_run_that_is_reset_after_its_end_does_not_release_the_next_ones_claim(rig: Rig) -> None:
    key = new_key()
    failed = await rig.start(FAILING, idempotency_key=key)
    await rig.failure(failed)
    holder = await rig.start(PAUSED, idempotency_key=key)
    await rig.pause(holder)
    assert (await rig.failure(await reset(rig, failed))).type == "WorkflowExecutionFailed"
    await rig.respond(holder, {})
    output = await holder.result()
    assert await claim_status(rig, key) is WorkflowExecutionStatus.COMPLETED
    again = await rig.start(PAUSED, idempotency_key=key)
    assert await again.result() == {**output, "duplicate_of": holder.id}


async def test_a_key_whose_result_can_not_be_had_any_more_is_not_used_twice(rig: Rig) -> None:
    """The server forgets runs after a while, and may forget the claim last."""
    key = new_key()
    claim = await rig.client.start_workflow(
        "IdempotencyClaim",
        "forgotten",
        id=claim_key("acme", key),
        task_queue=rig.task_queue,
        memo={"holder": "forgotten", "holder_run": str(uuid.uuid4()), "input_hash": "0" * 64},
    )
    await claim.signal("release", "SUCCEEDED")
    assert await claim_status(rig, key) is WorkflowExecutionStatus.COMPLETED
    handle = await rig.start(QUICK, idempotency_key=key)
    failure = await rig.failure(handle)
    assert (failure.type, failure.details[0]["code"]) == ("IdempotencyCheckFailed", "IDEMPOTENCY_UNVERIFIED")
    assert "run forgotten used this key" in failure.message
    assert await rig.trace(handle) == [*VERIFY, "HandleIdempotencyError", "FailIdempotencyUnavailable"]
    assert blobs_of(rig, handle) == []


async def test_a_claim_that_the_server_has_forgotten_is_free(rig: Rig) -> None:
    look = ActivityEnvironment(client=rig.client)
    found = await look.run(ClaimActivities().verify_claim, {"claim_id": claim_key("acme", new_key())})
    assert found == {"status": "FREE"}


async def test_unsafe_execution_is_no_way_around_a_check_that_works(rig: Rig) -> None:
    key = new_key()
    holder = await rig.start(PAUSED, idempotency_key=key, ALLOW_UNSAFE_EXECUTION=True)
    await rig.pause(holder)
    details = await refused(rig, await rig.start(PAUSED, idempotency_key=key, ALLOW_UNSAFE_EXECUTION=True))
    assert details["code"] == "DUPLICATE_EXECUTION"
    await rig.respond(holder, {})
    await holder.result()


@pytest.mark.parametrize(
    ("given", "verified"),
    [
        ({"workflow_config": ..., "test_workflow_config": QUICK}, False),
        ({"workflow_config": ..., "test_workflow_config": QUICK, "MOCK_MODE": "false"}, True),
        ({}, True),
    ],
    ids=["test document and mock mode", "test document only", "mock mode only"],
)
async def test_only_a_test_document_in_mock_mode_is_not_verified(
    rig: Rig, given: dict[str, Any], verified: bool
) -> None:
    key = new_key()
    first = await rig.start(QUICK, idempotency_key=key, **given)
    await first.result()
    again = await rig.start(QUICK, idempotency_key=key, **given)
    assert (await again.result()).get("duplicate_of") == (first.id if verified else None)
    passed_by = ["CheckIdempotency", *INIT, *STEP, *END]
    assert await rig.trace(again) == ([*KEYED, "SucceedDuplicateExecution"] if verified else passed_by)
