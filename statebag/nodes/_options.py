"""Checks of single members of a node's ``config``; null counts as absent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from statebag.config.expressions import ExpressionError, parse_expression, top_level_names
from statebag.config.paths import parse_path
from statebag.config.templates import TemplateError, check_templates, has_template, template_fields
from statebag.errors import Problem

__all__ = ["check_choice", "check_condition", "check_count", "check_path", "check_text", "missing", "path_fields"]


def missing(path: str, what: str) -> Problem:
    """The problem of a member that must be there."""
    return Problem(path=path, code="FIELD_MISSING", message=f"is missing. Add it: {what}.")


def check_text(config: Mapping[str, Any], key: str, path: str) -> Iterator[Problem]:
    """``key`` is a text that is not empty."""
    value = config.get(key)
    if value is not None and not isinstance(value, str):
        yield Problem(path=f"{path}.{key}", code="FIELD_TYPE", message="must be a text.")
    elif value == "":
        yield Problem(path=f"{path}.{key}", code="FIELD_VALUE", message="is empty. Give it a text, or remove it.")


def check_count(config: Mapping[str, Any], key: str, path: str) -> Iterator[Problem]:
    """``key`` is a whole number from 1 on."""
    value = config.get(key)
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool):
        yield Problem(path=f"{path}.{key}", code="FIELD_TYPE", message="must be a whole number from 1 on.")
    elif value < 1:
        yield Problem(path=f"{path}.{key}", code="FIELD_VALUE", message=f"{value} is too small: 1 is the least.")


def check_choice(config: Mapping[str, Any], key: str, path: str, choices: Sequence[str]) -> Iterator[Problem]:
    """``key`` is one of ``choices``."""
    value = config.get(key)
    if value is not None and value not in choices:
        message = f"{value!r} is unknown. Use one of: {', '.join(choices)}."
        yield Problem(path=f"{path}.{key}", code="FIELD_VALUE", message=message)


def check_path(config: Mapping[str, Any], key: str, path: str) -> Iterator[Problem]:
    """``key`` is a dotted path, or a template."""
    value = config.get(key)
    if isinstance(value, str) and has_template(value):
        yield from check_templates(value, f"{path}.{key}")
        return
    found = list(check_text(config, key, path))
    yield from found
    if found or value is None:
        return
    try:
        parse_path(value)
    except ExpressionError as error:
        yield Problem(path=f"{path}.{key}", code=error.code, message=error.message)


def check_condition(value: Any, path: str) -> Iterator[Problem]:
    """``value`` is a condition of the expression language."""
    if not isinstance(value, str):
        yield Problem(path=path, code="FIELD_TYPE", message="must be a condition, such as `$.score > 0.9`.")
        return
    try:
        parse_expression(value)
    except ExpressionError as error:
        yield Problem(path=path, code=error.code, message=error.message)


def path_fields(text: Any) -> frozenset[str] | None:
    """The top-level field that a path or a template reads; None where that is all of them."""
    if not isinstance(text, str):
        return frozenset()
    try:
        return template_fields(text) if has_template(text) else top_level_names([parse_path(text)])
    except (ExpressionError, TemplateError):
        return frozenset()
