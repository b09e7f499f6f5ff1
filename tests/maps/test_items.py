"""Items out of files: what was written is read back, what is wrong is told with its place, and memory stays small."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statebag.canonical import canonical_bytes, parse_json
from statebag.config import ItemReader
from statebag.errors import NodeFailed, StoreUnavailable
from statebag.maps import read_items

MIB = 1024 * 1024


class Pages(io.RawIOBase):
    """Gives a few bytes at a time."""

    def __init__(self, pages: Iterator[bytes]) -> None:
        self._pages = pages
        self._page = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        if not self._page:
            self._page = next(self._pages, b"")
        count = min(len(buffer), len(self._page))
        buffer[:count] = self._page[:count]
        self._page = self._page[count:]
        return count


def paged(data: bytes, size: int) -> Pages:
    return Pages(data[start : start + size] for start in range(0, len(data), size))


def read(data: bytes | str, format: str, *, page: int = 0, **options: Any) -> list[Any]:
    raw = data.encode() if isinstance(data, str) else data
    reader = ItemReader(format=format, file="f", **options)
    return list(read_items(reader, paged(raw, page) if page else io.BytesIO(raw), name="orders"))


def refusal(data: bytes | str, format: str, **options: Any) -> NodeFailed:
    with pytest.raises(NodeFailed) as caught:
        read(data, format, **options)
    assert not caught.value.retryable
    assert caught.value.message.startswith("orders: ")
    assert caught.value.details["file"] == "orders"
    return caught.value


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**200), 2**200)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)
ITEMS = st.lists(VALUES, max_size=6)
STYLES: list[Callable[[Any], str]] = [
    json.dumps,
    lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":")),
    lambda value: json.dumps(value, indent=1),
]
MARKS = st.sampled_from(["", "\ufeff"])


@pytest.fixture(autouse=True)
def short_reads(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Lets the JSON reader take few bytes at a time, so that what is short has borders, too."""
    if "page_" in request.node.name:
        monkeypatch.setattr("statebag.maps._json_array._READ_BYTES", 3)


@given(items=ITEMS, style=st.sampled_from(STYLES), mark=MARKS, size=st.integers(1, 30))
def test_page_borders_in_json(items: list[Any], style: Callable[[Any], str], mark: str, size: int) -> None:
    got = read(mark + style(items), "JSON", page=size)
    assert canonical_bytes(got) == canonical_bytes(items)


@given(items=ITEMS, style=st.sampled_from(STYLES), before=VALUES, after=VALUES, size=st.integers(1, 30))
def test_page_borders_around_a_list_inside_of_json(
    items: list[Any], style: Callable[[Any], str], before: Any, after: Any, size: int
) -> None:
    text = style({"before": before, "a/~b": [before, {"": items, "x": after}], "after": after})
    got = read(text, "JSON", page=size, items_pointer="/a~1~0b/1/")
    assert canonical_bytes(got) == canonical_bytes(items)


@given(
    items=ITEMS,
    style=st.sampled_from(STYLES[:2]),
    mark=MARKS,
    end=st.sampled_from(["\n", "\r\n", "\n\n \n"]),
    size=st.integers(1, 30),
)
def test_page_borders_in_json_lines(
    items: list[Any], style: Callable[[Any], str], mark: str, end: str, size: int
) -> None:
    text = mark + end.join(map(style, items))
    for whole in (text, text + end):
        assert canonical_bytes(read(whole, "JSONL", page=size)) == canonical_bytes(items)


CELLS = st.text(st.sampled_from("ab\"',;|\t \né漢😀"), max_size=6)
HEADERS = st.lists(st.text("xyzé ,", min_size=1, max_size=3), min_size=2, max_size=4, unique=True)


@given(
    headers=HEADERS,
    data=st.data(),
    delimiter=st.sampled_from([",", ";", "|", "\t", " "]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    end=st.sampled_from(["\n", "\r\n"]),
    mark=MARKS,
    named=st.booleans(),
    size=st.integers(1, 30),
)
def test_page_borders_in_csv(
    headers: list[str], data: st.DataObject, delimiter: str, quoting: Any, end: str, mark: str, named: bool, size: int
) -> None:
    width = len(headers)
    rows = data.draw(st.lists(st.lists(CELLS, min_size=width, max_size=width), max_size=5))
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator=end)
    writer.writerows([headers, *rows] if named else rows)
    options = {} if named else {"headers": tuple(headers)}
    got = read(mark + out.getvalue(), "CSV", page=size, delimiter=delimiter, **options)
    assert got == [dict(zip(headers, row, strict=True)) for row in rows]


TOKENS = st.lists(
    st.sampled_from(
        [
            "[",
            "]",
            "{",
            "}",
            ",",
            ":",
            '"a"',
            '"',
            "1",
            "-",
            "1.5",
            ".",
            "e",
            "0",
            "tru",
            "true",
            "null",
            " ",
            "NaN",
            "\\",
            "\x01",
            "\ufeff",
        ]
    ),
    max_size=9,
).map("".join)


