"""A segment: the slice of a document that runs in one go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from statebag.config import Node, PauseSpec

__all__ = ["RetrySpec", "Segment"]


@dataclass(frozen=True, kw_only=True)
class RetrySpec:
    """How often a segment is tried again, where its nodes say so."""

    max_retries: int = 0
    """Tries after the first."""
    base_delay_seconds: float = 1.0
    """Wait before the second try; it grows from there."""

    def to_json(self) -> dict[str, Any]:
        """The stored form."""
        return {"max_retries": self.max_retries, "base_delay_seconds": self.base_delay_seconds}

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> RetrySpec:
        """Read the stored form."""
        return RetrySpec(max_retries=body["max_retries"], base_delay_seconds=float(body["base_delay_seconds"]))


@dataclass(frozen=True, kw_only=True)
class Segment:
    """Nodes that run one behind another without a stop, and what surrounds them."""

    id: str
    """Stable path of the segment: its number; those inside of branches will have the group's in front."""
    index: int
    """Place in the plan, from 0."""
    type: str = "normal"
    """``normal``, or ``llm`` for one model call alone."""
    nodes: tuple[Node, ...] = ()
    """In running order; empty only in the segment that stands before a pause at the very start."""
    pause: PauseSpec | None = None
    """Asked before this segment runs, whatever leads to it."""
    next: str | None = None
    """Id of the segment that follows; None where the run ends."""
    dependencies: tuple[str, ...] = ()
    """Ids of the segments that must be over before this one runs."""
    outside: bool = False
    """Whether it calls the outside world."""
    timeout_seconds: float = 300.0
    """Time for one try; five minutes, unless a node says more or less."""
    heartbeat_seconds: float | None = None
    """Longest silence of a running try; None where nothing waits for the outside."""
    retry: RetrySpec | None = None
    """None leaves it to the engine."""
    async_llm: bool = False
    """Whether the model's answer comes from elsewhere, after the call has returned."""

    def to_json(self) -> dict[str, Any]:
        """The stored form; defaults are left out."""
        body: dict[str, Any] = {"id": self.id, "index": self.index, "nodes": [node.to_json() for node in self.nodes]}
        for name in _PLAIN:
            if getattr(self, name) != getattr(Segment, name):
                body[name] = getattr(self, name)
        if self.pause is not None:
            body["pause"] = self.pause.to_json()
        if self.dependencies:
            body["dependencies"] = list(self.dependencies)
        if self.retry is not None:
            body["retry"] = self.retry.to_json()
        return body

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> Segment:
        """Read the stored form."""
        return Segment(
            id=body["id"],
            index=body["index"],
            nodes=tuple(Node.from_json(node) for node in body["nodes"]),
            pause=PauseSpec.from_json(body["pause"]) if "pause" in body else None,
            dependencies=tuple(body.get("dependencies", ())),
            retry=RetrySpec.from_json(body["retry"]) if "retry" in body else None,
            **{name: body[name] for name in _PLAIN if name in body},
        )


_PLAIN = ("type", "next", "outside", "timeout_seconds", "heartbeat_seconds", "async_llm")
