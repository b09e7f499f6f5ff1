"""The objects a state or a machine is made of, and the payload templates in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from asl_compat.model._base import AslModel
from asl_compat.model._intrinsics import read_intrinsic
from asl_compat.model._jsonpath import Path, read_path
from asl_compat.model._place import at
from asl_compat.model._states import Machine

__all__ = [
    "Part",
    "TemplateEntry",
    "has_placeholder",
    "is_jsonata",
    "is_timestamp",
    "read_expression",
    "walk_parts",
    "walk_template",
]

_TIMESTAMP = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(Z|[+-]\d{2}:\d{2})"
)


@dataclass(frozen=True, kw_only=True)
class Part:
    """An object of the language inside of a state, or the state itself."""

    model: AslModel
    path: str
    """Its JSON path."""

    def at(self, attribute: str) -> str:
        """The path of one of its fields."""
        return at(self.path, self.model.name_of(attribute))


@dataclass(frozen=True, kw_only=True)
class TemplateEntry:
    """A member of a payload template."""

    path: str
    """Its JSON path."""
    key: str
    value: Any

    @property
    def computed(self) -> bool:
        """Whether its value is a path or an intrinsic function."""
        return self.key.endswith(".$")


def walk_parts(model: AslModel, path: str) -> Iterator[Part]:
    """The object itself and the objects in it, inner machines left out."""
    todo = [Part(model=model, path=path)]
    while todo:
        part = todo.pop()
        yield part
        inside: list[Part] = []
        for attribute, value in part.model.written.items():
            where = part.at(attribute)
            if isinstance(value, AslModel) and not isinstance(value, Machine):
                inside.append(Part(model=value, path=where))
            elif isinstance(value, list):
                items = enumerate(cast("list[Any]", value))
                inside += [
                    Part(model=item, path=at(where, index))
                    for index, item in items
                    if isinstance(item, AslModel) and not isinstance(item, Machine)
                ]
        todo += reversed(inside)


def walk_template(value: Any, path: str) -> Iterator[TemplateEntry]:
    """All members of all objects in a payload template."""
    todo: list[tuple[str, Any]] = [(path, value)]
    while todo:
        where, item = todo.pop()
        inside: list[tuple[str, Any]] = []
        if isinstance(item, dict):
            for key, member in cast("dict[str, Any]", item).items():
                found = TemplateEntry(path=at(where, key), key=key, value=member)
                yield found
                inside.append((found.path, member))
        elif isinstance(item, list):
            inside = [(at(where, index), member) for index, member in enumerate(cast("list[Any]", item))]
        todo += reversed(inside)


def read_expression(text: str) -> list[Path]:
    """The paths that the value of a computed member uses.

    Raises:
        PathSyntaxError: it starts with ``$`` and is no path.
        IntrinsicSyntaxError: it does not, and is no call of an intrinsic function.
    """
    return [read_path(text)] if text.startswith("$") else read_intrinsic(text).paths()


def is_jsonata(value: Any) -> bool:
    """Whether a value is a JSONata expression."""
    return isinstance(value, str) and value.startswith("{%") and value.endswith("%}")


def has_placeholder(value: Any) -> bool:
    """Whether a value has a ``${Name}`` in it, which the deployment replaces, so that nothing is known of it."""
    return isinstance(value, str) and "${" in value


def is_timestamp(text: str) -> bool:
    """Whether a text is a time as RFC 3339 writes it, with upper case T and Z."""
    return _TIMESTAMP.fullmatch(text) is not None