@given(text=TOKENS, size=st.integers(1, 9))
def test_page_json_is_read_where_it_is_read_as_a_whole(text: str, size: int) -> None:
    text = f"[{text}]"
    try:
        expected = parse_json(text)
    except ValueError:
        assert refusal(text, "JSON", page=size).code in ("ITEMS_MALFORMED", "ITEMS_UNREADABLE")
    else:
        assert canonical_bytes(read(text, "JSON", page=size)) == canonical_bytes(expected)


@pytest.mark.parametrize("format", ["JSON", "JSONL"])
def test_numbers_and_keys_are_those_of_all_other_json(format: str) -> None:
    items = ['{"n":123456789012345678901234567890}', '{"a":1,"a":2}', "-0", "1.0", "1e3", '"\\ud83d\\ude00"']
    got = read(f"[{','.join(items)}]" if format == "JSON" else "\n".join(items), format)
    assert [(type(one), one) for one in got] == [(type(one), one) for one in map(parse_json, items)]


@pytest.mark.parametrize("format", ["JSON", "JSONL"])
@pytest.mark.parametrize(
    "wrong",
    ["NaN", "1e400", '"\\ud800"', "Infinity", "01", "{'a':1}", '{"a" 1}', '"a\tb"', "[" * 100_000 + "]" * 100_000],
)
def test_what_is_no_json_is_told_with_its_place(format: str, wrong: str) -> None:
    error = refusal(f"[1,\n2,\n{wrong},\n4]" if format == "JSON" else f"1\n\n{wrong}\n4\n", format)
    assert error.code == "ITEMS_MALFORMED"
    assert error.details["place"] == ("item 3" if format == "JSON" else "line 3")
    assert error.details["place"] in error.message


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[1, 2", "item 2"),
        ('[1, "abc', "item 2"),
        ('[{"a": 1}, {"a": ', "item 2"),
        ("[1 2]", "item 1"),
        ("[1,]", "item 2"),
        ("[", "item 1"),
        ("[1] [2]", "what comes behind the items"),
        ("[1]]", "what comes behind the items"),
    ],
)
def test_json_that_breaks_off_or_goes_on_is_malformed(text: str, place: str) -> None:
    error = refusal(text, "JSON")
    assert (error.code, error.details["place"]) == ("ITEMS_MALFORMED", place)


@pytest.mark.parametrize(
    ("text", "pointer", "said"),
    [
        ("", "", "the file is empty"),
        ('{"orders": [1]}', "", "an object, not a list. Name the list in it by `items_pointer`"),
        ('"x"', "", "a text, not a list"),
        ("12", "", "a number, not a list"),
        ("true", "", "a boolean, not a list"),
        ("null", "", "null, not a list"),
        ("a,b\n1,2\n", "", "no JSON, not a list"),
        ('{"a": 1}', "/orders", "nothing is at `/orders`"),
        ('{"orders": {"x": 1}}', "/orders", "what is at `/orders` is an object"),
        ('{"orders": 5}', "/orders/new", "is a number, in which nothing is at `/orders/new`"),
        ("[[1]]", "/1", "nothing is at `/1`"),
        ("[[1]]", "/x", "a list, in which nothing is at `/x`"),
        ('{"a" 1}', "/orders", "a colon is missing"),
    ],
)
def test_a_file_without_a_list_of_items_is_unreadable(text: str, pointer: str, said: str) -> None:
    error = refusal(text, "JSON", items_pointer=pointer)
    assert error.code == "ITEMS_UNREADABLE"
    assert said in error.message


def test_what_surrounds_the_items_is_checked_too() -> None:
    assert read('{"a": [1], "b": 2}', "JSON", items_pointer="/a") == [1]
    for wrong in (
        '{"a": [1], "b" 2}',
        '{"a": [1], "b": 2',
        '{"a": [1]} x',
        '{"a": [1], "a": [2]}',
        '{"a": [1], "b": NaN}',
    ):
        assert refusal(wrong, "JSON", items_pointer="/a").code == "ITEMS_MALFORMED"


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("a,b\n1,2\n1\n", "line 3", "1 column, and there are 2 headers"),
        ("a,b\n1,2\n1,2,3\n", "line 3", "3 columns"),
        ('a,b\n"x\ny",2\n\n"z\nz",2,3\n', "line 5", "3 columns"),
        ('a,b\n1,"2\n3\n', "line 2", "unexpected end of data"),
        ('a,b\n1,"2"3\n', "line 2", "expected after"),
        ("a,b\n1,2\r3,4\n", "line 2", "new-line character"),
        ("a,a\n1,2\n", "line 1", "'a' is there twice"),
        ("\na,,b\n1,2,3\n", "line 2", "column 2 is empty"),
        (b"a,b\n1,\xff\n", "line 2", "not UTF-8: invalid start byte (byte 3)"),
        ("a,b\n1," + "x" * 200_000, "line 2", "field larger than field limit"),
    ],
)
def test_csv_that_is_malformed_is_told_with_its_line(text: bytes | str, place: str, said: str) -> None:
    error = refusal(text, "CSV")
    assert (error.code, error.details["place"]) == ("ITEMS_MALFORMED", place)
    assert said in error.message


