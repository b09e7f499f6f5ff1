"""Figures: a median, and the median that it is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

__all__ = ["Figure", "figure_of"]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured value."""

    name: str
    """``{benchmark}.{what}``."""
    value: float
    unit: str
    compared_with: float | None = None
    """The same unit, measured in the same run; None where the value is compared with nothing."""
    ratio: float | None = None
    """``value / compared_with``."""
    baseline: str = ""
    """What ``compared_with`` was measured on."""

    def to_json(self) -> dict[str, Any]:
        """The printed form."""
        names = ("name", "value", "unit", "compared_with", "ratio")
        return {name: getattr(self, name) for name in names}


def figure_of(
    name: str,
    values: Sequence[float],
    unit: str,
    *,
    against: Sequence[float] | None = None,
    baseline: str = "",
    digits: int = 3,
) -> Figure:
    """The median of ``values``, compared with the median of ``against``."""
    value = round(median(values), digits)
    compared = None if against is None else round(median(against), digits)
    ratio = round(value / compared, 4) if compared else None
    return Figure(name=name, value=value, unit=unit, compared_with=compared, ratio=ratio, baseline=baseline)
