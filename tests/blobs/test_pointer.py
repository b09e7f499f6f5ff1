"""The shape of pointers, and values that look like them."""

from __future__ import annotations

from typing import Any

import pytest

from statebag.blobs import Pointer, escape, is_pointer, unescape
from statebag.errors import PointerRefused

SHA = "0123456789abcdef" * 4
PLAIN: dict[str, Any] = {
    "$ptr": 1,
    "kind": "field",
    "key": "o/w/e/field/a.json.zst",
    "size_bytes": 12,
    "sha256": SHA,
    "codec": "json+zstd",
}


def test_json_shape_is_exact() -> None:
    pointer = Pointer(kind="field", key="o/w/e/field/a.json.zst", size_bytes=12, sha256=SHA)
    assert pointer.to_json() == PLAIN
    assert list(pointer.to_json()) == ["$ptr", "kind", "key", "size_bytes", "sha256", "codec"]


@pytest.mark.parametrize("extra", [{}, {"count": 0}, {"summary": {"top": [1, None]}}, {"count": 3, "summary": "x"}])
def test_round_trip(extra: dict[str, Any]) -> None:
    body = PLAIN | extra
    pointer = Pointer.from_json(body)
    assert pointer.to_json() == body
    assert Pointer.from_json(pointer.to_json()) == pointer
    assert (pointer.count, pointer.summary) == (extra.get("count"), extra.get("summary"))


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("$ptr", True),
        ("$ptr", 2),
        ("$ptr", "1"),
        ("kind", ""),
        ("kind", 1),
        ("size_bytes", -1),
        ("size_bytes", True),
        ("size_bytes", 1.0),
        ("size_bytes", "1"),
        ("sha256", SHA.upper()),
        ("sha256", SHA[:-1]),
        ("sha256", SHA + "0"),
        ("sha256", SHA + "\n"),
        ("sha256", None),
        ("codec", "gzip"),
        ("codec", None),
        ("codec", ["json"]),
        ("count", -1),
        ("count", True),
        ("count", "1"),
        ("field_name", "x"),
        *[
            ("key", key)
            for key in (
                "",
                "/o/a",
                "o/a/",
                "o//a",
                "o/../a",
                "..",
                "o/./a",
                "o/a..b",
                "o/%2e%2e/a",
                "o/%2E%2E/a",
                "o%2fa",
                "o%2Fa",
                "o/%00",
                "o/\0",
                "o/a b",
                "o/ä",
                "o\\a",
                "o/~a",
                "o/%zz",
                "o/a\n",
                "o/" + "a" * 1100,
                "s3://bucket/a",
                None,
                1,
            )
        ],
    ],
)
def test_wrong_field_is_refused(field: str, wrong: Any) -> None:
    with pytest.raises(PointerRefused) as caught:
        Pointer.from_json(PLAIN | {field: wrong})
    assert caught.value.code == "POINTER_MALFORMED"
    assert [problem["field"] for problem in caught.value.details["problems"]] == [field]
    assert not caught.value.retryable


def test_every_wrong_field_is_listed() -> None:
    with pytest.raises(PointerRefused) as caught:
        Pointer.from_json({"$ptr": 1, "kind": 3, "size_bytes": -2, "sha256": "x", "colour": "red"})
    named = [problem["field"] for problem in caught.value.details["problems"]]
    assert named == ["kind", "key", "size_bytes", "sha256", "codec", "colour"]
    for field in named:
        assert f"{field}: " in caught.value.message


@pytest.mark.parametrize("value", [None, [], "x", 1, [PLAIN]])
def test_what_is_no_object_is_refused(value: Any) -> None:
    assert is_pointer(value) is False
    with pytest.raises(PointerRefused, match="must be an object"):
        Pointer.from_json(value)


def test_is_pointer_looks_for_the_mark() -> None:
    assert is_pointer(PLAIN)
    assert is_pointer({"$ptr": "whatever"})
    assert not is_pointer({"ptr": 1})
    assert not is_pointer({"nested": PLAIN})


@pytest.mark.parametrize(
    ("value", "escaped"),
    [
        ({"$ptr": 1}, {"$lit": {"$ptr": 1}}),
        ({"$lit": 1}, {"$lit": {"$lit": 1}}),
        ({"$lit": 1, "a": 2}, {"$lit": {"$lit": 1, "a": 2}}),
        ({"$lit": {"$ptr": 1}}, {"$lit": {"$lit": {"$ptr": 1}}}),
        ({"a": {"$ptr": 1}}, {"a": {"$ptr": 1}}),
        ([{"$ptr": 1}], [{"$ptr": 1}]),
        ("$ptr", "$ptr"),
        (None, None),
        ({}, {}),
    ],
)
def test_escaping_is_undone_and_hides_the_mark(value: Any, escaped: Any) -> None:
    assert escape(value) == escaped
    assert unescape(escape(value)) == value
    assert not is_pointer(escape(value))
