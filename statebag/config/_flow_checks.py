"""What keeps a list of nodes from being run, and the flow of one that can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from statebag.config._flow import Flow
from statebag.config._flow_builder import build_flow
from statebag.config._graph import Graph
from statebag.config._model import Edge, Node
from statebag.errors import Problem

__all__ = ["check_flow", "flow_of", "read_flow"]


def flow_of(nodes: Sequence[Node], edges: Sequence[Edge], start_node: str | None = None) -> Flow:
    """The flow of a list of nodes that has passed :func:`check_flow`."""
    return build_flow(Graph(nodes, edges, start_node))[0]


def check_flow(
    nodes: Sequence[Node],
    edges: Sequence[Edge],
    places: Mapping[str, str],
    edge_places: Sequence[str],
    *,
    planned: bool,
    start_node: str | None = None,
    complete: bool = True,
) -> list[Problem]:
    """Everything that keeps a list of nodes from being run; see :func:`read_flow`."""
    return read_flow(nodes, edges, places, edge_places, planned=planned, start_node=start_node, complete=complete)[1]


def read_flow(
    nodes: Sequence[Node],
    edges: Sequence[Edge],
    places: Mapping[str, str],
    edge_places: Sequence[str],
    *,
    planned: bool,
    start_node: str | None = None,
    complete: bool = True,
) -> tuple[Flow | None, list[Problem]]:
    """The flow of a list of nodes that is planned and can be, and everything that keeps a list from being run.

    Args:
        nodes: Each with an id of its own.
        edges: Between these nodes, no two alike.
        places: Node ids to JSON paths.
        edge_places: JSON paths of the edges.
        planned: Whether the list is cut into segments; the nodes of a body run inside of one.
        start_node: As the document gives it.
        complete: Whether nothing is missing because it was wrong; otherwise what leads nowhere is not judged.
    """
    graph = Graph(nodes, edges, start_node)
    place_of = {(edge.source, edge.target): place for edge, place in zip(edges, edge_places, strict=True)}
    problems: list[Problem] = []
    for cycle in graph.cycles:
        message = (
            f"The edges form a cycle: {_show(cycle, graph)}. Remove one of them; to repeat, use a `loop` node, "
            "a `route_condition` on the way, or `on_reject` of a pause."
        )
        problems.append(Problem(path=place_of[cycle[-2], cycle[-1]], code="GRAPH_CYCLE", message=message))
    for cycle in graph.traps if planned else ():
        one = cycle[-2]
        message = f"Nothing leads out of the cycle {_show(cycle, graph)}. Let a node on it route to what comes after."
        path = place_of.get((one, cycle[-1]), places[one])
        problems.append(Problem(path=path, code="GRAPH_CYCLE", message=message))
    for edge in graph.stray:
        message = (
            f"`{edge.source}` chooses what follows it, and `{edge.target}` is none of its targets. "
            "Name it as a target, or remove the edge."
        )
        problems.append(Problem(path=place_of[edge.source, edge.target], code="GRAPH_SHAPE", message=message))
    problems += [
        Problem(
            path=f"{places[node.id]}.config",
            code="EDGE_DANGLING",
            message=f"`{node.id}` routes to {name!r}, and there is no such node beside it. Correct the target.",
        )
        for node in nodes
        for name in node.targets
        if complete and name not in graph.nodes
    ]
    if not planned:
        return None, problems + _check_body(graph, edges, places)
    problems += _check_start(graph, start_node)
    if graph.unclear is not None and complete:
        one, other = graph.unclear
        message = (
            f"Runs may begin here or at `{other}`: an answer leads from each to the other. Say which with `start_node`, "
            "or put a node before it."
        )
        problems.append(Problem(path=places[one], code="GRAPH_SHAPE", message=message))
    if problems or not complete:
        return None, problems
    flow, faults = build_flow(graph)
    problems = [Problem(path=places[name], code="GRAPH_SHAPE", message=message) for name, message in faults]
    return (None if problems else flow), problems + _report_apart(graph, edges, places)


def _show(cycle: Sequence[str], graph: Graph) -> str:
    """A cycle from its first node in document order."""
    order = {name: index for index, name in enumerate(graph.nodes)}
    ring = cycle[:-1]
    at = min(range(len(ring)), key=lambda index: order[ring[index]])
    return " → ".join(f"`{name}`" for name in (*ring[at:], *ring[:at], ring[at]))


def _report_apart(graph: Graph, edges: Sequence[Edge], places: Mapping[str, str]) -> list[Problem]:
    """Warn of further starts, where edges say that somebody thought of an order."""
    if not edges:
        return []
    first, *others = graph.entries
    text = "No edge leads to `{}`; it runs in its place after `{}`. Join it with an edge, or remove it."
    return [Problem(path=places[name], code="NODE_APART", message=text.format(name, first)) for name in others]


def _check_body(graph: Graph, edges: Sequence[Edge], places: Mapping[str, str]) -> list[Problem]:
    """A body runs once from front to back: along its edges, or as it is listed."""
    order = {name: index for index, name in enumerate(graph.nodes)}
    if edges:
        back = set[tuple[str, str]]() if graph.cycles else graph.jumps
    else:
        back = {(name, to) for name, targets in graph.routers.items() for to in targets if order[to] <= order[name]}
    return [
        Problem(
            path=places[name],
            code="GRAPH_SHAPE",
            message=f"`{name}` leads back to `{to}` inside of another node. Use a `loop` node to repeat.",
        )
        for name, to in sorted(back, key=lambda ends: (order[ends[0]], order[ends[1]]))
    ]


def _check_start(graph: Graph, start_node: str | None) -> list[Problem]:
    if start_node is None or start_node in graph.entries[:1]:
        return []
    start = next(iter(graph.entries), None)
    remedy = f"Set it to `{start}`, or leave it out." if start else "Leave it out."
    if start_node not in graph.nodes:
        message = f"`start_node` names no node: {start_node!r}. {remedy}"
    else:
        source = graph.before[start_node][0]
        message = f"`{start_node}` can't be the start: an edge from `{source}` leads to it. {remedy}"
    return [Problem(path="$.start_node", code="START_NODE_UNKNOWN", message=message)]
