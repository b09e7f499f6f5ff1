"""One value out of a list of values."""

from __future__ import annotations

import math
from typing import Any, Final

from statebag.config.templates import text_of
from statebag.errors import NodeFailed
from statebag.nodes.strategies._kinds import finite, is_number, kind_of
from statebag.nodes.strategies._params import word

__all__ = ["OPERATIONS", "reduce_list"]

OPERATIONS: Final = word("sum", "avg", "min", "max", "count", "concat", "first", "last", average="avg")
_OF_NOTHING: Final = {"sum": 0, "count": 0}


def reduce_list(items: list[Any], operation: str, initial: Any) -> Any:
    """Apply an operation of :data:`OPERATIONS`.

    Args:
        items: The values. A null counts as 0 in sums and averages, and is passed over by ``min``, ``max``, ``concat``.
        operation: What to do.
        initial: The result for an empty list.

    Raises:
        NodeFailed: the values are not of the kind that the operation needs.
    """
    if not items:
        return _OF_NOTHING.get(operation) if initial is None else initial
    if operation == "count":
        return len(items)
    if operation in ("first", "last"):
        return items[0] if operation == "first" else items[-1]
    if operation == "concat":
        return _concat([item for item in items if item is not None])
    if operation in ("min", "max"):
        return _extreme([item for item in items if item is not None], operation)
    total = _sum([0 if item is None else item for item in items])
    return total if operation == "sum" else finite(total / len(items))


def _sum(items: list[Any]) -> int | float:
    for index, item in enumerate(items):
        if not is_number(item):
            raise NodeFailed(
                f"item {index} is {kind_of(item)}, not a number. Name a numeric `field`, or filter the list first."
            )
    if all(isinstance(item, int) for item in items):
        return sum(items)
    try:
        return finite(math.fsum(items))
    except OverflowError as cause:
        raise NodeFailed("the sum is too large for a number. Scale the items down.") from cause


def _extreme(items: list[Any], operation: str) -> Any:
    kinds = {kind_of(item) for item in items}
    if not items:
        return None
    if len(kinds) > 1 or not kinds <= {"a number", "a text"}:
        raise NodeFailed(
            f"{', '.join(sorted(kinds))} can't be compared. Name a `field` that holds only numbers, or only texts."
        )
    return min(items) if operation == "min" else max(items)


def _concat(items: list[Any]) -> Any:
    if items and all(isinstance(item, list) for item in items):
        return [inner for item in items for inner in item]
    for index, item in enumerate(items):
        if isinstance(item, list | dict):
            raise NodeFailed(f"item {index} is {kind_of(item)} among others. Concatenate only texts, or only lists.")
    return "".join(map(text_of, items))
