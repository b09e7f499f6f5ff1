"""Lifecycle events to the sinks: best effort, never in the way of a run."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

from temporalio import activity

from activities._threads import in_thread
from statebag.events import EventType, LifecycleEvent, Sink, deliver

__all__ = ["EventActivities"]

PATIENCE_SECONDS = 1.0
"""A run waits so long for its sinks, so that they get its events in order; then it goes on without them."""
PAUSES_SECONDS = (0.5, 2.0)
"""Before each further try of a sink that failed."""

_log = logging.getLogger("statebag.events")


class EventActivities:
    """Publishing over some sinks.

    Args:
        sinks: every event goes to each of them.
        threads: where they are called.
    """

    def __init__(self, sinks: Sequence[Sink], threads: Executor) -> None:
        self._sinks = tuple(sinks)
        self._threads = threads
        self._under_way: set[asyncio.Task[None]] = set()

    def all(self) -> list[Callable[..., Any]]:
        """All activities, for a worker to register."""
        return [self.publish_event]

    @activity.defn(name="publish_event")
    async def publish_event(self, body: Mapping[str, Any]) -> None:
        """Deliver one event. A sink that fails is tried again behind the run's back, by this worker only."""
        given: dict[str, Any] = {**body, "event_type": EventType(body["event_type"])}
        tried = asyncio.Event()
        delivery = asyncio.create_task(self._deliver(LifecycleEvent(**given), tried))
        self._under_way.add(delivery)
        delivery.add_done_callback(self._under_way.discard)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await tried.wait()
        except TimeoutError:
            _log.warning("event %s: a sink takes more than %g s; the run goes on", given["event_id"], PATIENCE_SECONDS)

    async def _deliver(self, event: LifecycleEvent, tried: asyncio.Event) -> None:
        """Send to all sinks, and again to those that failed."""
        left, texts = self._sinks, ""
        for pause in (0.0, *PAUSES_SECONDS):
            await asyncio.sleep(pause)
            calls = [in_thread(self._threads, lambda sink=sink: deliver(event, (sink,))) for sink in left]
            failures = await asyncio.gather(*calls)
            tried.set()
            left = tuple(sink for sink, failed in zip(left, failures, strict=True) if failed)
            if not left:
                return
            texts = "; ".join(f"{type(failure).__name__}: {failure}" for failed in failures for failure in failed)
        _log.error(
            "event %s (%s) of run %s: %d sinks did not take it: %s",
            event.event_id,
            event.event_type,
            event.execution_id,
            len(left),
            texts,
        )
