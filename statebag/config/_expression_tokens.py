"""Tokens of the expression language, which templates share."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Final

from statebag.config.paths import ExpressionError

__all__ = ["Token", "refuse", "tokenize"]

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<number>-?(?:[0-9]+\.[0-9]+|[0-9]+)(?:[eE][+-]?[0-9]+)?(?![\w.]))
      | (?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
      | (?P<word>[^\W]\w*)
      | (?P<sign>==|!=|>=|<=|[<>$.,|()\[\]])""",
    re.VERBOSE | re.DOTALL,
)
_NAME = re.compile(r"(?P<word>[^\W]\w*)")
_HYPHENATED = re.compile(r"[^\W]\w*(?:-+\w+)*")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_SIMPLE_ESCAPES: Final = {
    "n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "/": "/", "\\": "\\", "'": "'", '"': '"',
}  # fmt: skip
_HINTS: Final = {
    "=": "write `==` for equality",
    "&": "write `and`",
    "|": "write `or`",
    "!": "write `not`, or `!=`",
    "'": "the quote is not closed",
    '"': "the quote is not closed",
    "{": "objects can't be written here; compare single fields",
    "+": "there is no arithmetic here; use the strategy `math_expression`",
    "-": "there is no arithmetic here; write a name with a hyphen as `$['a-b']`",
    "*": "there is no arithmetic here; use the strategy `math_expression`",
    "/": "there is no arithmetic here; use the strategy `math_expression`",
}
_MAX_NUMBER: Final = 300


@dataclass(frozen=True, kw_only=True)
class Token:
    """One token."""

    kind: str
    """``number``, ``text``, ``word``, ``sign``, or ``end``."""
    text: str
    """As it is written, for signs and words."""
    position: int
    """Where it starts, from 0."""
    value: Any = None
    """What a number or text means."""
    adjoins: bool = False
    """Whether no space stands before it."""


def refuse(source: str, position: int, what: str, remedy: str) -> ExpressionError:
    """The error for a place in ``source``."""
    near = source[position : position + 20]
    place = f"position {position + 1}, at {near!r}" if near else "the end"
    shown = source if len(source) <= 120 else f"{source[:120]}…"
    return ExpressionError(f"{what} ({place} of {shown!r}): {remedy}.", details={"position": position})


def tokenize(source: str, *, hyphens: bool = False) -> tuple[Token, ...]:
    """Cut ``source`` into tokens, with an ``end`` behind them.

    Args:
        source: The text.
        hyphens: Whether names may hold hyphens, as in templates, which have no minus.

    Raises:
        ExpressionError: a character fits nowhere.
    """
    tokens: list[Token] = []
    position = 0
    adjoins = False
    while position < len(source):
        after_dot = adjoins and tokens[-1].text == "." and tokens[-1].kind == "sign"
        match = (_NAME.match(source, position) if after_dot else None) or _TOKEN.match(source, position)
        if match is None:
            raise refuse(source, position, "unknown text", _HINTS.get(source[position], "paths start with `$.`"))
        kind = match.lastgroup or ""
        if kind == "word" and hyphens:
            match = _HYPHENATED.match(source, position) or match
        text = match.group()
        if kind == "space":
            adjoins = False
        else:
            value = _read_value(source, position, kind, text)
            tokens.append(Token(kind=kind, text=text, position=position, value=value, adjoins=adjoins))
            adjoins = True
        position = match.end()
    tokens.append(Token(kind="end", text="", position=len(source)))
    return tuple(tokens)


def _read_value(source: str, position: int, kind: str, text: str) -> Any:
    if kind == "number":
        if len(text) > _MAX_NUMBER:
            raise refuse(source, position, "the number is too long", f"{_MAX_NUMBER} digits are the most")
        number = int(text) if text.lstrip("-").isdecimal() else float(text)
        if not math.isfinite(number):
            raise refuse(source, position, "the number is too large", "it has no JSON form")
        return number
    if kind == "text":
        return _read_text(source, position, text)
    return None


def _read_text(source: str, position: int, text: str) -> str:
    def replace(match: re.Match[str]) -> str:
        code = match[1]
        if len(code) > 1:
            return chr(int(code[1:], 16))
        if code not in _SIMPLE_ESCAPES:
            raise refuse(
                source, position + match.start() + 1, f"unknown escape \\{code}", "write a backslash as two of them"
            )
        return _SIMPLE_ESCAPES[code]

    read = _ESCAPE.sub(replace, text[1:-1])
    if "\\u" not in text:
        return read
    try:
        return read.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise refuse(source, position, "half a character", "write both halves of a \\ud8xx\\udcxx pair") from None
