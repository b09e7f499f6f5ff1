"""The benchmarks by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks._figures import Figure
from benchmarks._rig import Rig, open_rig
from benchmarks._size import Size
from benchmarks.pure import measure_pure
from benchmarks.segment import measure_segment

__all__ = ["BENCHMARKS", "Report", "Size", "run_benchmarks"]

BENCHMARKS: Mapping[str, Callable[[Rig, Size], Awaitable[list[Figure]]]] = {
    "segment": measure_segment,
    "pure": measure_pure,
}


@dataclass(frozen=True, kw_only=True)
class Report:
    """What was measured, and on what."""

    figures: tuple[Figure, ...]
    size: Size
    environment: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The printed form."""
        return {
            "figures": [figure.to_json() for figure in self.figures],
            "baselines": {figure.name: figure.baseline for figure in self.figures if figure.baseline},
            "size": {"segments": self.size.segments, "turns": self.size.turns},
            "environment": dict(self.environment),
        }


async def run_benchmarks(names: Sequence[str], size: Size | None = None, *, stock_server: bool = False) -> Report:
    """Run some of :data:`BENCHMARKS` one after another on one server.

    Args:
        names: which.
        size: how much they do; the full size by default, with fewer turns on a stock server.
        stock_server: leave the development server its limit of 20 reads of a queue a second.

    Raises:
        StateBagError: ``SERVER_UNREACHABLE``: no server could be started.
    """
    # With that limit a turn takes five times as long.
    size = size or (Size(turns=2) if stock_server else Size())
    figures: list[Figure] = []
    async with open_rig(stock_server=stock_server) as rig:
        for name in names:
            figures += await BENCHMARKS[name](rig, size)
        return Report(figures=tuple(figures), size=size, environment=rig.environment)
