"""JSON text, with the keys that an object has twice."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from asl_compat.model._place import at
from statebag.errors import InputRefused, Problem

__all__ = ["read_json"]


def read_json(data: bytes) -> tuple[Any, list[Problem]]:
    """Decode a definition file.

    Returns:
        The value, in which the last of several members with the same key counts, and a problem for each such key.

    Raises:
        InputRefused: ``ASL_NOT_JSON``, with line and column.
    """
    twice: list[tuple[dict[str, Any], list[str]]] = []

    def make(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            names = [name for name, _ in pairs]
            twice.append((made, [name for name in made if names.count(name) > 1]))
        return made

    try:
        value = json.loads(data.decode("utf-8-sig"), object_pairs_hook=make, parse_constant=_refuse)
    except UnicodeDecodeError as cause:
        line = data.count(b"\n", 0, cause.start) + 1
        column = cause.start - (data.rfind(b"\n", 0, cause.start) + 1) + 1
        raise _not_json(f"byte {data[cause.start]:#04x} is not UTF-8 at line {line}, column {column}") from cause
    except json.JSONDecodeError as cause:
        raise _not_json(f"{cause.msg} at line {cause.lineno}, column {cause.colno}") from cause
    except (ValueError, RecursionError) as cause:
        raise _not_json(str(cause)) from cause
    return value, _find(value, {id(made): names for made, names in twice})


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _not_json(reason: str) -> InputRefused:
    message = f"The definition is not JSON: {reason}. Fix the syntax there."
    return InputRefused([Problem(path="$", code="ASL_NOT_JSON", message=message)], what="definition")


def _find(value: Any, twice: Mapping[int, Sequence[str]]) -> list[Problem]:
    """Where the objects with duplicate keys stand."""
    found: list[Problem] = []
    todo: list[tuple[str, Any]] = [("$", value)]
    while todo:
        path, item = todo.pop()
        inside: list[tuple[str, Any]] = []
        if isinstance(item, dict):
            for name in twice.get(id(cast("Any", item)), ()):
                message = f"The key {name!r} is there more than once, and only the last would count. Remove the others."
                found.append(Problem(path=at(path, name), code="ASL_KEY_DUPLICATE", message=message))
            inside = [(at(path, name), member) for name, member in cast("dict[str, Any]", item).items()]
        elif isinstance(item, list):
            inside = [(at(path, index), member) for index, member in enumerate(cast("list[Any]", item))]
        todo += reversed(inside)
    return found
