"""Documents whose nodes hold others, run as one segment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from statebag.config import WARNING_CODES, Node, load_document
from statebag.config.templates import render
from statebag.errors import InputRefused, Problem
from statebag.nodes import NodeContext, NodeOutput, NodesRun, NodeType, Scope, builtin_registry, run_nodes


class State(dict[str, Any]):
    """A scope that is a dict."""

    def names(self) -> Iterator[str]:
        yield from sorted(self)

    def whole(self) -> dict[str, Any]:
        return dict(self)


def echo(output_key: str, value: Any, id: str | None = None) -> dict[str, Any]:
    """A pure node that writes ``value``, a template."""
    config = {"strategy": "echo", "input": value, "output_key": output_key}
    return {"id": id or f"write_{output_key}", "type": "operator_official", "config": config}


def boom(id: str = "boom", condition: str = "false", message: str = "no way") -> dict[str, Any]:
    """A pure node that fails for good unless the condition holds."""
    params = {"condition": condition, "message": message}
    config = {"strategy": "assert", "params": params, "output_key": f"{id}_passed"}
    return {"id": id, "type": "operator_official", "config": config}


def sets(id: str, **fields: Any) -> dict[str, Any]:
    """A pure node that writes several fields."""
    return {"id": id, "type": "operator", "config": {"sets": fields}}


def call(output_key: str, value: Any, id: str | None = None) -> dict[str, Any]:
    """A node of the type that :class:`Outside` is."""
    return {"id": id or f"call_{output_key}", "type": "call", "config": {"value": value, "output_key": output_key}}


@dataclass
class Outside:
    """A node type that counts its calls, and fails where it is told to."""

    name = "call"
    outside = True
    fails: Callable[[Any], Exception | None] = lambda _: None
    tokens: int = 0
    """Tokens that each call says it used, in and out."""
    before: Callable[[Any], object] = lambda _: None
    """Called in the thread of each call."""
    made: list[Any] = field(default_factory=list[Any])
    """What was asked for, in the order of the calls."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def check(self, *_: Any) -> Iterable[Problem]:
        return ()

    def reads(self, *_: Any) -> frozenset[str] | None:
        return frozenset({"read_by_call"})

    def run(self, node: Node, scope: Scope, context: NodeContext) -> NodeOutput:
        value = render(node.config["value"], scope)
        with self.lock:
            self.made.append(value)
        self.before(value)
        failure = self.fails(value)
        if failure is not None:
            raise failure
        changes: dict[str, Any] = {node.config["output_key"]: f"answer to {value}"}
        if self.tokens:
            changes["usage"] = {"input_tokens": self.tokens, "output_tokens": self.tokens * 2}
        return NodeOutput(changes=changes, logs=({"type": "called", "node_id": node.id},))


class Memory:
    """Steps that are kept in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    def recall(self, key: str) -> Any:
        return self.kept.get(key)

    def keep(self, key: str, value: Any) -> None:
        self.kept[key] = value


def load(*nodes: Any, types: Iterable[NodeType] = (), **members: Any) -> tuple[Node, ...]:
    """The nodes of a document."""
    registry = builtin_registry().extend(types)
    return load_document({"nodes": list(nodes), "edges": [], **members}, registry).document.nodes


def problems(*nodes: Any, types: Iterable[NodeType] = (), **members: Any) -> list[tuple[str, str]]:
    """Path and code of all that is wrong with a document."""
    return [(problem.path, problem.code) for problem in refusals(*nodes, types=types, **members)]


def refusals(*nodes: Any, types: Iterable[NodeType] = (), **members: Any) -> list[Problem]:
    """All that is wrong with a document."""
    try:
        load(*nodes, types=types, **members)
    except InputRefused as refused:
        return [problem for problem in refused.problems if problem.code not in WARNING_CODES]
    return []


def run(
    nodes: Any,
    state: Mapping[str, Any] | None = None,
    *,
    types: Iterable[NodeType] = (),
    steps: Any = None,
    subgraphs: Mapping[str, Any] | None = None,
    **context: Any,
) -> NodesRun:
    """Run nodes, one or a list, as a segment; in the order in which they are listed."""
    listed = nodes if isinstance(nodes, list) else [nodes]
    around = NodeContext(execution_id="run", segment_id="0", **({"steps": steps} if steps else {}), **context)
    members = {"subgraphs": dict(subgraphs)} if subgraphs else {}
    registry = builtin_registry().extend(types)
    return run_nodes(load(*listed, types=types, **members), State(state or {}), around, registry)
