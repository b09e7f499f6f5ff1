"""Params of strategies: their kinds, defaults and limits."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import regex

from statebag.config.expressions import parse_expression
from statebag.config.paths import Missing, parse_path
from statebag.config.templates import has_template, text_of
from statebag.nodes.strategies._kinds import is_number, kind_of, read_number

__all__ = ["ABSENT", "Param", "ParamError", "holds_template", "word"]

ABSENT: Final = Missing()
"""Stands for a param that is not given."""

_MAX_PATTERN: Final = 2000


class ParamError(ValueError):
    """A param is missing or wrong."""

    def __init__(self, message: str, *, code: str = "FIELD_VALUE") -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, kw_only=True)
class Param:
    """One param of a strategy."""

    kind: str = "any"
    """``any``, ``text``, ``word``, ``integer``, ``number``, ``boolean``, ``list``, ``texts``, ``lists``, ``object``,
    ``path``, ``condition``, ``pattern``, ``encoding``, or ``template`` (a text that the strategy renders itself)."""
    default: Any = None
    """Taken where the param is absent."""
    required: bool = False
    choices: Mapping[str, str] | None = None
    """For a ``word``: what is accepted, in lower case, and what it means."""
    minimum: float | None = None
    maximum: float | None = None

    @property
    def is_condition(self) -> bool:
        """Whether it is an expression: not rendered as text, but bound."""
        return self.kind == "condition"

    def read(self, value: Any) -> Any:
        """The value that the strategy gets.

        Raises:
            ParamError: it is missing or wrong. ExpressionError: a path or condition is malformed.
        """
        given = value is not ABSENT and not (value is None and self.kind != "any")
        if self.is_condition and isinstance(value, str) and not value.strip():
            given = False
        if not given:
            if self.required:
                raise ParamError(f"is missing. Give {_WANTED[self.kind]}.", code="FIELD_MISSING")
            return self.default
        return _READERS[self.kind](self, value)


def holds_template(value: Any) -> bool:
    """Whether anything in ``value`` is only known when it is rendered."""
    if isinstance(value, str):
        return has_template(value)
    if isinstance(value, list):
        return any(map(holds_template, value))
    return isinstance(value, Mapping) and any(map(holds_template, value.values()))


def word(*plain: str, **meanings: str) -> dict[str, str]:
    """Choices for a ``word`` param: words that mean themselves, and words that mean another one."""
    return {name: name for name in plain} | meanings


def _wrong(param: Param, value: Any) -> ParamError:
    return ParamError(f"is {kind_of(value)}. Give {_WANTED[param.kind]}.", code="FIELD_TYPE")


def _read_any(param: Param, value: Any) -> Any:
    return value


def _read_text(param: Param, value: Any) -> str:
    if isinstance(value, str) or is_number(value):
        return text_of(value)
    raise _wrong(param, value)


def _read_word(param: Param, value: Any) -> str:
    choices = param.choices or {}
    if not isinstance(value, str) and not is_number(value):
        raise _wrong(param, value)
    meaning = choices.get(text_of(value).strip().lower())
    if meaning is None:
        raise ParamError(f"{value!r} is unknown. Use one of: {', '.join(choices)}.")
    return meaning


def _read_number(param: Param, value: Any) -> int | float:
    number = read_number(value) if isinstance(value, str) else value
    if not is_number(number):
        raise _wrong(param, value)
    low, high = param.minimum, param.maximum
    if (low is not None and number < low) or (high is not None and number > high):
        limits = f"at least {low:g}" if high is None else f"{low:g} to {high:g}"
        raise ParamError(f"{number} is out of range. Give {_WANTED[param.kind]}: {limits}.")
    return number


def _read_integer(param: Param, value: Any) -> int:
    number = _read_number(param, value)
    if number != int(number):
        raise _wrong(param, value)
    return int(number)


def _read_boolean(param: Param, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    raise _wrong(param, value)


def _read_list(param: Param, value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    raise _wrong(param, value)


def _read_texts(param: Param, value: Any) -> list[str]:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    raise _wrong(param, value)


def _read_lists(param: Param, value: Any) -> list[list[Any]]:
    if isinstance(value, list) and all(isinstance(item, list | None) for item in value):
        return [item or [] for item in value]
    raise _wrong(param, value)


def _read_object(param: Param, value: Any) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    raise _wrong(param, value)


def _read_path(param: Param, value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return (value,)
    if isinstance(value, str):
        return parse_path(value)
    raise _wrong(param, value)


def _read_condition(param: Param, value: Any) -> Any:
    if isinstance(value, bool):
        return parse_expression("true" if value else "false")
    if isinstance(value, str):
        return parse_expression(value)
    raise _wrong(param, value)


def _read_pattern(param: Param, value: Any) -> regex.Pattern[str]:
    if not isinstance(value, str):
        raise _wrong(param, value)
    if len(value) > _MAX_PATTERN:
        raise ParamError(f"a pattern of {len(value)} characters is too long. {_MAX_PATTERN} are the most.")
    try:
        return regex.compile(value)
    except (regex.error, OverflowError, RecursionError) as cause:
        raise ParamError(f"{value[:80]!r} is no regular expression: {cause}. Correct it.") from cause


def _read_encoding(param: Param, value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong(param, value)
    try:
        "a".encode(value)
        return codecs.lookup(value).name
    except (LookupError, ValueError) as cause:
        raise ParamError(f"{value!r} is no text encoding. Use `utf-8`, or another that Python knows.") from cause


_WANTED: Final[Mapping[str, str]] = {
    "any": "a value",
    "text": "a text",
    "word": "one of the words allowed",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "list": "a list",
    "texts": "a list of texts",
    "lists": "a list of lists",
    "object": "an object",
    "path": "a dotted path",
    "condition": "a condition such as `$.score > 0.9`",
    "pattern": "a regular expression",
    "encoding": "the name of a text encoding",
    "template": "a template",
}
_READERS: Final[Mapping[str, Callable[[Param, Any], Any]]] = {
    "any": _read_any,
    "text": _read_text,
    "word": _read_word,
    "integer": _read_integer,
    "number": _read_number,
    "boolean": _read_boolean,
    "list": _read_list,
    "texts": _read_texts,
    "lists": _read_lists,
    "object": _read_object,
    "path": _read_path,
    "condition": _read_condition,
    "pattern": _read_pattern,
    "encoding": _read_encoding,
    "template": _read_text,
}
