"""The elements of an array in a JSON file, one after the other, however large the file is.

The standard library's decoder says where a value ends, and :func:`~statebag.canonical.parse_json` says what it is: items
are what they would be if the whole file were parsed at once. Parsers of events are not used, since what they make of
lone surrogates, of numbers that overflow and of deep nesting is another thing.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, Final

from statebag.canonical import parse_json
from statebag.errors import NodeFailed
from statebag.maps._item_file import ITEM_LIMIT, ItemFile

__all__ = ["read_array"]

_READ_BYTES: Final = 64 * 1024
_SPACE: Final = re.compile(r"[ \t\n\r]*")
_INDEX: Final = re.compile(r"0|[1-9][0-9]*")
_LONGEST_TOKEN: Final = 16
"""More than any token but a string has: an error which is so far before the end of the text is not due to that end."""
_LOOKAHEAD: Final = 4
"""Characters behind a number that must be known: ``1`` may go on as ``1e+5``."""
_GOES_ON: Final = ".eE+-"
"""What they are where it may; digits belong to the number as it is."""


def read_array(stream: BinaryIO, parts: Sequence[str], file: ItemFile) -> Iterator[Any]:
    """The elements of the array at ``parts``, the names on the way to it.

    Raises:
        NodeFailed: ``ITEMS_UNREADABLE``, ``ITEMS_MALFORMED``. The end of a file that breaks off is told, too.
    """
    cursor = _Cursor(stream, file)
    try:
        yield from _descend(cursor, parts, "", file)
    except RecursionError as cause:
        raise cursor.broken("values are nested too deep") from cause
    if cursor.peek() != "":
        raise cursor.broken("something comes behind the end of the JSON value")


def _descend(cursor: _Cursor, parts: Sequence[str], path: str, file: ItemFile) -> Iterator[Any]:
    kind = cursor.peek()
    there = f"what is at `{path}`" if path else "the file"
    if not parts:
        if kind != "[":
            raise file.unreadable(f"{there} is {_named(kind)}, not a list" + ("" if path else _POINT_AT_IT))
        for index in cursor.elements():
            cursor.place = f"item {index + 1}"
            yield cursor.item()
        cursor.place = "what comes behind the items"
        return
    name, *rest = parts
    below = f"{path}/{name.replace('~', '~0').replace('/', '~1')}"
    found = False
    if kind == "{":
        steps = (key == name for key in cursor.members())
    elif kind == "[" and _INDEX.fullmatch(name):
        steps = (index == int(name) for index in cursor.elements())
    else:
        raise file.unreadable(f"{there} is {_named(kind)}, in which nothing is at `{below}`")
    for here in steps:
        if not here:
            cursor.skip()
        elif found:
            raise file.malformed("the JSON", f"`{below}` is there twice")
        else:
            found = True
            yield from _descend(cursor, rest, below, file)
    if not found:
        raise file.unreadable(f"nothing is at `{below}`")


class _Cursor:
    """A place in a JSON text of which little more than one value is in memory."""

    def __init__(self, stream: BinaryIO, file: ItemFile) -> None:
        self._stream = stream
        self._file = file
        self._bytes = codecs.getincrementaldecoder("utf-8-sig")("strict")
        self._decoder = json.JSONDecoder(parse_constant=_refuse_constant)
        self._text = ""
        self._at = 0
        self._ended = False
        self._flaw: UnicodeDecodeError | None = None
        self.place: str | None = None
        """What is being read, for errors; None before the first item."""

    def broken(self, why: str) -> NodeFailed:
        """The error for a text that is no JSON here."""
        return self._file.unreadable(why) if self.place is None else self._file.malformed(self.place, why)

    def peek(self) -> str:
        """The next character that is no space, unread; empty at the end."""
        while True:
            space = _SPACE.match(self._text, self._at)
            self._at = space.end() if space else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def elements(self) -> Iterator[int]:
        """Numbers of an array's elements; the caller reads each element when it gets its number."""
        self._at += 1
        index = 0
        if self.peek() == "]":
            self._at += 1
            return
        while True:
            yield index
            index += 1
            if self._closes("]"):
                return

    def members(self) -> Iterator[str]:
        """Keys of an object; the caller reads each value when it gets its key."""
        self._at += 1
        if self.peek() == "}":
            self._at += 1
            return
        while True:
            if self.peek() != '"':
                raise self.broken("a key in quotation marks is missing")
            key = json.loads(self._value())
            if self.peek() != ":":
                raise self.broken(f"a colon is missing behind the key {key[:60]!r}")
            self._at += 1
            yield key
            if self._closes("}"):
                return

    def item(self) -> Any:
        """Read a value."""
        self.peek()
        text = self._value()
        try:
            return parse_json(text)
        except ValueError as cause:
            raise self.broken(_explain(cause, 0)) from cause

    def skip(self) -> None:
        """Read over a value of any size."""
        match self.peek():
            case "[":
                for _ in self.elements():
                    self.skip()
            case "{":
                for _ in self.members():
                    self.skip()
            case _:
                self._value()

    def _closes(self, end: str) -> bool:
        mark = self.peek()
        self._at += 1
        if mark == end:
            return True
        if mark != ",":
            raise self.broken("the file breaks off" if mark == "" else f"a comma or `{end}` is missing before {mark!r}")
        return False

    def _value(self) -> str:
        while True:
            try:
                end = self._decoder.raw_decode(self._text, self._at)[1]
            except ValueError as cause:
                if not self._is_cut(cause):
                    raise self.broken(_explain(cause, self._at)) from cause
                if not self._more():
                    raise self.broken(f"the file breaks off, or {_explain(cause, self._at)}") from cause
                continue
            tail = self._text[end : end + _LOOKAHEAD]
            if len(tail) < _LOOKAHEAD and not tail.strip(_GOES_ON) and self._more():
                continue
            text = self._text[self._at : end]
            self._at = end
            return text

    def _is_cut(self, cause: ValueError) -> bool:
        if not isinstance(cause, json.JSONDecodeError):
            return False
        return cause.msg.startswith("Unterminated string") or cause.pos > len(self._text) - _LONGEST_TOKEN

    def _more(self) -> bool:
        """Read on; False at the end of the file, where nothing is changed."""
        if self._flaw is not None:
            why = f"it is not UTF-8: {self._flaw.reason}"
            raise self._file.malformed(self.place or "the JSON", why) from self._flaw
        if self._ended:
            return False
        held = len(self._text) - self._at
        if held > ITEM_LIMIT:
            raise self.broken(f"a value is longer than {ITEM_LIMIT} characters")
        # As much again as there is: a value is looked through a few times in all, however long it is.
        data = self._stream.read(max(_READ_BYTES, held))
        self._ended = not data
        try:
            text = self._bytes.decode(data, final=self._ended)
        except UnicodeDecodeError as cause:
            # What is before it is read first, so that the error names the item that it is in.
            self._flaw = cause
            text = cause.object[: cause.start].decode()
        if not self._ended or text:
            self._text, self._at = self._text[self._at :] + text, 0
        return not self._ended or self._flaw is not None


_POINT_AT_IT: Final = ". Name the list in it by `items_pointer`"
_KINDS: Final = {"{": "an object", "[": "a list", '"': "a text", "": "empty", "t": "a boolean", "f": "a boolean"}


def _named(first: str) -> str:
    if first == "n":
        return "null"
    if first in "-0123456789" and first:
        return "a number"
    return _KINDS.get(first, "no JSON")


def _explain(cause: ValueError, start: int) -> str:
    if isinstance(cause, json.JSONDecodeError):
        return f"{cause.msg} (character {cause.pos - start + 1})"
    return str(cause)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
