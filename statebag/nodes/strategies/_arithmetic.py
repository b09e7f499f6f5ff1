"""Arithmetic on named numbers: ``+ - * / % **``, parentheses, signs."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from statebag.config.paths import MISSING, parse_path, walk
from statebag.errors import NodeFailed
from statebag.nodes.strategies._kinds import finite, is_number, kind_of, read_number

__all__ = ["calculate", "names_in"]

_TOKEN = re.compile(
    r"\s*(?:([0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+)|([^\W\d]\w*(?:\.\w+|\[\d+\])*)|(\*\*|[-+*/%()]))"
)
_MAX_LENGTH: Final = 2000
_MAX_NESTING: Final = 50
_MAX_BITS: Final = 4096
"""Size of the largest whole number that ``**`` and ``*`` may make."""


def calculate(text: str, names: Mapping[str, Any]) -> int | float:
    """The value of an arithmetic expression.

    ``**`` binds tightest and to the right, then signs, then ``* / %``, then ``+ -``. ``/`` always gives a float.

    Raises:
        NodeFailed: it is malformed, reads a name that is no number, divides by zero or grows too large.
    """
    if len(text) > _MAX_LENGTH:
        raise NodeFailed(f"param `expression` has {len(text)} characters; {_MAX_LENGTH} are the most. Split it.")
    calculator = _Calculator(text, names)
    try:
        return finite(calculator.total())
    except OverflowError as cause:
        raise NodeFailed(f"{text!r} gives a number that is too large. Scale the values down.") from cause


def names_in(text: str) -> frozenset[str]:
    """The first parts of the names that an expression reads."""
    return frozenset(str(parse_path(match[2])[0]) for match in _TOKEN.finditer(text) if match[2])


class _Calculator:
    def __init__(self, text: str, names: Mapping[str, Any]) -> None:
        self._text = text
        self._names = names
        self._tokens: list[tuple[str, str]] = []
        self._next = 0
        self._nesting = 0
        position = 0
        while text[position:].strip():
            match = _TOKEN.match(text, position)
            if match is None:
                raise self._malformed(f"unknown text {text[position:].strip()[:20]!r}")
            kind = ("number", "name", "sign")[(match.lastindex or 1) - 1]
            self._tokens.append((kind, match[match.lastindex or 1]))
            position = match.end()

    def total(self) -> int | float:
        """The value of everything."""
        value = self._sum()
        if self._next < len(self._tokens):
            raise self._malformed(f"unexpected {self._tokens[self._next][1]!r}")
        return value

    def _malformed(self, what: str) -> NodeFailed:
        return NodeFailed(f"{self._text!r} is no arithmetic: {what}. Use numbers, names, + - * / % ** and parentheses.")

    def _take(self, *signs: str) -> str | None:
        if self._next < len(self._tokens):
            kind, text = self._tokens[self._next]
            if kind == "sign" and text in signs:
                self._next += 1
                return text
        return None

    def _sum(self) -> int | float:
        return self._chain(self._product, "+", "-")

    def _product(self) -> int | float:
        return self._chain(self._signed, "*", "/", "%")

    def _chain(self, operand: Callable[[], int | float], *signs: str) -> int | float:
        value = operand()
        while sign := self._take(*signs):
            value = _apply(sign, value, operand())
        return value

    def _signed(self) -> int | float:
        sign = self._take("+", "-")
        if sign is None:
            return self._power()
        value = self._deeper(self._signed)
        return -value if sign == "-" else value

    def _power(self) -> int | float:
        base = self._operand()
        return _raise(base, self._deeper(self._signed)) if self._take("**") else base

    def _operand(self) -> int | float:
        if self._take("("):
            value = self._deeper(self._sum)
            if not self._take(")"):
                raise self._malformed("a parenthesis is not closed")
            return value
        if self._next == len(self._tokens):
            raise self._malformed("something is missing at the end")
        kind, text = self._tokens[self._next]
        self._next += 1
        if kind == "number":
            number = read_number(text)
            if number is None:
                raise self._malformed(f"the number {text[:20]} is too large")
            return number
        if kind == "name":
            return self._named(text)
        raise self._malformed(f"unexpected {text!r}")

    def _named(self, text: str) -> int | float:
        value = walk(self._names, parse_path(text))
        if value is MISSING:
            known = ", ".join(sorted(self._names)[:10]) or "none"
            raise NodeFailed(f"{self._text!r} reads {text!r}, which is unknown. Known names: {known}.")
        if not is_number(value):
            raise NodeFailed(f"{self._text!r} reads {text!r}, which is {kind_of(value)}. Give a number.")
        return value

    def _deeper(self, read: Callable[[], int | float]) -> int | float:
        self._nesting += 1
        if self._nesting > _MAX_NESTING:
            raise self._malformed(f"it is nested more than {_MAX_NESTING} deep")
        value = read()
        self._nesting -= 1
        return value


def _apply(sign: str, left: int | float, right: int | float) -> int | float:
    if sign == "+":
        return left + right
    if sign == "-":
        return left - right
    if sign == "*":
        _need_room(left, right)
        return left * right
    if right == 0:
        raise NodeFailed("division by zero. Check the divisor with an `if_else` first.")
    return left / right if sign == "/" else left % right


def _need_room(left: int | float, right: int | float) -> None:
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() + right.bit_length() > _MAX_BITS:
        raise OverflowError


def _raise(base: int | float, exponent: int | float) -> int | float:
    if base == 0 and exponent < 0:
        raise NodeFailed("division by zero: 0 has no negative power. Check the base first.")
    if isinstance(base, int) and isinstance(exponent, int) and exponent > 0:
        if base.bit_length() * exponent > _MAX_BITS:
            raise OverflowError
        return base**exponent
    if base < 0 and exponent != math.floor(exponent):
        raise NodeFailed("a negative number has no fractional power. Check the base first.")
    return float(base) ** float(exponent) if exponent else 1
