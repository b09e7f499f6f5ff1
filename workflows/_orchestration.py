"""A run of a document: how it begins, how it goes on in a new history, and how it is taken up after its end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError, is_cancelled_exception

from workflows._claims import Claim, claim_key
from workflows._machine import describe, failure_of
from workflows._pauses import Pauses
from workflows._people import People

with workflow.unsafe.imports_passed_through():
    from statebag.canonical import canonical_bytes, sha256_hex
    from statebag.config import ExecutionInput, parse_execution_input
    from statebag.errors import StateBagError
    from statebag.events import EventType
    from statebag.machine import EVENT_FIELDS, EVENT_STATUS, State

__all__ = ["Orchestration"]

REDRIVE = "$redrive"
"""Member of the input of a run that takes up an ended one."""

_CONTINUED = "$continued"
"""Member of the input of a run that goes on with an earlier one's history."""


class Orchestration(People):
    """A run of a workflow document, from its input to its end.

    The input is an execution input (``workflow_config``, ``initial_state``, ``ownerId``, …), or that of a redrive; the
    result names the final bag and has the run's counts. Answer a pause with the Update ``respond``; look with the
    Queries ``pending``, ``progress``, ``current_state`` and ``trace``.
    """

    @workflow.init
    def __init__(self, input: Any = None) -> None:  # noqa: A002 - the name that `run` has
        super().__init__()
        self._claim: Claim | None = None
        self._goes_on: State | None = None
        """Where a run goes on in a new history; None in its first one."""
        if isinstance(input, Mapping) and _CONTINUED in input and workflow.info().continued_run_id is not None:
            # Answers and signals that come as the history begins are handled before `run` is.
            self._goes_on = self._resume(input[_CONTINUED])

    async def _run_to_end(self, raw: Any) -> dict[str, Any]:
        """Run, and tell how it ended."""
        try:
            output = await self._run(raw)
        except (FailureError, asyncio.CancelledError) as error:
            await self._end_without_success(error)
            raise
        self._status = "SUCCEEDED"
        await self._release()
        return output

    @workflow.query(name="progress")
    def progress(self) -> dict[str, Any]:
        """Counts, the current segment, and where the bag is; ``branches`` or ``map`` while such are under way."""
        more = {"branches": self._branches, "map": self._map_progress()}
        return {**self._progress(), **{name: value for name, value in more.items() if value}}

    async def _run(self, raw: Any) -> dict[str, Any]:
        if self._goes_on is not None:
            state = self._goes_on
            self._hold_open_pauses()
        elif isinstance(raw, Mapping) and REDRIVE in raw:
            state = await self._take_up(raw[REDRIVE])
        else:
            duplicate = await self._begin(raw)
            if duplicate is not None:
                return duplicate
            state = await self._choose_way()
        self._ready = True
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
        return None

    async def _choose_way(self) -> State:
        """From the first bag to the first step."""
        raise NotImplementedError

    async def _take_up(self, redrive: Mapping[str, Any]) -> State:
        """Go on where an ended run of this id stood before it failed: ``{"ownerId", "workflowId", "lineages", …}``."""
        self.enter(State.CHECK_IDEMPOTENCY)
        self.owner_id, self.workflow_id = redrive["ownerId"], redrive["workflowId"]
        self.enter(State.INITIALIZE_STATE_BAG)
        run = {"ownerId": self.owner_id, "workflowId": self.workflow_id, "execution_id": self.execution_id}
        try:
            # The chunks of a run that was terminated go on without it: two rounds must not run beside each other.
            ended = {"execution_id": self.execution_id, "run_id": redrive["lineages"][0]}
            await self.call("watch_chunks", "end_leftovers", ended)
            body = await self.call("init", "redrive", {"run": run, **redrive})
        except ActivityError as failure:
            if is_cancelled_exception(failure):
                raise
            await self._fail_init(failure_of(failure))
        self._take(body)
        self._facts = {name: value for name, value in self._now.extra.items() if name not in ("fork", "map")}
        await self._tell_started()
        self.enter(self.EVALUATE)
        return self.ROUTE(self._now.next_action)

    async def _tell_started(self) -> None:
        self.enter(State.NOTIFY_WORKFLOW_STARTED)
        told = {name: self._facts[name] for name in EVENT_FIELDS[EventType.STARTED]}
        await self.publish(EventType.STARTED, EVENT_STATUS[EventType.STARTED], **told)

    async def _verify_idempotency(self, given: ExecutionInput, input_hash: str) -> dict[str, Any] | None:
        """Claim the key; the first run's result where it has succeeded already."""
        key = given.idempotency_key
        if key is None:
            return None
        self.enter(State.VERIFY_IDEMPOTENCY_KEY)
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

    async def _continue_as_new_if_due(self) -> None:
        """Start a new history with everything that the machine holds; no pause is open and no call under way here."""
        if not workflow.info().is_continue_as_new_suggested():
            return
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new({_CONTINUED: self._carried()})

    async def _continue_map(self, window: Mapping[str, Any]) -> None:
        await workflow.wait_condition(lambda: not self._busy)
        body = {**self._carried(), "map": self._map, "window": window, "state": str(self._map_state)}
        workflow.continue_as_new({_CONTINUED: {**body, "pauses_open": self._pauses.carry()}})

    def _carried(self) -> dict[str, Any]:
        claim = self._claim.to_json() if self._claim else None
        return {**super()._carried(), "closed_pauses": self._pauses.closed, "claim": claim}

    def _resume(self, state: Mapping[str, Any]) -> State:
        self._restore(state)
        self._pauses = Pauses(state["closed_pauses"], state.get("pauses_open"))
        self._claim = Claim.from_json(state["claim"]) if state["claim"] else None
        if "map" not in state:
            return State.EXECUTE_SEGMENT
        self._map, self._carried_window = dict(state["map"]), state["window"]
        self._show_waiting()
        return State(state["state"])


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
