"""Run the nodes of one segment, one behind another, on a view of the state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from statebag.canonical import canonical_bytes
from statebag.config import Node, drop_reserved
from statebag.errors import Problem, StateBagError
from statebag.nodes._base import NodeContext, Scope
from statebag.nodes._registry import NodeRegistry

__all__ = ["NodesRun", "reads_of", "run_nodes"]


@dataclass(frozen=True, kw_only=True)
class NodesRun:
    """What a segment's nodes did."""

    changes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Fields to set; empty where a node failed, since a segment's changes come all or none."""
    logs: tuple[Mapping[str, Any], ...] = ()
    """Entries of the nodes, without ids."""
    steps: tuple[str, ...] = ()
    """``{node}:{step}`` in running order."""
    error: Mapping[str, Any] | None = None
    """``{"code", "message", "node_id", "segment_id"}`` of the node that failed."""
    warnings: tuple[Problem, ...] = ()


class _Layered:
    """A scope with the changes of the segment's earlier nodes on top."""

    def __init__(self, base: Scope) -> None:
        self._base = base
        self.changes: dict[str, Any] = {}

    def __contains__(self, name: object) -> bool:
        return name in self.changes or name in self._base

    def __getitem__(self, name: str) -> Any:
        return self.changes[name] if name in self.changes else self._base[name]

    def get(self, name: str, default: Any = None) -> Any:
        return self.changes[name] if name in self.changes else self._base.get(name, default)

    def names(self) -> Iterator[str]:
        yield from sorted({*self._base.names(), *self.changes})

    def whole(self) -> dict[str, Any]:
        return {**self._base.whole(), **self.changes}


def run_nodes(nodes: Sequence[Node], scope: Scope, context: NodeContext, registry: NodeRegistry) -> NodesRun:
    """Run ``nodes`` in order.

    A node that fails for good ends the run with an ``error``. One that fails for now raises, so that the whole
    segment is tried again.

    Raises:
        StateBagError: a retryable one.
    """
    state = _Layered(scope)
    logs: list[Mapping[str, Any]] = []
    steps: list[str] = []
    warnings: list[Problem] = []
    for node in nodes:
        try:
            output = registry[node.type].run(node, state, context)
            canonical_bytes(output.changes)
        except Exception as failure:
            if isinstance(failure, StateBagError) and failure.retryable:
                raise
            error = _describe(node, failure, context)
            return NodesRun(logs=tuple(logs), steps=tuple(steps), error=error, warnings=tuple(warnings))
        kept, dropped = drop_reserved(output.changes)
        state.changes.update(kept)
        logs += output.logs
        steps.append(f"{node.id}:{output.step or node.type}")
        warnings += [
            Problem(path=f"{node.id}.{name}", code="RESERVED_KEY", message=_reserved_text(node, name))
            for name in dropped
        ]
    return NodesRun(changes=state.changes, logs=tuple(logs), steps=tuple(steps), warnings=tuple(warnings))


def reads_of(nodes: Sequence[Node], registry: NodeRegistry) -> frozenset[str] | None:
    """The fields that ``nodes`` will ask for, as far as they say so; None where one reads all."""
    wanted: set[str] = set()
    for node in nodes:
        fields = registry[node.type].reads(node)
        if fields is None:
            return None
        wanted |= fields
    return frozenset(wanted)


def _describe(node: Node, failure: Exception, context: NodeContext) -> dict[str, Any]:
    if isinstance(failure, StateBagError):
        code, text, details = failure.code, failure.message, failure.details
    else:
        code, text, details = "NODE_FAILED", f"{type(failure).__name__}: {failure}", {}
    body: dict[str, Any] = {
        "code": code,
        "message": text if _names(text, node) else f"node {node.id} ({node.type}): {text}",
        "node_id": node.id,
        "segment_id": context.segment_id,
    }
    return body | ({"details": details} if details else {})


def _names(text: str, node: Node) -> bool:
    return f"node `{node.id}`" in text or f"node {node.id} " in text or f"node {node.id}:" in text


def _reserved_text(node: Node, name: str) -> str:
    return f"node {node.id} wrote `{name}`, which is reserved for the engine; the value is dropped. Use another key."
