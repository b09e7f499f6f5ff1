"""The benchmarks by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks._figures import Figure
from benchmarks._rig import Rig, describe_machine, open_rig
from benchmarks._size import Size
from benchmarks.branches import measure_branches
from benchmarks.legacy import measure_legacy
from benchmarks.map import measure_map
from benchmarks.plan import measure_plan
from benchmarks.pure import measure_pure
from benchmarks.segment import measure_segment

__all__ = ["APART", "BENCHMARKS", "LOCAL_BENCHMARKS", "SERVERS", "Report", "Size", "run_benchmarks"]

BENCHMARKS: Mapping[str, Callable[[Rig, Size], Awaitable[list[Figure]]]] = {
    "segment": measure_segment,
    "pure": measure_pure,
    "branches": measure_branches,
    "map": measure_map,
}
"""Those that run workflows."""

LOCAL_BENCHMARKS: Mapping[str, Callable[[Size], list[Figure]]] = {"plan": measure_plan, "legacy": measure_legacy}
"""Those that need no Temporal server."""

APART = frozenset({"legacy"})
"""Those that run only where they are asked for: they need tools that the others don't."""

SERVERS = ("stock", "responsive")


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


SLOW_TURNS = 2
"""Turns on the server as it comes: one takes five times as long there."""


async def run_benchmarks(names: Sequence[str], size: Size | None = None, *, servers: Sequence[str] = SERVERS) -> Report:
    """Run some benchmarks one after another; those that run workflows on a server of their own each time.

    Args:
        names: which of :data:`BENCHMARKS` and :data:`LOCAL_BENCHMARKS`.
        size: how much they do; the full size by default.
        servers: ``stock``, the development server as it comes, and ``responsive``, without its limit of 20 reads of a
            queue a second. Figures of both are told apart by the ending ``.responsive``; only times are given twice.

    Raises:
        StateBagError: ``SERVER_UNREACHABLE``: no server could be started.
    """
    figures: list[Figure] = []
    environment: Mapping[str, Any] = describe_machine()
    for name in names:
        if name in LOCAL_BENCHMARKS:
            figures += LOCAL_BENCHMARKS[name](size or Size())
    served = [name for name in names if name in BENCHMARKS]
    for server in servers if served else ():
        stock = server == "stock"
        turns = size or (Size(turns=SLOW_TURNS) if stock else Size())
        async with open_rig(stock_server=stock) as rig:
            environment = rig.environment
            for name in served:
                measured = await BENCHMARKS[name](rig, turns)
                figures += measured if stock or len(servers) == 1 else _times_of(measured)
    order = {name: position for position, name in enumerate(names)}
    figures.sort(key=lambda figure: order[figure.name.split(".")[0]])
    return Report(figures=tuple(figures), size=size or Size(), environment=environment)


def _times_of(figures: Sequence[Figure]) -> list[Figure]:
    timed = [figure for figure in figures if figure.name.endswith((".time", ".cpu"))]
    return [replace(figure, name=f"{figure.name}.responsive") for figure in timed]
