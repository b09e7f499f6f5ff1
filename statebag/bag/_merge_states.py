"""Merge what several branches did to one state, without loss and whatever the order they finished in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from statebag.bag._fields import UserFields
from statebag.canonical import canonical_bytes
from statebag.errors import StateBagError

__all__ = ["MergedStates", "merge_states"]

APPEND_KEYS = ("aggregated_*", "collected_*", "*_results", "*_items", "*_outputs")
"""List fields to which branches add: their added elements are joined in branch order."""


@dataclass(frozen=True, kw_only=True)
class MergedStates:
    """The joint change of all branches."""

    changes: Mapping[str, Any]
    unset: tuple[str, ...] = ()
    conflicts: tuple[Mapping[str, Any], ...] = ()
    """``{"field", "branches", "kept"}`` of each field that several branches set differently."""


def merge_states(
    base: UserFields,
    branches: Sequence[tuple[str, Mapping[str, Any]]],
    *,
    on_conflict: str = "last_wins",
    append_keys: Sequence[str] = (),
) -> MergedStates:
    """Take each branch's change against ``base``, in branch order.

    A field that one branch changed is taken. A list field that matches a pattern
    gets the elements that each branch added. Any other field that branches
    changed differently is a conflict: resolved as ``on_conflict`` says, and listed.

    Args:
        base: the state at the fork.
        branches: name and state (or change) of each branch that succeeded, in branch order.
        on_conflict: ``last_wins``, ``keep_first`` or ``error``.
        append_keys: further patterns of list fields.

    Raises:
        StateBagError: ``AGGREGATION_FAILED``, with the policy ``error`` and a conflict.
    """
    patterns = (*APPEND_KEYS, *append_keys)
    writers: dict[str, list[tuple[str, Any]]] = {}
    for name, state in branches:
        for key, value in state.items():
            if key not in base or not _same(base[key], value):
                writers.setdefault(key, []).append((name, value))
    changes: dict[str, Any] = {}
    conflicts: list[Mapping[str, Any]] = []
    for key in sorted(writers):
        written = writers[key]
        joined = _join_lists(base.get(key), written) if any(fnmatchcase(key, p) for p in patterns) else None
        if joined is not None:
            changes[key] = joined
            continue
        name, value = written[0] if on_conflict == "keep_first" else written[-1]
        changes[key] = value
        if any(not _same(value, other) for _, other in written):
            conflicts.append({"field": key, "branches": [n for n, _ in written], "kept": name})
    if conflicts and on_conflict == "error":
        fields = ", ".join(f"{c['field']} (by {', '.join(c['branches'])})" for c in conflicts)
        raise StateBagError(
            f"branches changed the same fields differently: {fields}. Give each branch its own field, or set "
            "`on_conflict` to last_wins or keep_first.",
            code="AGGREGATION_FAILED",
            details={"conflicts": [dict(c) for c in conflicts]},
        )
    return MergedStates(changes=changes, conflicts=tuple(conflicts))


def _same(one: Any, other: Any) -> bool:
    return one is other or canonical_bytes(one) == canonical_bytes(other)


def _join_lists(base: Any, written: Sequence[tuple[str, Any]]) -> list[Any] | None:
    """The base list with each branch's added elements, or None where a branch did not just add."""
    start: list[Any] = base if isinstance(base, list) else []
    if base is not None and not isinstance(base, list):
        return None
    joined = list(start)
    for _, value in written:
        if not isinstance(value, list) or not _same(value[: len(start)], start):
            return None
        joined.extend(value[len(start) :])
    return joined
