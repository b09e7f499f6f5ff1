from __future__ import annotations

from typing import Any

import pytest

from statebag.errors import NodeFailed

from .conftest import Apply


@pytest.mark.parametrize(
    ("name", "value", "params", "expected"),
    [
        ("json_parse", '{"a": [1, null, "가"]}', {}, {"a": [1, None, "가"]}),
        ("json_parse", '```json\n{"a": 1}\n```', {}, {"a": 1}),
        ("json_parse", "Here it is:\n```\n[1]\n```\nDone.", {}, [1]),
        ("json_parse", '{"md": "```json\\n1\\n```"}', {}, {"md": "```json\n1\n```"}),
        ("json_parse", "12345678901234567890123", {}, 12345678901234567890123),
        ("json_parse", {"a": 1}, {}, {"a": 1}),
        ("json_parse", [1], {}, [1]),
        ("json_parse", 5, {}, 5),
        ("json_parse", None, {}, None),
        ("json_parse", None, {"default": {}}, {}),
        ("json_parse", "nope", {"strict": False, "default": {"x": 1}}, {"x": 1}),
        ("json_parse", "", {"strict": False}, None),
        ("json_parse", "NaN", {"strict": False, "default": 0}, 0),
        ("json_stringify", {"b": "가", "a": 1}, {}, '{"a":1,"b":"가"}'),
        ("json_stringify", {"a": "가"}, {"ensure_ascii": True}, '{"a":"\\uac00"}'),
        ("json_stringify", {"a": [1]}, {"indent": 1}, '{\n "a": [\n  1\n ]\n}'),
        ("json_stringify", "x", {}, '"x"'),
        ("json_stringify", None, {}, "null"),
        ("deep_get", {"a": [{"b": 5}]}, {"path": "$.a[0].b"}, 5),
        ("deep_get", {"a": [{"b": 5}]}, {"path": "a.0.b"}, 5),
        ("deep_get", {"a": None}, {"path": "a", "default": 1}, None),
        ("deep_get", {"a": 1}, {"path": "b.c", "default": 1}, 1),
        ("deep_get", {"a": 1}, {"path": ""}, {"a": 1}),
        ("deep_get", {"a": 1}, {"path": "."}, {"a": 1}),
        ("deep_get", [5, 6], {"path": 1}, 6),
        ("deep_get", None, {"path": "a"}, None),
        ("deep_get", "text", {"path": "upper"}, None),
        ("deep_set", {"a": {"x": 1}}, {"path": "a.b", "value": 2}, {"a": {"x": 1, "b": 2}}),
        ("deep_set", None, {"path": "a.b", "value": 2}, {"a": {"b": 2}}),
        ("deep_set", {}, {"path": "a[2].b", "value": 1}, {"a": [None, None, {"b": 1}]}),
        ("deep_set", {"a": [1, 2]}, {"path": "a[-1]", "value": 3}, {"a": [1, 3]}),
        ("deep_set", {"a": [1, 2]}, {"path": "a.0", "value": 3}, {"a": [3, 2]}),
        ("deep_set", {"a": None}, {"path": "a.가", "value": None}, {"a": {"가": None}}),
        ("deep_set", {"a": 1}, {"path": "$", "value": 2}, 2),
        ("pick_fields", {"a": 1, "b": 2}, {"fields": ["b", "c"]}, {"b": 2}),
        ("pick_fields", None, {"fields": ["b"]}, {}),
        ("pick_fields", {"가": None}, {"fields": ["가"]}, {"가": None}),
        ("omit_fields", {"a": 1, "b": 2}, {"fields": ["b", "c"]}, {"a": 1}),
        ("omit_fields", {"a": 1}, {"fields": []}, {"a": 1}),
        ("omit_fields", None, {"fields": []}, {}),
        ("merge_objects", {"a": 1, "b": 1}, {"objects": [{"b": 2}, None, {"c": 3}]}, {"a": 1, "b": 2, "c": 3}),
        ("merge_objects", None, {"objects": [{"a": 1}]}, {"a": 1}),
        ("merge_objects", {"a": 1}, {}, {"a": 1}),
        ("flatten", {"a": {"b": [1, {"c": 2}]}, "d": None}, {}, {"a.b.0": 1, "a.b.1.c": 2, "d": None}),
        ("flatten", {"a": {}, "b": {"c": []}}, {}, {"a": {}, "b.c": []}),
        ("flatten", {"a": {"b": {"c": 1}}}, {"max_depth": 2}, {"a.b": {"c": 1}}),
        ("flatten", {"a": {"b": 1}}, {"separator": "__"}, {"a__b": 1}),
        ("flatten", [1, [2]], {}, {"0": 1, "1.0": 2}),
        ("flatten", "가", {}, {"_value": "가"}),
        ("flatten", None, {}, {}),
        ("unflatten", {"a.b.1": 2, "a.b.0": 1, "c": {}}, {}, {"a": {"b": [1, 2]}, "c": {}}),
        ("unflatten", {"a.0": 1, "a.2": 2}, {}, {"a": {"0": 1, "2": 2}}),
        ("unflatten", {"a.01": 1}, {}, {"a": {"01": 1}}),
        ("unflatten", {"0": 1, "1": 2}, {}, {"0": 1, "1": 2}),
        ("unflatten", {"a__b": 1}, {"separator": "__"}, {"a": {"b": 1}}),
        ("unflatten", None, {}, {}),
    ],
)
def test_results(apply: Apply, name: str, value: Any, params: Any, expected: Any) -> None:
    assert apply(name, value, params) == expected


