"""What the machines have in common: names of states, events, calls of functions, endings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, TimeoutError as TemporalTimeoutError

with workflow.unsafe.imports_passed_through():
    from statebag.events import EventType, event_id_of
    from statebag.machine import FUNCTIONS, Function, State

__all__ = ["Machine", "failure_of"]


class Machine:
    """Base of a machine: records the states it enters and calls functions as their facts say."""

    def __init__(self) -> None:
        self.trace: list[str] = []
        self.events = 0
        self.owner_id = ""
        self.workflow_id = ""

    def enter(self, state: State) -> None:
        """Record a state."""
        self.trace.append(str(state))
        workflow.set_current_details(f"**{state}** ({len(self.trace)} states so far)")

    @property
    def execution_id(self) -> str:
        """The run's id everywhere but in Temporal's own addressing: the workflow id."""
        return workflow.info().workflow_id

    async def call_local(self, function: str, activity: str, task: Mapping[str, Any], *, summary: str = "") -> Any:
        """Call a quick function in the worker itself: one event of history, no round trip."""
        facts = FUNCTIONS[function]
        return await workflow.execute_local_activity(
            activity,
            task,
            start_to_close_timeout=timedelta(seconds=facts.timeout_seconds),
            schedule_to_close_timeout=_seconds(facts.give_up_seconds),
            retry_policy=_policy(facts),
            summary=summary or None,
        )

    async def call(
        self, function: str, activity: str, task: Mapping[str, Any], *, how: Mapping[str, Any] | None = None
    ) -> Any:
        """Call a function that may take long or reaches outside. ``how`` is a segment's own time-outs and retries."""
        facts, how = FUNCTIONS[function], how or {}
        retry = how.get("retry") or {}
        return await workflow.execute_activity(
            activity,
            {**task, **({"max_retries": retry["max_retries"]} if "max_retries" in retry else {})},
            start_to_close_timeout=timedelta(seconds=how.get("timeout_seconds", facts.timeout_seconds)),
            schedule_to_close_timeout=_seconds(facts.give_up_seconds),
            heartbeat_timeout=_seconds(how.get("heartbeat_seconds", facts.heartbeat_seconds)),
            retry_policy=_policy(facts, initial_seconds=retry.get("base_delay_seconds")),
            summary=how.get("label") or None,
        )

    async def publish(self, event_type: EventType, status: str, **detail: Any) -> None:
        """Publish an event. Whatever happens to it, the run goes on."""
        sequence, self.events = self.events, self.events + 1
        event = {
            "event_id": event_id_of(self.execution_id, sequence),
            "event_type": str(event_type),
            "sequence": sequence,
            "execution_id": self.execution_id,
            "ownerId": self.owner_id,
            "workflowId": self.workflow_id,
            "timestamp": workflow.now().isoformat(timespec="milliseconds"),
            "status": status,
            "detail": {name: value for name, value in detail.items() if value is not None},
        }
        try:
            await self.call_local("publish_event", "publish_event", event)
        except ActivityError as failure:
            workflow.logger.warning("event %s could not be delivered: %s", event_type, failure.cause)


def failure_of(error: BaseException) -> dict[str, Any]:
    """Code and message of what made an activity fail for good."""
    cause = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, ApplicationError):
        given = cause.details[0] if cause.details and isinstance(cause.details[0], Mapping) else {}
        return {"code": cause.type or "RUN_FAILED", "message": cause.message, **dict(given)}
    if isinstance(cause, TemporalTimeoutError):
        kind = cause.type.name.replace("_", " ").lower() if cause.type is not None else "time-out"
        what = error.activity_type if isinstance(error, ActivityError) else "an activity"
        return {"code": "RUN_FAILED", "message": f"{what}: {kind} time-out. Raise the node's `timeout_seconds`."}
    return {"code": "RUN_FAILED", "message": str(cause or error)}


def _seconds(value: float | None) -> timedelta | None:
    return None if value is None else timedelta(seconds=value)


def _policy(facts: Function, *, initial_seconds: float | None = None) -> RetryPolicy:
    retry = facts.retry
    return RetryPolicy(
        initial_interval=timedelta(seconds=initial_seconds or retry.initial_seconds),
        backoff_coefficient=retry.backoff,
        maximum_interval=timedelta(seconds=max(retry.max_interval_seconds, initial_seconds or 0.0)),
        maximum_attempts=0 if retry.retries is None else retry.retries + 1,
    )
