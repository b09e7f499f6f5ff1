"""Run the nodes of a body: in the order of its list, or along its edges."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from statebag.config import Body, Node
from statebag.errors import NodeFailed
from statebag.nodes._base import NodeContext, Scope
from statebag.nodes._run import NodesRun, Running

__all__ = ["Course", "course_of", "inside_of", "run_body"]


@dataclass(frozen=True, kw_only=True)
class Course:
    """A body with the order in which its nodes run, found once for all of its runs."""

    nodes: tuple[Node, ...]
    """In running order."""
    before: Mapping[str, Sequence[str]] | None
    """Node ids to those of the nodes that lead to them; None where the order of the list is all there is."""

    def run(self, scope: Scope, context: NodeContext) -> NodesRun:
        """Run the nodes on their own view of ``scope``; it has what they changed before one of them failed, too.

        Raises:
            StateBagError: a retryable one.
        """
        running = Running(scope, context, keep=True)
        if self.before is not None:
            self._run_along(self.before, running)
            return running.end()
        astray = running.run_listed(self.nodes)
        if astray is not None:
            raise _no_way(astray)
        return running.end()

    def _run_along(self, before: Mapping[str, Sequence[str]], running: Running) -> None:
        """A node runs where something leads to it that has run and has not chosen another way."""
        chosen: dict[str, str | None] = {}
        for node in self.nodes:
            ways = before[node.id]
            if ways and not any(way in chosen and chosen[way] in (None, node.id) for way in ways):
                continue
            output = running.run(node)
            if output is None:
                return
            chosen[node.id] = output.next_node


def course_of(body: Body) -> Course:
    """The order of ``body``: that of its list, or, with edges, what leads before what follows, ties by the list.

    What a node routes to counts as an edge.

    Raises:
        NodeFailed: ``GRAPH_CYCLE``: the nodes lead to each other.
    """
    if not body.edges:
        return Course(nodes=body.nodes, before=None)
    ways = {(edge.source, edge.target): None for edge in body.edges}
    ways |= {(node.id, target): None for node in body.nodes for target in node.targets}
    after: defaultdict[str, list[str]] = defaultdict(list)
    before: dict[str, list[str]] = {node.id: [] for node in body.nodes}
    for source, target in ways:
        after[source].append(target)
        before[target].append(source)
    place = {node.id: index for index, node in enumerate(body.nodes)}
    left = {name: len(found) for name, found in before.items()}
    ready = [place[name] for name in before if not left[name]]
    heapq.heapify(ready)
    ordered: list[Node] = []
    while ready:
        node = body.nodes[heapq.heappop(ready)]
        ordered.append(node)
        for target in after[node.id]:
            left[target] -= 1
            if not left[target]:
                heapq.heappush(ready, place[target])
    if len(ordered) < len(body.nodes):
        stuck = ", ".join(name for name in before if left[name])
        raise NodeFailed(f"the nodes {stuck} lead to each other. Remove an edge between them.", code="GRAPH_CYCLE")
    return Course(nodes=tuple(ordered), before=before)


def run_body(body: Body, scope: Scope, context: NodeContext) -> NodesRun:
    """Run a body that is run once; ``context`` is that of its nodes.

    Raises:
        StateBagError: a retryable one.
    """
    return course_of(body).run(scope, context)


def inside_of(context: NodeContext, *place: str) -> NodeContext:
    """The context of nodes inside of a node: its id, and the number of its item or pass."""
    return replace(context, inside=(*context.inside, *place))


def _no_way(target: str) -> NodeFailed:
    return NodeFailed(
        f"a route leads to `{target}`, and no such node follows it. Correct the target.", code="GRAPH_SHAPE"
    )
