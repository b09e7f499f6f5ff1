"""``operator_official``: apply one of the named strategies to an input."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Final

from statebag.config import Node
from statebag.config.expressions import Names, names_of, parse_expression
from statebag.config.paths import MISSING, ExpressionError, Parts, parse_path
from statebag.config.templates import check_templates, render, template_fields
from statebag.errors import NodeFailed, Problem, StateBagError, Unserialisable
from statebag.nodes._base import NodeContext, NodeOutput, Scope
from statebag.nodes.strategies import STRATEGIES, Strategy, StrategyContext, bind_condition

__all__ = ["NODE_TYPES", "OperatorOfficial"]

_HANDLING: Final = ("fail", "fallback", "skip")


class OperatorOfficial:
    """Reads an input, applies ``config.strategy``, writes ``config.output_key``."""

    name: ClassVar[str] = "operator_official"
    outside: ClassVar[bool] = False

    def check(self, node: Node, path: str) -> Iterator[Problem]:
        """See :class:`~statebag.nodes.NodeType`."""
        config, path = node.config, f"{path}.config"
        strategy = _strategy_of(node)
        if strategy is None:
            yield _unknown_strategy(config.get("strategy"), f"{path}.strategy")
        handling = config.get("error_handling") or "fail"
        if handling not in _HANDLING:
            yield Problem(
                path=f"{path}.error_handling",
                code="FIELD_VALUE",
                message=f"{handling!r} is unknown. Use one of: {', '.join(_HANDLING)}.",
            )
        for key in ("input_key", "output_key"):
            if not isinstance(config.get(key) or "", str):
                yield Problem(path=f"{path}.{key}", code="FIELD_TYPE", message="must be a text.")
        try:
            _input_path(node)
        except ExpressionError as error:
            yield Problem(path=f"{path}.input_key", code=error.code, message=error.message)
        for key in ("input", "fallback"):
            yield from check_templates(config.get(key), f"{path}.{key}")
        yield from _check_params(config.get("params"), strategy, f"{path}.params")

    def reads(self, node: Node) -> frozenset[str] | None:
        """The fields it will read; null for all."""
        strategy = _strategy_of(node)
        if strategy is None:
            return frozenset()
        try:
            return _union(_parts_read(node, strategy))
        except StateBagError:
            return None

    def run(self, node: Node, scope: Scope, context: NodeContext) -> NodeOutput:
        """Apply the strategy; a failed ``assert`` raises whatever ``error_handling`` says."""
        strategy = _strategy_of(node)
        if strategy is None:
            problem = _unknown_strategy(node.config.get("strategy"), f"node `{node.id}`")
            raise NodeFailed(f"{problem.path}: {problem.message}", code=problem.code)
        output_key = node.config.get("output_key") or f"{node.id}_result"
        step = f"{self.name}:{strategy.name}"
        try:
            result, logs = _apply(node, strategy, scope, context)
        except (NodeFailed, Unserialisable) as error:
            handling = node.config.get("error_handling") or "fail"
            fallback = node.config.get("fallback")
            if error.code == "ASSERTION_FAILED" or handling == "fail" or (handling == "fallback" and fallback is None):
                raise NodeFailed(
                    f"node `{node.id}` ({strategy.name}): {error.message}", code=error.code, details=error.details
                ) from error
            if handling == "skip":
                changes = {f"{node.id}_skipped": True, f"{node.id}_error": error.message}
            else:
                changes = {output_key: render(fallback, scope)}
            return NodeOutput(changes=changes, logs=(_handled(node, strategy, handling, error),), step=step)
        return NodeOutput(changes={output_key: result}, logs=logs, step=step)


NODE_TYPES: Final = (OperatorOfficial(),)


@dataclass(frozen=True, kw_only=True)
class _Input:
    value: Any
    given: bool
    names: Names


def _apply(
    node: Node, strategy: Strategy, scope: Scope, context: NodeContext
) -> tuple[Any, tuple[Mapping[str, Any], ...]]:
    state = names_of(scope)
    params = strategy.resolve(_render_params(node, strategy, state))
    found = _read_input(node, strategy, params, scope)
    result = strategy.apply(
        found.value,
        params,
        StrategyContext(
            names=found.names, state=state, given=found.given, now=context.now, seed=partial(context.seed, node.id)
        ),
    )
    if strategy.history_entry is None:
        return result, ()
    return result, ({**strategy.history_entry(found.value, params), "node_id": node.id},)


def _read_input(node: Node, strategy: Strategy, params: Mapping[str, Any], scope: Scope) -> _Input:
    template = node.config.get("input")
    if template is not None:
        value = render(template, scope)
        return _Input(value=value, given=True, names=names_of(value))
    parts = _input_path(node)
    if parts:
        found = names_of(scope).resolve(parts)
        value = None if found is MISSING else found
        return _Input(value=value, given=True, names=_aliased(value, parts[-1]))
    names = names_of(scope)
    if parts is None and not strategy.takes_state:
        return _Input(value=None, given=False, names=names)
    wanted = strategy.top_fields(params) if strategy.top_fields else None
    value = scope.whole() if wanted is None else {name: scope[name] for name in sorted(wanted) if name in scope}
    return _Input(value=value, given=parts is not None, names=names)


def _aliased(value: Any, alias: object) -> Names:
    """Names in an input that also goes by the last part of its key, unless it has a key of that name."""

    def find(name: str) -> Any:
        if isinstance(value, Mapping) and name in value:
            return value[name]
        return value if name == alias else MISSING

    return Names(whole=lambda: value, find=find)


def _render_params(node: Node, strategy: Strategy, state: Names) -> dict[str, Any]:
    """Params with their templates rendered, but for those that the strategy renders itself, and for conditions."""
    rendered: dict[str, Any] = {}
    for name, value in _params_of(node).items():
        param = strategy.params.get(name)
        if param is not None and param.is_condition and isinstance(value, str):
            rendered[name] = bind_condition(value, state)
        elif param is not None and param.kind == "template":
            rendered[name] = value
        else:
            rendered[name] = render(value, state)
    return rendered


def _handled(node: Node, strategy: Strategy, handling: str, error: StateBagError) -> dict[str, Any]:
    return {
        "type": "operator_error",
        "node_id": node.id,
        "strategy": strategy.name,
        "handled_by": handling,
        "code": error.code,
        "message": error.message,
    }


def _strategy_of(node: Node) -> Strategy | None:
    name = node.config.get("strategy")
    return STRATEGIES.get(name.strip().lower()) if isinstance(name, str) else None


def _params_of(node: Node) -> Mapping[str, Any]:
    return node.config.get("params") or {}


def _input_path(node: Node) -> Parts | None:
    """The path of the input, or null where no key is named."""
    key = node.config.get("input_key")
    return parse_path(key) if isinstance(key, str) and key.strip() else None


def _unknown_strategy(name: object, path: str) -> Problem:
    if not name:
        return Problem(path=path, code="FIELD_MISSING", message="names no strategy. Write one, such as `echo`.")
    near = difflib.get_close_matches(str(name).strip().lower(), STRATEGIES, n=3)
    hint = f"Did you mean {' or '.join(f'`{match}`' for match in near)}?" if near else "The documentation lists them."
    return Problem(path=path, code="STRATEGY_UNKNOWN", message=f"there is no strategy {name!r}. {hint}")


def _check_params(params: Any, strategy: Strategy | None, path: str) -> Iterator[Problem]:
    if params is not None and not isinstance(params, Mapping):
        yield Problem(path=path, code="FIELD_TYPE", message="must be an object.")
        return
    given: Mapping[str, Any] = params or {}
    for name, value in given.items():
        param = strategy.params.get(name) if strategy else None
        if param is None or not param.is_condition:
            yield from check_templates(value, f"{path}.{name}")
    if strategy is not None:
        yield from strategy.check(given, path)


def _union(parts: Iterator[frozenset[str] | None]) -> frozenset[str] | None:
    names: frozenset[str] = frozenset()
    for part in parts:
        if part is None:
            return None
        names |= part
    return names


def _parts_read(node: Node, strategy: Strategy) -> Iterator[frozenset[str] | None]:
    config, params = node.config, _params_of(node)
    for name, value in params.items():
        yield _fields_of_param(strategy, name, value, params)
    if config.get("error_handling") == "fallback":
        yield template_fields(config.get("fallback"))
    if config.get("input") is not None:
        yield template_fields(config["input"])
        return
    key = _input_path(node)
    if key is not None:
        yield frozenset({key[0]}) if key and isinstance(key[0], str) else None
        return
    yield from _fields_of_state(strategy, params)


def _fields_of_param(strategy: Strategy, name: str, value: Any, params: Mapping[str, Any]) -> frozenset[str] | None:
    fields = template_fields(value)
    param = strategy.params.get(name)
    if fields is None or param is None or param.kind != "template":
        return fields
    context = params.get("context")
    return fields - context.keys() if isinstance(context, Mapping) else fields


def _fields_of_state(strategy: Strategy, params: Mapping[str, Any]) -> Iterator[frozenset[str] | None]:
    """What is read where the whole state is the input."""
    if strategy.takes_state:
        wanted: Callable[[Mapping[str, Any]], frozenset[str] | None] | None = strategy.top_fields
        plain = template_fields(dict(params)) == frozenset()
        yield wanted(strategy.resolve(params)) if wanted and plain else None
        return
    for name, param in strategy.params.items():
        condition = params.get(name)
        if param.is_condition and isinstance(condition, str):
            plain = template_fields(condition) == frozenset()
            yield parse_expression(condition).fields() if plain else None
