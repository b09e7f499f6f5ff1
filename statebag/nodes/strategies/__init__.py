"""The strategies of ``operator_official`` nodes: pure functions, found by name in one registry."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from statebag.nodes.strategies import (
    _control,
    _encoding,
    _lists,
    _math,
    _objects,
    _strings,
    _types,
    _utility,
)
from statebag.nodes.strategies._condition import bind_condition
from statebag.nodes.strategies._params import Param
from statebag.nodes.strategies._strategy import Strategy, StrategyContext

__all__ = ["STRATEGIES", "Param", "Strategy", "StrategyContext", "bind_condition"]

_GROUPS: Final = (_objects, _lists, _strings, _types, _control, _encoding, _math, _utility)

STRATEGIES: Final[Mapping[str, Strategy]] = MappingProxyType(
    {strategy.name: strategy for group in _GROUPS for strategy in group.STRATEGIES}
)
"""Name to strategy."""
