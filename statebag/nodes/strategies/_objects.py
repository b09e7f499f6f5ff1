"""Strategies on JSON texts and objects."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from statebag.canonical import canonical_bytes, parse_json
from statebag.config.paths import MISSING, Part, Parts, index_of, print_path, walk
from statebag.errors import NodeFailed
from statebag.nodes.strategies._flat import flatten, unflatten
from statebag.nodes.strategies._kinds import kind_of, object_in
from statebag.nodes.strategies._params import Param
from statebag.nodes.strategies._strategy import Strategy, StrategyContext

__all__ = ["STRATEGIES"]

_FENCE = re.compile(r"```[\w-]*[ \t]*\r?\n(.*?)\r?\n?[ \t]*```", re.DOTALL)
_MAX_GROWTH: Final = 10_000


def _parse_text(text: str) -> Any:
    try:
        return parse_json(text)
    except (ValueError, RecursionError):
        fenced = _FENCE.search(text)
        if fenced is None:
            raise
        return parse_json(fenced[1])


def _json_parse(value: Any, params: Mapping[str, Any], context: StrategyContext) -> Any:
    if value is None:
        return params["default"]
    if not isinstance(value, str):
        return value
    try:
        return _parse_text(value)
    except (ValueError, RecursionError) as cause:
        if params["strict"]:
            raise NodeFailed(
                f"the input is not JSON: {cause}. Correct it, or set `strict` to false and give a `default`."
            ) from cause
        return params["default"]


def _json_stringify(value: Any, params: Mapping[str, Any], context: StrategyContext) -> str:
    indent, ensure_ascii = params["indent"], params["ensure_ascii"]
    if not indent and not ensure_ascii:
        return canonical_bytes(value).decode()
    separators = (",", ": ") if indent else (",", ":")
    return json.dumps(
        value, indent=indent or None, ensure_ascii=ensure_ascii, sort_keys=True, separators=separators, allow_nan=False
    )


def _deep_get(value: Any, params: Mapping[str, Any], context: StrategyContext) -> Any:
    found = walk(value, params["path"])
    return params["default"] if found is MISSING else found


def _deep_set(value: Any, params: Mapping[str, Any], context: StrategyContext) -> Any:
    return set_at(value, params["path"], params["value"], ())


def set_at(value: Any, parts: Parts, new: Any, place: Parts) -> Any:
    """A copy of ``value`` with ``new`` at a path; only what lies on the path is copied.

    Raises:
        NodeFailed: something on the path is neither an object nor a list, or an index is out of reach.
    """
    if not parts:
        return new
    part, rest = parts[0], parts[1:]
    if value is None:
        value = [] if isinstance(part, int) else {}
    if isinstance(value, Mapping) and isinstance(part, str):
        return {**value, part: set_at(value.get(part), rest, new, (*place, part))}
    if isinstance(value, list):
        index = _reachable_index(value, part, place)
        grown = value + [None] * (index + 1 - len(value))
        grown[index] = set_at(grown[index], rest, new, (*place, index))
        return grown
    raise NodeFailed(
        f"`{print_path((*place, part))}` can't be set: `{print_path(place)}` is {kind_of(value)}. Correct `path`."
    )


def _reachable_index(value: list[Any], part: Part, place: Parts) -> int:
    index = index_of(part)
    if index is not None and index < 0:
        index = index + len(value) if index + len(value) >= 0 else None
    if index is None or index > len(value) + _MAX_GROWTH:
        raise NodeFailed(
            f"`{print_path((*place, part))}` can't be set: `{print_path(place)}` is a list of {len(value)}. "
            f"Use an index from {-len(value)} to {len(value) + _MAX_GROWTH}."
        )
    return index


def _pick_fields(value: Any, params: Mapping[str, Any], context: StrategyContext) -> dict[str, Any]:
    held = object_in(value)
    return {name: held[name] for name in params["fields"] if name in held}


def _omit_fields(value: Any, params: Mapping[str, Any], context: StrategyContext) -> dict[str, Any]:
    omitted = frozenset(params["fields"])
    return {name: item for name, item in object_in(value).items() if name not in omitted}


def _merge_objects(value: Any, params: Mapping[str, Any], context: StrategyContext) -> dict[str, Any]:
    merged = dict(object_in(value))
    for index, item in enumerate(params["objects"]):
        if item is not None and not isinstance(item, Mapping):
            raise NodeFailed(f"param `objects[{index}]` is {kind_of(item)}, not an object. Give objects only.")
        merged.update(item or {})
    return merged


def _flatten(value: Any, params: Mapping[str, Any], context: StrategyContext) -> dict[str, Any]:
    return flatten(value, params["separator"], params["max_depth"])


def _unflatten(value: Any, params: Mapping[str, Any], context: StrategyContext) -> dict[str, Any]:
    return unflatten(object_in(value), params["separator"])


def _head_of_path(params: Mapping[str, Any]) -> frozenset[str] | None:
    parts: Parts = params["path"]
    return frozenset({parts[0]}) if parts and isinstance(parts[0], str) else None


_FIELDS: Final = Param(kind="texts", required=True)
_SEPARATOR: Final = Param(kind="text", default=".")

STRATEGIES: Final = (
    Strategy(
        name="json_parse",
        apply=_json_parse,
        params={"strict": Param(kind="boolean", default=True), "default": Param()},
    ),
    Strategy(
        name="json_stringify",
        apply=_json_stringify,
        params={
            "indent": Param(kind="integer", minimum=0, maximum=16),
            "ensure_ascii": Param(kind="boolean", default=False),
        },
    ),
    Strategy(
        name="deep_get",
        apply=_deep_get,
        params={"path": Param(kind="path", default=()), "default": Param()},
        top_fields=_head_of_path,
    ),
    Strategy(name="deep_set", apply=_deep_set, params={"path": Param(kind="path", required=True), "value": Param()}),
    Strategy(
        name="pick_fields",
        apply=_pick_fields,
        params={"fields": _FIELDS},
        top_fields=lambda params: frozenset(params["fields"]),
    ),
    Strategy(name="omit_fields", apply=_omit_fields, params={"fields": _FIELDS}),
    Strategy(
        name="merge_objects",
        apply=_merge_objects,
        params={"objects": Param(kind="list", default=[])},
        takes_state=False,
    ),
    Strategy(
        name="flatten",
        apply=_flatten,
        params={"separator": _SEPARATOR, "max_depth": Param(kind="integer", default=10, minimum=1, maximum=20)},
    ),
    Strategy(name="unflatten", apply=_unflatten, params={"separator": _SEPARATOR}),
)
