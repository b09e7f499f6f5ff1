"""Lifecycle events to the sinks: best effort, never in the way of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities._threads import in_thread
from statebag.events import EventType, LifecycleEvent, Sink, deliver

__all__ = ["EventActivities"]


class EventActivities:
    """Publishing over some sinks.

    Args:
        sinks: every event goes to each of them.
        threads: where they are called.
    """

    def __init__(self, sinks: Sequence[Sink], threads: Executor) -> None:
        self._sinks = tuple(sinks)
        self._threads = threads

    def all(self) -> list[Callable[..., Any]]:
        """All activities, for a worker to register."""
        return [self.publish_event]

    @activity.defn(name="publish_event")
    async def publish_event(self, body: Mapping[str, Any]) -> None:
        """Deliver one event; fails, to be tried again, where any sink fails."""
        given: dict[str, Any] = {**body, "event_type": EventType(body["event_type"])}
        event = LifecycleEvent(**given)
        failures = await in_thread(self._threads, lambda: deliver(event, self._sinks))
        if failures:
            texts = "; ".join(f"{type(failure).__name__}: {failure}" for failure in failures)
            raise ApplicationError(
                f"event {event.event_type}: {len(failures)} sinks failed: {texts}", type="SINK_FAILED"
            )
