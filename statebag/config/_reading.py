"""Shapes of JSON objects, checked with pydantic and reported in this project's own codes and paths."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from statebag.errors import Problem

__all__ = [
    "WARNING_CODES",
    "child_path",
    "describe_kind",
    "name_near",
    "read_fields",
    "report_unknown",
    "split_findings",
]

WARNING_CODES = frozenset({"FIELD_UNKNOWN", "NODE_APART", "RESERVED_KEY"})
"""Codes of findings that are told and refuse nothing."""


def describe_kind(value: Any) -> str:
    """The JSON type of ``value`` in words."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list() | tuple():
            return "a list"
        case dict():
            return "an object"
        case _:
            return type(value).__name__


def child_path(path: str, key: str | int) -> str:
    """JSON path of the member ``key`` of ``path``."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if key.isidentifier() else f"{path}[{key!r}]"


def name_near(name: str, known: Iterable[str]) -> str:
    """`` Did you mean …?`` with the names most like ``name``, or nothing."""
    near = difflib.get_close_matches(name, sorted(set(known)), n=3)
    return f" Did you mean {' or '.join(f'`{word}`' for word in near)}?" if near else ""


def read_fields(model: type[BaseModel], raw: Any, path: str) -> tuple[dict[str, Any], list[Problem]]:
    """Check ``raw`` against ``model``, whose field descriptions say what is allowed.

    Returns:
        The members of ``raw`` that the model has and that are right, null counting as absent, and one problem for
        each one that is wrong or missing.
    """
    if not isinstance(raw, dict):
        message = f"this is {describe_kind(raw)}. Make it an object."
        return {}, [Problem(path=path, code="FIELD_TYPE", message=message)]
    body = cast("dict[str, Any]", raw)
    given = {key: value for key, value in body.items() if value is not None}
    fields = {info.alias or name: info for name, info in model.__pydantic_fields__.items()}
    try:
        model.model_validate(given)
        errors = []
    except ValidationError as refused:
        errors = refused.errors(include_url=False, include_context=False)
    problems: list[Problem] = []
    wrong: set[str] = set()
    for error in errors:
        key = str(error["loc"][0])
        wrong.add(key)
        problems.append(_explain(error["type"], error["loc"], error["input"], fields[key].description or "", path))
    return {key: given[key] for key in fields if key in given and key not in wrong}, problems


def _explain(kind: str, location: tuple[str | int, ...], value: Any, allowed: str, path: str) -> Problem:
    for key in location:
        path = child_path(path, key)
    name = f"`{location[-1]}`" if isinstance(location[-1], str) else f"item {location[-1]}"
    of = f"`{location[0]}` must be " if len(location) > 1 else "It must be "
    if kind == "missing":
        return Problem(path=path, code="FIELD_MISSING", message=f"{name} is missing. Add it: {allowed}.")
    if kind.endswith("_type"):
        return Problem(path=path, code="FIELD_TYPE", message=f"{name} is {describe_kind(value)}. {of}{allowed}.")
    if kind == "too_long":
        return Problem(path=path, code="DOCUMENT_TOO_LARGE", message=f"{name} has {len(value)} items. {of}{allowed}.")
    shown = repr(value) if len(repr(value)) <= 60 else f"{len(value)} characters long"
    return Problem(path=path, code="FIELD_VALUE", message=f"{name} is {shown}. {of}{allowed}.")


def report_unknown(
    body: Any,
    known: Collection[str],
    path: str,
    *,
    quiet: Collection[str] = (),
    because: Mapping[str, str] | None = None,
) -> list[Problem]:
    """Warn of the members of ``body`` that have no effect.

    Args:
        body: An object; anything else has no members.
        known: Names that have an effect.
        path: Its JSON path.
        quiet: Names without effect that are no mistake: labels, positions.
        because: What to say of a name, in place of that it is unknown.
    """
    if not isinstance(body, dict):
        return []
    found: list[Problem] = []
    for key in cast("dict[str, Any]", body):
        if key not in known and key not in quiet:
            reason = (because or {}).get(key) or f"`{key}` is unknown here.{name_near(key, known)}"
            message = f"{reason} It is ignored."
            found.append(Problem(path=child_path(path, key), code="FIELD_UNKNOWN", message=message))
    return found


def split_findings(findings: Iterable[Problem]) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """Part findings, each kept once, into what refuses the input and what is only told."""
    once = tuple(dict.fromkeys(findings))
    refusals = tuple(finding for finding in once if finding.code not in WARNING_CODES)
    return refusals, tuple(finding for finding in once if finding.code in WARNING_CODES)
