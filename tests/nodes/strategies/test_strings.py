from __future__ import annotations

from typing import Any

import pytest

from statebag.errors import NodeFailed

from .conftest import Apply


@pytest.mark.parametrize(
    ("name", "value", "params", "expected"),
    [
        ("string_split", "a, b,c", {}, ["a", "b", "c"]),
        ("string_split", "a, b", {"trim": False}, ["a", " b"]),
        ("string_split", "a-b-c", {"delimiter": "-", "max_split": 1}, ["a", "b-c"]),
        ("string_split", "", {}, []),
        ("string_split", None, {}, []),
        ("string_split", 1.5, {"delimiter": "."}, ["1", "5"]),
        ("string_join", ["a", 1, True, None, "가"], {}, "a, 1, true, , 가"),
        ("string_join", [], {}, ""),
        ("string_join", None, {}, ""),
        ("string_join", ["a", "b"], {"delimiter": ""}, "ab"),
        ("regex_extract", "order 12 and 34", {"pattern": r"\d+"}, "12"),
        ("regex_extract", "order 12 and 34", {"pattern": r"\d+", "all": True}, ["12", "34"]),
        ("regex_extract", "k=v", {"pattern": r"(\w)=(\w)", "group": 2}, "v"),
        ("regex_extract", "k=v", {"pattern": r"(?P<key>\w)=", "group": "key"}, "k"),
        ("regex_extract", "k=v", {"pattern": r"(\w)=(\w)", "group": "1"}, "k"),
        ("regex_extract", "none", {"pattern": r"\d"}, None),
        ("regex_extract", "none", {"pattern": r"\d", "all": "true"}, []),
        ("regex_extract", None, {"pattern": r"\d"}, None),
        ("regex_extract", "한국 2024", {"pattern": r"[가-힣]+"}, "한국"),
        ("regex_replace", "a1b2", {"pattern": r"\d"}, "ab"),
        ("regex_replace", "a1b2", {"pattern": r"\d", "replacement": "#", "count": 1}, "a#b2"),
        ("regex_replace", "ab", {"pattern": "(a)(b)", "replacement": r"\2\1"}, "ba"),
        ("regex_replace", None, {"pattern": "a"}, ""),
        ("regex_match", "abc", {"pattern": "b"}, True),
        ("regex_match", "abc", {"pattern": "b", "full_match": True}, False),
        ("regex_match", None, {"pattern": "a"}, False),
        ("string_trim", "  a ", {}, "a"),
        ("string_trim", "  a ", {"side": "left"}, "a "),
        ("string_trim", "xxaxx", {"chars": "x", "side": "RIGHT"}, "xxa"),
        ("string_trim", None, {}, ""),
        ("string_case", "Hello World", {}, "hello world"),
        ("string_case", "straße", {"case": "upper"}, "STRASSE"),
        ("string_case", "hello world", {"case": "title"}, "Hello World"),
        ("string_case", "hELLO", {"case": "capitalize"}, "Hello"),
        ("string_case", "helloWorld HTTPServer2Go", {"case": "snake_case"}, "hello_world_http_server2_go"),
        ("string_case", "Hello big-world", {"case": "kebab_case"}, "hello-big-world"),
        ("string_case", "hello_big world", {"case": "camel_case"}, "helloBigWorld"),
        ("string_case", "hello 세계", {"case": "pascal_case"}, "Hello세계"),
        ("string_case", None, {"case": "camel_case"}, ""),
        ("string_truncate", "abcdef", {"max_length": 5}, "ab..."),
        ("string_truncate", "abcde", {"max_length": 5}, "abcde"),
        ("string_truncate", "가나다라", {"max_length": 3, "suffix": "…"}, "가나…"),
        ("string_truncate", "abcdef", {"max_length": 2}, "ab"),
        ("string_truncate", "abc", {"max_length": 0}, ""),
        ("string_truncate", None, {}, ""),
        ("string_pad", "7", {"length": 3, "char": "0"}, "007"),
        ("string_pad", 7, {"length": 3, "char": 0, "side": "right"}, "700"),
        ("string_pad", "ab", {"length": 4, "side": "both"}, " ab "),
        ("string_pad", "abc", {"length": 2}, "abc"),
        ("string_pad", None, {"length": 2}, "  "),
    ],
)
def test_results(apply: Apply, name: str, value: Any, params: Any, expected: Any) -> None:
    result = apply(name, value, params)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("name", "value", "params", "why"),
    [
        ("string_split", ["a"], {}, "not a text"),
        ("string_split", "a", {"delimiter": ""}, "`delimiter` is empty"),
        ("string_join", "a,b", {}, "not a list"),
        ("string_join", ["a", {"b": 1}], {}, "json_stringify"),
        ("regex_extract", "a", {"pattern": "("}, "is no regular expression"),
        ("regex_extract", "a", {}, "`pattern`: is missing"),
        ("regex_extract", "a", {"pattern": "a", "group": 1}, "no group 1"),
        ("regex_extract", "a", {"pattern": "a", "group": "k"}, "no group 'k'"),
        ("regex_extract", "a", {"pattern": "a", "group": [1]}, "`group` is a list"),
        ("regex_replace", "a", {"pattern": "["}, "is no regular expression"),
        ("regex_replace", "a", {"pattern": "a", "replacement": r"\3"}, "can't be used"),
        ("regex_match", {"a": 1}, {"pattern": "a"}, "not a text"),
        ("regex_match", "a" * 40 + "!", {"pattern": "(a|aa)+$"}, "took more than 2 s"),
        ("string_trim", "a", {"side": "top"}, "Use one of: both, left, right"),
        ("string_case", "a", {"case": "sponge"}, "Use one of: lower"),
        ("string_truncate", "a", {"max_length": -1}, "at least 0"),
        ("string_pad", "a", {"char": "ab"}, "exactly one character"),
        ("string_pad", "a", {"length": 10**9}, "out of range"),
        ("string_template", None, {}, "`template`: is missing"),
    ],
)
def test_what_can_not_be_done_is_refused(apply: Apply, name: str, value: Any, params: Any, why: str) -> None:
    with pytest.raises(NodeFailed, match=why):
        apply(name, value, params)


def test_a_template_sees_its_context_then_the_input_then_the_state(apply: Apply) -> None:
    state = {"a": "state", "b": "state", "c": "state"}
    params = {"template": "{{a}} {{b}} {{c}} {{d}}.", "context": {"a": "context"}}
    assert apply("string_template", {"a": "input", "b": "input"}, params, state=state) == "context input state ."
    assert apply("string_template", None, params, state=state, given=False) == "context state state ."


def test_a_template_always_gives_text(apply: Apply) -> None:
    assert apply("string_template", None, {"template": "{{n}}"}, state={"n": 5}, given=False) == "5"
    assert apply("string_template", None, {"template": "{{n}}"}, given=False) == ""
