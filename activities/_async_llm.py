"""Model calls that may be answered from outside, by the activity's task token."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Protocol

from temporalio import activity

from activities._errors import as_failures
from activities._state import place_of
from activities._threads import in_thread, sign_of_life, time_limit
from statebag.bag import BagEngine
from statebag.machine import PROVIDER_RETRIES

__all__ = ["AsyncDispatcher", "AsyncLLMActivities", "AsyncRequest"]


@dataclass(frozen=True, kw_only=True)
class AsyncRequest:
    """A model call handed to somebody else."""

    task_token: str
    """Base64. Complete the activity with it: ``client.get_async_activity_handle(task_token=…)``."""
    execution_id: str
    segment: Mapping[str, Any]
    """The segment's configuration: its node has the prompt as a template."""
    state: Mapping[str, Any]
    """The user fields that the node reads."""


class AsyncDispatcher(Protocol):
    """Takes model calls to be answered later."""

    def dispatch(self, request: AsyncRequest) -> None:
        """Take the request over durably, or raise, and it is handed over again.

        The answer to complete the activity with is an execution result, such as
        ``{"status": "COMPLETE", "state_delta": {"set": {"answer": "…"}}}``; the next segment is filled in.
        """
        ...


class AsyncLLMActivities:
    """The activity that ``WaitForAsyncLLMCallback`` waits for.

    Args:
        engine: runs the call here where there is no dispatcher.
        threads: where it runs.
        dispatcher: who answers instead.
    """

    def __init__(self, engine: BagEngine, threads: Executor, dispatcher: AsyncDispatcher | None) -> None:
        self._engine = engine
        self._threads = threads
        self._dispatcher = dispatcher

    def all(self) -> list[Callable[..., Any]]:
        """All activities, for a worker to register."""
        return [self.async_llm]

    @activity.defn(name="async_llm")
    async def async_llm(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """Answer the call, or hand it over and complete from outside."""
        info, place = activity.info(), place_of(task)
        if self._dispatcher is not None:
            token = base64.b64encode(info.task_token).decode()
            dispatcher = self._dispatcher

            def hand_over() -> None:
                segment, state = self._engine.describe_call(place)
                dispatcher.dispatch(
                    AsyncRequest(task_token=token, execution_id=place.execution_id, segment=segment, state=state)
                )

            with as_failures():
                await in_thread(self._threads, hand_over)
            activity.raise_complete_async()
        async with sign_of_life() as beat:
            with as_failures(max_retries=task.get("max_retries", PROVIDER_RETRIES)):
                return await in_thread(
                    self._threads,
                    lambda: self._engine.run_async_segment(place, attempt=info.attempt, heartbeat=beat),
                    limit_seconds=time_limit(),
                )
