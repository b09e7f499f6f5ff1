"""Documents of a given number of nodes whose graphs take planning some trouble."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["GRAPHS"]

_DEEPEST = 15
"""Diamonds inside of each other."""


def _chain(count: int) -> dict[str, Any]:
    return {"nodes": _nodes(count), "edges": [_edge(number, number + 1) for number in range(count - 1)]}


def _diamonds(count: int) -> dict[str, Any]:
    """Diamonds with diamonds in their first branches, fifteen deep, one behind another."""
    depth = min(_DEEPEST, (count - 1) // 3)
    size = 3 * depth + 1
    edges: list[dict[str, Any]] = []
    for start in range(0, count - size + 1, size):
        for level in range(depth):
            # Forks in front, joins behind, and the other branches after them.
            fork, join, beside = start + level, start + 2 * depth - level, start + 2 * depth + 1 + level
            edges += [_edge(fork, fork + 1), _edge(fork, beside), _edge(join - 1, join), _edge(beside, join)]
        if start:
            edges.append(_edge(start - size + 2 * depth, start))
    rest = count // size * size
    edges += [_edge(rest - size + 2 * depth if number == rest else number - 1, number) for number in range(rest, count)]
    return {"nodes": _nodes(count), "edges": edges}


def _fork(count: int) -> dict[str, Any]:
    """One fork into nearly as many branches as there are nodes."""
    join = max(2, count - 9)
    edges = [_edge(0, number) for number in range(1, join)] + [_edge(number, join) for number in range(1, join)]
    edges += [_edge(number, number + 1) for number in range(join, count - 1)]
    return {"nodes": _nodes(count), "edges": edges}


def _routes(count: int) -> dict[str, Any]:
    """A choice between three nodes, and one behind them, again and again."""
    nodes, edges = _nodes(count), list[dict[str, Any]]()
    for start in range(0, count - 4, 5):
        one, two, three, behind = range(start + 1, start + 5)
        branches = [{"condition": f"$.value > {number}", "target": f"n{number}"} for number in (one, two)]
        nodes[start] |= {"type": "route_condition", "config": {"branches": branches, "default_target": f"n{three}"}}
        edges += [_edge(number, behind) for number in (one, two, three)]
        edges += [_edge(behind, behind + 1)] if behind + 1 < count else []
    return {"nodes": nodes, "edges": edges}


def _nodes(count: int) -> list[dict[str, Any]]:
    return [
        {"id": f"n{number}", "type": "operator", "config": {"sets": {f"value_{number}": "{{ value }}"}}}
        for number in range(count)
    ]


def _edge(source: int, target: int) -> dict[str, Any]:
    return {"source": f"n{source}", "target": f"n{target}"}


GRAPHS: Mapping[str, Callable[[int], dict[str, Any]]] = {
    "chain": _chain,
    "diamonds": _diamonds,
    "fork": _fork,
    "routes": _routes,
}
"""By name, what makes a document of so many nodes."""
