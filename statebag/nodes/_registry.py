"""Which node types there are: the built-in ones, and those that installed packages bring."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import cast

from statebag.config import NODE_TYPE_ALIASES, normalise_type
from statebag.nodes._base import NodeType

__all__ = ["NodeRegistry", "builtin_registry", "load_registry"]

_ENTRY_POINTS = "statebag.nodes"


class NodeRegistry(Mapping[str, NodeType]):
    """Canonical type names to node types; immutable.

    Args:
        types: The node types. Each name is there once.
        aliases: Other names, to canonical names; those whose type is not among ``types`` have no effect.

    Raises:
        ValueError: two types have the same name, or a type has the name of an alias.
    """

    def __init__(self, types: Iterable[NodeType], *, aliases: Mapping[str, str] = NODE_TYPE_ALIASES) -> None:
        by_name: dict[str, NodeType] = {}
        for node_type in types:
            name = node_type.name
            if name != normalise_type(name) or not name:
                raise ValueError(f"node type {name!r}: a name is lower case, without spaces around it; rename it")
            other = by_name.get(name)
            if other is not None:
                raise ValueError(f"{_origin(node_type)} and {_origin(other)} both name themselves {name!r}; rename one")
            if name in aliases:
                raise ValueError(f"{_origin(node_type)}: {name!r} is an alias of {aliases[name]!r}; rename it")
            by_name[name] = node_type
        self._types = MappingProxyType(by_name)
        self._aliases = MappingProxyType(dict(aliases))

    def __getitem__(self, name: str) -> NodeType:
        return self._types[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._types)

    def __len__(self) -> int:
        return len(self._types)

    def find(self, name: str) -> NodeType | None:
        """The type of that name or alias, in any case; None where nothing serves it."""
        plain = normalise_type(name)
        return self._types.get(self._aliases.get(plain, plain))

    def names(self) -> list[str]:
        """All names and aliases that :meth:`find` knows."""
        return [*self._types, *(alias for alias, name in self._aliases.items() if name in self._types)]

    def extend(self, types: Iterable[NodeType]) -> NodeRegistry:
        """A registry with ``types`` besides these."""
        return NodeRegistry([*self._types.values(), *types], aliases=self._aliases)


def builtin_registry() -> NodeRegistry:
    """The node types that come with this package."""
    return NodeRegistry(node_type for module in _BUILTIN for node_type in importlib.import_module(module).NODE_TYPES)


def load_registry() -> NodeRegistry:
    """The built-in node types and those of installed packages.

    A package adds some by entry points of the group ``statebag.nodes`` that name a node type: a class that can be
    made without arguments, or an instance.

    Raises:
        ValueError: two packages bring the same name.
    """
    found: list[NodeType] = []
    for entry_point in sorted(entry_points(group=_ENTRY_POINTS), key=lambda point: (point.name, point.value)):
        loaded = entry_point.load()
        found.append(cast("NodeType", loaded() if isinstance(loaded, type) else loaded))
    return builtin_registry().extend(found)


def _origin(node_type: NodeType) -> str:
    kind = type(node_type)
    return f"{kind.__module__}.{kind.__qualname__}"


_BUILTIN = (
    "statebag.nodes.operator",
    "statebag.nodes.operator_official",
    "statebag.nodes.llm_chat",
    "statebag.nodes.vision",
    "statebag.nodes.react",
    "statebag.nodes.for_each",
    "statebag.nodes.nested_for_each",
    "statebag.nodes.loop",
    "statebag.nodes.parallel_group",
    "statebag.nodes.aggregator",
    "statebag.nodes.subgraph",
    "statebag.nodes.route_condition",
    "statebag.nodes.dynamic_router",
    "statebag.nodes.skill_executor",
    "statebag.nodes.api_call",
    "statebag.nodes.db_query",
    "statebag.nodes.marker",
)
"""Modules with a tuple ``NODE_TYPES``; imported when asked for, since they import this package."""
