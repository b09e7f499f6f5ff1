"""What an agent has done: kept for later tries, told to the log and with heartbeats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from statebag.nodes._base import NodeContext

__all__ = ["Journal"]


class Journal:
    """The calls of one agent, in order.

    The start, each answer of the model and each result of a tool is a step of the segment: a later try recalls it.

    Args:
        node_id: The agent.
        context: The run.
    """

    def __init__(self, node_id: str, context: NodeContext) -> None:
        self._node_id = node_id
        self._context = context
        self.entries: list[dict[str, Any]] = []
        """One for each call, recalled ones too."""
        self.logs: list[Mapping[str, Any]] = []
        """The same, with what the tools' nodes have to say before each."""
        started = self.recall("start")
        self._started = context.now() if started is None else datetime.fromisoformat(started["started_at"])
        self._start_kept = started is not None

    def elapsed(self) -> float:
        """Seconds since the first try began that got anywhere."""
        return (self._context.now() - self._started).total_seconds()

    def recall(self, *place: str) -> Any:
        """What an earlier try has kept of a call; None where there is nothing."""
        return self._context.steps.recall(self._key(*place))

    def make(self, call: Callable[[], dict[str, Any]], *place: str) -> dict[str, Any]:
        """Make a call and keep what it gives, with ``duration_seconds``."""
        began = self._context.now()
        result = call()
        result["duration_seconds"] = round((self._context.now() - began).total_seconds(), 3)
        if not self._start_kept:
            # With the first result, and not before it: a try that keeps something counts as one that got on.
            self._context.steps.keep(self._key("start"), {"started_at": self._started.isoformat()})
            self._start_kept = True
        self._context.steps.keep(self._key(*place), result)
        return result

    def tell(self, *, iteration: int, kind: str, name: str, status: str, **more: Any) -> None:
        """Log a call."""
        entry: dict[str, Any] = {
            "type": "react_step",
            "node_id": self._node_id,
            "iteration": iteration,
            "kind": kind,
            "name": name,
            "status": status,
            **more,
        }
        self.entries.append(entry)
        self.logs.append(entry)
        self._context.heartbeat(entry)

    def _key(self, *place: str) -> str:
        parts = (*self._context.inside, self._node_id, *place)
        return "/".join(part.replace("~", "~0").replace("/", "~1") for part in parts)
