"""Strategies that pass through, note, and measure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from statebag.canonical import size_of
from statebag.config.templates import text_of
from statebag.nodes.strategies._kinds import kind_of
from statebag.nodes.strategies._params import Param, word
from statebag.nodes.strategies._strategy import Strategy, StrategyContext

__all__ = ["STRATEGIES"]

_MAX_SHOWN: Final = 1024


def _pass_through(value: Any, params: Mapping[str, Any], context: StrategyContext) -> Any:
    return value


def _log_entry(value: Any, params: Mapping[str, Any]) -> dict[str, Any]:
    message = params["message"]
    if message is None:
        size = size_of(value)
        message = text_of(value) if size <= _MAX_SHOWN else f"{kind_of(value)} of {size} bytes"
    return {"type": "log", "level": params["level"], "message": text_of(message)}


def _timestamp(value: Any, params: Mapping[str, Any], context: StrategyContext) -> Any:
    moment, layout = context.now(), params["format"]
    if layout == "iso":
        return moment.isoformat()
    if layout == "unix":
        return int(moment.timestamp())
    if layout in ("unix_ms", "epoch_ms", "ms"):
        return int(moment.timestamp() * 1000)
    return moment.timestamp() if layout == "epoch" else moment.strftime(layout)


def _get_state_size(value: Any, params: Mapping[str, Any], context: StrategyContext) -> float:
    return round(size_of(value) / 1024, 1)


STRATEGIES: Final = (
    Strategy(name="echo", apply=_pass_through),
    Strategy(
        name="log",
        apply=_pass_through,
        params={
            "level": Param(
                kind="word",
                default="info",
                choices=word("debug", "info", "warning", "error", "critical", warn="warning"),
            ),
            "message": Param(),
        },
        takes_state=False,
        history_entry=_log_entry,
    ),
    Strategy(
        name="timestamp", apply=_timestamp, params={"format": Param(kind="text", default="iso")}, takes_state=False
    ),
    Strategy(name="get_state_size", apply=_get_state_size),
)
