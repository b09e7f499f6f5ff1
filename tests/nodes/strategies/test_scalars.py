from __future__ import annotations

import hashlib
from typing import Any
from uuid import RFC_4122, UUID

import pytest

from statebag.errors import NodeFailed

from .conftest import Apply

TYPES: list[tuple[str, Any, dict[str, Any], Any]] = [
    ("to_int", "42", {}, 42),
    ("to_int", " -3.9 ", {}, -3),
    ("to_int", 3.9, {}, 3),
    ("to_int", True, {}, 1),
    ("to_int", "9007199254740993", {}, 9007199254740993),
    ("to_int", None, {}, 0),
    ("to_int", "x", {"default": -1}, -1),
    ("to_int", "x", {"default": None}, None),
    ("to_int", [1], {"default": 7}, 7),
    ("to_float", "1e3", {}, 1000.0),
    ("to_float", 2, {}, 2.0),
    ("to_float", None, {}, 0.0),
    ("to_float", "inf", {"default": 1.5}, 1.5),
    ("to_bool", "YES", {}, True),
    ("to_bool", "off", {}, False),
    ("to_bool", "", {}, False),
    ("to_bool", 2, {}, True),
    ("to_bool", 0, {}, False),
    ("to_bool", [], {}, False),
    ("to_bool", None, {}, False),
    ("to_bool", "maybe", {"default": False}, False),
    ("to_string", 5, {}, "5"),
    ("to_string", True, {}, "true"),
    ("to_string", {"a": "가"}, {}, '{"a":"가"}'),
    ("to_string", "x", {}, "x"),
    ("to_string", None, {}, ""),
    ("to_string", None, {"default": "-"}, "-"),
    ("to_date", "2024-02-29", {}, "2024-02-29T00:00:00"),
    ("to_date", "2024-02-29T10:00:00Z", {}, "2024-02-29T10:00:00+00:00"),
    ("to_date", "29.02.2024", {"format": "%d.%m.%Y"}, "2024-02-29T00:00:00"),
    ("to_date", 0, {}, "1970-01-01T00:00:00+00:00"),
    ("to_date", None, {}, None),
    ("to_date", "soon", {"default": None}, None),
    ("format_date", "2024-02-29T10:00:00", {}, "2024-02-29 10:00:00"),
    ("format_date", "2024-02-29", {"format": "%d/%m/%y"}, "29/02/24"),
    ("format_date", "20240229", {"format": "ISO8601"}, "2024-02-29T00:00:00"),
    ("format_date", None, {}, None),
    ("coerce_type", "5", {"type": "integer"}, 5),
    ("coerce_type", "5", {"type": "number"}, 5.0),
    ("coerce_type", "no", {"type": "boolean"}, False),
    ("coerce_type", 5, {"type": "string"}, "5"),
    ("coerce_type", "2024-01-01", {"type": "datetime"}, "2024-01-01T00:00:00"),
    ("coerce_type", None, {"type": "int"}, 0),
    ("coerce_type", "x", {"type": "int", "default": None}, None),
]
CONTROL: list[tuple[str, Any, dict[str, Any], Any]] = [
    ("if_else", {"a": 5}, {"condition": "$.a > 3", "then": "big", "else": "small"}, "big"),
    ("if_else", 5, {"condition": "$ > 30", "then": "big", "else": [1]}, [1]),
    ("if_else", None, {"condition": "$.a", "then": 1}, None),
    ("if_else", None, {"condition": False, "else": "가"}, "가"),
    ("assert", {"a": 5}, {"condition": "$.a == 5"}, {"a": 5}),
    ("switch_case", "b", {"cases": {"a": 1, "b": 2}}, 2),
    ("switch_case", True, {"cases": {"true": "yes"}}, "yes"),
    ("switch_case", 1.0, {"cases": {"1": "one"}}, "one"),
    ("switch_case", "z", {"cases": {"a": 1}, "default": "d"}, "d"),
    ("switch_case", None, {"cases": {"a": 1}, "default": "d"}, "d"),
    ("switch_case", {"k": {"l": "서울"}}, {"cases": {"서울": 1}, "field": "k.l"}, 1),
    ("switch_case", "a", {}, None),
    ("default_value", None, {"default": 1}, 1),
    ("default_value", "", {"default": 1}, 1),
    ("default_value", [], {"default": 1}, 1),
    ("default_value", "", {"default": 1, "treat_empty_as_null": False}, ""),
    ("default_value", 0, {"default": 1}, 0),
    ("default_value", False, {"default": 1}, False),
    ("try_catch", None, {"fallback": "f"}, "f"),
    ("try_catch", "", {"fallback": "f"}, ""),
]
ENCODING: list[tuple[str, Any, dict[str, Any], Any]] = [
    ("base64_encode", "가", {}, "6rCA"),
    ("base64_encode", {"a": 1}, {}, "eyJhIjoxfQ=="),
    ("base64_encode", None, {}, ""),
    ("base64_decode", "6r\nCA", {}, "가"),
    ("base64_decode", "/wE=", {"encoding": "latin-1"}, "ÿ\x01"),
    ("base64_decode", None, {}, ""),
    ("url_encode", "a b/가", {}, "a%20b%2F%EA%B0%80"),
    ("url_encode", "a/b", {"safe": "/"}, "a/b"),
    ("url_encode", {"q": "a b", "n": [1, True], "z": None}, {}, "q=a+b&n=1&n=true&z="),
    ("url_encode", None, {}, ""),
    ("url_decode", "a%20b%2F%EA%B0%80", {}, "a b/가"),
    ("url_decode", "q=a+b&n=1&n=2&z=", {}, {"q": ["a b"], "n": ["1", "2"], "z": [""]}),
    ("url_decode", None, {}, ""),
    ("hash_sha256", "abc", {}, hashlib.sha256(b"abc").hexdigest()),
    ("hash_sha256", {"b": 1, "a": "가"}, {}, hashlib.sha256('{"a":"가","b":1}'.encode()).hexdigest()),
    ("hash_sha256", None, {}, hashlib.sha256(b"null").hexdigest()),
    ("hash_md5", "", {}, "d41d8cd98f00b204e9800998ecf8427e"),
]
MATH: list[tuple[str, Any, dict[str, Any], Any]] = [
    ("math_round", 75.256, {"decimals": 2}, 75.26),
    ("math_round", 5, {}, 5.0),
    ("math_round", "2.4", {}, 2.0),
    ("math_round", 1234, {"decimals": -2}, 1200.0),
    ("math_floor", -1.5, {}, -2),
    ("math_ceil", 1.2, {}, 2),
    ("math_abs", -3, {}, 3),
    ("math_abs", "-3.5", {}, 3.5),
    ("math_clamp", 5, {"min": 1, "max": 3}, 3),
    ("math_clamp", -5, {"min": 1}, 1),
    ("math_clamp", 2, {"min": 1, "max": 3}, 2),
    ("math_percent", 1, {"total": 3}, 33.33),
    ("math_percent", 50, {}, 50.0),
    ("math_percent", 1, {"total": 3, "decimals": 0}, 33.0),
    ("math_expression", 4, {"expression": "x * 2 + 1"}, 9),
    ("math_expression", {"a": 2, "b": {"c": [3]}}, {"expression": "a ** b.c[0] - 1"}, 7),
    ("math_expression", None, {"expression": "가 / 4", "variables": {"가": 1}}, 0.25),
    ("math_expression", 2, {"expression": "-x ** 2"}, -4),
    ("math_expression", 2, {"expression": "2 ** x ** 3"}, 256),
    ("math_expression", 2, {"expression": "2 ** -x"}, 0.25),
    ("math_expression", None, {"expression": "7 % 4 + 6 / 3"}, 5.0),
    ("math_expression", None, {"expression": "10 - 4 - 3"}, 3),
    ("math_expression", None, {"expression": "((1 + 2) * -3)"}, -9),
    ("math_expression", None, {"expression": "1e2 + .5"}, 100.5),
    ("math_expression", 5, {"expression": "x", "variables": {"x": 6}}, 6),
    ("math_expression", "5", {"expression": "x + 0"}, 5),
]
UTILITY: list[tuple[str, Any, dict[str, Any], Any]] = [
    ("echo", [], {}, []),
    ("echo", None, {}, None),
    ("log", {"a": 1}, {"message": "x"}, {"a": 1}),
    ("timestamp", None, {}, "2024-02-29T12:30:15.250000+00:00"),
    ("timestamp", None, {"format": "unix"}, 1709209815),
    ("timestamp", None, {"format": "epoch_ms"}, 1709209815250),
    ("timestamp", None, {"format": "ms"}, 1709209815250),
    ("timestamp", None, {"format": "unix_ms"}, 1709209815250),
    ("timestamp", None, {"format": "epoch"}, 1709209815.25),
    ("timestamp", None, {"format": "%Y년"}, "2024년"),
    ("get_state_size", {"a": "x" * 1016}, {}, 1.0),
    ("get_state_size", "가" * 1000, {}, 2.9),
    ("get_state_size", None, {}, 0.0),
]


