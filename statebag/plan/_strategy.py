"""How many segments may run at the same time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from statebag.plan._segment import Segment

__all__ = ["Strategy", "choose_strategy"]


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """A distributed strategy with its numbers."""

    name: str
    """``SAFE``, ``BATCHED`` or ``MAP_REDUCE``."""
    max_concurrency: int
    batch_size: int
    """Segments that one child takes at a time."""

    def to_json(self) -> dict[str, Any]:
        """The stored form."""
        return {"name": self.name, "max_concurrency": self.max_concurrency, "batch_size": self.batch_size}

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> Strategy:
        """Read the stored form."""
        return Strategy(name=body["name"], max_concurrency=body["max_concurrency"], batch_size=body["batch_size"])


def choose_strategy(segments: Sequence[Segment]) -> Strategy:
    """The first rule that fits.

    What depends on something never runs beside it, so that nothing but ``SAFE`` is chosen unless more than half of
    the segments depend on none.
    """
    total = len(segments)
    if any(segment.pause is not None for segment in segments):
        return Strategy(name="SAFE", max_concurrency=1, batch_size=1)
    if total <= 10:
        return Strategy(name="SAFE", max_concurrency=max(1, min(total, 5)), batch_size=1)
    independent = sum(1 for segment in segments if not segment.dependencies) / total
    llm = sum(1 for segment in segments if segment.type == "llm") / total
    if independent <= 0.5:
        return Strategy(name="SAFE", max_concurrency=2, batch_size=1)
    if total > 100 and llm > 0.3:
        return Strategy(name="MAP_REDUCE", max_concurrency=100, batch_size=25)
    if llm > 0.5:
        return Strategy(name="BATCHED", max_concurrency=10, batch_size=10)
    return Strategy(name="BATCHED", max_concurrency=20, batch_size=20)
