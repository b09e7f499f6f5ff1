"""The standard machine: one segment after another, with pauses for people and for slow models."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, is_cancelled_exception

from workflows._claims import Claim, claim_key
from workflows._forks import Forks
from workflows._machine import describe, failure_of
from workflows._pauses import Pauses

with workflow.unsafe.imports_passed_through():
    from statebag.canonical import canonical_bytes, sha256_hex
    from statebag.config import ExecutionInput, parse_execution_input
    from statebag.errors import StateBagError
    from statebag.events import EventType
    from statebag.machine import State

__all__ = ["WorkflowOrchestrator"]

_CONTINUED = "$continued"
"""Member of the input of a run that goes on with an earlier one's history."""


@workflow.defn(name="WorkflowOrchestrator", sandboxed=False)
class WorkflowOrchestrator(Forks):
    """Runs a workflow document durably.

    The input is an execution input (``workflow_config``, ``initial_state``, ``ownerId``, …); the result names the
    final bag and has the run's counts. Answer a pause with the Update ``respond``; look with the Queries
    ``pending``, ``progress``, ``current_state`` and ``trace``.
    """

    def __init__(self) -> None:
        super().__init__()
        self._claim: Claim | None = None
        self._pauses = Pauses()

    @workflow.run
    async def run(self, input: Any = None) -> dict[str, Any]:  # noqa: A002 - the name a caller sees
        """Run to the end."""
        try:
            output = await self._run(input)
        except (FailureError, asyncio.CancelledError) as error:
            await self._end_without_success(error)
            raise
        self._status = "SUCCEEDED"
        await self._release()
        return output

    @workflow.update(name="respond")
    async def respond(self, answer: Any = None) -> dict[str, Any]:
        """Answer a pause: ``{"pause_id"?, "decision"?, "response"?, "responder"?}``."""
        return self._pauses.take(answer)

    @respond.validator
    def _check_answer(self, answer: Any = None) -> None:
        self._pauses.check(answer)

    @workflow.signal(name="branch_pause", unfinished_policy=workflow.HandlerUnfinishedPolicy.ABANDON)
    async def branch_pause(self, child: str, question: dict[str, Any]) -> None:
        """The branch workflow ``child`` asks a person: ``question`` is ``{"pause_id", "segment", "spec"}``.

        Where a fork is passed again, the ids of its branches' pauses repeat: people see them with a number then.
        """
        if self._pauses.is_over(child) or not self._is_mine(child):
            return
        pause_id = self._pauses.new_id(question["pause_id"])
        answer = await self._hold(pause_id, question["segment"], question["spec"], child=child)
        if answer is None:
            return
        try:
            await workflow.get_external_workflow_handle(child).signal("pause_over", args=[question["pause_id"], answer])
        except ApplicationError as gone:
            workflow.logger.warning("branch %s: is over; its answer has no use: %s", child, gone)

    @workflow.signal(name="branch_over")
    async def _forget_pauses(self, child: str) -> None:
        """The branch workflow ``child`` is over, and so is what it asked."""
        if self._pauses.drop(child):
            self._show_waiting()

    @workflow.query(name="pending")
    def pending(self) -> list[dict[str, Any]]:
        """The pauses that wait for an answer."""
        return self._pauses.pending()

    @workflow.query(name="progress")
    def progress(self) -> dict[str, Any]:
        """Counts, the current segment, and where the bag is; ``branches`` while some are under way."""
        return {**self._progress(), **({"branches": self._branches} if self._branches else {})}

    async def _run(self, raw: Any) -> dict[str, Any]:
        if isinstance(raw, Mapping) and _CONTINUED in raw and workflow.info().continued_run_id is not None:
            state = self._resume(raw[_CONTINUED])
        else:
            duplicate = await self._begin(raw)
            if duplicate is not None:
                return duplicate
            state = State.EXECUTE_SEGMENT
        while state is not State.NOTIFY_WORKFLOW_COMPLETED:
            state = await self._advance(state)
        return await self._complete()

    async def _begin(self, raw: Any) -> dict[str, Any] | None:
        """From the start to the first segment; a result where another run has made it already."""
        self.enter(State.CHECK_IDEMPOTENCY)
        try:
            given = parse_execution_input(raw)
            input_hash = sha256_hex(canonical_bytes(raw)) if given.idempotency_key is not None else ""
        except StateBagError as refused:
            named = raw if isinstance(raw, Mapping) else {}
            self.owner_id, self.workflow_id = (_text(named.get(name)) for name in ("ownerId", "workflowId"))
            await self._fail_init(describe(refused))
        self.owner_id, self.workflow_id = given.owner_id, given.workflow_id
        if not (given.mock_mode and "test_workflow_config" in raw):
            duplicate = await self._verify_idempotency(given, input_hash)
            if duplicate is not None:
                return duplicate
        self.enter(State.INITIALIZE_STATE_BAG)
        try:
            body = await self.call("init", "init", {"input": raw, "execution_id": self.execution_id})
        except ActivityError as failure:
            if is_cancelled_exception(failure):
                raise
            await self._fail_init(failure_of(failure))
        self._take(body)
        self._facts = dict(self._now.extra)
        self.enter(State.NOTIFY_WORKFLOW_STARTED)
        names = ("total_segments", "distributed_strategy")
        await self.publish(EventType.STARTED, "RUNNING", **{name: self._facts[name] for name in names})
        self.enter(State.SELECT_EXECUTION_STRATEGY)
        return None

    async def _verify_idempotency(self, given: ExecutionInput, input_hash: str) -> dict[str, Any] | None:
        """Claim the key; the first run's result where it has succeeded already."""
        self.enter(State.VERIFY_IDEMPOTENCY_KEY)
        key = given.idempotency_key
        if key is None:
            self.enter(State.EVALUATE_IDEMPOTENCY)
            return None
        claim = Claim(
            claim_id=claim_key(given.owner_id, key),
            holder=self.execution_id,
            holder_run=workflow.info().first_execution_run_id,
            input_hash=input_hash,
        )
        try:
            found = await claim.acquire(self)
        except ActivityError as failure:
            if is_cancelled_exception(failure):
                raise
            self.enter(State.HANDLE_IDEMPOTENCY_ERROR)
            if given.allow_unsafe_execution:
                return None
            text = f"idempotency key {key}: who holds it could not be seen: {failure_of(failure)['message']}"
            error = {"code": "IDEMPOTENCY_UNVERIFIED", "message": text}
            await self._refuse(State.FAIL_IDEMPOTENCY_UNAVAILABLE, "IdempotencyCheckFailed", error)
        self.enter(State.EVALUATE_IDEMPOTENCY)
        if found is None:
            self._claim = claim
            return None
        who = found["holder"]
        if found["input_hash"] != input_hash:
            text = f"idempotency key {key}: run {who} used it with another input. Use a new key."
            error = {"code": "IDEMPOTENCY_CONFLICT", "message": text, "execution_id": who}
            await self._refuse(State.FAIL_DUPLICATE_EXECUTION, "DuplicateExecution", error)
        if found["status"] == "RUNNING":
            text = f"idempotency key {key}: run {who} is going on with it. Wait for that run."
            error = {"code": "DUPLICATE_EXECUTION", "message": text, "execution_id": who}
            await self._refuse(State.FAIL_DUPLICATE_EXECUTION, "DuplicateExecution", error)
        self.enter(State.SUCCEED_DUPLICATE_EXECUTION)
        return {**found["output"], "duplicate_of": who}

    async def _end_without_success(self, error: BaseException) -> None:
        canceled = is_cancelled_exception(error)
        if canceled and workflow.cancellation_reason() is None:
            return  # the worker only drops the run from its memory
        self._status = "CANCELED" if canceled else "FAILED"
        self._pauses.close_all()
        if canceled:
            await self._abort()
        await self._release()

    async def _release(self) -> None:
        if self._claim is not None:
            await self._claim.release(self._status)

    async def _ask(self, pause_id: str, spec: Mapping[str, Any]) -> dict[str, Any]:
        answer = await self._hold(pause_id, self._now.segment_to_run, spec)
        return answer or {"decision": "TIMEOUT", "token_id": pause_id}

    async def _hold(
        self, pause_id: str, segment: int, spec: Mapping[str, Any], *, child: str = ""
    ) -> dict[str, Any] | None:
        """Hold a pause open until it is answered or its time is up; None where its branch is over."""
        self._status, self._held = "PAUSED_FOR_HITP", self._held + 1
        pause = self._pauses.open(pause_id, segment, spec, child=child)
        shown = {name: pause[name] for name in ("pause_id", "prompt", "expires_at")}
        opened = workflow.time()
        await self.publish(EventType.PAUSED_FOR_HITP, self._status, segment_to_run=segment, **shown)
        left = max(pause["timeout_seconds"] - (workflow.time() - opened), 0.0)
        # Closing the pause tells how it ended, also where an answer came at the last moment.
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._pauses.is_settled(pause_id),
                timeout=timedelta(seconds=left),
                timeout_summary=f"pause {pause_id}",
            )
        if self._pauses.is_dropped(pause_id):
            return None
        # Closed before anything else is awaited: an answer that is accepted is an answer that counts.
        answer = self._pauses.close(pause_id)
        self._show_waiting()
        if answer is None:
            await self.publish(EventType.HITP_TIMEOUT, self._status, pause_id=pause_id)
            return {"decision": "TIMEOUT", "token_id": pause_id}
        await self.publish(EventType.RESUMED, self._status, pause_id=pause_id, decision=answer["decision"])
        return answer

    def _show_waiting(self) -> None:
        self._status = "PAUSED_FOR_HITP" if self._pauses.pending() else "RUNNING"

    async def _continue_as_new_if_due(self) -> None:
        """Start a new history with everything that the machine holds; no pause is open and no call under way here."""
        if not workflow.info().is_continue_as_new_suggested():
            return
        await workflow.wait_condition(workflow.all_handlers_finished)
        more = {"closed_pauses": self._pauses.closed, "claim": self._claim.to_json() if self._claim else None}
        workflow.continue_as_new({_CONTINUED: {**self._carried(), **more}})

    def _resume(self, state: Mapping[str, Any]) -> State:
        self._restore(state)
        self._pauses = Pauses(state["closed_pauses"])
        self._claim = Claim.from_json(state["claim"]) if state["claim"] else None
        return State.EXECUTE_SEGMENT


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
