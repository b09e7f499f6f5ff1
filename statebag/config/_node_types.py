"""Names of node types in documents: aliases, and what the format has but nothing installed serves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Protocol

from statebag.config._model import Node
from statebag.config._reading import name_near
from statebag.errors import Problem

__all__ = ["NODE_TYPE_ALIASES", "NodeChecker", "NodeTypes", "find_node_type", "normalise_type"]

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
}
"""Other names of the format's node types."""

_OWN_TYPE = "Write the call as a node type of your own and install it under the entry point group `statebag.nodes`"

_UNSERVED: Mapping[str, str] = {
    "for_each": "For a list, use `operator_official` with `list_map`, `list_filter` or `list_reduce`",
    "nested_for_each": "For lists, use `operator_official` with `list_map`, `list_filter` or `list_reduce`",
    "loop": "Write the passes one behind another, or repeat from a pause with `on_reject`",
    "parallel_group": "Write the branches' nodes one behind another",
    "aggregator": "Remove it: what earlier nodes wrote is already in the state",
    "route_condition": "Choose a value with `operator_official` and `if_else` or `switch_case`",
    "dynamic_router": "Choose a value with `operator_official` and `if_else` or `switch_case`",
    "subgraph": "Write its nodes into this document",
    "skill_executor": _OWN_TYPE,
    "api_call": _OWN_TYPE,
    "db_query": _OWN_TYPE,
    "vision": _OWN_TYPE,
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
    "router": "Choose a value with `operator_official` and `if_else` or `switch_case`.",
}
"""Words that people try as node types."""


class NodeChecker(Protocol):
    """What validation needs of a node type."""

    name: ClassVar[str]
    """The canonical type name."""

    def check(self, node: Node, path: str) -> Iterable[Problem]:
        """Everything wrong with ``node``; ``path`` is its JSON path."""
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
