"""JSON Schemas inside documents, without a network: a ``$ref`` never leaves the schema it stands in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from jsonschema_specifications import REGISTRY
from referencing import Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012, EMPTY_REGISTRY

from statebag.config._reading import child_path
from statebag.errors import Problem

__all__ = ["check_schema", "resolver_of", "validator_of", "violation"]

_DATA_KEYWORDS = frozenset({"const", "enum", "default", "examples"})
"""Keywords whose values are data: a ``$ref`` inside them refers to nothing."""


def validator_of(schema: Any) -> Validator:
    """Validator for ``schema`` in the draft it names (2020-12 without a name), formats included."""
    kind: Any = validator_for(schema, default=Draft202012Validator)
    return kind(schema, registry=EMPTY_REGISTRY, format_checker=kind.FORMAT_CHECKER)


def resolver_of(schema: Any) -> Any:
    """Resolver of the references within ``schema`` and to the published metaschemas."""
    return REGISTRY.resolver_with_root(Resource[Any].from_contents(schema, default_specification=DRAFT202012))


def check_schema(schema: Any, path: str) -> list[Problem]:
    """Everything wrong with the JSON Schema at ``path``, references that lead outside of it included."""
    kind: Any = validator_for(schema, default=Draft202012Validator)
    judge = kind(kind.META_SCHEMA, format_checker=kind.FORMAT_CHECKER)
    problems = [
        Problem(
            path=path + error.json_path[1:],
            code="SCHEMA_INVALID",
            message=f"{error.message}. Correct it as JSON Schema says.",
        )
        for error in judge.iter_errors(schema)
    ]
    if problems or not isinstance(schema, dict):
        return problems
    resolver = resolver_of(schema)
    for place, reference in _references(schema, path):
        try:
            resolver.lookup(reference)
        except Unresolvable:
            message = f"{reference!r} leads nowhere in this schema. Define it under `$defs` and write `#/$defs/name`."
            problems.append(Problem(path=place, code="SCHEMA_INVALID", message=message))
    return problems


def violation(value: Any, schema: Any) -> str | None:
    """How ``value`` breaks ``schema``, in one sentence; None where it doesn't."""
    try:
        error = best_match(validator_of(schema).iter_errors(value))
    except Unresolvable as cause:
        return f"the schema's `$ref` {cause.ref!r} leads out of the schema or nowhere"
    except RecursionError:
        return "the schema's `$ref` leads back to itself without end"
    return None if error is None else f"at {error.json_path}: {error.message}"


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
