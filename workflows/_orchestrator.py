"""The standard machine: one segment after another, with pauses for people and for slow models."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NoReturn

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

from workflows._claims import Claim, claim_key
from workflows._machine import Machine, failure_of
from workflows._pauses import Pauses

with workflow.unsafe.imports_passed_through():
    from statebag.bag import NextAction, Step
    from statebag.canonical import canonical_bytes, sha256_hex
    from statebag.config import ExecutionInput, parse_execution_input
    from statebag.errors import InputRefused
    from statebag.events import EventType
    from statebag.machine import State, route

__all__ = ["WorkflowOrchestrator"]

_CONTINUED = "$continued"
"""Member of the input of a run that goes on with an earlier one's history."""


@workflow.defn(name="WorkflowOrchestrator")
class WorkflowOrchestrator(Machine):
    """Runs a workflow document durably.

    The input is an execution input (``workflow_config``, ``initial_state``, ``ownerId``, …); the result names the
    final bag and has the run's counts. Answer a pause with the Update ``respond``; look with the Queries
    ``pending``, ``progress``, ``current_state`` and ``trace``.
    """

    def __init__(self) -> None:
        super().__init__()
        self._pauses = Pauses()
        self._claim: Claim | None = None
        self._facts: dict[str, Any] = {}
        self._step: Step | None = None
        self._status = "RUNNING"
        self._asked = 0

    @workflow.run
    async def run(self, input: Any = None) -> dict[str, Any]:  # noqa: A002 - the name a caller sees
        """Run to the end."""
        try:
            return await self._run(input)
        except BaseException as error:
            canceled = is_cancelled_exception(error)
            self._status = "CANCELED" if canceled else "FAILED"
            if canceled:
                await asyncio.shield(asyncio.create_task(self._abort()))
            raise
        finally:
            if self._claim is not None and not _continuing():
                await asyncio.shield(asyncio.create_task(self._claim.release(self._status)))

    @workflow.update(name="respond")
    async def respond(self, answer: Any) -> dict[str, Any]:
        """Answer a pause: ``{"pause_id"?, "decision"?, "response"?, "responder"?}``."""
        return self._pauses.take(answer)

    @respond.validator
    def _check_answer(self, answer: Any) -> None:
        self._pauses.check(answer)

    @workflow.query(name="pending")
    def pending(self) -> list[dict[str, Any]]:
        """The pauses that wait for an answer."""
        return self._pauses.pending()

    @workflow.query(name="current_state")
    def current_state(self) -> str:
        """Name of the state the machine is in."""
        return self.trace[-1] if self.trace else ""

    @workflow.query(name="trace")
    def trace_so_far(self) -> list[str]:
        """Names of all states entered, in order."""
        return list(self.trace)

    @workflow.query(name="progress")
    def progress(self) -> dict[str, Any]:
        """Counts, the current segment, and where the bag is."""
        step = self._step
        return {
            "status": self._status,
            "current_state": self.current_state(),
            "segment_to_run": step.segment_to_run if step else 0,
            "loop_counter": step.loop_counter if step else 0,
            "label": step.next.get("label", "") if step else "",
            "pauses": self._asked,
            "bag": step.root if step else None,
            "bag_version": step.version if step else 0,
            **self._facts,
        }

    async def _run(self, raw: Any) -> dict[str, Any]:
        continued = isinstance(raw, Mapping) and _CONTINUED in raw and workflow.info().continued_run_id is not None
        if continued:
            state = self._resume(raw[_CONTINUED])
        else:
            duplicate = await self._begin(raw)
            if duplicate is not None:
                return duplicate
            state = State.EXECUTE_SEGMENT
        while state is not State.NOTIFY_WORKFLOW_COMPLETED:
            state = await self._advance(state)
        return await self._complete()

    async def _advance(self, state: State) -> State:
        """Enter one arm of the router and give the state that follows it."""
        if state is State.EXECUTE_SEGMENT:
            self._continue_as_new_if_due()
            await self._execute_segment()
        elif state is State.CHECK_LOOP_LIMIT:
            self.enter(state)
            if self._now.loop_counter >= self._facts["max_loop_iterations"]:
                await self._exceed_loop_limit()
            return State.EXECUTE_SEGMENT
        elif state is State.WAIT_FOR_HITP_CALLBACK:
            await self._wait_for_answer()
        elif state is State.HANDLE_ASYNC_LLM:
            await self._wait_for_llm()
        else:
            await self._fail(self._now.error or {"code": "RUN_FAILED", "message": f"nothing leads on from {state}"})
        self.enter(State.EVALUATE_NEXT_ACTION)
        return route(self._now.next_action)

    async def _begin(self, raw: Any) -> dict[str, Any] | None:
        """From the start to the first segment; a result where another run has made it already."""
        self.enter(State.CHECK_IDEMPOTENCY)
        try:
            given = parse_execution_input(raw)
        except InputRefused as refused:
            await self._fail_init({"code": refused.code, "message": refused.message, **refused.details})
        self.owner_id, self.workflow_id = given.owner_id, given.workflow_id
        if not (given.mock_mode and "test_workflow_config" in raw):
            duplicate = await self._verify_idempotency(given, sha256_hex(canonical_bytes(raw)))
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
        self.enter(State.VERIFY_IDEMPOTENCY_KEY)
        if given.idempotency_key is None or self.execution_id == given.idempotency_key:
            self.enter(State.EVALUATE_IDEMPOTENCY)
            return None
        claim = Claim(claim_key(given.owner_id, given.idempotency_key), self.execution_id, input_hash)
        try:
            holder = await claim.acquire(self)
        except ActivityError as failure:
            if is_cancelled_exception(failure):
                raise
            self.enter(State.HANDLE_IDEMPOTENCY_ERROR)
            if given.allow_unsafe_execution:
                return None
            self.enter(State.FAIL_IDEMPOTENCY_UNAVAILABLE)
            text = f"idempotency key {given.idempotency_key}: who holds it could not be seen: {failure_of(failure)['message']}"
            raise _failure("IdempotencyCheckFailed", "IDEMPOTENCY_UNVERIFIED", text) from failure
        self.enter(State.EVALUATE_IDEMPOTENCY)
        if holder is None:
            self._claim = claim
            return None
        key, who = given.idempotency_key, holder["holder"]
        if holder["input_hash"] != input_hash:
            self.enter(State.FAIL_DUPLICATE_EXECUTION)
            text = f"idempotency key {key}: run {who} used it with another input. Use a new key."
            raise _failure("DuplicateExecution", "IDEMPOTENCY_CONFLICT", text, execution_id=who)
        if holder["status"] == "RUNNING":
            self.enter(State.FAIL_DUPLICATE_EXECUTION)
            text = f"idempotency key {key}: run {who} is going on with it. Wait for that run."
            raise _failure("DuplicateExecution", "DUPLICATE_EXECUTION", text, execution_id=who)
        self.enter(State.SUCCEED_DUPLICATE_EXECUTION)
        return {**holder["output"], "duplicate_of": who}

    async def _execute_segment(self) -> None:
        self.enter(State.EXECUTE_SEGMENT)
        step = self._now
        how = step.next
        task = self._task(segment=step.segment_to_run)
        try:
            if how.get("mode") == "activity":
                body = await self.call("execute_segment", "execute_segment", task, how=how)
            else:
                body = await self.call_local("state_data_manager", "execute_segment", task, summary=how.get("label", ""))
        except ActivityError as failure:
            if is_cancelled_exception(failure):
                raise
            await self._fail(failure_of(failure))
        self.enter(State.SYNC_STATE_DATA)
        self._take(body)

    async def _wait_for_answer(self) -> None:
        self.enter(State.WAIT_FOR_HITP_CALLBACK)
        step = self._now
        if self._asked >= self._facts["max_loop_iterations"]:
            await self._exceed_loop_limit()
        self._status, self._asked = "PAUSED_FOR_HITP", self._asked + 1
        pause_id = f"{step.segment_to_run}-{self._asked}"
        pause = self._pauses.open(pause_id, step.segment_to_run, step.pause or {})
        shown = {name: pause[name] for name in ("pause_id", "prompt", "expires_at")}
        await self.publish(EventType.PAUSED_FOR_HITP, self._status, segment_to_run=step.segment_to_run, **shown)
        callback: dict[str, Any]
        try:
            await workflow.wait_condition(
                lambda: self._pauses.answer_of(pause_id) is not None,
                timeout=timedelta(seconds=pause["timeout_seconds"]),
                timeout_summary=f"pause {pause_id}",
            )
        except TimeoutError:
            callback = {"decision": "TIMEOUT", "token_id": pause_id}
        else:
            callback = self._pauses.answer_of(pause_id) or {}
        self._status = "RUNNING"
        if callback["decision"] == "TIMEOUT":
            await self.publish(EventType.HITP_TIMEOUT, self._status, pause_id=pause_id)
        else:
            await self.publish(EventType.RESUMED, self._status, pause_id=pause_id, decision=callback["decision"])
        self._pauses.close(pause_id)
        self.enter(State.MERGE_CALLBACK_RESULT)
        await self._merge("merge_callback", {"callback_result": callback}, result_id=pause_id)

    async def _wait_for_llm(self) -> None:
        self.enter(State.HANDLE_ASYNC_LLM)
        step = self._now
        self._status = "PAUSED_FOR_ASYNC_LLM"
        await self.publish(EventType.ASYNC_LLM_PROCESSING, self._status, segment_to_run=step.segment_to_run)
        self.enter(State.WAIT_FOR_ASYNC_LLM_CALLBACK)
        how = {name: value for name, value in step.next.items() if name != "heartbeat_seconds"}
        try:
            result = await self.call("async_llm", "async_llm", self._task(), how=how)
        except ActivityError as failure:
            if is_cancelled_exception(failure):
                raise
            result = {"status": "FAILED", "error_info": failure_of(failure)}
        self._status = "RUNNING"
        self.enter(State.MERGE_ASYNC_RESULT)
        await self._merge("merge_async", {"async_result": result}, result_id=f"async:{step.version}")

    async def _merge(self, action: str, payload: Mapping[str, Any], *, result_id: str) -> None:
        task = self._task(**payload, result_id=result_id)
        try:
            self._take(await self.call_local("state_data_manager", action, task, summary=action))
        except ActivityError as failure:
            if is_cancelled_exception(failure):
                raise
            await self._fail(failure_of(failure))

    async def _complete(self) -> dict[str, Any]:
        self.enter(State.NOTIFY_WORKFLOW_COMPLETED)
        step, facts = self._now, self._facts
        await self.publish(
            EventType.COMPLETED,
            "SUCCEEDED",
            final_state_s3_path=step.root["key"],
            total_segments=facts["total_segments"],
            loop_counter=step.loop_counter,
            start_time=facts["start_time"],
        )
        self.enter(State.PREPARE_SUCCESS_OUTPUT)
        output = {
            "status": "SUCCEEDED",
            "execution_id": self.execution_id,
            "ownerId": self.owner_id,
            "workflowId": self.workflow_id,
            "final_state_s3_path": step.root,
            "loop_counter": step.loop_counter,
            "pauses": self._asked,
            **{name: facts[name] for name in ("total_segments", "start_time", "llm_segments", "hitp_segments")},
        }
        self.enter(State.WORKFLOW_SUCCEEDED)
        self._status = "SUCCEEDED"
        return output

    async def _fail(self, error: Mapping[str, Any]) -> NoReturn:
        """The one failure path behind a bag: tell, then end with the real cause."""
        self.enter(State.NOTIFY_AND_FAIL)
        step = self._now
        await self.publish(
            EventType.FAILED,
            "FAILED",
            error_type=error["code"],
            error_message=error["message"],
            state_s3_path=step.root["key"],
            execution_name=self.execution_id,
            debug_hint=f"statebag history {self.execution_id}",
        )
        self.enter(State.WORKFLOW_FAILED)
        self._status = "FAILED"
        raise ApplicationError(
            f"{error['code']}: {error['message']}",
            {**error, "final_state_s3_path": step.root, "loop_counter": step.loop_counter},
            type="WorkflowExecutionFailed",
            non_retryable=True,
        )

    async def _exceed_loop_limit(self) -> NoReturn:
        self.enter(State.FAIL_LOOP_LIMIT_EXCEEDED)
        limit = self._facts["max_loop_iterations"]
        text = (
            f"{self._now.loop_counter} segments were executed and {self._asked} pauses asked; the limit of each is {limit}. "
            "Raise `max_loop_iterations`."
        )
        error = {"error_type": "LOOP_LIMIT_EXCEEDED", "error_message": text}
        await self.publish(EventType.FAILED, "FAILED", state_s3_path=self._now.root["key"], **error)
        details = {"final_state_s3_path": self._now.root, "loop_counter": self._now.loop_counter}
        raise _failure("LoopLimitExceeded", "LOOP_LIMIT_EXCEEDED", text, **details)

    async def _fail_init(self, error: Mapping[str, Any]) -> NoReturn:
        self.enter(State.NOTIFY_AND_FAIL_INIT)
        shown = {"error_type": error["code"], "error_message": error["message"]}
        await self.publish(EventType.INIT_FAILED, "FAILED", **shown)
        self.enter(State.FAIL_INITIALIZATION)
        raise ApplicationError(
            f"{error['code']}: {error['message']}", dict(error), type="InitializationFailed", non_retryable=True
        )

    async def _abort(self) -> None:
        await self.publish(EventType.ABORTED, "CANCELED", state_s3_path=self._step.root["key"] if self._step else None)

    @property
    def _now(self) -> Step:
        if self._step is None:
            raise ApplicationError("no bag yet", type="RUN_FAILED", non_retryable=True)
        return self._step

    def _take(self, body: Mapping[str, Any]) -> None:
        self._step = Step.from_json(body)
        for warning in self._step.warnings:
            workflow.logger.warning("%s: %s: %s", warning["code"], warning["path"], warning["message"])

    def _task(self, **payload: Any) -> dict[str, Any]:
        run = {"ownerId": self.owner_id, "workflowId": self.workflow_id, "execution_id": self.execution_id}
        return {"run": run, "bag": {"version": self._now.version, "root": self._now.root}, **payload}

    def _continue_as_new_if_due(self) -> None:
        """Start a new history with everything that the machine holds; no pause is open and no call under way here."""
        if not workflow.info().is_continue_as_new_suggested():
            return
        state = {
            "step": self._now.to_json(),
            "facts": self._facts,
            "owner_id": self.owner_id,
            "workflow_id": self.workflow_id,
            "trace": self.trace,
            "events": self.events,
            "asked": self._asked,
            "closed_pauses": list(self._pauses.closed),
            "claim": self._claim.to_json() if self._claim else None,
        }
        workflow.continue_as_new({_CONTINUED: state})

    def _resume(self, state: Mapping[str, Any]) -> State:
        self._take(state["step"])
        self._facts = dict(state["facts"])
        self.owner_id, self.workflow_id = state["owner_id"], state["workflow_id"]
        self.trace, self.events, self._asked = list(state["trace"]), state["events"], state["asked"]
        self._pauses = Pauses(tuple(state["closed_pauses"]))
        self._claim = Claim.from_json(state["claim"]) if state["claim"] else None
        return State.EXECUTE_SEGMENT


def _failure(kind: str, code: str, message: str, **details: Any) -> ApplicationError:
    return ApplicationError(
        f"{code}: {message}", {"code": code, "message": message, **details}, type=kind, non_retryable=True
    )