def test_values_of_csv_are_texts_and_its_first_row_may_be_an_item() -> None:
    assert read("id,n\n1,\n", "CSV") == [{"id": "1", "n": ""}]
    assert read("id,n\n", "CSV", headers=("a", "b")) == [{"a": "id", "b": "n"}]
    assert read("", "CSV", headers=("a",)) == []
    assert read("a\n\n1\n", "CSV") == [{"a": "1"}]
    assert refusal("", "CSV").code == "ITEMS_UNREADABLE"


@pytest.mark.parametrize(
    ("data", "format", "place"),
    [
        (b'["a", "\xff"]', "JSON", "item 2"),
        (b'["a", "b"]\xe2\x82', "JSON", "what comes behind the items"),
        (b'["a", "b\xe2\x82', "JSON", "item 2"),
        (b'["a", 1\xff', "JSON", "item 2"),
        (b"\xff\xfe[\x001\x00]\x00", "JSON", "the JSON"),
        (b'{"a": 1}\n"\xe9"\n', "JSONL", "line 2"),
        (b'"a"\n"\xe2\x82', "JSONL", "line 2"),
    ],
)
def test_what_is_not_utf_8_is_malformed(data: bytes, format: str, place: str) -> None:
    error = refusal(data, format)
    assert "not UTF-8" in error.message
    assert (error.code, error.details["place"]) == ("ITEMS_MALFORMED", place)


def test_an_item_that_never_ends_is_refused_before_it_is_in_memory() -> None:
    for form, start in (("JSONL", b'"'), ("JSON", b'["'), ("CSV", b"a\n")):
        given = 0

        def pages(first: bytes = start) -> Iterator[bytes]:
            nonlocal given
            yield first
            while True:
                given += MIB
                yield b"x" * MIB

        with pytest.raises(NodeFailed) as caught:
            list(read_items(ItemReader(format=form, file="f"), Pages(pages()), name="orders"))
        assert caught.value.code == "ITEMS_MALFORMED"
        assert given < 40 * MIB
    fits = json.dumps("x" * (15 * MIB))
    assert len(read(fits + "\n", "JSONL")[0]) == len(read(f"[{fits}]", "JSON")[0]) == 15 * MIB


@pytest.mark.parametrize("format", ["JSON", "JSONL", "CSV"])
def test_more_items_than_allowed_fail_and_so_many_do_not(format: str) -> None:
    text = {"JSON": "[1,2,3]", "JSONL": "1\n2\n3\n", "CSV": "a\n1\n2\n3\n"}[format]
    assert len(read(text, format, max_items=3)) == 3
    error = refusal(text, format, max_items=2)
    assert error.code == "ITEMS_LIMIT"
    assert "more than 2 items" in error.message


@pytest.mark.parametrize("format", ["JSON", "JSONL", "CSV"])
def test_a_store_that_does_not_answer_stays_retryable(format: str) -> None:
    def pages() -> Iterator[bytes]:
        yield {"JSON": b"[1,", "JSONL": b"1\n2", "CSV": b"a\n1\n2"}[format]
        raise StoreUnavailable("no answer")

    with pytest.raises(StoreUnavailable):
        list(read_items(ItemReader(format=format, file="f"), Pages(pages()), name="orders"))


@pytest.mark.parametrize(("format", "inside"), [("JSON", True), ("JSON", False), ("JSONL", True), ("CSV", True)])
def test_memory_is_small_whatever_the_size(format: str, inside: bool) -> None:
    line = {
        "JSON": b'{"id": 12345, "text": "' + b"x" * 2000 + b'\xf0\x9f\x98\x80"},\n',
        "JSONL": b'{"id": 12345, "text": "' + b"x" * 2000 + b'\xf0\x9f\x98\x80"}\n',
        "CSV": b"12345," + b"x" * 2000 + b"\xf0\x9f\x98\x80\n",
    }[format]
    page = line * 30

    def pages() -> Iterator[bytes]:
        yield {"JSON": b'{"before": [', "JSONL": b"", "CSV": b"id,text\n"}[format] or line
        for _ in range(20 * MIB // len(page)):
            yield page
        if format == "JSON":
            yield b'0], "items": ['
            for _ in range(20 * MIB // len(page) if inside else 0):
                yield page
            yield b"0]}"

    reader = ItemReader(format=format, file="f", items_pointer="/items" if format == "JSON" else "")
    tracemalloc.start()
    try:
        count = sum(1 for _ in read_items(reader, Pages(pages()), name="orders"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count > 10_000 or (format == "JSON" and not inside and count == 1)
    assert peak < 8 * MIB
