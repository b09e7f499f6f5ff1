"""Strategies on lists: null is the empty list, anything else that is no list is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from statebag.config.expressions import Expression
from statebag.config.paths import MISSING, walk
from statebag.errors import NodeFailed
from statebag.nodes.strategies._kinds import field_of, identity_of, key_of, kind_of, list_in
from statebag.nodes.strategies._params import Param, word
from statebag.nodes.strategies._reduce import OPERATIONS, reduce_list
from statebag.nodes.strategies._strategy import Strategy, StrategyContext

__all__ = ["STRATEGIES"]


def _matching(value: Any, condition: Expression | None) -> Iterator[Any]:
    return (item for item in list_in(value) if condition is None or condition.holds(item))


def _list_map(value: Any, params: Mapping[str, Any], context: StrategyContext) -> list[Any]:
    expression: Expression | None = params["expression"]
    if expression is not None:
        return [expression.evaluate(item) for item in list_in(value)]
    return [field_of(item, params["field"]) for item in list_in(value)]


def _list_filter(value: Any, params: Mapping[str, Any], context: StrategyContext) -> list[Any]:
    return list(_matching(value, params["condition"]))


def _list_count(value: Any, params: Mapping[str, Any], context: StrategyContext) -> int:
    return sum(1 for _ in _matching(value, params["condition"]))


def _list_first(value: Any, params: Mapping[str, Any], context: StrategyContext) -> Any:
    return next(_matching(value, params["condition"]), params["default"])


def _list_last(value: Any, params: Mapping[str, Any], context: StrategyContext) -> Any:
    condition: Expression | None = params["condition"]
    backwards = reversed(list_in(value))
    return next((item for item in backwards if condition is None or condition.holds(item)), params["default"])


def _list_reduce(value: Any, params: Mapping[str, Any], context: StrategyContext) -> Any:
    items = list_in(value)
    if params["field"] is not None:
        items = [field_of(item, params["field"]) for item in items]
    return reduce_list(items, params["operation"], params["initial"])


def _list_sort(value: Any, params: Mapping[str, Any], context: StrategyContext) -> list[Any]:
    keyed = [(field_of(item, params["field"] or ()), item) for item in list_in(value)]
    present = [pair for pair in keyed if pair[0] is not None]
    _need_one_kind([key for key, _ in present])
    present.sort(key=lambda pair: pair[0], reverse=params["order"] == "desc")
    return [item for _, item in present] + [item for key, item in keyed if key is None]


def _need_one_kind(keys: list[Any]) -> None:
    kinds = {kind_of(key) for key in keys}
    if len(kinds) > 1 or not kinds <= {"a number", "a text", "a boolean"}:
        raise NodeFailed(
            f"{', '.join(sorted(kinds))} can't be put in order. Sort by a `field` that holds only numbers, or only texts."
        )


def _list_group_by(value: Any, params: Mapping[str, Any], context: StrategyContext) -> dict[str, Any]:
    items = list_in(value)
    if params["field"] is None:
        return {"_all": list(items)}
    groups: dict[str, list[Any]] = {}
    for item in items:
        key = field_of(item, params["field"])
        groups.setdefault("_unknown" if key is None else key_of(key), []).append(item)
    return groups


def _list_unique(value: Any, params: Mapping[str, Any], context: StrategyContext) -> list[Any]:
    seen: set[bytes] = set()
    kept: list[Any] = []
    for item in list_in(value):
        key = walk(item, params["field"] or ())
        if key is not MISSING:
            identity = identity_of(key)
            if identity in seen:
                continue
            seen.add(identity)
        kept.append(item)
    return kept


def _list_slice(value: Any, params: Mapping[str, Any], context: StrategyContext) -> list[Any]:
    return list_in(value)[params["start"] : params["end"] : params["step"]]


def _list_concat(value: Any, params: Mapping[str, Any], context: StrategyContext) -> list[Any]:
    return [*list_in(value), *(item for array in params["arrays"] for item in array)]


def _list_zip(value: Any, params: Mapping[str, Any], context: StrategyContext) -> list[dict[str, Any]]:
    arrays: list[list[Any]] = [*([list_in(value)] if context.given else []), *params["arrays"]]
    keys: list[str] = params["keys"]
    if len(keys) != len(arrays) or len(set(keys)) != len(keys):
        raise NodeFailed(
            f"param `keys` has {len(keys)} names for {len(arrays)} lists. Give each list a name of its own."
        )
    longest = max(map(len, arrays), default=0)
    return [
        {key: array[index] if index < len(array) else None for key, array in zip(keys, arrays, strict=True)}
        for index in range(longest)
    ]


def _list_reverse(value: Any, params: Mapping[str, Any], context: StrategyContext) -> list[Any]:
    return list_in(value)[::-1]


def _one_of_field_and_expression(params: Mapping[str, Any]) -> str | None:
    if (params["field"] is None) is (params["expression"] is None):
        return "give either the param `field` or the param `expression`."
    return None


def _step_is_not_zero(params: Mapping[str, Any]) -> str | None:
    return "param `step` is 0. Give another whole number." if params["step"] == 0 else None


_CONDITION: Final = Param(kind="condition")
_FIELD: Final = Param(kind="path")
_FIND: Final = {"condition": _CONDITION, "default": Param()}

STRATEGIES: Final = (
    Strategy(
        name="list_map",
        apply=_list_map,
        params={"field": _FIELD, "expression": _CONDITION},
        demands=_one_of_field_and_expression,
    ),
    Strategy(name="list_filter", apply=_list_filter, params={"condition": _CONDITION}),
    Strategy(
        name="list_reduce",
        apply=_list_reduce,
        params={
            "operation": Param(kind="word", default="sum", choices=OPERATIONS),
            "field": _FIELD,
            "initial": Param(),
        },
    ),
    Strategy(
        name="list_sort",
        apply=_list_sort,
        params={
            "field": _FIELD,
            "order": Param(
                kind="word",
                default="asc",
                choices=word("asc", "desc", ascending="asc", descending="desc", reverse="desc"),
            ),
        },
    ),
    Strategy(name="list_group_by", apply=_list_group_by, params={"field": _FIELD}),
    Strategy(name="list_unique", apply=_list_unique, params={"field": _FIELD}),
    Strategy(name="list_first", apply=_list_first, params=_FIND),
    Strategy(name="list_last", apply=_list_last, params=_FIND),
    Strategy(name="list_find", apply=_list_first, params=_FIND),
    Strategy(
        name="list_slice",
        apply=_list_slice,
        params={
            "start": Param(kind="integer", default=0),
            "end": Param(kind="integer"),
            "step": Param(kind="integer", default=1),
        },
        demands=_step_is_not_zero,
    ),
    Strategy(
        name="list_concat", apply=_list_concat, params={"arrays": Param(kind="lists", default=[])}, takes_state=False
    ),
    Strategy(
        name="list_zip",
        apply=_list_zip,
        params={"keys": Param(kind="texts", required=True), "arrays": Param(kind="lists", default=[])},
        takes_state=False,
    ),
    Strategy(name="list_count", apply=_list_count, params={"condition": _CONDITION}),
    Strategy(name="list_reverse", apply=_list_reverse),
)
