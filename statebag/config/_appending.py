"""List fields that several branches add to: which they are, and how what was added is joined."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any, cast

from statebag.canonical import canonical_bytes

__all__ = ["is_appended", "join_added"]

_PATTERNS = ("aggregated_*", "collected_*", "*_results", "*_items", "*_outputs")


def is_appended(name: str, further: Sequence[str] = ()) -> bool:
    """Whether branches add to the list field ``name``: by its name, or by one of ``further`` patterns."""
    return any(fnmatchcase(name, pattern) for pattern in (*_PATTERNS, *further))


def join_added(base: Any, made: Sequence[Any]) -> list[Any] | None:
    """The list that was there before with what each branch added, in branch order.

    Args:
        base: The list before; None where there was none.
        made: What each branch made of it.

    Returns:
        None where a branch did anything but add.
    """
    if base is not None and not isinstance(base, list):
        return None
    start = cast("list[Any]", base or [])
    before = canonical_bytes(start)
    joined = list(start)
    for value in made:
        if not isinstance(value, list):
            return None
        items = cast("list[Any]", value)
        if canonical_bytes(items[: len(start)]) != before:
            return None
        joined.extend(items[len(start) :])
    return joined
