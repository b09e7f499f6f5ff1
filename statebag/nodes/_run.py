"""Run nodes one behind another on a view of the state: those of a segment, or of a body inside of a node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from statebag.canonical import canonical_bytes
from statebag.config import RESERVED_KEYS, Node, drop_reserved
from statebag.errors import Problem, StateBagError
from statebag.nodes._base import NodeContext, NodeOutput, NodeType, Scope, Steps
from statebag.nodes._scopes import Layered
from statebag.nodes._tokens import Tokens

__all__ = ["NodesRun", "Running", "calls_outside", "reads_of", "retold", "run_nodes"]


@dataclass(frozen=True, kw_only=True)
class NodesRun:
    """What some nodes did."""

    changes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Fields to set. Those of a segment come all or none: where a node failed, there are none."""
    unset: tuple[str, ...] = ()
    """Fields to remove."""
    logs: tuple[Mapping[str, Any], ...] = ()
    """Entries of the nodes, without ids."""
    steps: tuple[str, ...] = ()
    """``{node}:{step}`` in running order."""
    error: Mapping[str, Any] | None = None
    """``{"code", "message", "node_id", "segment_id"}`` of the node that failed."""
    warnings: tuple[Problem, ...] = ()
    next_node: str | None = None
    """Id of the node that the last one chose to go on with, where that is none of these."""
    tokens: Tokens = field(default_factory=Tokens)
    """What their model calls used."""


class Running:
    """Nodes while they run: what they changed so far, and what they have to say.

    Args:
        scope: The state below their changes.
        context: Of the list of nodes.
        keep: Whether results of calls of the outside world are kept for later tries.
    """

    def __init__(self, scope: Scope, context: NodeContext, *, keep: bool) -> None:
        self._view = Layered(scope)
        self._context = context
        self._keep = keep
        self._logs: list[Mapping[str, Any]] = []
        self._steps: list[str] = []
        self._warnings: list[Problem] = []
        self._tokens = Tokens()
        self._error: Mapping[str, Any] | None = None

    def run(self, node: Node) -> NodeOutput | None:
        """Run one node; None where it failed for good.

        Raises:
            StateBagError: a retryable one.
        """
        context = self._context
        try:
            output = self._run(node)
        except Exception as failure:
            if not isinstance(failure, StateBagError) or not failure.retryable:
                self._error = _describe(node, failure, context)
                return None
            if not context.inside or _names(failure.message, node):
                raise
            raise retold(failure, f"node {node.id} ({node.type}): {failure.message}") from failure
        kept, dropped = drop_reserved(output.changes)
        self._view.change(kept, (name for name in output.unset if name not in RESERVED_KEYS))
        if output.logs:
            place = "/".join(context.inside)
            self._logs += [{"inside": place, **log} for log in output.logs] if place else output.logs
        self._steps.append(f"{node.id}:{output.step or node.type}")
        self._warnings += output.warnings
        self._warnings += [
            Problem(path=f"{node.id}.{name}", code="RESERVED_KEY", message=_reserved_text(node, name))
            for name in (*dropped, *(name for name in output.unset if name in RESERVED_KEYS))
        ]
        used = output.tokens if node.bodies else Tokens.of_changes(output.changes)
        self._tokens = self._tokens + used if used else self._tokens
        return output

    def run_listed(self, nodes: Sequence[Node]) -> str | None:
        """Run nodes as they are listed; one that routes goes on with the node it names, further down.

        Returns:
            The id of the node to go on with, where that is none further down.
        """
        index = 0
        while index < len(nodes):
            output = self.run(nodes[index])
            if output is None:
                return None
            index += 1
            if output.next_node is not None:
                ahead = (at for at in range(index, len(nodes)) if nodes[at].id == output.next_node)
                index = next(ahead, len(nodes))
                if index == len(nodes):
                    return output.next_node
        return None

    def end(self, *, next_node: str | None = None) -> NodesRun:
        """What they did; what they had changed before a failure, too."""
        return NodesRun(
            changes=self._view.changes(),
            unset=self._view.unset(),
            logs=tuple(self._logs),
            steps=tuple(self._steps),
            error=self._error,
            warnings=tuple(self._warnings),
            next_node=next_node,
            tokens=self._tokens,
        )

    def _run(self, node: Node) -> NodeOutput:
        context = self._context
        node_type = context.types[node.type]
        kept_as = _step_key(context, node) if self._keep and node_type.outside else None
        if kept_as is not None:
            kept = context.steps.recall(kept_as)
            if kept is not None:
                return NodeOutput.from_json(kept)
        output = node_type.run(node, self._view, context)
        canonical_bytes(output.changes)
        if kept_as is not None:
            context.steps.keep(kept_as, output.to_json())
        return output


class _Noticed:
    """Steps that know whether this try has kept one."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self.any = False

    def recall(self, key: str) -> Any:
        return self._steps.recall(key)

    def keep(self, key: str, value: Any) -> None:
        self._steps.keep(key, value)
        self.any = True


def run_nodes(nodes: Sequence[Node], scope: Scope, context: NodeContext, registry: Mapping[str, NodeType]) -> NodesRun:
    """Run the ``nodes`` of a segment in order.

    A node that fails for good ends the run with an ``error``. One that fails for now raises, so that the whole
    segment is tried again; ``details["progress"]`` of that error is true where this try has kept the result of a
    call that the next one need not make.

    Raises:
        StateBagError: a retryable one.
    """
    steps = _Noticed(context.steps)
    # The one call of a segment is covered by the segment's own commit.
    running = Running(scope, replace(context, types=registry, steps=steps), keep=len(nodes) > 1)
    try:
        next_node = running.run_listed(nodes)
    except StateBagError as failure:
        if steps.any:
            raise retold(failure, failure.message, progress=True) from failure
        raise
    ran = running.end(next_node=next_node)
    return replace(ran, changes={}, unset=()) if ran.error else ran


def reads_of(nodes: Sequence[Node], registry: Mapping[str, NodeType]) -> frozenset[str] | None:
    """The fields that ``nodes`` and those inside of them will ask for, as far as they say so; None where one reads all."""
    wanted: set[str] = set()
    for node in nodes:
        inner = () if node.fork else node.bodies
        for fields in (registry[node.type].reads(node), *(reads_of(body.nodes, registry) for body in inner)):
            if fields is None:
                return None
            wanted |= fields
    return frozenset(wanted)


def calls_outside(node: Node, types: Mapping[str, NodeType]) -> bool:
    """Whether ``node``, or one inside of it, calls the outside world.

    Branches that are planned count for nothing: their nodes are in segments of their own.
    """
    if types[node.type].outside:
        return True
    return not node.fork and any(calls_outside(inner, types) for body in node.bodies for inner in body.nodes)


def retold(error: StateBagError, message: str, **details: Any) -> StateBagError:
    """The same error with another message and further details, whatever its class."""
    told = error.__class__.__new__(error.__class__, message)
    told.__dict__.update(error.__dict__)
    told.args = (message,)
    told.message = message
    told.details = {**error.details, **details}
    return told


def _step_key(context: NodeContext, node: Node) -> str:
    return "/".join(part.replace("~", "~0").replace("/", "~1") for part in (*context.inside, node.id))


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
