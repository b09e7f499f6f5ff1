"""Cutting a document into segments.

A segment is as long as it can be: it ends where a person is asked, where the
outside world is called, where ways fork, join or are chosen between, and where
a pause or a choice may jump to. Nodes inside of other nodes cut nothing.
Branches are cut by the same rules.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from statebag.config import Document, Flow, Item, Node, PauseSpec, ResourcePolicy, flow_of
from statebag.errors import InputRefused, Problem
from statebag.nodes import NodeRegistry, calls_outside
from statebag.plan._checks import require_plannable
from statebag.plan._limits import budget_of, limits_of
from statebag.plan._needs import needs_of
from statebag.plan._plan import Plan
from statebag.plan._segment import BranchPlan, Segment
from statebag.plan._strategy import choose_strategy

__all__ = ["plan_document"]

_MAX_DEPTH = 100
"""Branches inside of branches, those that the document writes inside of nodes too."""

_MAP = "for_each"
"""Node type that makes one, where its bodies are planned."""

_ALONE = {"llm_chat": "llm", "react": "react"}
"""Node types that make a segment of a type of its own."""


def plan_document(document: Document, registry: NodeRegistry) -> Plan:
    """Cut ``document``; the same document gives the same plan.

    Raises:
        InputRefused: its graph can't be run, or a node type is not in ``registry``.
    """
    require_plannable(document, registry)
    flow = document.flow or flow_of(document.nodes, document.edges, document.start_node)
    segments = _Cutter(document.nodes, registry).cut(flow, "", first_may_pause=False)
    limits = limits_of(document, len(segments))
    return Plan(
        segments=tuple(segments),
        max_loop_iterations=limits.max_loop_iterations,
        max_branch_iterations=limits.max_branch_iterations,
        strategy=choose_strategy(segments),
    )


@dataclass(kw_only=True)
class _Piece:
    """A segment in the making."""

    kind: str = "normal"
    items: Sequence[Segment] = ()
    """Of a map: what runs for an item, where that is more than one step."""
    nodes: list[Node] = field(default_factory=list[Node])
    pause: PauseSpec | None = None
    owner: Node | None = None
    """The node whose branches a group runs."""
    branches: Sequence[tuple[str, str, _Cutter, Flow]] = ()
    """Id, path, and how to cut it, of each branch of a group."""
    leads_to: Item | None = None
    """Item that follows, where that is not the next piece."""
    before_next: bool = False
    """Whether the next piece follows, as an aggregator does its group."""


class _Cutter:
    """Cuts the flows of one list of nodes."""

    def __init__(self, nodes: Sequence[Node], registry: NodeRegistry) -> None:
        self._nodes = {node.id: node for node in nodes}
        self._registry = registry

    def cut(self, flow: Flow, path: str, *, first_may_pause: bool) -> list[Segment]:
        """The segments of ``flow``, whose ids begin with ``path``."""
        starts = self._starts(flow)
        pieces: list[_Piece] = []
        if not first_may_pause and flow.items and flow.items[0] in flow.pauses:
            # A run begins with a segment; a pause stands between two.
            pieces.append(_Piece(leads_to=flow.items[0]))
        place: dict[Item, int] = {}
        for item in flow.items:
            node = self._nodes[item] if isinstance(item, str) else None
            if item in starts or not pieces:
                kind = _kind_of(node) if node else "normal"
                pieces.append(_Piece(kind=kind, pause=flow.pauses.get(item)))
            place[item] = len(pieces) - 1
            if node is not None:
                self._add(node, pieces, flow, path)
            pieces[-1].leads_to = flow.links.get(item)
        return self._finish(pieces, place, flow, path)

    def _starts(self, flow: Flow) -> set[Item | None]:
        """Items that begin a segment."""
        counts = Counter(to for to in flow.links.values() if to is not None)
        counts.update(to for ways in flow.routes.values() for to in ways.values() if to is not None)
        asked = {name for pause in flow.pauses.values() for name in (pause.on_reject, pause.on_timeout)} - {None}
        starts: set[Item | None] = {*flow.items[:1], *flow.pauses, *asked}
        starts |= {item for item, count in counts.items() if count > 1}
        for before, item in zip(flow.items, flow.items[1:], strict=False):
            ended = before in flow.routes or before in flow.forks or not isinstance(before, str)
            if ended or flow.links.get(before) != item or self._is_alone(before) or self._is_alone(item):
                starts.add(item)
        return starts

    def _is_alone(self, item: Item) -> bool:
        if not isinstance(item, str):
            return True
        node = self._nodes[item]
        return node.fork or node.type in _ALONE or self._registry[node.type].outside

    def _add(self, node: Node, pieces: list[_Piece], flow: Flow, path: str) -> None:
        """Put ``node`` into the last piece, and behind that the pieces that its branches make."""
        bodies = [(index, body) for index, body in enumerate(node.bodies) if node.fork and body.nodes]
        if _kind_of(node) == "map":
            pieces[-1].nodes.append(node)
            pieces[-1].items = self._cut_items(node, f"{path}{len(pieces) - 1}/I/") if bodies else ()
        elif bodies:
            inner = [
                (body.name, index, _Cutter(body.nodes, self._registry), flow_of(body.nodes, body.edges))
                for index, body in bodies
            ]
            pause = pieces.pop().pause
            pieces.append(replace(_group(node, inner, f"{path}{len(pieces)}"), pause=pause))
            pieces.append(_Piece(kind="aggregator"))
        else:
            pieces[-1].nodes.append(node)
        fork = flow.forks.get(node.id)
        if fork is not None and fork.branches:
            pieces[-1].before_next = True
            named = [
                (f"B{position}", position, self, branch)
                for position, branch in zip(fork.positions, fork.branches, strict=True)
            ]
            pieces.append(_group(node, named, f"{path}{len(pieces)}"))
            pieces.append(_Piece(kind="aggregator"))

    def _cut_items(self, node: Node, path: str) -> Sequence[Segment]:
        """What runs for each item of a map; nothing where that is a single step, which its node does."""
        body = node.bodies[0]
        cutter = _Cutter(body.nodes, self._registry)
        cut = cutter.cut(flow_of(body.nodes, body.edges), path, first_may_pause=True)
        asks = any(segment.pause or segment.branches or segment.async_llm for segment in cut)
        return cut if asks else ()

    def _finish(self, pieces: Sequence[_Piece], place: Mapping[Item, int], flow: Flow, path: str) -> list[Segment]:
        def id_of(index: int | None) -> str | None:
            return None if index is None else f"{path}{index}"

        def place_of(item: Item | None) -> int | None:
            return None if item is None else place[item]

        nexts = [index + 1 if piece.before_next else place_of(piece.leads_to) for index, piece in enumerate(pieces)]
        routes = [
            {target: place_of(to) for target, to in flow.routes.get(piece.nodes[-1].id, {}).items()}
            if piece.nodes
            else {}
            for piece in pieces
        ]
        answers = [
            (None, None) if piece.pause is None else (place_of(piece.pause.on_reject), place_of(piece.pause.on_timeout))
            for piece in pieces
        ]
        exits = [list(ways.values()) if ways else [to] for to, ways in zip(nexts, routes, strict=True)]
        before = _find_dependencies(exits, answers)
        segments: list[Segment] = []
        for index, piece in enumerate(pieces):
            budget = budget_of(piece.nodes)
            segments.append(
                Segment(
                    id=f"{path}{index}",
                    index=index,
                    type=piece.kind,
                    nodes=tuple(piece.nodes),
                    pause=piece.pause,
                    on_reject=id_of(answers[index][0]),
                    on_timeout=id_of(answers[index][1]),
                    next=None if routes[index] else id_of(nexts[index]),
                    routes={target: id_of(to) for target, to in routes[index].items()},
                    dependencies=tuple(f"{path}{one}" for one in before[index]),
                    outside=any(calls_outside(node, self._registry) for node in piece.nodes),
                    timeout_seconds=budget.timeout_seconds,
                    heartbeat_seconds=budget.heartbeat_seconds,
                    retry=budget.retry,
                    async_llm=budget.async_llm,
                    calls=piece.kind == "map" and _calls(piece.nodes, self._registry),
                    **(_map_fields(piece) if piece.kind == "map" else _group_fields(piece)),
                )
            )
        return segments


def _kind_of(node: Node) -> str:
    return "map" if node.type == _MAP and node.fork else _ALONE.get(node.type, "normal")


def _calls(nodes: Sequence[Node], registry: NodeRegistry) -> bool:
    """Whether what runs for the items of a map calls the outside world."""
    return any(calls_outside(inner, registry) for node in nodes for body in node.bodies for inner in body.nodes)


def _map_fields(piece: _Piece) -> dict[str, Any]:
    (node,) = piece.nodes
    branches = (BranchPlan(id="item", segments=tuple(piece.items)),) if piece.items else ()
    return {"label": node.label or node.id, "branches": branches}


def _group(node: Node, branches: Sequence[tuple[str, int, _Cutter, Flow]], at: str) -> _Piece:
    made = [(name, f"{at}/B{position}/", cutter, flow) for name, position, cutter, flow in branches]
    return _Piece(kind="parallel_group", owner=node, branches=made, before_next=True)


def _group_fields(piece: _Piece) -> dict[str, Any]:
    if piece.owner is None:
        return {}
    config = piece.owner.config
    branches: list[BranchPlan] = []
    for name, path, cutter, flow in piece.branches:
        if path.count("/") > 2 * _MAX_DEPTH:
            message = f"Branches are inside of each other more than {_MAX_DEPTH} deep. Join some before others fork."
            raise InputRefused([Problem(path="$.nodes", code="GRAPH_SHAPE", message=message)], what="document")
        # A single branch runs in the line of its group, where a pause stands between two segments.
        segments = tuple(cutter.cut(flow, path, first_may_pause=len(piece.branches) > 1))
        nodes = [node for segment in segments for inner in segment.with_inner() for node in inner.nodes]
        branches.append(BranchPlan(id=name, segments=segments, needs=needs_of(nodes)))
    policy = config.get("resource_policy")
    return {
        "label": piece.owner.label or piece.owner.id,
        "branches": tuple(branches),
        "resource_policy": None if policy is None else ResourcePolicy.from_json(policy),
        "branch_policy": config.get("branch_policy") or {},
        "max_concurrency": config.get("max_concurrency"),
    }


def _find_dependencies(
    exits: Sequence[Sequence[int | None]], answers: Sequence[Sequence[int | None]]
) -> Sequence[Sequence[int]]:
    """For each segment, those before it that lead to it.

    Args:
        exits: For each segment, what follows it.
        answers: For each segment, what the answers to its pause may lead to.
    """
    before: list[list[int]] = [[] for _ in exits]
    first_to: dict[int, int] = {}
    for index, ways in enumerate(exits):
        for to in dict.fromkeys(ways):
            if to is not None:
                first_to.setdefault(to, index)
                if to > index:
                    before[to].append(index)
    for index, ways in enumerate(answers):
        for to in ways:
            # What leads to the pause leads to what only its answer may jump to.
            if to is not None and not before[to] and first_to.get(index, to) < to > index:
                before[to].append(first_to[index])
    return before
