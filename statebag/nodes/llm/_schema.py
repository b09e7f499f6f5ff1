"""JSON Schema without a network: a `$ref` never leaves the schema it stands in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, best_match
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from jsonschema_specifications import REGISTRY
from referencing import Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012, EMPTY_REGISTRY

from statebag.errors import Problem

__all__ = ["check_schema", "resolver_of", "validator_of", "violation"]


def validator_of(schema: Any) -> Validator:
    """Validator for ``schema`` in the draft it names (2020-12 without a name), formats included."""
    kind: Any = validator_for(schema, default=Draft202012Validator)
    return kind(schema, registry=EMPTY_REGISTRY, format_checker=kind.FORMAT_CHECKER)


def resolver_of(schema: Any) -> Any:
    """Resolver of the references within ``schema`` and to the published metaschemas."""
    return REGISTRY.resolver_with_root(_resource(schema))


def check_schema(schema: Any, path: str) -> Iterator[Problem]:
    """Problems of ``schema`` itself: not a schema, or a reference that leads nowhere."""
    if not isinstance(schema, dict):
        message = f"a JSON Schema must be an object, not {type(schema).__name__}. Write one."
        yield Problem(path=path, code="FIELD_TYPE", message=message)
        return
    try:
        validator_for(schema, default=Draft202012Validator).check_schema(schema)
    except SchemaError as error:
        message = f"not a valid JSON Schema at {error.json_path}: {error.message}. Correct it."
        yield Problem(path=path, code="SCHEMA_INVALID", message=message)
        return
    for reference in _dangling(_resource(schema), resolver_of(schema)):
        message = f"`$ref` {reference!r} leads out of the schema or nowhere. Define it under `$defs`."
        yield Problem(path=path, code="SCHEMA_INVALID", message=message)


def violation(value: Any, schema: Any) -> str | None:
    """How ``value`` breaks ``schema``, in one sentence; None where it doesn't."""
    try:
        error = best_match(validator_of(schema).iter_errors(value))
    except Unresolvable as cause:
        return f"the schema's `$ref` {cause.ref!r} leads out of the schema or nowhere"
    except RecursionError:
        return "the schema's `$ref` leads back to itself without end"
    return None if error is None else f"at {error.json_path}: {error.message}"


def _resource(schema: Any) -> Resource[Any]:
    return Resource[Any].from_contents(schema, default_specification=DRAFT202012)


def _dangling(resource: Resource[Any], resolver: Any) -> Iterator[str]:
    contents = resource.contents
    for word in ("$ref", "$dynamicRef"):
        reference = contents.get(word) if isinstance(contents, dict) else None
        if isinstance(reference, str):
            try:
                resolver.lookup(reference)
            except Unresolvable:
                yield reference
    for inner in resource.subresources():
        yield from _dangling(inner, resolver.in_subresource(inner))
