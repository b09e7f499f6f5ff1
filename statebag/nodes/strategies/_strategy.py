"""What a strategy is: a pure function of an input, its params and a few facts about the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from statebag.config.expressions import Names
from statebag.errors import NodeFailed, Problem, StateBagError
from statebag.nodes.strategies._condition import check_condition
from statebag.nodes.strategies._params import ABSENT, Param, ParamError, holds_template

__all__ = ["Strategy", "StrategyContext"]


@dataclass(frozen=True, kw_only=True)
class StrategyContext:
    """What a strategy may know besides its input and params."""

    names: Names
    """What ``$`` and ``$.name`` mean in a condition on the input."""
    state: Names
    """What a text's own template sees behind its context."""
    given: bool = True
    """Whether the node names an input."""
    now: Callable[[], datetime]
    seed: Callable[..., bytes]
    """32 bytes that are this node's own, and stay the same when it is tried again."""


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """One entry of the registry."""

    name: str
    apply: Callable[[Any, Mapping[str, Any], StrategyContext], Any]
    """Input, params (defaults filled in), context to result. Never changes its input."""
    params: Mapping[str, Param] = field(default_factory=dict[str, Param])
    """Those it takes; others are ignored."""
    takes_state: bool = True
    """Whether the whole state is its input where the node names none; else that is null."""
    top_fields: Callable[[Mapping[str, Any]], frozenset[str] | None] | None = None
    """Given the params: the fields of an object that it reads, null for all. Spares fetching the others."""
    demands: Callable[[Mapping[str, Any]], str | None] | None = None
    """Given the params' names and values: what is wrong with them together, if anything."""
    history_entry: Callable[[Any, Mapping[str, Any]], Mapping[str, Any]] | None = None
    """Given the input and params: what it adds to the history."""

    def resolve(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Read rendered params and fill in defaults; a null counts as not given unless null is a value there.

        Raises:
            NodeFailed: one is missing or wrong.
        """
        resolved: dict[str, Any] = {}
        for name, param in self.params.items():
            try:
                resolved[name] = param.read(params.get(name, ABSENT))
            except (ParamError, StateBagError) as error:
                raise NodeFailed(f"param `{name}`: {error}") from error
        wrong = self.demands(resolved) if self.demands else None
        if wrong:
            raise NodeFailed(wrong)
        return resolved

    def check(self, params: Mapping[str, Any], path: str) -> Iterator[Problem]:
        """A problem for each param that is wrong whatever the state holds; ``path`` is that of ``params``."""
        known: dict[str, Any] = {}
        complete = True
        for name, param in self.params.items():
            value = params.get(name, ABSENT)
            where = f"{path}.{name}"
            try:
                if param.is_condition and isinstance(value, str) and value.strip():
                    check_condition(value)
                elif holds_template(value):
                    complete = False
                    continue
                else:
                    value = param.read(value)
                known[name] = value
            except ParamError as error:
                complete = False
                yield Problem(path=where, code=error.code, message=str(error))
            except StateBagError as error:
                complete = False
                yield Problem(path=where, code=error.code, message=error.message)
        wrong = self.demands(known) if complete and self.demands else None
        if wrong:
            yield Problem(path=path, code="FIELD_VALUE", message=wrong)

    def run(self, value: Any, params: Mapping[str, Any], context: StrategyContext) -> Any:
        """The result for an input and rendered params.

        Raises:
            NodeFailed: it can't be computed from them.
        """
        return self.apply(value, self.resolve(params), context)
