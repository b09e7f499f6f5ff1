"""Which fields of ``state`` code reads."""

from __future__ import annotations

import ast
from typing import Final

__all__ = ["fields_of"]

_READING_CALLS: Final = frozenset({"get", "pop", "setdefault"})
_OTHER_WAYS: Final = frozenset({"dir", "eval", "exec", "globals", "locals", "vars"})
"""Builtins by which ``state`` can be reached without its name."""
_NAMING: Final = ("name", "asname", "arg", "rest", "names")
"""Members of nodes other than names that bind an identifier."""


def fields_of(tree: ast.Module) -> frozenset[str] | None:
    """The fields, where every use of ``state`` names one: ``state["x"]``, ``state.get("x")``, ``"x" in state``.

    A field that is only assigned is not read. None where another use may need others: iteration, methods such as
    ``items``, another name for it.
    """
    parents = {child: parent for parent in ast.walk(tree) for child in ast.iter_child_nodes(parent)}
    fields: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            if node.id in _OTHER_WAYS:
                return None
            if node.id == "state":
                name, read = _use_of(node, parents)
                if name is None:
                    return None
                if read:
                    fields.add(name)
        elif not isinstance(node, ast.keyword) and _binds_state(node):
            return None
    return frozenset(fields)


def _binds_state(node: ast.AST) -> bool:
    values = [getattr(node, member, None) for member in _NAMING]
    return any(value == "state" or (isinstance(value, list) and "state" in value) for value in values)


def _use_of(name: ast.Name, parents: dict[ast.AST, ast.AST]) -> tuple[str | None, bool]:
    """The one field that this use is of, and whether it is read."""
    around = parents[name]
    if not isinstance(name.ctx, ast.Load):
        return None, False
    match around:
        case ast.Subscript(value=value, slice=ast.Constant(value=str(field)), ctx=context) if value is name:
            plain = isinstance(context, ast.Store) and not isinstance(parents[around], ast.AugAssign)
            return field, not plain
        case ast.Compare(left=ast.Constant(value=str(field)), ops=[ast.In() | ast.NotIn()]):
            return field, True
        case ast.Attribute(value=value, attr=method) if value is name and method in _READING_CALLS:
            match parents[around]:
                case ast.Call(func=func, args=[ast.Constant(value=str(field)), *_]) if func is around:
                    return field, True
                case _:
                    return None, False
        case _:
            return None, False
