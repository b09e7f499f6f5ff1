"""Numbers within bounds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from statebag.nodes.llm._text import Draw

__all__ = ["bounded_numbers"]

_TRIES = 1000


def bounded_numbers(words: Mapping[str, Any], draw: Draw, place: str, *, whole: bool) -> Iterator[int | float]:
    """Numbers that fit the keywords ``minimum`` to ``multipleOf``; hundredths where nothing asks for more."""
    low, low_open = _bound(words, "minimum", "exclusiveMinimum", highest=True)
    high, high_open = _bound(words, "maximum", "exclusiveMaximum", highest=False)
    step: Fraction | None = words.get("multipleOf")
    if whole:
        step = Fraction(step.numerator) if step else Fraction(1)
    for grid in (step,) if step else (Fraction(1, 100), Fraction(1, 10**6), Fraction(1, 10**12)):
        first = None if low is None else math.ceil(low / grid)
        last = None if high is None else math.floor(high / grid)
        if first is not None and low_open and first * grid == low:
            first += 1
        if last is not None and high_open and last * grid == high:
            last -= 1
        side = -1 if first is None and last is not None else 1
        origin = (last if side < 0 else first) or 0
        count = 100 if first is None or last is None else last - first + 1
        if count > 0:
            start = draw(place, min(count, 2**62))
            yield from (_plain((origin + side * ((start + at) % count)) * grid) for at in range(min(count, _TRIES)))
            if first is None or last is None:
                # For lists of unique items that are longer than the plain range.
                yield from (_plain((origin + side * draw(f"{place}*{at}", 2**31)) * grid) for at in range(_TRIES))
    if low is not None and high is not None:
        yield from (_plain((low + high) / 2), _plain(low), _plain(high))


def _bound(words: Mapping[str, Any], closed: str, opened: str, *, highest: bool) -> tuple[Fraction | None, bool]:
    inner: Any = words.get(closed)
    outer: Any = words.get(opened)
    if isinstance(outer, bool):
        # Draft 4 wrote the open bound as a flag beside the closed one.
        return (None if inner is None else Fraction(str(inner))), outer
    if outer is None or (inner is not None and (inner > outer if highest else inner < outer)):
        return (None if inner is None else Fraction(str(inner))), False
    return Fraction(str(outer)), True


def _plain(number: Fraction) -> int | float:
    return number.numerator if number.denominator == 1 else float(number)
