"""The JSONPath that Step Functions understands, read into its steps."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

__all__ = ["Path", "PathSyntaxError", "Step", "read_path", "scan_path"]

Kind = Literal["field", "index", "many", "function"]


class PathSyntaxError(ValueError):
    """A text is no path; the message says why, as the end of a sentence."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a path."""

    kind: Kind
    """``field`` and ``index`` lead to one place; ``many`` may lead to any number: ``*``, ``..``, slices, filters."""
    name: str = ""
    """Of the field."""
    index: int = 0


@dataclass(frozen=True, kw_only=True)
class Path:
    """A path, and what it starts from."""

    root: Literal["$", "$$", "variable"]
    """The document, the context object, or a variable."""
    variable: str = ""
    steps: tuple[Step, ...] = ()

    @property
    def is_reference(self) -> bool:
        """Whether it leads to one place, so that something can be put there."""
        return all(step.kind == "field" or (step.kind == "index" and step.index >= 0) for step in self.steps)


_VARIABLE = re.compile(r"[^\W\d]\w*")
_NAME = re.compile(r"[^\s.\[\](){}'\",]+")
_QUOTED = re.compile(r"\s*(?:'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\")\s*", re.DOTALL)
_INDEX = re.compile(r"\s*(-?\d+)\s*")
_INDICES = re.compile(r"\s*-?\d+\s*(?:,\s*-?\d+\s*)+")
_SLICE = re.compile(r"\s*(?:-?\d+)?\s*:\s*(?:-?\d+)?\s*(?::\s*(?:-?\d+)?\s*)?")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_MANY = Step(kind="many")


def read_path(text: str) -> Path:
    """Read all of ``text`` as a path.

    Raises:
        PathSyntaxError: it is none.
    """
    path, end = scan_path(text, 0)
    if text[end:].strip():
        raise PathSyntaxError(f"has {text[end:]!r} where a `.`, a `[` or the end is expected")
    return path


def scan_path(text: str, start: int) -> tuple[Path, int]:
    """Read the path that starts at ``start``, and say where it ends.

    Raises:
        PathSyntaxError: there is none.
    """
    if not text.startswith("$", start):
        raise PathSyntaxError("does not start with `$`")
    end = start + 1
    root: Literal["$", "$$", "variable"] = "$"
    variable = ""
    if text.startswith("$", end):
        root, end = "$$", end + 1
    elif found := _VARIABLE.match(text, end):
        root, variable, end = "variable", found.group(), found.end()
    steps: list[Step] = []
    while end < len(text) and text[end] in ".[":
        added, end = _scan_step(text, end)
        steps += added
    return Path(root=root, variable=variable, steps=tuple(steps)), end


def _scan_step(text: str, start: int) -> tuple[list[Step], int]:
    if text[start] == "[":
        return _scan_bracket(text, start)
    deep = text.startswith("..", start)
    end = start + (2 if deep else 1)
    before = [_MANY] if deep else []
    if text.startswith("[", end):
        added, end = _scan_bracket(text, end)
        return before + added, end
    if text.startswith("*", end):
        return [_MANY], end + 1
    found = _NAME.match(text, end)
    if found is None:
        what = "ends with a `.`" if end >= len(text) else f"has {text[end:]!r} where a name is expected after a `.`"
        raise PathSyntaxError(f"{what}; names with other characters than letters, digits, `_` and `-` go in ['…']")
    if text.startswith("(", found.end()):
        return [*before, Step(kind="function", name=found.group())], _skip_balanced(text, found.end())
    return [*before, Step(kind="field", name=found.group())], found.end()


def _scan_bracket(text: str, start: int) -> tuple[list[Step], int]:
    inside = start + 1
    for pattern in (_INDICES, _SLICE, _INDEX):
        found = pattern.match(text, inside)
        if found is not None and text.startswith("]", found.end()):
            step = Step(kind="index", index=int(found.group(1))) if pattern is _INDEX else _MANY
            return [step], found.end() + 1
    rest = text[inside:].lstrip()
    if rest.startswith("*") and rest[1:].lstrip().startswith("]"):
        return [_MANY], text.index("]", inside) + 1
    if rest.startswith("?"):
        opened = text.index("?", inside) + 1
        opened += len(text[opened:]) - len(text[opened:].lstrip())
        if not text.startswith("(", opened):
            raise PathSyntaxError("has a filter that is not of the form [?(…)]")
        end = _skip_balanced(text, opened)
        if not text[opened + 1 : end - 1].strip():
            raise PathSyntaxError("has an empty filter")
        end += len(text[end:]) - len(text[end:].lstrip())
        if not text.startswith("]", end):
            raise PathSyntaxError("has a filter without its closing `]`")
        return [_MANY], end + 1
    return _scan_names(text, inside)


def _scan_names(text: str, start: int) -> tuple[list[Step], int]:
    names: list[str] = []
    end = start
    while found := _QUOTED.match(text, end):
        names.append(_ESCAPE.sub(r"\1", found.group(1) if found.group(1) is not None else found.group(2)))
        end = found.end()
        if not text.startswith(",", end):
            break
        end += 1
    if not names or not text.startswith("]", end):
        raise PathSyntaxError(
            f"has {text[start - 1 :]!r}, which is no index, slice, `*`, filter or name in quotes, closed by `]`"
        )
    return [Step(kind="field", name=names[0]) if len(names) == 1 else _MANY], end + 1


def _skip_balanced(text: str, start: int) -> int:
    """The place behind the parenthesis that closes the one at ``start``."""
    open_: list[str] = []
    quote = ""
    end = start
    while end < len(text):
        character = text[end]
        end += 1
        if quote:
            if character == "\\":
                end += 1
            elif character == quote:
                quote = ""
        elif character in "'\"":
            quote = character
        elif character in "([":
            open_.append(")" if character == "(" else "]")
        elif character in ")]":
            if character != open_.pop():
                break
            if not open_:
                return end
    raise PathSyntaxError("has parentheses or quotes that do not close")
