"""Names of node types in documents: aliases, and what the format has but nothing installed serves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

from statebag.config._model import Node
from statebag.config._reading import name_near
from statebag.errors import Problem

__all__ = [
    "NODE_TYPE_ALIASES",
    "BodySource",
    "Container",
    "NodeChecker",
    "NodeSource",
    "NodeTypes",
    "Router",
    "find_node_type",
    "normalise_type",
]

NODE_TYPE_ALIASES: Mapping[str, str] = {
    "code": "operator",
    "function": "operator",
    "lambda": "operator",
    "task": "operator",
    "safe_operator": "operator_official",
    "aimodel": "llm_chat",
    "llm": "llm_chat",
    "chat": "llm_chat",
    "genai": "llm_chat",
    "gpt": "llm_chat",
    "claude": "llm_chat",
    "gemini": "llm_chat",
    "map": "for_each",
    "foreach": "for_each",
    "map_in_map": "nested_for_each",
    "parallel": "parallel_group",
    "group": "subgraph",
    "image_analysis": "vision",
    "chunker": "video_chunker",
    "agent": "react",
    "react_executor": "react",
}
"""Other names of the format's node types."""

_OWN_TYPE = "Write the call as a node type of your own and install it under the entry point group `statebag.nodes`"

_UNSERVED: Mapping[str, str] = {
    "video_chunker": _OWN_TYPE,
    "governor": "Remove it",
}
"""Types of the format without a built-in implementation, and what to do instead."""

_NOT_NODES: Mapping[str, str] = {
    "hitp": "A pause is an edge of type `hitp`, or `hitp: true` on the node behind it.",
    "human_in_the_loop": "A pause is an edge of type `hitp`, or `hitp: true` on the node behind it.",
    "pause": "A pause is an edge of type `hitp`, or `hitp: true` on the node behind it.",
    "approval": "A pause is an edge of type `hitp`, or `hitp: true` on the node behind it.",
    "branch": "Branches are no nodes of their own.",
    "join": "A join is no node of its own.",
    "router": "Use `route_condition` or `dynamic_router`.",
}
"""Words that people try as node types."""


class NodeChecker(Protocol):
    """What validation needs of a node type."""

    name: ClassVar[str]
    """The canonical type name."""

    def check(self, node: Node, path: str) -> Iterable[Problem]:
        """Everything wrong with ``node``; ``path`` is its JSON path."""
        ...


@dataclass(frozen=True, kw_only=True)
class NodeSource:
    """A node of a document as it is written, before its bodies are read."""

    config: Mapping[str, Any]
    members: Mapping[str, Any]
    """Members beside ``id``, ``type`` and ``config``: ``branches``, ``subgraph_ref``, …"""
    subgraphs: Mapping[str, Any]
    """The document's ``subgraphs``."""
    top: bool
    """Whether it is in a list that is planned, rather than in the body of another node."""


@dataclass(frozen=True, kw_only=True)
class BodySource:
    """Where a node's body is written, and what is written there."""

    path: str
    """JSON path of the object with the nodes: from the node (``config.sub_workflow``), or from the root (``$.…``)."""
    nodes: Any
    nodes_key: str = "nodes"
    """Member of that object which ``nodes`` is; empty where it is the object itself."""
    edges: Any = None
    name: str = ""
    fault: str = ""
    """What to say where ``nodes`` is no list, in place of that it must be one."""


@runtime_checkable
class Container(Protocol):
    """A node type whose nodes have other nodes inside of them."""

    body_keys: ClassVar[frozenset[str]]
    """Members of ``config`` that hold bodies; the node that is run no longer has them."""

    def find_bodies(self, source: NodeSource) -> tuple[Sequence[BodySource], bool]:
        """The bodies, and whether they are branches that are planned and run beside each other."""
        ...


@runtime_checkable
class Router(Protocol):
    """A node type that chooses which node comes next."""

    def targets(self, node: Node) -> Sequence[str]:
        """Ids of the nodes between which ``node`` chooses."""
        ...


class NodeTypes(Protocol):
    """The node types that are installed, as validation sees them."""

    def find(self, name: str) -> NodeChecker | None:
        """The type of that name or alias, in any case; None where nothing serves it."""
        ...

    def names(self) -> Iterable[str]:
        """All names and aliases that :meth:`find` knows."""
        ...


def normalise_type(name: str) -> str:
    """The form in which type names are compared: trimmed, lower case."""
    return name.strip().lower()


def find_node_type(name: Any, types: NodeTypes, path: str) -> tuple[NodeChecker | None, list[Problem]]:
    """Look up the type ``name`` that the node at ``path`` gives."""
    if not isinstance(name, str):
        return None, []
    found = types.find(name)
    if found is not None:
        return found, []
    plain = normalise_type(name)
    remedy = _UNSERVED.get(NODE_TYPE_ALIASES.get(plain, plain))
    if remedy is not None:
        message = f"No installed node type serves `{plain}`. {remedy}; or install a package that serves it."
        return None, [Problem(path=f"{path}.type", code="NODE_TYPE_UNSUPPORTED", message=message)]
    hint = _NOT_NODES.get(plain) or name_near(plain, [*types.names(), *_UNSERVED]).strip()
    served = ", ".join(f"`{known}`" for known in sorted(set(types.names()) - set(NODE_TYPE_ALIASES)))
    message = " ".join(part for part in (f"There is no node type `{plain}`.", hint, f"Served are {served}.") if part)
    return None, [Problem(path=f"{path}.type", code="NODE_TYPE_UNKNOWN", message=message)]
