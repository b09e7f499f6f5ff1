"""A map's ``item_reader`` in documents."""

from __future__ import annotations

from typing import Any

import pytest

from statebag.canonical import canonical_bytes, parse_json
from statebag.config import ItemReader, check_item_reader

PATH = "$.nodes[0].config.item_reader"


def findings(raw: Any) -> list[tuple[str, str]]:
    return [(problem.path.removeprefix(PATH), problem.code) for problem in check_item_reader(raw, PATH)]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"format": "jsonl", "file": "a"}, ItemReader(format="JSONL", file="a")),
        ({"format": "Json", "file": "2026/a.json", "items_pointer": ""}, ItemReader(format="JSON", file="2026/a.json")),
        (
            {"format": "JSON", "file": "a", "items_pointer": "/x~1y/0", "max_items": 5, "headers": None},
            ItemReader(format="JSON", file="a", items_pointer="/x~1y/0", max_items=5),
        ),
        (
            {"format": "CSV", "file": "{{ folder }}/../a", "headers": ["id", "name"], "delimiter": "\t"},
            ItemReader(format="CSV", file="{{ folder }}/../a", headers=("id", "name"), delimiter="\t"),
        ),
    ],
)
def test_what_is_right(raw: dict[str, Any], expected: ItemReader) -> None:
    assert findings(raw) == []
    reader = ItemReader.from_json(raw)
    assert reader == expected
    assert ItemReader.from_json(parse_json(canonical_bytes(reader.to_json()))) == reader


def test_defaults_are_not_stored() -> None:
    raw = {"format": "CSV", "file": "a", "delimiter": ",", "items_pointer": "", "max_items": None}
    assert ItemReader.from_json(raw).to_json() == {"format": "CSV", "file": "a"}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (None, []),
        ("a.csv", [("", "FIELD_TYPE")]),
        ({}, [(".format", "FIELD_MISSING"), (".file", "FIELD_MISSING")]),
        (
            {"format": "XML", "file": 5, "max_items": 0, "delimiter": ":", "items_pointer": "orders", "headers": "a"},
            [
                (".format", "FIELD_VALUE"),
                (".file", "FIELD_TYPE"),
                (".headers", "FIELD_TYPE"),
                (".delimiter", "FIELD_VALUE"),
                (".items_pointer", "FIELD_VALUE"),
                (".max_items", "FIELD_VALUE"),
            ],
        ),
        ({"format": "CSV", "file": "a", "max_items": True}, [(".max_items", "FIELD_TYPE")]),
        ({"format": "CSV", "file": "a", "headers": []}, [(".headers", "FIELD_VALUE")]),
        ({"format": "CSV", "file": "a", "headers": ["a", ""]}, [(".headers[1]", "FIELD_VALUE")]),
        ({"format": "CSV", "file": "a", "headers": ["a", "b", "a"]}, [(".headers[2]", "FIELD_VALUE")]),
        ({"format": "CSV", "file": "a", "delimiter": ",,"}, [(".delimiter", "FIELD_VALUE")]),
        (
            {"format": "JSON", "file": "a", "headers": ["a"], "delimiter": ","},
            [(".headers", "FIELD_VALUE"), (".delimiter", "FIELD_VALUE")],
        ),
        ({"format": "CSV", "file": "a", "items_pointer": "/x"}, [(".items_pointer", "FIELD_VALUE")]),
        ({"format": "CSV", "file": "{{ a"}, [(".file", "TEMPLATE_SYNTAX")]),
        ({"format": "CSV", "file": "a", "fil": "b"}, [(".fil", "FIELD_UNKNOWN")]),
    ],
)
def test_all_that_is_wrong_is_told(raw: Any, expected: list[tuple[str, str]]) -> None:
    assert findings(raw) == expected


@pytest.mark.parametrize("name", ["", "/a", "../a", "a/../b", "a//b", "a/", "."])
def test_names_that_no_file_has(name: str) -> None:
    assert findings({"format": "CSV", "file": name}) == [(".file", "FIELD_VALUE")]
