"""Run the items of a chunk of a distributed ``for_each``: each on a view of the state of its own, each to one outcome."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from statebag.config import Node
from statebag.errors import ProviderUnavailable
from statebag.nodes._base import NodeContext, Scope
from statebag.nodes._fan_out import fan_out
from statebag.nodes._items import list_at, require_at_most
from statebag.nodes._run import NodesRun, reads_of, retold
from statebag.nodes._scopes import Layered
from statebag.nodes._sequence import course_of, inside_of
from statebag.nodes.for_each import items_of

__all__ = ["MapItem", "item_names", "listed_items", "output_key_of", "reads_of_items", "run_items"]


@dataclass(frozen=True, kw_only=True)
class MapItem:
    """One item in its place."""

    index: int
    """Its number in the whole list, from 0."""
    value: Any
    dependencies: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Results of the items that it depends on, by their ids."""


def item_names(node: Node, item: MapItem) -> dict[str, Any]:
    """What an item's nodes see besides the state."""
    names = {"item": item.value, "item_index": item.index, (node.config.get("item_key") or "item"): item.value}
    return names | {"dependencies": dict(item.dependencies)} if node.config.get("depends_on") else names


def output_key_of(node: Node) -> str:
    """The field that takes the results."""
    return node.config.get("output_key") or "for_each_results"


def reads_of_items(node: Node, types: Mapping[str, Any]) -> frozenset[str] | None:
    """The fields that the nodes inside of ``node`` ask for; None where one reads all."""
    return reads_of(node.bodies[0].nodes, types)


def listed_items(node: Node, scope: Scope) -> Iterator[Any]:
    """The items of a list in the state.

    Raises:
        NodeFailed: there is no list, or it is too long (``ITEMS_LIMIT``).
    """
    items = list_at(items_of(node), scope, f"node `{node.id}`")
    require_at_most(len(items), node.config.get("max_iterations"), f"node `{node.id}`")
    return iter(items)


def run_items(
    node: Node,
    items: Sequence[MapItem],
    scope: Scope,
    context: NodeContext,
    *,
    outside: bool,
    threads: int,
    last: bool,
) -> list[NodesRun]:
    """What each item's nodes did; one that failed has its error.

    Args:
        node: The map.
        items: Of the chunk.
        scope: The state.
        context: The map's.
        outside: Whether the items call the outside world.
        threads: How many run at the same time then.
        last: Whether this is the last try, so that a call which was refused for now counts as failed.

    Raises:
        StateBagError: calls were refused for now; what others gave is kept. Or the store does not answer.
    """
    course = course_of(node.bodies[0])
    refused: dict[int, ProviderUnavailable] = {}
    lock = threading.Lock()

    def run_item(at: int) -> NodesRun:
        item = items[at]
        try:
            return course.run(Layered(scope, item_names(node, item)), inside_of(context, node.id, str(item.index)))
        except ProviderUnavailable as error:
            with lock:
                refused[at] = error
            described = {"code": error.code, "message": error.message, "node_id": node.id}
            return NodesRun(error=described)

    runs = fan_out(
        node,
        run_item,
        len(items),
        context,
        threads=threads if outside else 1,
        outside=outside,
        go_on=True,
        place=lambda at: f"item {items[at].index}",
    )
    if refused and not last:
        at = min(refused)
        # Whoever calls counts the tries; those that a worker's death has cost are none of them.
        text = f"node `{node.id}`: item {items[at].index}: {refused[at].message}"
        raise retold(refused[at], text, progress=True)
    return runs
