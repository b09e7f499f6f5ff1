"""Cutting a document into segments.

A segment is as long as it can be: it ends where a person is asked, where the
outside world is called, and where a pause may jump to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from statebag.config import Document, Edge, Node, PauseSpec, start_of
from statebag.nodes import NodeRegistry
from statebag.plan._checks import require_plannable
from statebag.plan._limits import budget_of, limits_of
from statebag.plan._plan import Plan
from statebag.plan._segment import Segment
from statebag.plan._strategy import choose_strategy

__all__ = ["plan_document"]

_LLM = "llm_chat"


@dataclass(frozen=True, kw_only=True)
class _Run:
    """Nodes between two boundaries."""

    nodes: tuple[Node, ...]
    pause: PauseSpec | None
    after: int | None
    """Place of the run before it in the same chain."""


def plan_document(document: Document, registry: NodeRegistry) -> Plan:
    """Cut ``document``; the same document gives the same plan.

    Raises:
        InputRefused: its graph can't be run, or a node type is not in ``registry``.
    """
    require_plannable(document, registry)
    runs: list[_Run] = []
    for chain in _chains(document):
        runs += _cut(chain, document.edges, registry, first=len(runs))
    segments = tuple(_segment(index, runs, registry) for index in range(len(runs)))
    limits = limits_of(document, len(segments))
    return Plan(
        segments=segments,
        max_loop_iterations=limits.max_loop_iterations,
        max_branch_iterations=limits.max_branch_iterations,
        strategy=choose_strategy(segments),
    )


def _chains(document: Document) -> Iterator[list[Node]]:
    """The chain from the start, then those that only pauses lead to, in document order."""
    nodes = {node.id: node for node in document.nodes}
    after = {edge.source: edge.target for edge in document.edges}
    entered = set(after.values())
    start = start_of(document)
    heads = [name for name in nodes if name not in entered]
    for head in sorted(heads, key=lambda name: name != start):
        chain = [nodes[head]]
        while chain[-1].id in after:
            chain.append(nodes[after[chain[-1].id]])
        yield chain


def _cut(chain: Sequence[Node], edges: Sequence[Edge], registry: NodeRegistry, *, first: int) -> list[_Run]:
    pauses = _pauses(chain, edges)
    jumped_to = {name for edge in edges if edge.pause for name in (edge.pause.on_reject, edge.pause.on_timeout)}
    groups: list[list[Node]] = []
    if first == 0 and chain[0].id in pauses:
        # A run begins with a segment; a pause stands between two.
        groups.append([])
    cut_before_next = True
    for node in chain:
        alone = node.type == _LLM or registry[node.type].outside
        if cut_before_next or alone or node.id in pauses or node.id in jumped_to:
            groups.append([])
        groups[-1].append(node)
        cut_before_next = alone
    return [
        _Run(
            nodes=tuple(group),
            pause=pauses.get(group[0].id) if group else None,
            after=first + offset - 1 if offset else None,
        )
        for offset, group in enumerate(groups)
    ]


def _pauses(chain: Sequence[Node], edges: Sequence[Edge]) -> dict[str, PauseSpec]:
    """Node ids to the pause before them; an edge's says more than a node's."""
    asked = {node.id: PauseSpec() for node in chain if node.hitp}
    names = {node.id for node in chain}
    return asked | {edge.target: edge.pause for edge in edges if edge.pause and edge.target in names}


def _segment(index: int, runs: Sequence[_Run], registry: NodeRegistry) -> Segment:
    run = runs[index]
    outside = any(registry[node.type].outside for node in run.nodes)
    budget = budget_of(run.nodes)
    follows = index + 1 < len(runs) and runs[index + 1].after == index
    before = run.after if run.after is not None else _jump_source(run, runs)
    return Segment(
        id=str(index),
        index=index,
        type="llm" if any(node.type == _LLM for node in run.nodes) else "normal",
        nodes=run.nodes,
        pause=run.pause,
        next=str(index + 1) if follows else None,
        dependencies=() if before is None else (str(before),),
        outside=outside,
        timeout_seconds=budget.timeout_seconds,
        heartbeat_seconds=budget.heartbeat_seconds,
        retry=budget.retry,
        async_llm=budget.async_llm,
    )


def _jump_source(run: _Run, runs: Sequence[_Run]) -> int | None:
    """Place of the run before the first pause that may jump to the head of a chain."""
    name = run.nodes[0].id if run.nodes else None
    for other in runs:
        if other.pause and other is not run and name in (other.pause.on_reject, other.pause.on_timeout):
            return other.after
    return None
