from __future__ import annotations

from typing import Any

import pytest

from statebag.errors import NodeFailed

from .conftest import Apply

PEOPLE = [
    {"n": "ann", "age": 30, "at": {"city": "Seoul"}},
    {"n": "bob", "age": 20, "at": {"city": "서울"}},
    {"n": "cid", "at": None},
]
LIST_STRATEGIES = [
    ("list_map", {"field": "a"}, []),
    ("list_filter", {}, []),
    ("list_reduce", {}, 0),
    ("list_sort", {}, []),
    ("list_group_by", {"field": "a"}, {}),
    ("list_unique", {}, []),
    ("list_first", {}, None),
    ("list_last", {}, None),
    ("list_find", {"condition": "$ == 1"}, None),
    ("list_slice", {}, []),
    ("list_concat", {}, []),
    ("list_zip", {"keys": ["a"]}, []),
    ("list_count", {}, 0),
    ("list_reverse", {}, []),
]


@pytest.mark.parametrize(("name", "params", "empty"), LIST_STRATEGIES)
def test_null_and_the_empty_list_give_the_empty_result(apply: Apply, name: str, params: Any, empty: Any) -> None:
    assert apply(name, None, params) == empty
    assert apply(name, [], params) == empty


@pytest.mark.parametrize("value", [5, "[1, 2]", {"a": 1}, True])
@pytest.mark.parametrize(("name", "params", "empty"), LIST_STRATEGIES)
def test_what_is_no_list_is_refused(apply: Apply, name: str, params: Any, empty: Any, value: Any) -> None:
    with pytest.raises(NodeFailed, match="not a list"):
        apply(name, value, params)
    assert empty in ([], {}, 0, None)


@pytest.mark.parametrize(
    ("name", "value", "params", "expected"),
    [
        ("list_map", PEOPLE, {"field": "at.city"}, ["Seoul", "서울", None]),
        ("list_map", [1, {"f": 2}], {"field": "f"}, [None, 2]),
        ("list_map", PEOPLE, {"expression": "$.n"}, ["ann", "bob", "cid"]),
        ("list_map", [1, 2], {"expression": "$"}, [1, 2]),
        ("list_map", [1, 2], {"expression": "$ > 1"}, [False, True]),
        ("list_map", [{"a": 1}], {"expression": "[$.a, 'x']"}, [[1, "x"]]),
        ("list_filter", PEOPLE, {"condition": "$.age >= 30"}, PEOPLE[:1]),
        ("list_filter", PEOPLE, {"condition": "$.age > 10 and $.n != 'ann'"}, PEOPLE[1:2]),
        ("list_filter", [1, 5, None], {"condition": "$ > 2"}, [5]),
        ("list_filter", [0, 1], {"condition": "$"}, [1]),
        ("list_filter", PEOPLE, {"condition": " "}, PEOPLE),
        ("list_filter", PEOPLE, {"condition": "'서' in $.at.city"}, PEOPLE[1:2]),
        ("list_reduce", [1, 2, 3], {}, 6),
        ("list_reduce", [0.1] * 10, {}, 1.0),
        ("list_reduce", PEOPLE, {"field": "age"}, 50),
        ("list_reduce", PEOPLE, {"field": "age", "operation": "count"}, 3),
        ("list_reduce", [1, 2], {"operation": "avg"}, 1.5),
        ("list_reduce", [1, 3], {"operation": "AVERAGE"}, 2.0),
        ("list_reduce", [3, None, 1.5], {"operation": "min"}, 1.5),
        ("list_reduce", ["b", "가"], {"operation": "max"}, "가"),
        ("list_reduce", [None], {"operation": "max"}, None),
        ("list_reduce", ["a", 1, None, True], {"operation": "concat"}, "a1true"),
        ("list_reduce", [[1], [2, [3]]], {"operation": "concat"}, [1, 2, [3]]),
        ("list_reduce", [5, 6], {"operation": "first"}, 5),
        ("list_reduce", [5, 6], {"operation": "last"}, 6),
        ("list_reduce", [], {"operation": "avg"}, None),
        ("list_reduce", [], {"operation": "avg", "initial": 7}, 7),
        ("list_sort", [3, 1, 2], {}, [1, 2, 3]),
        ("list_sort", ["b", "가", "a"], {"order": "desc"}, ["가", "b", "a"]),
        ("list_sort", [3, None, 1], {}, [1, 3, None]),
        ("list_sort", [1, None, 3], {"order": "reverse"}, [3, 1, None]),
        ("list_sort", [True, False], {}, [False, True]),
        ("list_sort", PEOPLE, {"field": "age"}, [PEOPLE[1], PEOPLE[0], PEOPLE[2]]),
        ("list_sort", PEOPLE, {"field": "at.city", "order": "Descending"}, [PEOPLE[1], PEOPLE[0], PEOPLE[2]]),
        (
            "list_sort",
            [{"k": 1, "i": 1}, {"k": 2, "i": 2}, {"k": 1, "i": 3}],
            {"field": "k", "order": "desc"},
            [{"k": 2, "i": 2}, {"k": 1, "i": 1}, {"k": 1, "i": 3}],
        ),
        (
            "list_group_by",
            [{"k": True}, {"k": "true"}, {}],
            {"field": "k"},
            {"true": [{"k": True}, {"k": "true"}], "_unknown": [{}]},
        ),
        (
            "list_group_by",
            [{"k": 1}, {"k": 1.0}, {"k": None}],
            {"field": "k"},
            {"1": [{"k": 1}, {"k": 1.0}], "_unknown": [{"k": None}]},
        ),
        ("list_group_by", [{"a": {"b": "서울"}}], {"field": "a.b"}, {"서울": [{"a": {"b": "서울"}}]}),
        ("list_group_by", [1, 2], {}, {"_all": [1, 2]}),
        ("list_unique", [1, 1.0, True, "1", 1, None, None], {}, [1, True, "1", None]),
        ("list_unique", [{"a": [1]}, {"a": [1.0]}], {}, [{"a": [1]}]),
        (
            "list_unique",
            [{"k": 1, "x": 1}, {"k": 1}, {"x": 2}, {"x": 3}],
            {"field": "k"},
            [{"k": 1, "x": 1}, {"x": 2}, {"x": 3}],
        ),
        ("list_first", [1, 2], {}, 1),
        ("list_first", [1, 2], {"condition": "$ > 1"}, 2),
        ("list_first", [1, 2], {"condition": "$ > 5", "default": "none"}, "none"),
        ("list_find", PEOPLE, {"condition": "$.n == 'cid'"}, PEOPLE[2]),
        ("list_last", [1, 2, 3], {}, 3),
        ("list_last", [1, 2, 3], {"condition": "$ < 3"}, 2),
        ("list_last", [], {"default": 0}, 0),
        ("list_slice", [1, 2, 3, 4], {"start": 1, "end": 3}, [2, 3]),
        ("list_slice", [1, 2, 3, 4], {"start": -2}, [3, 4]),
        ("list_slice", [1, 2, 3, 4], {"step": 2}, [1, 3]),
        ("list_slice", [1, 2, 3], {"start": "1"}, [2, 3]),
        ("list_concat", [1], {"arrays": [[2], None, ["가"]]}, [1, 2, "가"]),
        (
            "list_zip",
            [1, 2, 3],
            {"keys": ["a", "b"], "arrays": [["x"]]},
            [{"a": 1, "b": "x"}, {"a": 2, "b": None}, {"a": 3, "b": None}],
        ),
        ("list_count", PEOPLE, {}, 3),
        ("list_count", PEOPLE, {"condition": "$.age"}, 2),
        ("list_reverse", [1, "가", None], {}, [None, "가", 1]),
    ],
)
def test_results(apply: Apply, name: str, value: Any, params: Any, expected: Any) -> None:
    result = apply(name, value, params)
    assert result == expected
    assert type(result) is type(expected)


