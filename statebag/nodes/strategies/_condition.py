"""Conditions in which ``{{ path }}`` stands for a value of the state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from statebag.config.expressions import EVALUATION_LIMIT, Names, literal_of, names_of, parse_expression
from statebag.config.paths import escape
from statebag.config.templates import has_template, placeholders_in, text_of
from statebag.errors import NodeFailed

__all__ = ["bind_condition", "check_condition"]

_NOTHING: Final = names_of(dict[str, Any]())


def bind_condition(text: str, names: Names) -> str:
    """Replace placeholders by literals: data can become a value of a condition, never a part of its grammar.

    Raises:
        NodeFailed: a placeholder outside of quotes holds an object, or the text has other tags than placeholders.
    """
    if not has_template(text):
        return text
    bound: list[str] = []
    quote_mark = ""
    for piece in placeholders_in(text):
        if isinstance(piece, str):
            quote_mark = _quote_after(piece, quote_mark)
            bound.append(piece)
            continue
        value = piece(names, EVALUATION_LIMIT)
        if quote_mark:
            bound.append(escape(text_of(value)))
        elif isinstance(value, Mapping):
            raise NodeFailed("a condition can't hold an object. Name the field of it that is compared.")
        else:
            bound.append(literal_of(value))
    return "".join(bound)


def check_condition(text: str) -> None:
    """Refuse a condition that is malformed whatever its placeholders hold.

    Raises:
        ExpressionError: it is outside the expression language.
        TemplateError: a placeholder is malformed, or the text has other tags.
    """
    parse_expression(bind_condition(text, _NOTHING))


def _quote_after(text: str, quote_mark: str) -> str:
    escaped = False
    for character in text:
        if escaped:
            escaped = False
        elif quote_mark and character == "\\":
            escaped = True
        elif quote_mark:
            quote_mark = "" if character == quote_mark else quote_mark
        elif character in "'\"":
            quote_mark = character
    return quote_mark
