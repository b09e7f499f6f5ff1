"""Dotted paths into JSON values: how they are written, and how they are walked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from statebag.errors import StateBagError

__all__ = [
    "MAX_DEPTH",
    "MISSING",
    "ExpressionError",
    "Missing",
    "Part",
    "Parts",
    "escape",
    "index_of",
    "parse_path",
    "print_path",
    "quote",
    "walk",
]

MAX_DEPTH: Final = 20
"""Parts that a path may have."""

Part = str | int
"""A key (or, as decimal digits, a list index), or a list index that may be negative."""
Parts = tuple[Part, ...]

_STEP = re.compile(r"""\.?(?P<name>[^.\[\]]+)|\[(?P<index>-?\d{1,9})\]|\[(?P<quoted>'[^']*'|"[^"]*")\]""")
_PLAIN_NAME = re.compile(r"[^\W]\w*")
_MAX_QUOTED: Final = 80


class ExpressionError(StateBagError):
    """An expression or a path is outside its language."""

    default_code = "EXPRESSION_SYNTAX"


class Missing:
    """What a path gives where nothing is: unlike null, which is a value."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing()


def parse_path(text: str) -> Parts:
    """Read ``a.b``, ``a[0].b``, ``a.0``, ``a['b c']``, each with or without a leading ``$.``.

    The empty text, ``.`` and ``$`` are the value itself. A name may hold anything but dots and brackets.

    Raises:
        ExpressionError: the text is no path, or has more than :data:`MAX_DEPTH` parts.
    """
    rest = text.strip()
    if rest == "$" or rest.startswith(("$.", "$[")):
        rest = rest[1:]
    if rest in ("", "."):
        return ()
    parts: list[Part] = []
    position = 0
    while position < len(rest):
        step = _STEP.match(rest, position)
        needs_dot = position > 0 and rest[position] not in ".["
        if step is None or needs_dot:
            shown = text if len(text) <= _MAX_QUOTED else f"{text[:_MAX_QUOTED]}…"
            raise ExpressionError(
                f"{shown!r} is no path: unreadable from {rest[position : position + 20]!r}. "
                "Write names with dots and list indices in brackets, such as `order.items[0].price`."
            )
        if step["index"] is not None:
            parts.append(int(step["index"]))
        elif step["quoted"] is not None:
            parts.append(step["quoted"][1:-1])
        else:
            parts.append(step["name"])
        position = step.end()
    if len(parts) > MAX_DEPTH:
        raise ExpressionError(f"a path of {len(parts)} parts is too deep: {MAX_DEPTH} is the most. Shorten it.")
    return tuple(parts)


def print_path(parts: Parts) -> str:
    """The path as an expression writes it, starting with ``$``."""
    text = ["$"]
    for part in parts:
        if isinstance(part, int):
            text.append(f"[{part}]")
        elif _PLAIN_NAME.fullmatch(part):
            text.append(f".{part}")
        else:
            text.append(f"[{quote(part)}]")
    return "".join(text)


def quote(text: str) -> str:
    """``text`` as a quoted literal of the expression language."""
    return f"'{escape(text)}'"


def escape(text: str) -> str:
    """``text`` as it stands between the quotes, single or double, of a literal."""
    return text.replace("\\", "\\\\").replace("'", "\\'").replace('"', '\\"')


def walk(value: Any, parts: Parts) -> Any:
    """What lies at ``parts`` below ``value``, or :data:`MISSING`.

    Only mappings and lists are entered: never the attributes of an object, never the characters of a text.
    """
    for part in parts:
        if isinstance(value, Mapping):
            if not isinstance(part, str) or part not in value:
                return MISSING
            value = value[part]
        elif isinstance(value, list):
            index = index_of(part)
            if index is None or not -len(value) <= index < len(value):
                return MISSING
            value = value[index]
        else:
            return MISSING
    return value


def index_of(part: Part) -> int | None:
    """The list index that a part means; null for a name that is none."""
    if isinstance(part, int):
        return part
    return int(part) if part.isascii() and part.isdecimal() and len(part) < 10 else None
