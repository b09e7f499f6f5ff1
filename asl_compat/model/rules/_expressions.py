"""Paths, payload templates and intrinsic functions, as far as their text tells."""

from __future__ import annotations

from collections.abc import Iterator

from asl_compat.model._intrinsics import IntrinsicSyntaxError
from asl_compat.model._jsonpath import PathSyntaxError, read_path
from asl_compat.model._parts import Part, TemplateEntry, has_placeholder, read_expression, walk_template
from asl_compat.model._walking import StatePlace
from statebag.errors import Problem

__all__ = ["TEMPLATES", "check_expressions", "is_path_field"]

TEMPLATES = ("parameters", "result_selector", "item_selector", "assign", "batch_input", "credentials")
"""Attributes that hold payload templates in JSONPath."""
_OR_INTRINSIC = frozenset({"error_path", "cause_path"})


def is_path_field(attribute: str) -> bool:
    """Whether the field of an attribute holds a path."""
    return attribute.endswith("_path") or attribute == "variable"


def check_expressions(found: StatePlace, part: Part) -> Iterator[Problem]:
    """The paths and templates of one object of a state that uses JSONPath."""
    if found.language != "JSONPath" or not found.language_sure:
        return
    for attribute, value in part.model.written.items():
        path = part.at(attribute)
        if is_path_field(attribute) and isinstance(value, str) and not has_placeholder(value):
            yield from _check_path(path, attribute, part.model.name_of(attribute), value)
        elif attribute in TEMPLATES:
            for entry in walk_template(value, path):
                yield from _check_entry(entry)


def _check_path(path: str, attribute: str, name: str, text: str) -> Iterator[Problem]:
    try:
        if attribute in _OR_INTRINSIC:
            read_expression(text)
            return
        read = read_path(text)
    except PathSyntaxError as wrong:
        message = f"`{name}` is {text!r}, which {wrong}. Correct the path."
        yield Problem(path=path, code="ASL_PATH_SYNTAX", message=message)
        return
    except IntrinsicSyntaxError as wrong:
        message = f"`{name}` is {text!r}, which {wrong}. Write a path or a call of an intrinsic function."
        yield Problem(path=path, code="ASL_INTRINSIC", message=message)
        return
    if attribute == "result_path" and (read.root != "$" or not read.is_reference):
        message = (
            f"`{name}` is {text!r}, which is no single place in the state's input. Use `$` and names or indices, "
            "without wildcards, filters, slices, functions, variables or the context object."
        )
        yield Problem(path=path, code="ASL_PATH_SYNTAX", message=message)


def _check_entry(entry: TemplateEntry) -> Iterator[Problem]:
    if not entry.computed:
        if isinstance(entry.value, str) and _looks_like_path(entry.value):
            message = f"`{entry.key}` is the text {entry.value!r}. To read that path, name the key `{entry.key}.$`."
            yield Problem(path=entry.path, code="ASL_SUSPECT", message=message)
        return
    text = entry.value
    if not isinstance(text, str):
        message = f"`{entry.key}` ends in `.$` and has no text. Write a path or intrinsic function, or drop the `.$`."
        yield Problem(path=entry.path, code="ASL_TEMPLATE", message=message)
        return
    if has_placeholder(text):
        return
    if not text.startswith("$") and not text.lstrip().startswith("States."):
        message = f"`{entry.key}` is {text!r}. Write a path, or a call such as States.Format(…), or drop the `.$`."
        yield Problem(path=entry.path, code="ASL_TEMPLATE", message=message)
        return
    try:
        read_expression(text)
    except PathSyntaxError as wrong:
        message = f"`{entry.key}` is {text!r}, which {wrong}. Correct the path."
        yield Problem(path=entry.path, code="ASL_PATH_SYNTAX", message=message)
    except IntrinsicSyntaxError as wrong:
        message = f"`{entry.key}` is {text!r}, which {wrong}. Correct the call."
        yield Problem(path=entry.path, code="ASL_INTRINSIC", message=message)


def _looks_like_path(text: str) -> bool:
    if not text.startswith(("$.", "$$.", "$[")):
        return False
    try:
        return bool(read_path(text).steps)
    except PathSyntaxError:
        return False
