"""What the nodes and edges of a document make together: where it starts, and whether it can be run.

This version runs chains: each node has at most one edge in and one edge out.
Beside the chain from the start there may be chains that only a pause's
``on_reject`` or ``on_timeout`` leads to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from statebag.config._model import Document, Edge
from statebag.errors import Problem

__all__ = ["check_graph", "check_shape", "start_of"]


def check_shape(document: Document) -> list[Problem]:
    """Everything that keeps the graph of ``document`` from being run."""
    places = {node.id: f"$.nodes[{index}]" for index, node in enumerate(document.nodes)}
    edge_places = [f"$.edges[{index}]" for index in range(len(document.edges))]
    return check_graph(places, document.edges, edge_places, document.start_node, complete=True)


def start_of(document: Document) -> str | None:
    """Id of the node that runs first; None where there is no such node."""
    return _find_start([node.id for node in document.nodes], document.edges, document.start_node)


def check_graph(
    places: Mapping[str, str],
    edges: Sequence[Edge],
    edge_places: Sequence[str],
    start_node: str | None,
    *,
    complete: bool,
) -> list[Problem]:
    """Check cycles, the start, forks and joins, and what can't be reached.

    Args:
        places: Node ids, in order, with their JSON paths.
        edges: Edges between these nodes, no two alike.
        edge_places: Their JSON paths.
        start_node: As the document gives it.
        complete: Whether no edge is missing because it was wrong; otherwise what can't be reached is not judged.
    """
    place_of = {(edge.source, edge.target): place for edge, place in zip(edges, edge_places, strict=True)}
    order = {name: index for index, name in enumerate(places)}
    cycles = [_turn(cycle, order) for cycle in _find_cycles(edges)]
    problems: list[Problem] = []
    for cycle in cycles:
        route = " → ".join(f"`{name}`" for name in cycle)
        message = f"The edges form a cycle: {route}. Remove one of them; to repeat, use `on_reject` of a pause."
        problems.append(Problem(path=place_of[cycle[-2], cycle[-1]], code="GRAPH_CYCLE", message=message))
    problems += _check_start(places, edges, start_node)
    round_trips = {pair for cycle in cycles for pair in pairwise(cycle)}
    problems += _check_chain(places, [edge for edge in edges if (edge.source, edge.target) not in round_trips])
    if complete:
        problems += _check_reached(places, edges, start_node, {name for cycle in cycles for name in cycle})
    return problems


def _find_cycles(edges: Sequence[Edge]) -> list[list[str]]:
    """Cycles without a common node, each with its first node again at the end."""
    cycles: list[list[str]] = []
    left = list(edges)
    while True:
        sorter: TopologicalSorter[str] = TopologicalSorter()
        for edge in left:
            sorter.add(edge.target, edge.source)
        try:
            sorter.prepare()
        except CycleError as error:
            cycle: list[str] = error.args[1]
            cycles.append(cycle)
            left = [edge for edge in left if edge.source not in cycle and edge.target not in cycle]
        else:
            return cycles


def _turn(cycle: Sequence[str], order: Mapping[str, int]) -> list[str]:
    """The same cycle from its first node in document order."""
    ring = cycle[:-1]
    at = min(range(len(ring)), key=lambda index: order[ring[index]])
    return [*ring[at:], *ring[:at], ring[at]]


def _find_start(node_ids: Sequence[str], edges: Sequence[Edge], start_node: str | None) -> str | None:
    entered = {edge.target for edge in edges}
    heads = [name for name in node_ids if name not in entered]
    if start_node in heads:
        return start_node
    jumped_to = {name for edge in edges for name in _jumps(edge)}
    return next((name for name in heads if name not in jumped_to), heads[0] if heads else None)


def _jumps(edge: Edge) -> list[str]:
    if edge.pause is None:
        return []
    return [name for name in (edge.pause.on_reject, edge.pause.on_timeout) if name is not None]


def _check_start(places: Mapping[str, str], edges: Sequence[Edge], start_node: str | None) -> list[Problem]:
    if start_node is None:
        return []
    start = _find_start(list(places), edges, None)
    remedy = f"Set it to `{start}`, or leave it out." if start else "Leave it out."
    sources = [edge.source for edge in edges if edge.target == start_node]
    if start_node not in places:
        message = f"`start_node` names no node: {start_node!r}. {remedy}"
    elif sources:
        message = f"`{start_node}` can't be the start: an edge from `{sources[0]}` leads to it. {remedy}"
    else:
        return []
    return [Problem(path="$.start_node", code="START_NODE_UNKNOWN", message=message)]


def _check_chain(places: Mapping[str, str], edges: Sequence[Edge]) -> list[Problem]:
    after: defaultdict[str, list[str]] = defaultdict(list)
    before: defaultdict[str, list[str]] = defaultdict(list)
    for edge in edges:
        after[edge.source].append(edge.target)
        before[edge.target].append(edge.source)
    problems: list[Problem] = []
    for name, place in places.items():
        if len(after[name]) > 1:
            message = (
                f"`{name}` forks: edges lead from it to {_list(after[name])}. A node has at most one edge out. "
                "Keep one, and put the nodes one behind another."
            )
            problems.append(Problem(path=place, code="GRAPH_SHAPE", message=message))
        if len(before[name]) > 1:
            message = (
                f"`{name}` joins: edges lead to it from {_list(before[name])}. A node has at most one edge in. "
                "Keep one, and put the nodes one behind another."
            )
            problems.append(Problem(path=place, code="GRAPH_SHAPE", message=message))
    return problems


def _check_reached(
    places: Mapping[str, str], edges: Sequence[Edge], start_node: str | None, in_cycles: set[str]
) -> list[Problem]:
    start = _find_start(list(places), edges, start_node)
    if start is None:
        return []
    after: defaultdict[str, list[Edge]] = defaultdict(list)
    for edge in edges:
        after[edge.source].append(edge)
    # What hangs on a cycle is reported with the cycle.
    reached = {start} | in_cycles
    waiting = list(reached)
    while waiting:
        for edge in after[waiting.pop()]:
            found = [name for name in (edge.target, *_jumps(edge)) if name not in reached]
            reached.update(found)
            waiting += found
    entered = {edge.target for edge in edges}
    return [
        Problem(
            path=place,
            code="GRAPH_SHAPE",
            message=f"Nothing leads to `{name}`; the run starts at `{start}`. Join it with an edge, or remove it.",
        )
        for name, place in places.items()
        if name not in reached and name not in entered
    ]


def _list(names: Sequence[str]) -> str:
    return " and ".join(f"`{name}`" for name in names)
