"""Intrinsic functions of payload templates, read into the paths they use."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from asl_compat.model._jsonpath import Path, PathSyntaxError, scan_path

__all__ = ["FUNCTIONS", "Argument", "Call", "IntrinsicSyntaxError", "read_intrinsic"]

FUNCTIONS: Mapping[str, tuple[int, int | None]] = {
    "Format": (1, None),
    "StringToJson": (1, 1),
    "JsonToString": (1, 1),
    "Array": (0, None),
    "ArrayPartition": (2, 2),
    "ArrayContains": (2, 2),
    "ArrayRange": (3, 3),
    "ArrayGetItem": (2, 2),
    "ArrayLength": (1, 1),
    "ArrayUnique": (1, 1),
    "Base64Encode": (1, 1),
    "Base64Decode": (1, 1),
    "Hash": (2, 2),
    "JsonMerge": (3, 3),
    "MathRandom": (2, 3),
    "MathAdd": (2, 2),
    "StringSplit": (2, 2),
    "UUID": (0, 0),
}
"""Name, without ``States.``, to the fewest and the most arguments."""
_DEEPEST = 10
"""How deep calls may stand in one another."""
_NAME = re.compile(r"States\.(\w*)\s*\(")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_TEXT = re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL)
_WORDS: Mapping[str, Any] = {"true": True, "false": False, "null": None}
_HOLE = re.compile(r"\\.|\{\}|[{}]", re.DOTALL)


class IntrinsicSyntaxError(ValueError):
    """A text is no call of an intrinsic function; the message says why, as the end of a sentence."""


@dataclass(frozen=True, kw_only=True)
class Argument:
    """A literal, a path, or another call."""

    kind: Literal["literal", "path", "call"]
    value: Any = None
    """The literal; text as it is written, with its escapes."""
    path: Path | None = None
    call: Call | None = None


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call of a function."""

    name: str
    """Without ``States.``."""
    arguments: tuple[Argument, ...]

    def paths(self) -> list[Path]:
        """All paths it uses, those of calls inside included."""
        found: list[Path] = []
        for argument in self.arguments:
            found += [argument.path] if argument.path is not None else []
            found += argument.call.paths() if argument.call is not None else []
        return found


def read_intrinsic(text: str) -> Call:
    """Read all of ``text`` as a call.

    Raises:
        IntrinsicSyntaxError: it is none, or one that can't work.
    """
    stripped = text.strip()
    call, end = _scan_call(stripped, 0, 1)
    if end < len(stripped):
        raise IntrinsicSyntaxError(f"has {stripped[end:]!r} behind its end")
    return call


def _scan_call(text: str, start: int, depth: int) -> tuple[Call, int]:
    found = _NAME.match(text, start)
    if found is None:
        raise IntrinsicSyntaxError("is not of the form States.Name(…)")
    name = found.group(1)
    if name not in FUNCTIONS:
        near = difflib.get_close_matches(name, FUNCTIONS, n=1)
        hint = f"did you mean States.{near[0]}?" if near else f"there are {', '.join(FUNCTIONS)}"
        raise IntrinsicSyntaxError(f"calls States.{name}, which does not exist; {hint}")
    if depth > _DEEPEST:
        raise IntrinsicSyntaxError(f"has calls inside of each other deeper than {_DEEPEST}")
    arguments: list[Argument] = []
    end = _skip_space(text, found.end())
    while not text.startswith(")", end):
        if arguments:
            if not text.startswith(",", end):
                raise IntrinsicSyntaxError(f"has {text[end:] or 'its end'!r} where a `,` or `)` is expected")
            end = _skip_space(text, end + 1)
        argument, end = _scan_argument(text, end, depth)
        arguments.append(argument)
        end = _skip_space(text, end)
    call = Call(name=name, arguments=tuple(arguments))
    _check_arguments(call)
    return call, end + 1


def _scan_argument(text: str, start: int, depth: int) -> tuple[Argument, int]:
    if text.startswith("$", start):
        try:
            path, end = scan_path(text, start)
        except PathSyntaxError as cause:
            raise IntrinsicSyntaxError(f"has a path that {cause}") from cause
        return Argument(kind="path", path=path), end
    if text.startswith("States.", start):
        call, end = _scan_call(text, start, depth + 1)
        return Argument(kind="call", call=call), end
    if found := _TEXT.match(text, start):
        return Argument(kind="literal", value=found.group(1)), found.end()
    if found := _NUMBER.match(text, start):
        number = found.group()
        return Argument(
            kind="literal", value=int(number) if number.lstrip("-").isdigit() else float(number)
        ), found.end()
    for word, value in _WORDS.items():
        if text.startswith(word, start):
            return Argument(kind="literal", value=value), start + len(word)
    raise IntrinsicSyntaxError(
        f"has {text[start:] or 'its end'!r} where an argument is expected: text in single quotes, a number, true, "
        "false, null, a path or a call"
    )


def _check_arguments(call: Call) -> None:
    fewest, most = FUNCTIONS[call.name]
    count = len(call.arguments)
    if count < fewest or (most is not None and count > most):
        wanted = f"{fewest}" if most == fewest else f"{fewest} or more" if most is None else f"{fewest} to {most}"
        raise IntrinsicSyntaxError(f"gives States.{call.name} {count} arguments; it takes {wanted}")
    if call.name == "Format" and call.arguments[0].kind == "literal":
        _check_format(call)


def _check_format(call: Call) -> None:
    template = call.arguments[0].value
    if not isinstance(template, str):
        raise IntrinsicSyntaxError("gives States.Format a template that is no text")
    marks = [found.group() for found in _HOLE.finditer(template)]
    if "{" in marks or "}" in marks:
        raise IntrinsicSyntaxError("has a brace in the template of States.Format that is not escaped: write \\{ or \\}")
    holes, given = marks.count("{}"), len(call.arguments) - 1
    if holes != given:
        raise IntrinsicSyntaxError(f"has {holes} {{}} in the template of States.Format and {given} arguments for them")


def _skip_space(text: str, start: int) -> int:
    while start < len(text) and text[start].isspace():
        start += 1
    return start
