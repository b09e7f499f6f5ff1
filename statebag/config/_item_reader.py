"""Where the items of a map come from when they are in a file: its ``item_reader``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any

from jsonpointer import JsonPointer, JsonPointerException
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from statebag.blobs import explain_name
from statebag.config._reading import child_path, read_fields, report_unknown
from statebag.config.templates import check_templates, has_template
from statebag.errors import Problem

__all__ = ["ItemReader", "check_item_reader"]

_FORMATS = ("JSON", "JSONL", "CSV")
_DELIMITERS = (",", ";", "|", "\t", " ")
_BELONGS_TO: Mapping[str, str] = {"headers": "CSV", "delimiter": "CSV", "items_pointer": "JSON"}


@dataclass(frozen=True, kw_only=True)
class ItemReader:
    """A file, and how items are read from it."""

    format: str
    """``JSON``: an array; ``JSONL``: a JSON value a line; ``CSV``: an object of texts a row."""
    file: str
    """Name of the file among those of the run's owner; a template where it is not rendered yet."""
    headers: tuple[str, ...] | None = None
    """CSV: names of the columns where the file has no first row with them."""
    delimiter: str = ","
    """CSV: what is between two values: comma, semicolon, bar, tab or space."""
    items_pointer: str = ""
    """JSON: a JSON Pointer to the array; empty for an array that is the whole file."""
    max_items: int | None = None
    """A file that has more fails the map; nothing is cut off. None for no limit."""

    def to_json(self) -> dict[str, Any]:
        """The stored form; defaults are left out."""
        body = {one.name: getattr(self, one.name) for one in fields(self) if getattr(self, one.name) != one.default}
        return body | ({"headers": list(self.headers)} if self.headers is not None else {})

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> ItemReader:
        """Read the stored form, or what a document has where :func:`check_item_reader` finds nothing wrong."""
        given = {one.name: body[one.name] for one in fields(ItemReader) if body.get(one.name) is not None}
        given["format"] = given["format"].upper()
        if "headers" in given:
            given["headers"] = tuple(given["headers"])
        return ItemReader(**given)


def _check_format(name: str) -> str:
    if name.upper() in _FORMATS:
        return name
    raise PydanticCustomError("format_value", "unknown format")


def _check_delimiter(text: str) -> str:
    if text in _DELIMITERS:
        return text
    raise PydanticCustomError("delimiter_value", "unknown delimiter")


def _check_pointer(text: str) -> str:
    try:
        JsonPointer(text)
    except JsonPointerException as cause:
        raise PydanticCustomError("pointer_value", "no JSON Pointer") from cause
    return text


_Name = Annotated[str, Field(min_length=1)]


class _Reader(BaseModel):
    model_config = ConfigDict(strict=True)

    format: Annotated[str, AfterValidator(_check_format)] = Field(..., description="`JSON`, `JSONL` or `CSV`")
    file: str = Field(..., description="the name of an uploaded file, such as `orders.csv`")
    headers: list[_Name] | None = Field(None, min_length=1, description="a list of column names, at least one")
    delimiter: Annotated[str, AfterValidator(_check_delimiter)] | None = Field(
        None, description="one character: a comma, a semicolon, a bar, a tab or a space"
    )
    items_pointer: Annotated[str, AfterValidator(_check_pointer)] | None = Field(
        None, description="a JSON Pointer such as `/orders`, or empty"
    )
    max_items: int | None = Field(None, ge=1, description="a whole number of at least 1")


def check_item_reader(raw: Any, path: str) -> Iterator[Problem]:
    """Everything wrong with an ``item_reader``, and what has no effect in it.

    Args:
        raw: What the document has; null is no reader.
        path: Its JSON path.
    """
    if raw is None:
        return
    given, problems = read_fields(_Reader, raw, path)
    yield from problems
    if "file" in given:
        yield from _check_file(given["file"], child_path(path, "file"))
    if "headers" in given:
        yield from _check_headers(given["headers"], child_path(path, "headers"))
    for name, format_ in _BELONGS_TO.items():
        # An empty pointer says what holds anyway.
        if "format" in given and given.get(name) and given["format"].upper() != format_:
            message = f"has an effect only where the format is {format_}; here it is {given['format']}. Remove it."
            yield Problem(path=child_path(path, name), code="FIELD_VALUE", message=message)
    yield from report_unknown(raw, _Reader.model_fields, path)


def _check_file(name: str, path: str) -> Iterator[Problem]:
    if has_template(name):
        yield from check_templates(name, path)
    elif (wrong := explain_name(name)) is not None:
        message = f"`file` {wrong}. Use the name of an uploaded file, such as `orders.csv` or `2026/orders.csv`."
        yield Problem(path=path, code="FIELD_VALUE", message=message)


def _check_headers(names: list[str], path: str) -> Iterator[Problem]:
    for index, name in enumerate(names):
        if name in names[:index]:
            message = f"{name!r} is there twice. Give each column a name of its own."
            yield Problem(path=child_path(path, index), code="FIELD_VALUE", message=message)
