"""Execute a segment, wait for a person, wait for a slow model; and merge what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError, is_cancelled_exception

from workflows._endings import Endings
from workflows._machine import failure_of

with workflow.unsafe.imports_passed_through():
    from statebag.bag import Step
    from statebag.events import EventType
    from statebag.machine import FUNCTIONS, State

__all__ = ["Segments"]


class Segments(Endings):
    """The states of the main loop, of a run or of a branch."""

    EXECUTE = State.EXECUTE_SEGMENT
    SYNC = State.SYNC_STATE_DATA
    ACTION = "sync"
    """The action that merges what a segment gave."""
    WAIT = State.WAIT_FOR_HITP_CALLBACK
    ASYNC: tuple[State | None, State, State] = (
        State.HANDLE_ASYNC_LLM,
        State.WAIT_FOR_ASYNC_LLM_CALLBACK,
        State.MERGE_ASYNC_RESULT,
    )
    """The states around a slow model: before, while, and after it is waited for."""

    async def _execute_segment(self) -> None:
        self.enter(self.EXECUTE)
        body = await self._call_segment()
        self.enter(self.SYNC)
        self._take(body)

    async def _call_segment(self) -> Mapping[str, Any]:
        step = self._now
        task = self._task(segment=step.segment_to_run, action=self.ACTION)
        try:
            if step.next.get("mode") == "activity":
                return await self.call("execute_segment", "execute_segment", task, how=step.next)
            return await self.call_local("state_data_manager", "execute_segment", task, how=_quick(step.next))
        except FailureError as failure:
            if is_cancelled_exception(failure):
                raise
            await self._fail(failure_of(failure))

    async def _wait_for_answer(self) -> None:
        self.enter(self.WAIT)
        step = self._now
        if self._asked >= self._facts["max_loop_iterations"]:
            await self._exceed_loop_limit()
        self._asked += 1
        pause_id = self._pause_id()
        answer = await self._ask(pause_id, step.pause or {})
        self.enter(State.MERGE_CALLBACK_RESULT)
        await self._merge("merge_callback", {"callback_result": answer}, result_id=pause_id)

    async def _ask(self, pause_id: str, spec: Mapping[str, Any]) -> dict[str, Any]:
        """Ask a person, and wait: the answer, as a callback's result; ``TIMEOUT`` where nobody gave one."""
        raise NotImplementedError

    def _pause_id(self) -> str:
        return f"{self._now.segment_to_run}-{self._asked}"

    async def _wait_for_llm(self) -> None:
        before, while_it_answers, after = self.ASYNC
        if before is not None:
            self.enter(before)
        step = self._now
        self._status = "PAUSED_FOR_ASYNC_LLM"
        await self.publish(EventType.ASYNC_LLM_PROCESSING, self._status, segment_to_run=step.segment_to_run)
        self.enter(while_it_answers)
        result = await self._ask_llm(step)
        self._status = "RUNNING"
        self.enter(after)
        await self._merge("merge_async", {"async_result": result}, result_id=f"async:{step.version}")

    async def _ask_llm(self, step: Step) -> Any:
        """The answer of the model, as an execution result; a FAILED one where it gave none."""
        give_up = workflow.time() + (FUNCTIONS["state_data_manager"].give_up_seconds or 0.0)
        while True:
            try:
                return await self.call("async_llm", "async_llm", self._task(), how=step.next)
            except ActivityError as failure:
                if is_cancelled_exception(failure):
                    raise
                error = failure_of(failure)
                # The tries are for the model; a store that is away longer than they last is waited for.
                if error["code"] != "STORE_UNAVAILABLE" or workflow.time() > give_up:
                    return {"status": "FAILED", "error_info": error}

    async def _merge(self, action: str, payload: Mapping[str, Any], *, result_id: str) -> None:
        task = self._task(**payload, result_id=result_id)
        try:
            self._take(await self.call_local("state_data_manager", action, task, how={"label": action}))
        except FailureError as failure:
            if is_cancelled_exception(failure):
                raise
            await self._fail(failure_of(failure))

    def _progress(self) -> dict[str, Any]:
        step = self._step
        return {
            "status": self._status,
            "current_state": self.current_state(),
            "segment_to_run": step.segment_to_run if step else 0,
            "loop_counter": step.loop_counter if step else 0,
            "label": step.next.get("label", "") if step else "",
            "pauses": self._held,
            "bag": step.root if step else None,
            "bag_version": step.version if step else 0,
            **self._facts,
        }

    def _carried(self) -> dict[str, Any]:
        """What a new history goes on with; no pause is open and no call under way where it is taken."""
        return {
            "step": self._now.to_json(),
            "facts": self._facts,
            "owner_id": self.owner_id,
            "workflow_id": self.workflow_id,
            "trace": self.trace,
            "events": self.events,
            "asked": self._asked,
            "held": self._held,
            "failed_branches": self._failed_branches,
            "failed_items": self._failed_items,
        }

    def _restore(self, state: Mapping[str, Any]) -> None:
        # Its warnings were told when it came.
        self._step = Step.from_json(state["step"])
        self._facts = dict(state["facts"])
        self.owner_id, self.workflow_id = state["owner_id"], state["workflow_id"]
        self.trace, self.events, self._asked = list(state["trace"]), state["events"], state["asked"]
        self._held = state.get("held", self._asked)
        self._failed_branches = state.get("failed_branches", 0)
        self._failed_items = state.get("failed_items", 0)

    def _take(self, body: Mapping[str, Any]) -> None:
        self._step = Step.from_json(body)
        for warning in self._step.warnings:
            workflow.logger.warning("%s: %s: %s", warning["code"], warning["path"], warning["message"])

    def _task(self, **payload: Any) -> dict[str, Any]:
        run = {"ownerId": self.owner_id, "workflowId": self.workflow_id, "execution_id": self.execution_id}
        return {"run": run, "bag": {"version": self._now.version, "root": self._now.root}, **payload}


def _quick(how: Mapping[str, Any]) -> dict[str, Any]:
    """``how`` for a segment that runs in the worker itself; an asynchronous one is only put aside there."""
    if how.get("mode") == "async":
        return {"label": how["label"]}
    return {"timeout_seconds": FUNCTIONS["execute_segment"].timeout_seconds, **how}
