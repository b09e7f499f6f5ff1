"""Taking a strategy's input for what it must be, or refusing it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, TypeGuard

from statebag.canonical import canonical_bytes
from statebag.config.paths import MISSING, Parts, walk
from statebag.config.templates import text_of
from statebag.errors import NodeFailed

__all__ = [
    "field_of",
    "finite",
    "identity_of",
    "is_number",
    "key_of",
    "kind_of",
    "list_in",
    "number_in",
    "object_in",
    "read_number",
    "text_in",
]

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def kind_of(value: Any) -> str:
    """A noun for a value's JSON type, for messages."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "an object"


def is_number(value: Any) -> TypeGuard[int | float]:
    """Whether ``value`` is a JSON number; booleans are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def list_in(value: Any) -> list[Any]:
    """The input as a list; null is the empty one."""
    if value is None:
        return []
    if isinstance(value, list):
        return value
    raise NodeFailed(f"the input is {kind_of(value)}, not a list. Give one with `input_key` or `input`.")


def object_in(value: Any) -> Mapping[str, Any]:
    """The input as an object; null is the empty one."""
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return value
    raise NodeFailed(f"the input is {kind_of(value)}, not an object. Give one with `input_key` or `input`.")


def text_in(value: Any) -> str:
    """The input as text: numbers and booleans as JSON, null as the empty text."""
    if isinstance(value, list | Mapping):
        raise NodeFailed(f"the input is {kind_of(value)}, not a text. Convert it first with `json_stringify`.")
    return text_of(value)


def read_number(text: str) -> int | float | None:
    """The number that a text is, or null."""
    stripped = text.strip()
    if not _NUMBER.fullmatch(stripped):
        return None
    try:
        number = int(stripped) if stripped.lstrip("+-").isdecimal() else float(stripped)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def number_in(value: Any) -> int | float:
    """The input as a number; a text that is one counts."""
    if is_number(value):
        return value
    number = read_number(value) if isinstance(value, str) else None
    if number is None:
        shown = f" ({value[:40]!r})" if isinstance(value, str) else ""
        raise NodeFailed(f"the input is {kind_of(value)}{shown}, not a number. Give a number, or convert it first.")
    return number


def finite(number: int | float) -> int | float:
    """``number``, unless it has no JSON form."""
    if not math.isfinite(number):
        raise NodeFailed("the result is too large for a number. Scale the input down.")
    return number


def field_of(item: Any, parts: Parts) -> Any:
    """What a path gives in an item; null where nothing is."""
    value = walk(item, parts)
    return None if value is MISSING else value


def key_of(value: Any) -> str:
    """A value as the key of an object: ``true``, ``null``, ``1`` (also for 1.0), JSON for lists and objects."""
    return value if isinstance(value, str) else canonical_bytes(_with_whole_numbers(value)).decode()


def identity_of(value: Any) -> bytes:
    """Bytes that are the same for values that ``==`` calls equal."""
    return canonical_bytes(_with_whole_numbers(value))


def _with_whole_numbers(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_with_whole_numbers(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _with_whole_numbers(item) for key, item in value.items()}
    return value