def test_unique_tells_true_from_one(apply: Apply) -> None:
    assert [type(item) for item in apply("list_unique", [1, True])] == [int, bool]


def test_zip_without_an_input_takes_only_the_arrays(apply: Apply) -> None:
    assert apply("list_zip", None, {"keys": ["a"], "arrays": [[1, 2]]}, given=False) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("name", "value", "params", "why"),
    [
        ("list_map", [1], {}, "either the param `field` or"),
        ("list_map", [1], {"field": "a", "expression": "$.a"}, "either the param `field` or"),
        ("list_map", [1], {"expression": "item.f"}, "paths start with"),
        ("list_filter", [1], {"condition": "status == 'x'"}, "paths start with"),
        ("list_filter", [1], {"condition": 5}, "a condition such as"),
        ("list_reduce", [1, "2"], {}, "item 1 is a text, not a number"),
        ("list_reduce", [True], {}, "item 0 is a boolean"),
        ("list_reduce", [[1]], {"operation": "avg"}, "item 0 is a list"),
        ("list_reduce", [1e308, 1e308], {}, "too large"),
        ("list_reduce", [1, "a"], {"operation": "min"}, "can't be compared"),
        ("list_reduce", [{"a": 1}], {"operation": "max"}, "can't be compared"),
        ("list_reduce", ["a", [1]], {"operation": "concat"}, "item 1 is a list among others"),
        ("list_reduce", [1], {"operation": "median"}, "'median' is unknown. Use one of: sum"),
        ("list_sort", [1, "a"], {}, "can't be put in order"),
        ("list_sort", [{"a": 1}], {}, "can't be put in order"),
        ("list_sort", [1], {"order": "up"}, "Use one of: asc"),
        ("list_slice", [1], {"step": 0}, "`step` is 0"),
        ("list_slice", [1], {"start": "a"}, "a whole number"),
        ("list_concat", [1], {"arrays": [5]}, "a list of lists"),
        ("list_zip", [1], {"keys": ["a", "b"]}, "2 names for 1 lists"),
        ("list_zip", [1], {"keys": ["a", "a"], "arrays": [[1]]}, "a name of its own"),
    ],
)
def test_what_would_lose_data_is_refused(apply: Apply, name: str, value: Any, params: Any, why: str) -> None:
    with pytest.raises(NodeFailed, match=why):
        apply(name, value, params)
