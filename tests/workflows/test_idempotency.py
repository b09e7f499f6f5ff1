"""One key, one run of the work."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from statebag.events import EventType
from tests.rig import Rig, asks, chain, llm, probe, sets, start_rig
from tests.workflows.states import END, INIT, KEYED, KEYED_BORN, NEXT, STEP, VERIFY
from workflows._claims import claim_key

DUPLICATE = [*KEYED, "FailDuplicateExecution"]
PAUSING = chain(sets("a", x=1), sets("b", y=1), edges=[asks("a", "b")])


def key() -> str:
    return f"order-{secrets.token_hex(6)}"


async def outcome(handle: WorkflowHandle[Any, Any]) -> Any:
    try:
        return await handle.result()
    except WorkflowFailureError as failed:
        assert isinstance(failed.cause, ApplicationError)
        return failed.cause


async def test_a_key_that_is_new_is_claimed_and_the_run_goes_on(rig: Rig) -> None:
    order = key()
    handle = await rig.start(chain(sets("a", x=1), llm("b", "hi")), idempotency_key=order)
    assert (await handle.result())["execution_id"] == handle.id
    assert await rig.trace(handle) == [*KEYED_BORN, *STEP, *NEXT, *END]
    claim = rig.client.get_workflow_handle(claim_key("acme", order))
    assert await claim.result() == {"holder": handle.id, "status": "SUCCEEDED"}


async def test_while_the_first_run_goes_on_others_are_duplicates(rig: Rig) -> None:
    order = key()
    first = await rig.start(PAUSING, idempotency_key=order)
    await rig.pause(first)
    second = await rig.start(PAUSING, idempotency_key=order)
    failure = await rig.failure(second)
    assert failure.type == "DuplicateExecution"
    details = failure.details[0]
    assert (details["code"], details["execution_id"]) == ("DUPLICATE_EXECUTION", first.id)
    assert await rig.trace(second) == DUPLICATE
    assert [(str(e.event_type), e.detail["error_type"]) for e in rig.sink.of(second.id)] == [
        ("FAILED", "DUPLICATE_EXECUTION")
    ]
    await rig.respond(first, {})
    await first.result()


async def test_after_success_the_same_input_gives_the_first_runs_output(rig: Rig) -> None:
    order = key()
    first = await rig.start(chain(sets("a", x=1)), idempotency_key=order)
    output = await first.result()
    second = await rig.start(chain(sets("a", x=1)), idempotency_key=order)
    assert await second.result() == {**output, "duplicate_of": first.id}
    assert await rig.trace(second) == [*KEYED, "SucceedDuplicateExecution"]
    assert rig.types_of(second.id) == []


@pytest.mark.parametrize("finished", [False, True], ids=["while it runs", "after success"])
async def test_another_input_under_the_same_key_is_a_conflict(rig: Rig, finished: bool) -> None:
    order = key()
    first = await rig.start(PAUSING, idempotency_key=order)
    await rig.pause(first)
    if finished:
        await rig.respond(first, {})
        await first.result()
    second = await rig.start(PAUSING, idempotency_key=order, initial_state={"x": 2})
    failure = await rig.failure(second)
    assert failure.type == "DuplicateExecution"
    assert failure.details[0]["code"] == "IDEMPOTENCY_CONFLICT"
    assert failure.details[0]["execution_id"] == first.id
    assert await rig.trace(second) == DUPLICATE
    if not finished:
        await rig.respond(first, {})
        await first.result()


async def test_a_key_belongs_to_its_owner(rig: Rig) -> None:
    order = key()
    for owner in ("acme", "other"):
        handle = await rig.start(chain(sets("a", x=1)), idempotency_key=order, ownerId=owner)
        assert (await handle.result())["execution_id"] == handle.id


async def test_fifty_starts_at_the_same_time_do_the_work_once(rig: Rig) -> None:
    """Which of them does it is open; all others are duplicates of it, or have its result."""
    order, worked = key(), []
    name = f"work-{order}"
    rig.behaviours[name] = lambda *_: worked.append(1) or {"worked": True}
    document = chain(sets("a", x=1), probe("b", name))
    handles = await asyncio.gather(*(rig.start(document, idempotency_key=order) for _ in range(50)))
    outcomes = await asyncio.gather(*(outcome(handle) for handle in handles))
    assert worked == [1]
    successes = [one for one in outcomes if isinstance(one, dict)]
    (done,) = [one for one in successes if "duplicate_of" not in one]
    for one in outcomes:
        if isinstance(one, dict):
            assert {name: one[name] for name in done} == done
        else:
            assert one.type == "DuplicateExecution"
            assert one.details[0]["code"] == "DUPLICATE_EXECUTION"
            assert one.details[0]["execution_id"] == done["execution_id"]
    started = [handle.id for handle in handles if "STARTED" in rig.types_of(handle.id)]
    assert started == [done["execution_id"]]


@pytest.mark.parametrize("end", ["failed", "canceled", "terminated"])
async def test_a_holder_that_ends_without_success_frees_the_key(rig: Rig, end: str) -> None:
    order = key()
    first = await rig.start(PAUSING, idempotency_key=order)
    await rig.pause(first)
    if end == "failed":
        await rig.respond(first, {"decision": "REJECTED"})
    elif end == "canceled":
        await first.cancel()
    else:
        await first.terminate()
    with pytest.raises(WorkflowFailureError):
        await first.result()
    second = await rig.start(PAUSING, idempotency_key=order)
    await rig.pause(second)
    third = await rig.start(PAUSING, idempotency_key=order)
    assert (await rig.failure(third)).details[0]["execution_id"] == second.id
    await rig.respond(second, {})
    assert (await second.result())["execution_id"] == second.id


async def test_twenty_starts_after_a_terminated_holder_do_the_work_once(rig: Rig) -> None:
    order, worked = key(), []
    name = f"work-{order}"
    rig.behaviours[name] = lambda *_: worked.append(1) or {"worked": True}
    document = chain(sets("a", x=1), probe("b", name), sets("c", x=1), edges=[asks("b", "c")])
    first = await rig.start(document, idempotency_key=order)
    await rig.pause(first)
    await first.terminate()
    handles = await asyncio.gather(*(rig.start(document, idempotency_key=order) for _ in range(20)))
    waits = {asyncio.create_task(rig.sink.wait_for(handle.id, EventType.PAUSED_FOR_HITP)): handle for handle in handles}
    done, waiting = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    (winner,) = (waits[task] for task in done)
    failures = await asyncio.gather(*(rig.failure(handle) for handle in handles if handle is not winner))
    assert {failure.details[0]["code"] for failure in failures} == {"DUPLICATE_EXECUTION"}
    await rig.respond(winner, {})
    assert (await winner.result())["execution_id"] == winner.id
    assert worked == [1, 1]


async def test_an_id_that_is_used_again_is_another_holder(rig: Rig) -> None:
    """The id may be the key itself, and started twice: the second run finds the first one's claim, not its own."""
    order = key()
    first = await rig.start(PAUSING, idempotency_key=order, id=order)
    await rig.pause(first)
    await rig.respond(first, {})
    output = await first.result()
    second = await rig.start(PAUSING, idempotency_key=order, id=order)
    assert second.first_execution_run_id != first.first_execution_run_id
    assert await second.result() == {**output, "duplicate_of": order}
    other = await rig.start(PAUSING, idempotency_key=order, id=order, initial_state={"z": 1})
    assert (await rig.failure(other)).details[0]["code"] == "IDEMPOTENCY_CONFLICT"


