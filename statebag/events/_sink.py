"""Where events go. A sink that fails never touches the run."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol

from statebag.canonical import canonical_bytes
from statebag.events._event import LifecycleEvent

__all__ = ["LogSink", "Sink", "deliver"]

_log = logging.getLogger("statebag.events")


class Sink(Protocol):
    """One consumer of events."""

    def send(self, event: LifecycleEvent) -> None:
        """Deliver the event; raise where it could not be, and it is sent again."""
        ...


class LogSink:
    """Writes each event as one line of JSON to the logger ``statebag.events``."""

    def send(self, event: LifecycleEvent) -> None:
        """Log the event at level INFO."""
        _log.info("%s", canonical_bytes(event.to_json()).decode())


def deliver(event: LifecycleEvent, sinks: Sequence[Sink]) -> list[Exception]:
    """Send to every sink, whatever the others do.

    Returns:
        The errors of those that failed, for the caller to decide on another try.
    """
    failures: list[Exception] = []
    for sink in sinks:
        try:
            sink.send(event)
        except Exception as failure:  # noqa: BLE001 - a sink is foreign code: whatever it raises is its failure alone
            failures.append(failure)
    return failures
