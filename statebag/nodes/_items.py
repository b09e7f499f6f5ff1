"""The lists that nodes go through: where they are, how long they may be, how many items run at the same time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from statebag.config import Node
from statebag.config.expressions import names_of
from statebag.config.paths import MISSING, parse_path
from statebag.config.templates import has_template, render
from statebag.errors import NodeFailed, Problem
from statebag.nodes._base import NodeType, Scope
from statebag.nodes._run import calls_outside

__all__ = [
    "body_calls_outside",
    "check_concurrency",
    "list_at",
    "require_at_most",
    "require_list",
    "threads_for",
    "value_at",
]

_MAX_CONCURRENCY: Final = 100
"""Threads of one worker; what shall go beyond belongs into segments of its own."""

_DEFAULT_CONCURRENCY: Final = 8
"""Calls of the outside world at the same time; a provider's limits are soon met."""


def value_at(written: Any, scope: Scope) -> Any:
    """What is at a path, or what a template gives; MISSING where a path leads nowhere."""
    if isinstance(written, str) and not has_template(written):
        return names_of(scope).resolve(parse_path(written))
    return render(written, scope)


def list_at(written: Any, scope: Scope, where: str) -> list[Any]:
    """The list at a path, or that a template gives.

    Args:
        written: The path or the template, or a list with templates in it.
        scope: Where the names are.
        where: What messages start with.

    Raises:
        NodeFailed: there is no list.
    """
    return require_list(value_at(written, scope), f"{where}: `{written}`" if isinstance(written, str) else where)


def require_list(found: Any, where: str) -> list[Any]:
    """``found``, which is a list.

    Raises:
        NodeFailed: it is something else, or nothing.
    """
    # The strategies bring the check of JSON Schemas, which takes a while to load, and few lists are wrong.
    from statebag.nodes.strategies._kinds import kind_of  # noqa: PLC0415

    if isinstance(found, list):
        return found
    what = "leads nowhere" if found is MISSING else f"is {kind_of(found)}"
    raise NodeFailed(f"{where} {what}; it must be a list. Correct the path, or write the list before.")


def require_at_most(count: int, limit: Any, where: str) -> None:
    """Refuse more items than a config allows; nothing is cut off.

    Raises:
        NodeFailed: ``ITEMS_LIMIT``.
    """
    if limit is not None and count > limit:
        raise NodeFailed(
            f"{where}: the list has {count} items, and {limit} are allowed. Raise the limit, or shorten the list.",
            code="ITEMS_LIMIT",
            details={"items": count, "limit": limit},
        )


def check_concurrency(config: Mapping[str, Any], path: str) -> Iterator[Problem]:
    """What is wrong with ``max_concurrency`` besides what is wrong with it anywhere."""
    given = config.get("max_concurrency")
    if isinstance(given, int) and given > _MAX_CONCURRENCY:
        message = f"{given} threads are too many for one worker: {_MAX_CONCURRENCY} are the most."
        yield Problem(path=f"{path}.max_concurrency", code="FIELD_VALUE", message=message)


def body_calls_outside(node: Node, types: Mapping[str, NodeType]) -> bool:
    """Whether a node inside of ``node`` calls the outside world."""
    return any(calls_outside(inner, types) for body in node.bodies for inner in body.nodes)


def threads_for(node: Node, *, outside: bool) -> int:
    """How many items may run at the same time: what is pure gains nothing by threads."""
    given = node.config.get("max_concurrency")
    return given if given is not None else _DEFAULT_CONCURRENCY if outside else 1