async def test_an_id_whose_first_run_was_terminated_may_run_again(rig: Rig) -> None:
    order = key()
    first = await rig.start(PAUSING, idempotency_key=order, id=order)
    await rig.pause(first)
    await first.terminate()
    second = await rig.start(PAUSING, idempotency_key=order, id=order)
    await rig.pause(second, times=2)
    await rig.respond(second, {})
    assert (await second.result())["status"] == "SUCCEEDED"


class _BrokenLook(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        if input.fn.__name__ == "verify_claim":
            raise ApplicationError("permission denied", type="RUN_FAILED", non_retryable=True)
        return await super().execute_activity(input)


class Unverifiable(Interceptor):
    """Whoever holds a key can't be seen."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _BrokenLook(next)


async def test_a_key_that_cannot_be_checked_is_not_run_unless_that_is_allowed(dev_server: str, tmp_path: Path) -> None:
    order = key()
    async with start_rig(dev_server, tmp_path, interceptors=[Unverifiable()]) as rig:
        first = await rig.start(PAUSING, idempotency_key=order)
        await rig.pause(first)
        second = await rig.start(PAUSING, idempotency_key=order)
        failure = await rig.failure(second)
        assert failure.type == "IdempotencyCheckFailed"
        assert failure.details[0]["code"] == "IDEMPOTENCY_UNVERIFIED"
        assert "permission denied" in failure.message
        assert await rig.trace(second) == [*VERIFY, "HandleIdempotencyError", "FailIdempotencyUnavailable"]
        assert rig.types_of(second.id) == ["FAILED"]
        unsafe = await rig.start(chain(sets("a", x=1)), idempotency_key=order, ALLOW_UNSAFE_EXECUTION=True)
        assert (await unsafe.result())["execution_id"] == unsafe.id
        assert await rig.trace(unsafe) == [*VERIFY, "HandleIdempotencyError", *INIT, *STEP, *END]
        await rig.respond(first, {})
        await first.result()
