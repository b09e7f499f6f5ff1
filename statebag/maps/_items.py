"""Items out of a file, one after the other: JSON, JSON Lines or CSV. The file is never in memory as a whole."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, Final, cast

from jsonpointer import JsonPointer

from statebag.canonical import parse_json
from statebag.config import ItemReader
from statebag.maps._item_file import ITEM_LIMIT, ItemFile
from statebag.maps._json_array import read_array

__all__ = ["read_items"]

_BUFFER_BYTES: Final = 64 * 1024
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def read_items(reader: ItemReader, stream: io.RawIOBase | BinaryIO, *, name: str) -> Iterator[Any]:
    """The items of a file, in its order.

    Files are UTF-8, with a byte order mark or without. Blank lines count for nothing in JSON Lines and CSV. What is read
    from CSV are texts.

    Args:
        reader: How to read.
        stream: What to read, from where it stands to its end. It is closed behind the last item.
        name: The file's name, for errors.

    Raises:
        NodeFailed: ``ITEMS_UNREADABLE``: it has no items in that format. ``ITEMS_MALFORMED``: it breaks the format at
            the line or item named. ``ITEMS_LIMIT``: it has more than ``max_items``.
    """
    file = ItemFile(name=name, format=reader.format)
    with io.BufferedReader(cast("io.RawIOBase", stream), _BUFFER_BYTES) as source:
        match reader.format:
            case "JSON":
                items = read_array(source, JsonPointer(reader.items_pointer).parts, file)
            case "JSONL":
                items = _read_lines(_Lines(source, file), file)
            case _:
                items = _read_rows(_Lines(source, file), reader, file)
        for count, item in enumerate(items, 1):
            if reader.max_items is not None and count > reader.max_items:
                raise file.too_many(reader.max_items)
            yield item


class _Lines:
    """The lines of a text, each with its end.

    Args:
        source: The bytes.
        file: Makes errors.
    """

    def __init__(self, source: BinaryIO, file: ItemFile) -> None:
        self._source = source
        self._file = file
        self.number = 0
        """Of the line that was read last, from 1."""
        self.held = 0
        """Bytes since the reader has set this to 0, which it does at each item."""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._source.readline(ITEM_LIMIT + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self.held += len(line)
        if self.held > ITEM_LIMIT:
            raise self._file.malformed(f"line {self.number}", f"an item is longer than {ITEM_LIMIT} bytes")
        if self.number == 1:
            line = line.removeprefix(_BYTE_ORDER_MARK)
        try:
            return line.decode()
        except UnicodeDecodeError as cause:
            why = f"it is not UTF-8: {cause.reason} (byte {cause.start + 1})"
            raise self._file.malformed(f"line {self.number}", why) from cause


def _read_lines(lines: _Lines, file: ItemFile) -> Iterator[Any]:
    for line in lines:
        lines.held = 0
        try:
            item = parse_json(line)
        except (ValueError, RecursionError) as cause:
            if not line.strip(" \t\r\n"):
                continue
            why = f"{cause.msg} (column {cause.colno})" if isinstance(cause, json.JSONDecodeError) else str(cause)
            raise file.malformed(f"line {lines.number}", why) from cause
        yield item


def _read_rows(lines: _Lines, reader: ItemReader, file: ItemFile) -> Iterator[dict[str, str]]:
    rows = _rows(lines, reader.delimiter, file)
    headers: Sequence[str] | None = reader.headers
    if headers is None:
        number, headers = next(rows, (0, None))
        if headers is None:
            raise file.unreadable("it is empty, and no `headers` are given, so that the columns have no names")
        _check_headers(headers, f"line {number}", file)
    width = len(headers)
    for number, row in rows:
        if len(row) != width:
            columns = f"{len(row)} column{'' if len(row) == 1 else 's'}"
            raise file.malformed(f"line {number}", f"it has {columns}, and there are {width} headers")
        yield dict(zip(headers, row, strict=True))


def _rows(lines: _Lines, delimiter: str, file: ItemFile) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not blank, each with the line that it begins in."""
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        number = lines.number + 1
        lines.held = 0
        try:
            row = next(rows, None)
        except csv.Error as cause:
            raise file.malformed(f"line {number}", str(cause)) from cause
        if row is None:
            return
        if row:
            yield number, row


def _check_headers(headers: Sequence[str], place: str, file: ItemFile) -> None:
    for index, name in enumerate(headers):
        if name == "":
            raise file.malformed(place, f"the header of column {index + 1} is empty")
        if name in headers[:index]:
            raise file.malformed(place, f"the header {name!r} is there twice")
