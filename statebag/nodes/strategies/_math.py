"""Strategies on numbers: what is no number is refused."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from statebag.errors import NodeFailed
from statebag.nodes.strategies._arithmetic import calculate, names_in
from statebag.nodes.strategies._kinds import finite, is_number, number_in, read_number
from statebag.nodes.strategies._params import Param
from statebag.nodes.strategies._strategy import Strategy, StrategyContext

__all__ = ["STRATEGIES"]


def _rounded(number: int | float, decimals: int) -> float:
    try:
        return float(finite(round(number, decimals)))
    except OverflowError as cause:
        raise NodeFailed("the result is too large for a number. Scale the input down.") from cause


def _math_round(value: Any, params: Mapping[str, Any], context: StrategyContext) -> float:
    return _rounded(number_in(value), params["decimals"])


def _math_floor(value: Any, params: Mapping[str, Any], context: StrategyContext) -> int:
    return math.floor(number_in(value))


def _math_ceil(value: Any, params: Mapping[str, Any], context: StrategyContext) -> int:
    return math.ceil(number_in(value))


def _math_abs(value: Any, params: Mapping[str, Any], context: StrategyContext) -> int | float:
    return abs(number_in(value))


def _math_clamp(value: Any, params: Mapping[str, Any], context: StrategyContext) -> int | float:
    number, low, high = number_in(value), params["min"], params["max"]
    if low is not None and number < low:
        return low
    return high if high is not None and number > high else number


def _math_percent(value: Any, params: Mapping[str, Any], context: StrategyContext) -> float:
    total = params["total"]
    if total == 0:
        raise NodeFailed("param `total` is 0: there is no percentage of nothing. Give another total.")
    try:
        percent = number_in(value) / total * 100
    except OverflowError as cause:
        raise NodeFailed("the result is too large for a number. Scale the input down.") from cause
    return _rounded(finite(percent), params["decimals"])


def _math_expression(value: Any, params: Mapping[str, Any], context: StrategyContext) -> int | float:
    names: dict[str, Any] = {}
    if isinstance(value, Mapping):
        names.update(value)
    elif is_number(value):
        names["x"] = value
    elif isinstance(value, str) and read_number(value) is not None:
        names["x"] = read_number(value)
    return calculate(params["expression"], names | dict(params["variables"]))


def _min_is_below_max(params: Mapping[str, Any]) -> str | None:
    low, high = params["min"], params["max"]
    if low is not None and high is not None and low > high:
        return f"param `min` is {low}, above `max`, which is {high}. Swap them."
    return None


_DECIMALS: Final = Param(kind="integer", default=0, minimum=-30, maximum=30)

STRATEGIES: Final = (
    Strategy(name="math_round", apply=_math_round, params={"decimals": _DECIMALS}),
    Strategy(name="math_floor", apply=_math_floor),
    Strategy(name="math_ceil", apply=_math_ceil),
    Strategy(name="math_abs", apply=_math_abs),
    Strategy(
        name="math_clamp",
        apply=_math_clamp,
        params={"min": Param(kind="number"), "max": Param(kind="number")},
        demands=_min_is_below_max,
    ),
    Strategy(
        name="math_percent",
        apply=_math_percent,
        params={
            "total": Param(kind="number", default=100),
            "decimals": Param(kind="integer", default=2, minimum=-30, maximum=30),
        },
    ),
    Strategy(
        name="math_expression",
        apply=_math_expression,
        params={
            "expression": Param(kind="text", required=True),
            "variables": Param(kind="object", default={}),
        },
        top_fields=lambda params: names_in(params["expression"]),
    ),
)
