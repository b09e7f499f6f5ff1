from __future__ import annotations

import copy
import json
from collections import Counter
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statebag.canonical import canonical_bytes
from statebag.config.paths import print_path
from statebag.errors import NodeFailed
from statebag.nodes.strategies import STRATEGIES

from .conftest import Apply

PARAMS: dict[str, dict[str, Any]] = {
    "deep_get": {"path": "a.b"},
    "deep_set": {"path": "a.b[1]", "value": [1]},
    "pick_fields": {"fields": ["a"]},
    "omit_fields": {"fields": ["a"]},
    "merge_objects": {"objects": [{"a": {"z": 1}}]},
    "list_map": {"field": "a"},
    "list_filter": {"condition": "$.a"},
    "list_sort": {"field": "a"},
    "list_group_by": {"field": "a"},
    "list_unique": {"field": "a"},
    "list_concat": {"arrays": [[1]]},
    "list_zip": {"keys": ["k", "l"], "arrays": [[1, 2]]},
    "string_template": {"template": "{{a}}{{b}}", "context": {"b": [1]}},
    "regex_extract": {"pattern": "a"},
    "regex_replace": {"pattern": "a", "replacement": "b"},
    "regex_match": {"pattern": "a"},
    "coerce_type": {"type": "string"},
    "if_else": {"condition": "$.a", "then": {"x": 1}, "else": [2]},
    "switch_case": {"cases": {"1": {"x": 1}}},
    "assert": {"condition": "$.a or true"},
    "math_expression": {"expression": "1 + 1"},
}

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b", "0", "가"]), inner, max_size=3)
    ),
    max_leaves=10,
)


def test_there_are_63_strategies() -> None:
    assert len(STRATEGIES) == 63
    assert all(name == strategy.name for name, strategy in STRATEGIES.items())


@pytest.mark.parametrize("name", sorted(STRATEGIES))
@given(value=json_values)
@settings(max_examples=15, deadline=None)
def test_a_strategy_gives_json_or_is_refused_and_never_changes_its_input(apply: Apply, name: str, value: Any) -> None:
    params = PARAMS.get(name, {})
    value_before, params_before = copy.deepcopy(value), copy.deepcopy(params)
    with suppress(NodeFailed):
        canonical_bytes(apply(name, value, params))
    assert json.dumps(value) == json.dumps(value_before)
    assert json.dumps(params) == json.dumps(params_before)


names = st.sampled_from(["a", "b", "가 c", "0"])


@given(value=json_values, parts=st.lists(names | st.integers(0, 3), min_size=1, max_size=4), new=json_values)
@settings(deadline=None)
def test_what_is_set_is_what_is_got(apply: Apply, value: Any, parts: list[Any], new: Any) -> None:
    path = print_path(tuple(parts))
    try:
        changed = apply("deep_set", value, {"path": path, "value": new})
    except NodeFailed:
        return
    assert apply("deep_get", changed, {"path": path}) == new


plain_names = st.text("abc가", min_size=1, max_size=3)
nested = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(plain_names, inner, max_size=3),
    max_leaves=10,
)


@given(value=st.dictionaries(plain_names, nested, max_size=4), separator=st.sampled_from([".", "/", "__"]))
@settings(deadline=None)
def test_unflattening_undoes_flattening(apply: Apply, value: Any, separator: str) -> None:
    flat = apply("flatten", value, {"separator": separator})
    assert all(not isinstance(leaf, dict | list) or not leaf for leaf in flat.values())
    assert apply("unflatten", flat, {"separator": separator}) == value


@given(text=st.text(st.characters(codec="utf-8")), encoding=st.sampled_from(["utf-8", "utf-16"]))
@settings(deadline=None)
def test_decoding_undoes_encoding(apply: Apply, text: str, encoding: str) -> None:
    encoded = apply("base64_encode", text, {"encoding": encoding})
    assert apply("base64_decode", encoded, {"encoding": encoding}) == text
    if "=" not in text:
        assert apply("url_decode", apply("url_encode", text)) == text


@given(value=json_values)
@settings(deadline=None)
def test_parsing_undoes_stringifying(apply: Apply, value: Any) -> None:
    text = apply("json_stringify", value)
    assert canonical_bytes(apply("json_parse", text)) == canonical_bytes(value)


@given(
    items=st.lists(st.none() | st.integers(-5, 5) | st.floats(-5, 5)) | st.lists(st.none() | st.text(max_size=3)),
    order=st.sampled_from(["asc", "desc"]),
)
@settings(deadline=None)
def test_sorting_is_an_ordered_stable_permutation(apply: Apply, items: list[Any], order: str) -> None:
    rows = [{"k": item, "i": index} for index, item in enumerate(items)]
    ordered = apply("list_sort", rows, {"field": "k", "order": order})
    assert Counter(row["i"] for row in ordered) == Counter(range(len(rows)))
    present = [row for row in ordered if row["k"] is not None]
    assert ordered[: len(present)] == present
    for one, next_one in pairwise(present):
        assert one["k"] <= next_one["k"] if order == "asc" else one["k"] >= next_one["k"]
        assert one["k"] != next_one["k"] or one["i"] < next_one["i"]


@given(items=st.lists(json_values, max_size=8))
@settings(deadline=None)
def test_grouping_and_reversing_lose_nothing(apply: Apply, items: list[Any]) -> None:
    groups = apply("list_group_by", items, {"field": "a"})
    assert Counter(map(json.dumps, items)) == Counter(json.dumps(item) for group in groups.values() for item in group)
    assert apply("list_reverse", apply("list_reverse", items)) == items


@given(items=st.lists(json_values, max_size=8))
@settings(deadline=None)
def test_unique_items_are_a_subsequence_and_stay_unique(apply: Apply, items: list[Any]) -> None:
    kept = apply("list_unique", items)
    rest = iter(items)
    assert all(any(item is other for other in rest) for item in kept)
    assert apply("list_unique", kept) == kept


@given(text=st.text("0123456789.+-*/%() xy", max_size=25))
@settings(max_examples=300, deadline=None)
def test_any_arithmetic_gives_a_number_or_is_refused(apply: Apply, text: str) -> None:
    try:
        result = apply("math_expression", {"x": 3, "y": -0.5}, {"expression": text})
    except NodeFailed:
        return
    canonical_bytes(result)
