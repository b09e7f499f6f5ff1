"""Merge what several branches did to one state, without loss and whatever the order they finished in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from statebag.bag._fields import UserFields
from statebag.bag._pages import REMOVED
from statebag.canonical import canonical_bytes
from statebag.config import is_appended, join_added
from statebag.errors import InputRefused, Problem, StateBagError

__all__ = ["BranchChange", "MergedStates", "merge_states"]

_POLICIES = ("last_wins", "keep_first", "error")


@dataclass(frozen=True, kw_only=True)
class BranchChange:
    """What one branch made of the state."""

    name: str
    state: Mapping[str, Any]
    """Its state, or those fields of it that it may have changed."""
    unset: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MergedStates:
    """The joint change of all branches."""

    changes: Mapping[str, Any]
    unset: tuple[str, ...] = ()
    conflicts: tuple[Mapping[str, Any], ...] = ()
    """``{"field", "branches", "kept"}`` of each field that several branches changed differently."""


def merge_states(
    base: UserFields,
    branches: Sequence[BranchChange],
    *,
    on_conflict: str = "last_wins",
    append_keys: Sequence[str] = (),
) -> MergedStates:
    """Take each branch's change against ``base``, in branch order.

    A field that one branch changed is taken. A list field that matches a pattern
    gets the elements that each branch added. Any other field that branches
    changed differently is a conflict: resolved as ``on_conflict`` says, and listed.
    A field that is merely absent from a branch's state stays; only ``unset`` removes.

    Args:
        base: the state at the fork.
        branches: those that succeeded, in branch order.
        on_conflict: ``last_wins``, ``keep_first`` or ``error``.
        append_keys: further patterns of list fields.

    Raises:
        InputRefused: the policy does not exist.
        StateBagError: ``AGGREGATION_FAILED``, with the policy ``error`` and a conflict.
    """
    if on_conflict not in _POLICIES:
        message = f"the policy {on_conflict!r} does not exist. Use one of {', '.join(_POLICIES)}"
        problem = Problem(path="$.on_conflict", code="RESULT_INVALID", message=message)
        raise InputRefused([problem], what="branch_policy")
    changes: dict[str, Any] = {}
    unset: list[str] = []
    conflicts: list[Mapping[str, Any]] = []
    for key, written in sorted(_writers(base, branches).items()):
        values = [value for _, value in written]
        joined = join_added(base.get(key), values) if is_appended(key, append_keys) else None
        if joined is not None:
            changes[key] = joined
            continue
        name, value = written[0] if on_conflict == "keep_first" else written[-1]
        if value is REMOVED:
            unset.append(key)
        else:
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
    return MergedStates(changes=changes, unset=tuple(unset), conflicts=tuple(conflicts))


def _writers(base: UserFields, branches: Sequence[BranchChange]) -> dict[str, list[tuple[str, Any]]]:
    """Field to the branches that changed it, in branch order, with what each made of it."""
    writers: dict[str, list[tuple[str, Any]]] = {}
    for branch in branches:
        for key, value in branch.state.items():
            if key not in branch.unset and (key not in base or not _same(base[key], value)):
                writers.setdefault(key, []).append((branch.name, value))
        for key in branch.unset:
            if key in base:
                writers.setdefault(key, []).append((branch.name, REMOVED))
    return writers


def _same(one: Any, other: Any) -> bool:
    if one is REMOVED or other is REMOVED:
        return one is other
    return one is other or canonical_bytes(one) == canonical_bytes(other)
