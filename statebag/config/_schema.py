"""JSON Schemas inside a document (Draft 2020-12)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from statebag.config._reading import child_path
from statebag.errors import Problem

__all__ = ["check_schema"]

_DATA_KEYWORDS = frozenset({"const", "enum", "default", "examples"})
"""Keywords whose values are data: a ``$ref`` inside them refers to nothing."""


def check_schema(schema: Any, path: str) -> list[Problem]:
    """Everything wrong with a JSON Schema at ``path``, references that lead outside of it included."""
    judge = Draft202012Validator(Draft202012Validator.META_SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)
    problems = [
        Problem(
            path=path + error.json_path[1:],
            code="SCHEMA_INVALID",
            message=f"{error.message}. Correct it as JSON Schema 2020-12 says.",
        )
        for error in judge.iter_errors(schema)
    ]
    if problems or not isinstance(schema, dict):
        return problems
    whole: Resource[Any] = DRAFT202012.create_resource(schema)
    registry: Registry[Any] = Registry()
    resolver = registry.with_resource("", whole).resolver()
    for place, reference in _references(schema, path):
        try:
            resolver.lookup(reference)
        except Unresolvable:
            message = f"{reference!r} leads nowhere in this schema. Define it under `$defs` and write `#/$defs/name`."
            problems.append(Problem(path=place, code="SCHEMA_INVALID", message=message))
    return problems


def _references(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in cast("dict[str, Any]", value).items():
            if key in {"$ref", "$dynamicRef"} and isinstance(item, str):
                yield child_path(path, key), item
            elif key not in _DATA_KEYWORDS:
                yield from _references(item, child_path(path, key))
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[Any]", value)):
            yield from _references(item, child_path(path, index))
