"""A plan: all segments of a document, and the budgets of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from statebag.plan._segment import Segment
from statebag.plan._strategy import Strategy

__all__ = ["Plan"]

LARGE_SEGMENTS = 300
LARGE_CONCURRENCY = 50


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The segments of a document, linked, and the budgets of a run."""

    segments: tuple[Segment, ...]
    """Never empty; the first one runs first, each ``next`` leads on."""
    max_loop_iterations: int
    """More executed segments than this fail a run."""
    max_branch_iterations: int
    """More executed segments than this fail a branch."""
    strategy: Strategy

    @property
    def total_segments(self) -> int:
        """Number of segments."""
        return len(self.segments)

    def all_segments(self) -> Iterator[Segment]:
        """The segments and those inside of branches, at any depth."""
        for segment in self.segments:
            yield from segment.with_inner()

    @property
    def llm_segments(self) -> int:
        """Number of segments that are a model call, inside of branches too."""
        return sum(1 for segment in self.all_segments() if segment.type == "llm")

    @property
    def hitp_segments(self) -> int:
        """Number of segments that a person is asked before, inside of branches too."""
        return sum(1 for segment in self.all_segments() if segment.pause is not None)

    @property
    def distributed_strategy(self) -> str:
        """Name of the strategy."""
        return self.strategy.name

    @property
    def is_large(self) -> bool:
        """Whether the distributed machine spreads it: over 300 segments, inside of branches too, or over 50 at a time."""
        count = sum(1 for _ in self.all_segments())
        return count > LARGE_SEGMENTS or self.strategy.max_concurrency > LARGE_CONCURRENCY

    def segment(self, segment_id: str) -> Segment:
        """The segment of that id, inside of branches too; KeyError where there is none."""
        return self._by_id[segment_id]

    @cached_property
    def _by_id(self) -> Mapping[str, Segment]:
        return {segment.id: segment for segment in self.all_segments()}

    @cached_property
    def node_to_segment(self) -> Mapping[str, str]:
        """Node ids to segment ids; of nodes inside of branches that share an id, the first."""
        found: dict[str, str] = {}
        for segment in self.all_segments():
            for node in segment.nodes:
                found.setdefault(node.id, segment.id)
        return found

    def to_json(self) -> dict[str, Any]:
        """The stored form."""
        return {
            "segments": [segment.to_json() for segment in self.segments],
            "max_loop_iterations": self.max_loop_iterations,
            "max_branch_iterations": self.max_branch_iterations,
            "strategy": self.strategy.to_json(),
        }

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> Plan:
        """Read the stored form."""
        return Plan(
            segments=tuple(Segment.from_json(segment) for segment in body["segments"]),
            max_loop_iterations=body["max_loop_iterations"],
            max_branch_iterations=body["max_branch_iterations"],
            strategy=Strategy.from_json(body["strategy"]),
        )
