"""What the machines have in common: names of states, events, calls of functions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    FailureError,
    is_cancelled_exception,
)
from temporalio.exceptions import (
    TimeoutError as TemporalTimeoutError,
)

with workflow.unsafe.imports_passed_through():
    from statebag.errors import StateBagError
    from statebag.events import EventType, event_id_of
    from statebag.machine import FUNCTIONS, GRACE_SECONDS, Function, State

__all__ = ["Machine", "describe", "failure_of"]


_LONGEST_WAIT_HERE = timedelta(seconds=1)
"""Between two tries of a local activity; a longer one is a timer's, since no query is answered while such a call is
under way."""
_AT_THE_END = workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED


class Machine:
    """Base of a machine: records the states it enters and calls functions as their facts say."""

    def __init__(self) -> None:
        self.trace: list[str] = []
        self.events = 0
        self.owner_id = ""
        self.workflow_id = ""

    @workflow.query(name="current_state")
    def current_state(self) -> str:
        """Name of the state the machine is in."""
        return self.trace[-1] if self.trace else ""

    @workflow.query(name="trace")
    def trace_so_far(self) -> list[str]:
        """Names of all states entered, in order."""
        return list(self.trace)

    def enter(self, state: State) -> None:
        """Record a state."""
        self.trace.append(str(state))
        workflow.set_current_details(f"**{state}** ({len(self.trace)} states so far)")

    @property
    def execution_id(self) -> str:
        """The run's id everywhere but in Temporal's own addressing: the workflow id."""
        return workflow.info().workflow_id

    async def call_local(
        self, function: str, activity: str, task: Mapping[str, Any], *, how: Mapping[str, Any] | None = None
    ) -> Any:
        """Call a quick function in the worker itself: one event of history, no round trip.

        Raises:
            FailureError: The function's own failure may come bare, without an ``ActivityError`` around it.
        """
        facts, how = FUNCTIONS[function], how or {}
        retry = how.get("retry") or {}
        return await workflow.execute_local_activity(
            activity,
            _with_retries(task, retry),
            start_to_close_timeout=_with_grace(how.get("timeout_seconds", facts.timeout_seconds)),
            schedule_to_close_timeout=_seconds(facts.give_up_seconds),
            retry_policy=_policy(facts, retry),
            local_retry_threshold=_LONGEST_WAIT_HERE,
            summary=how.get("label") or None,
        )

    async def call(
        self,
        function: str,
        activity: str,
        task: Mapping[str, Any],
        *,
        how: Mapping[str, Any] | None = None,
        to_the_end: bool = False,
    ) -> Any:
        """Call a function that may take long or reaches outside.

        Args:
            function: Whose facts hold.
            activity: Its name.
            task: Its input.
            how: A segment's own time-outs and retries.
            to_the_end: Whether a cancellation waits until the function has stopped, and makes no more calls.
        """
        facts, how = FUNCTIONS[function], how or {}
        retry = how.get("retry") or {}
        return await workflow.execute_activity(
            activity,
            _with_retries(task, retry),
            start_to_close_timeout=_with_grace(how.get("timeout_seconds", facts.timeout_seconds)),
            schedule_to_close_timeout=_seconds(facts.give_up_seconds),
            heartbeat_timeout=_seconds(how.get("heartbeat_seconds", facts.heartbeat_seconds)),
            retry_policy=_policy(facts, retry),
            cancellation_type=_AT_THE_END if to_the_end else workflow.ActivityCancellationType.TRY_CANCEL,
            summary=how.get("label") or None,
        )

    async def publish(self, event_type: EventType, status: str, **detail: Any) -> None:
        """Publish an event. Whatever happens to it, the run goes on."""
        sequence, self.events = self.events, self.events + 1
        event = {
            # By the run id, since a workflow id may be used again, and a reset repeats sequence numbers.
            "event_id": event_id_of(workflow.info().run_id, sequence),
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
        except FailureError as failure:
            if is_cancelled_exception(failure):
                raise
            text = failure_of(failure)["message"]
            workflow.logger.warning("event %s could not be delivered: %s", event_type, text)


def failure_of(error: BaseException) -> dict[str, Any]:
    """Code and message of what made an activity fail for good, and what else its error says."""
    cause = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, ApplicationError):
        given = dict(cause.details[0]) if cause.details and isinstance(cause.details[0], Mapping) else {}
        nested = given.pop("details", None)
        more = dict(nested) if isinstance(nested, Mapping) else {}
        return {"code": cause.type or "RUN_FAILED", "message": cause.message, **more, **given}
    if isinstance(cause, TemporalTimeoutError):
        kind = cause.type.name.replace("_", " ").lower() if cause.type is not None else "no"
        what = error.activity_type if isinstance(error, ActivityError) else "an activity"
        return {
            "code": "RUN_FAILED",
            "message": f"{what}: gave no answer in its time ({kind}). Check the worker, or raise the node's "
            "`timeout_seconds`.",
        }
    return {"code": "RUN_FAILED", "message": str(cause or error)}


def describe(error: StateBagError) -> dict[str, Any]:
    """An error of the domain in the form of :func:`failure_of`."""
    return {**error.details, "code": error.code, "message": error.message, "retryable": error.retryable}


def _seconds(value: float | None) -> timedelta | None:
    return None if value is None else timedelta(seconds=value)


def _with_grace(seconds: float) -> timedelta:
    return timedelta(seconds=seconds + GRACE_SECONDS)


def _with_retries(task: Mapping[str, Any], retry: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**task, "max_retries": retry["max_retries"]} if "max_retries" in retry else task


def _policy(facts: Function, given: Mapping[str, Any]) -> RetryPolicy:
    retry = facts.retry
    initial = given.get("base_delay_seconds") or retry.initial_seconds
    retries = retry.retries if retry.retries is None else given.get("max_retries", retry.retries)
    return RetryPolicy(
        initial_interval=timedelta(seconds=initial),
        backoff_coefficient=retry.backoff,
        maximum_interval=timedelta(seconds=max(given.get("max_delay_seconds") or retry.max_interval_seconds, initial)),
        maximum_attempts=0 if retries is None else retries + 1,
    )
