"""Put into other words what the sandbox's interpreter does not have, and leave every line where it is."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["rewrite"]

_REPLACED: Final[Mapping[str, str]] = {
    "collections": "containers",
    "json": "texts",
    "re": "patterns",
    "uuid": "ids",
}
"""Modules that the interpreter lacks, in whole or in a part that ordinary code uses, to the files that have them."""

_TIMESTAMPS: Final = frozenset({"fromtimestamp", "utcfromtimestamp"})
_BUILTIN_TYPES: Final = frozenset({"dict", "float", "int", "list", "str"})
_TAKE_FUNCTIONS: Final = frozenset({"filter", "map"})


@dataclass(frozen=True, kw_only=True)
class _Edit:
    start: int
    """First byte of what goes."""
    end: int
    text: str
    """What comes in its place."""


@dataclass(frozen=True, kw_only=True)
class _Change:
    edits: tuple[_Edit, ...] = ()
    helpers: tuple[str, ...] = ()


class _Source:
    """The text by the places of its tree's nodes, which count bytes of UTF-8."""

    def __init__(self, text: str) -> None:
        self.data = text.encode("utf-8", "surrogatepass")
        self._lines = [0]
        for line in self.data.split(b"\n"):
            self._lines.append(self._lines[-1] + len(line) + 1)

    def start(self, node: ast.stmt | ast.expr) -> int:
        return self._lines[node.lineno - 1] + node.col_offset

    def end(self, node: ast.stmt | ast.expr) -> int:
        return self._lines[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)

    def between(self, start: int, end: int) -> str:
        return self.data[start:end].decode("utf-8", "surrogatepass")


def rewrite(text: str, tree: ast.Module) -> tuple[str, frozenset[str]]:
    """The code for the sandbox, and the files of the room ``inside`` that it needs then.

    What can't be put into other words stays as it is; the interpreter has its say on it.
    """
    source = _Source(text)
    edits: list[_Edit] = []
    helpers: set[str] = set()
    for node in ast.walk(tree):
        change = _HOW.get(type(node))
        if change is not None:
            made = change(node, source)
            edits += made.edits
            helpers.update(made.helpers)
    data = source.data
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end), reverse=True):
        data = data[: edit.start] + edit.text.encode() + data[edit.end :]
    return data.decode("utf-8", "surrogatepass"), frozenset(helpers)


def _import(node: ast.Import, source: _Source) -> _Change:
    replaced = [alias for alias in node.names if alias.name in _REPLACED]
    if not replaced:
        return _Change()
    others = [alias for alias in node.names if alias.name not in _REPLACED]
    parts = [f"import {alias.name}" + (f" as {alias.asname}" if alias.asname else "") for alias in others]
    values = [(alias.asname or alias.name, f"_statebag_{alias.name}") for alias in replaced]
    return _Change(
        edits=(_assignments(node, parts, values, source),),
        helpers=tuple(_REPLACED[alias.name] for alias in replaced),
    )


def _import_from(node: ast.ImportFrom, source: _Source) -> _Change:
    helper = _REPLACED.get(node.module or "")
    if helper is None or node.level or node.names[0].name == "*":
        return _Change()
    values = [(alias.asname or alias.name, f"_statebag_{node.module}.{alias.name}") for alias in node.names]
    return _Change(edits=(_assignments(node, [], values, source),), helpers=(helper,))


def _assignments(node: ast.stmt, parts: list[str], values: list[tuple[str, str]], source: _Source) -> _Edit:
    start, end = source.start(node), source.end(node)
    newlines = "\n" * source.between(start, end).count("\n")
    # The lines of a statement over several lines stay inside of its first value.
    first = values[0]
    parts = [*parts, f"{first[0]} = ({first[1]}{newlines})", *(f"{name} = {value}" for name, value in values[1:])]
    return _Edit(start=start, end=end, text="; ".join(parts))


def _delete(node: ast.Delete, source: _Source) -> _Change:
    edits: list[_Edit] = []
    before = source.start(node)
    for target in node.targets:
        if not isinstance(target, ast.Subscript) or isinstance(target.slice, ast.Tuple):
            return _Change()
        start, end = source.start(target), source.end(target)
        opening, closing = (source.end(target.value), source.start(target.slice)), (source.end(target.slice), end)
        lead = source.between(before, start).strip()
        if lead != ("," if edits else "del"):
            return _Change()
        if (source.between(*opening).strip(), source.between(*closing).strip()) != ("[", "]"):
            return _Change()
        separator = "; " if edits else ""
        if isinstance(target.slice, ast.Slice):
            edits += [_Edit(start=before, end=start, text=separator), _Edit(start=end, end=end, text=" = []")]
        else:
            edits += [
                _Edit(start=before, end=start, text=f"{separator}_statebag_remove("),
                _Edit(start=opening[0], end=opening[1], text=", "),
                _Edit(start=closing[0], end=closing[1], text=")"),
            ]
        before = end
    return _Change(edits=tuple(edits))


def _attribute(node: ast.Attribute, source: _Source) -> _Change:
    if not isinstance(node.ctx, ast.Load) or not _is_where_it_says(node, source):
        return _Change()
    end = source.end(node)
    if node.attr == "utcnow":
        # The sandbox is in UTC.
        return _Change(edits=(_Edit(start=end - len(node.attr), end=end, text="now"),))
    if node.attr in _TIMESTAMPS:
        start = source.start(node)
        call = _Edit(start=start, end=start, text="_statebag_from_timestamp(")
        return _Change(edits=(call, _Edit(start=source.end(node.value), end=end, text=")")), helpers=("dates",))
    return _Change()


def _call(node: ast.Call, source: _Source) -> _Change:
    """Wrap methods that are handed over as functions: ``key=counts.get``, ``map(str.upper, xs)``."""
    given: list[ast.expr] = [keyword.value for keyword in node.keywords if keyword.arg == "key"]
    if isinstance(node.func, ast.Name) and node.func.id in _TAKE_FUNCTIONS:
        given += node.args[:1]
    edits: list[_Edit] = []
    for value in given:
        if not isinstance(value, ast.Attribute) or not _is_where_it_says(value, source) or value.attr in _TIMESTAMPS:
            continue
        start, end, middle = source.start(value), source.end(value), source.end(value.value)
        if isinstance(value.value, ast.Name) and value.value.id in _BUILTIN_TYPES:
            edits.append(_Edit(start=start, end=end, text=f"(lambda _of, *_args: _of.{value.attr}(*_args))"))
        else:
            edits.append(_Edit(start=start, end=start, text="(lambda *_args, _of="))
            edits.append(_Edit(start=middle, end=end, text=f": _of.{value.attr}(*_args))"))
    return _Change(edits=tuple(edits))


def _is_where_it_says(node: ast.Attribute, source: _Source) -> bool:
    # Inside of f-strings, places are not always right before Python 3.12.
    return source.between(source.end(node.value), source.end(node)) == f".{node.attr}"


_HOW: Final[Mapping[type[ast.AST], Callable[..., _Change]]] = {
    ast.Import: _import,
    ast.ImportFrom: _import_from,
    ast.Delete: _delete,
    ast.Attribute: _attribute,
    ast.Call: _call,
}
