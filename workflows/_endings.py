"""The ways in which a run can end. Each one tells before it ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from workflows._machine import Machine

with workflow.unsafe.imports_passed_through():
    from statebag.bag import Step
    from statebag.events import EventType
    from statebag.machine import State

__all__ = ["Endings"]


class Endings(Machine):
    """A machine with a bag, and what its states at the end do."""

    def __init__(self) -> None:
        super().__init__()
        self._step: Step | None = None
        self._facts: dict[str, Any] = {}
        self._status = "RUNNING"
        self._asked = 0
        """Pauses of this workflow itself."""
        self._held = 0
        """Pauses that a person was asked at, those of branches too."""
        self._failed_branches = 0
        self._failed_items = 0
        """Of maps that tolerate them."""

    @property
    def _now(self) -> Step:
        if self._step is None:
            raise ApplicationError("no bag yet", type="RUN_FAILED", non_retryable=True)
        return self._step

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
            "pauses": self._held,
            **{name: facts[name] for name in ("total_segments", "start_time", "llm_segments", "hitp_segments")},
            **({"failed_branches": self._failed_branches} if self._failed_branches else {}),
            **({"failed_items": self._failed_items} if self._failed_items else {}),
        }
        self.enter(State.WORKFLOW_SUCCEEDED)
        return output

    async def _fail(self, error: Mapping[str, Any]) -> NoReturn:
        """The one failure path behind a bag: tell, then end with the real cause."""
        self.enter(State.NOTIFY_AND_FAIL)
        await self._publish_failure(error, debug_hint=f"statebag history {self.execution_id}")
        self.enter(State.WORKFLOW_FAILED)
        raise self._failure("WorkflowExecutionFailed", error)

    async def _exceed_loop_limit(self) -> NoReturn:
        self.enter(State.FAIL_LOOP_LIMIT_EXCEEDED)
        message = (
            f"{self._now.loop_counter} segments were executed and {self._asked} pauses asked; the limit of each is "
            f"{self._facts['max_loop_iterations']}. Raise `max_loop_iterations`."
        )
        error = {"code": "LOOP_LIMIT_EXCEEDED", "message": message}
        await self._publish_failure(error)
        raise self._failure("LoopLimitExceeded", error)

    async def _fail_init(self, error: Mapping[str, Any]) -> NoReturn:
        self.enter(State.NOTIFY_AND_FAIL_INIT)
        await self.publish(EventType.INIT_FAILED, "FAILED", error_type=error["code"], error_message=error["message"])
        self.enter(State.FAIL_INITIALIZATION)
        raise self._failure("InitializationFailed", error)

    async def _refuse(self, state: State, kind: str, error: Mapping[str, Any]) -> NoReturn:
        """End before the work began, since another run does it or may do it."""
        self.enter(state)
        await self._publish_failure(error)
        raise self._failure(kind, error)

    async def _abort(self) -> None:
        key = self._step.root["key"] if self._step else None
        await self.publish(EventType.ABORTED, "CANCELED", state_s3_path=key)

    async def _publish_failure(self, error: Mapping[str, Any], **detail: Any) -> None:
        await self.publish(
            EventType.FAILED,
            "FAILED",
            error_type=error["code"],
            error_message=error["message"],
            state_s3_path=self._step.root["key"] if self._step else None,
            execution_name=self.execution_id,
            **detail,
        )

    def _failure(self, kind: str, error: Mapping[str, Any]) -> ApplicationError:
        reached: dict[str, Any] = {}
        if self._step is not None:
            reached = {"final_state_s3_path": self._step.root, "loop_counter": self._step.loop_counter}
        text = f"{error['code']}: {error['message']}"
        return ApplicationError(text, {**error, **reached}, type=kind, non_retryable=True)