@pytest.mark.parametrize(("name", "value", "params", "expected"), TYPES + CONTROL + ENCODING + MATH + UTILITY)
def test_results(apply: Apply, name: str, value: Any, params: Any, expected: Any) -> None:
    result = apply(name, value, params)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("name", "value", "params", "why"),
    [
        ("to_int", "x", {}, "'x'. can't be made a number"),
        ("to_int", [1], {}, "a list can't be made"),
        ("to_int", "1_000", {}, "can't be made a number"),
        ("to_float", "nan", {}, "can't be made a number"),
        ("to_float", 10**400, {}, "too large"),
        ("to_bool", "maybe", {}, "can't be made a boolean"),
        ("to_date", "soon", {}, "not ISO 8601"),
        ("to_date", "2024-13-01", {"format": "%Y-%m-%d"}, "a date as %Y"),
        ("to_date", 1e300, {}, "can't be made a date"),
        ("format_date", [1], {}, "can't be made a date"),
        ("coerce_type", 1, {}, "`type`: is missing"),
        ("coerce_type", 1, {"type": "money"}, "Use one of: string"),
        ("coerce_type", "x", {"type": "int"}, "can't be made a number"),
        ("if_else", 1, {"then": 1}, "`condition`: is missing"),
        ("if_else", 1, {"condition": "", "then": 1}, "`condition`: is missing"),
        ("switch_case", 1, {"cases": [1]}, "Give an object"),
        ("base64_encode", "가", {"encoding": "ascii"}, "can't be written as ascii"),
        ("base64_encode", "a", {"encoding": "rot13"}, "no text encoding"),
        ("base64_encode", "a", {"encoding": "nope"}, "no text encoding"),
        ("base64_decode", "!!!", {}, "is not base64"),
        ("base64_decode", "abc", {}, "is not base64"),
        ("base64_decode", "/wE=", {}, "is not base64 of utf-8 text"),
        ("base64_decode", [1], {}, "not a text"),
        ("url_encode", [1], {}, "not a text"),
        ("url_decode", "%FF", {}, "no encoded text"),
        ("url_decode", "a=%FF", {}, "no encoded text"),
        ("hash_sha256", "\ud83d", {}, "half a character"),
        ("uuid_generate", None, {"version": 7}, "Use one of: 1, 4"),
        ("math_round", None, {}, "null, not a number"),
        ("math_round", True, {}, "a boolean, not a number"),
        ("math_floor", "x", {}, "'x'., not a number"),
        ("math_ceil", [1], {}, "a list, not a number"),
        ("math_abs", {}, {}, "an object, not a number"),
        ("math_clamp", 1, {"min": 3, "max": 1}, "Swap them"),
        ("math_clamp", 1, {"min": "low"}, "Give a number"),
        ("math_percent", 1, {"total": 0}, "`total` is 0"),
        ("math_expression", 1, {}, "`expression`: is missing"),
        ("math_expression", 1, {"expression": ""}, "something is missing"),
        ("math_expression", 1, {"expression": "x +"}, "something is missing"),
        ("math_expression", 1, {"expression": "x y"}, "unexpected 'y'"),
        ("math_expression", 1, {"expression": "(x"}, "not closed"),
        ("math_expression", 1, {"expression": "x; y"}, "unknown text"),
        ("math_expression", 1, {"expression": "__import__('os')"}, "unknown text"),
        ("math_expression", 1, {"expression": "y + 1"}, "'y', which is unknown. Known names: x"),
        ("math_expression", {"x": "5"}, {"expression": "x"}, "which is a text"),
        ("math_expression", 1, {"expression": "1 / 0"}, "division by zero"),
        ("math_expression", 1, {"expression": "1 % 0"}, "division by zero"),
        ("math_expression", 1, {"expression": "0 ** -1"}, "division by zero"),
        ("math_expression", 1, {"expression": "(0-8) ** 0.5"}, "no fractional power"),
        ("math_expression", 1, {"expression": "9 ** 9 ** 9"}, "too large"),
        ("math_expression", 1, {"expression": "1e308 * 10"}, "too large"),
        ("math_expression", 1, {"expression": "1e200 ** 2"}, "too large"),
        ("math_expression", 1, {"expression": "*".join(["9**400"] * 9)}, "too large"),
        ("math_expression", 1, {"expression": "(" * 60 + "1" + ")" * 60}, "50 deep"),
        ("math_expression", 1, {"expression": "-" * 60 + "1"}, "50 deep"),
        ("log", 1, {"level": "loud"}, "Use one of: debug"),
    ],
)
def test_what_can_not_be_done_is_refused(apply: Apply, name: str, value: Any, params: Any, why: str) -> None:
    with pytest.raises(NodeFailed, match=why):
        apply(name, value, params)


def test_a_failed_assertion_has_its_own_code(apply: Apply) -> None:
    with pytest.raises(NodeFailed, match=r"\$.a == 6: six is wanted") as failure:
        apply("assert", {"a": 5}, {"condition": "$.a == 6", "message": "six is wanted"})
    assert failure.value.code == "ASSERTION_FAILED"


@pytest.mark.parametrize("version", [1, 4])
def test_uuids_are_well_formed_and_stable(apply: Apply, version: int) -> None:
    first = apply("uuid_generate", None, {"version": version})
    assert UUID(first).version == version
    assert UUID(first).variant == RFC_4122
    assert apply("uuid_generate", None, {"version": version}) == first
