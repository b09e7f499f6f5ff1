"""Strategies that choose and check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from statebag.config.paths import Parts
from statebag.errors import NodeFailed
from statebag.nodes.strategies._kinds import field_of, key_of
from statebag.nodes.strategies._params import Param
from statebag.nodes.strategies._strategy import Strategy, StrategyContext

__all__ = ["STRATEGIES"]


def _if_else(value: Any, params: Mapping[str, Any], context: StrategyContext) -> Any:
    return params["then"] if params["condition"].holds(context.names) else params["else"]


def _assert(value: Any, params: Mapping[str, Any], context: StrategyContext) -> Any:
    if not params["condition"].holds(context.names):
        message = params["message"] or "Check the data that leads here."
        raise NodeFailed(f"assertion failed: {params['condition'].text}: {message}", code="ASSERTION_FAILED")
    return value if context.given else True


def _switch_case(value: Any, params: Mapping[str, Any], context: StrategyContext) -> Any:
    key = key_of(field_of(value, params["field"] or ()))
    cases: Mapping[str, Any] = params["cases"]
    return cases[key] if key in cases else params["default"]


def _default_value(value: Any, params: Mapping[str, Any], context: StrategyContext) -> Any:
    empty = isinstance(value, str | list | Mapping) and not value
    return params["default"] if value is None or (empty and params["treat_empty_as_null"]) else value


def _try_catch(value: Any, params: Mapping[str, Any], context: StrategyContext) -> Any:
    return params["fallback"] if value is None else value


def _head_of_field(params: Mapping[str, Any]) -> frozenset[str] | None:
    parts: Parts = params["field"] or ()
    return frozenset({parts[0]}) if parts and isinstance(parts[0], str) else None


_CONDITION: Final = Param(kind="condition", required=True)

STRATEGIES: Final = (
    Strategy(
        name="if_else",
        apply=_if_else,
        params={"condition": _CONDITION, "then": Param(), "else": Param()},
        takes_state=False,
    ),
    Strategy(
        name="assert",
        apply=_assert,
        params={"condition": _CONDITION, "message": Param(kind="text", default="")},
        takes_state=False,
    ),
    Strategy(
        name="switch_case",
        apply=_switch_case,
        params={"cases": Param(kind="object", default={}), "default": Param(), "field": Param(kind="path")},
        top_fields=_head_of_field,
    ),
    Strategy(
        name="default_value",
        apply=_default_value,
        params={"default": Param(), "treat_empty_as_null": Param(kind="boolean", default=True)},
    ),
    Strategy(name="try_catch", apply=_try_catch, params={"fallback": Param()}),
)
