from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statebag.config.paths import MISSING, ExpressionError, Part, Parts, parse_path, print_path, walk


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ()),
        (".", ()),
        ("$", ()),
        ("a", ("a",)),
        ("$.a.b", ("a", "b")),
        ("a[0].b", ("a", 0, "b")),
        ("a[-1]", ("a", -1)),
        ("a.0", ("a", "0")),
        ("$[2]", (2,)),
        ("a['b.c'][\"d]\"]", ("a", "b.c", "d]")),
        ("user-name.my key", ("user-name", "my key")),
        ("가.나", ("가", "나")),
    ],
)
def test_paths_are_read(text: str, parts: Parts) -> None:
    assert parse_path(text) == parts


@pytest.mark.parametrize("text", ["a.", "a..b", "a[", "a[x]", "a]", "a[0]b", "$$.["])
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError, match="is no path"):
        parse_path(text)


def test_a_path_has_twenty_parts_at_most() -> None:
    assert len(parse_path(".".join("a" * 20))) == 20
    with pytest.raises(ExpressionError, match="21 parts is too deep"):
        parse_path(".".join("a" * 21))


@pytest.mark.parametrize(
    ("value", "parts", "found"),
    [
        ({"a": [1, {"b": None}]}, ("a", 1, "b"), None),
        ({"a": [1]}, ("a", "0"), 1),
        ({"a": [1]}, ("a", "-1"), MISSING),
        ({"a": [1]}, ("a", -1), 1),
        ({"a": [1]}, ("a", 1), MISSING),
        ({"0": 1}, (0,), MISSING),
        ("text", (0,), MISSING),
        ("text", ("upper",), MISSING),
        (None, ("a",), MISSING),
        (5, (), 5),
    ],
)
def test_only_objects_and_lists_are_walked(value: Any, parts: Parts, found: Any) -> None:
    assert walk(value, parts) is found or walk(value, parts) == found


@given(st.lists(st.integers(-9, 9) | st.text("ab가_ 1-", min_size=1), max_size=5).map(tuple))
def test_a_printed_path_is_read_back(parts: tuple[Part, ...]) -> None:
    assert parse_path(print_path(parts)) == parts