@pytest.mark.parametrize(
    ("name", "value", "params", "why"),
    [
        ("json_parse", "nope", {}, "is not JSON"),
        ("json_parse", "", {}, "is not JSON"),
        ("json_parse", "```json\nnope\n```", {}, "is not JSON"),
        ("json_parse", "[" * 5000 + "12345678901234567890" + "]" * 5000, {}, "is not JSON"),
        ("json_stringify", 1, {"indent": 99}, "0 to 16"),
        ("json_stringify", 1, {"indent": 1.5}, "a whole number"),
        ("deep_get", {}, {"path": "a..b"}, "is no path"),
        ("deep_get", {}, {"path": ["a"]}, "a dotted path"),
        ("deep_set", {"a": 5}, {"path": "a.b", "value": 1}, r"`\$.a` is a number"),
        ("deep_set", {"a": [1]}, {"path": "a.b", "value": 1}, "a list of 1"),
        ("deep_set", {"a": {}}, {"path": "a[0]", "value": 1}, r"`\$.a` is an object"),
        ("deep_set", {"a": [1]}, {"path": "a[-2]", "value": 1}, "from -1"),
        ("deep_set", {}, {"path": "a[99999999]", "value": 1}, "a list of 0"),
        ("deep_set", {}, {"value": 1}, "`path`: is missing"),
        ("pick_fields", [1], {"fields": ["a"]}, "a list, not an object"),
        ("pick_fields", {}, {}, "`fields`: is missing"),
        ("pick_fields", {}, {"fields": "a"}, "a list of texts"),
        ("omit_fields", "x", {"fields": ["a"]}, "a text, not an object"),
        ("merge_objects", [1], {"objects": []}, "a list, not an object"),
        ("merge_objects", {}, {"objects": [{}, 5]}, r"objects\[1\]. is a number"),
        ("merge_objects", {}, {"objects": {"a": 1}}, "Give a list"),
        ("flatten", {"a": {"b": 1}, "a.b": 2}, {}, "share the key 'a.b'"),
        ("flatten", {"a": 1}, {"separator": ""}, "`separator` is empty"),
        ("flatten", {"a": 1}, {"max_depth": 21}, "1 to 20"),
        ("unflatten", {"a": 1, "a.b": 2}, {}, "has a value"),
        ("unflatten", {"a.b": 2, "a": {}}, {}, "has a value"),
        ("unflatten", {"a": {}, "a.b": 2}, {}, "has a value"),
        ("unflatten", {"." * 200: 1}, {}, "100 are the most"),
        ("unflatten", [1], {}, "a list, not an object"),
    ],
)
def test_what_would_lose_data_is_refused(apply: Apply, name: str, value: Any, params: Any, why: str) -> None:
    with pytest.raises(NodeFailed, match=why):
        apply(name, value, params)


def test_deep_set_copies_only_what_lies_on_the_path(apply: Apply) -> None:
    before = {"a": {"b": 1}, "c": {"d": [1]}}
    after = apply("deep_set", before, {"path": "a.b", "value": 2})
    assert before == {"a": {"b": 1}, "c": {"d": [1]}}
    assert after["c"] is before["c"]
