"""The one shape that stands for a value kept in the store."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from statebag.blobs._names import is_safe_key
from statebag.errors import PointerRefused

__all__ = ["CODECS", "JSON", "Pointer", "escape", "is_pointer", "unescape"]

JSON = Any
"""A value that has a JSON form."""

CODECS = ("json", "json+zstd")
"""``json`` where compression gains nothing, ``json+zstd`` elsewhere."""

_MARK = "$ptr"
_LITERAL = "$lit"
_VERSION = 1
_SHA256 = re.compile(r"[0-9a-f]{64}")
_REQUIRED = ("kind", "key", "size_bytes", "sha256", "codec")
_OPTIONAL = ("count", "summary")
_PLAIN_FIELDS = 1 + len(_REQUIRED)


@dataclass(frozen=True, kw_only=True)
class Pointer:
    """Where a value is and how to prove that it is the one that was written."""

    kind: str
    """What the value is to the bag, for example ``field`` or ``history``."""
    key: str
    """Key in the store, below ``{owner}/{workflow}/{execution}/``."""
    size_bytes: int
    """Length of the canonical JSON, before compression: depends on the value only."""
    sha256: str
    """Of the canonical JSON, 64 lower-case hexadecimal digits."""
    codec: str = "json+zstd"
    """How the object's bytes are encoded, one of :data:`CODECS`."""
    count: int | None = None
    """Elements of the list behind the pointer, where the writer said so."""
    summary: JSON = None
    """A small JSON value that says what is behind the pointer, where the writer gave one."""

    def to_json(self) -> dict[str, JSON]:
        """The pointer as it stands in a bag; absent ``count`` and ``summary`` are left out."""
        body: dict[str, JSON] = {
            _MARK: _VERSION,
            "kind": self.kind,
            "key": self.key,
            "size_bytes": self.size_bytes,
            "sha256": self.sha256,
            "codec": self.codec,
        }
        if self.count is not None:
            body["count"] = self.count
        if self.summary is not None:
            body["summary"] = self.summary
        return body

    @classmethod
    def from_json(cls, value: JSON) -> Pointer:
        """Read what :meth:`to_json` wrote.

        Raises:
            PointerRefused: with code ``POINTER_MALFORMED``; ``details["problems"]`` lists every wrong field.
        """
        if type(value) is dict and len(value) == _PLAIN_FIELDS and value.get(_MARK) == _VERSION:
            try:
                return _read_plain(*(value[name] for name in (_MARK, *_REQUIRED)))
            except (KeyError, TypeError):
                pass  # a field is missing, or of a kind that no pointer has: said below
        problems = _problems(value)
        if problems:
            listed = "; ".join(f"{name}: {what}" for name, what in problems)
            raise PointerRefused(
                f"This is no pointer that the store wrote: {listed}. "
                "Pass pointers on unchanged; a user value with a `$ptr` key has to be escaped.",
                code="POINTER_MALFORMED",
                details={"problems": [{"field": name, "message": what} for name, what in problems]},
            )
        return cls(
            kind=value["kind"],
            key=value["key"],
            size_bytes=value["size_bytes"],
            sha256=value["sha256"],
            codec=value["codec"],
            count=value.get("count"),
            summary=value.get("summary"),
        )


@lru_cache(maxsize=8192, typed=True)
def _read_plain(mark: int, kind: str, key: str, size_bytes: int, sha256: str, codec: str) -> Pointer:
    """A pointer without count and summary: the same ones are read over and over."""
    values = {"kind": kind, "key": key, "size_bytes": size_bytes, "sha256": sha256, "codec": codec}
    if _problems({_MARK: mark, **values}):
        raise TypeError
    return Pointer(kind=kind, key=key, size_bytes=size_bytes, sha256=sha256, codec=codec)


def is_pointer(value: object) -> bool:
    """Whether ``value`` claims to be a pointer. :meth:`Pointer.from_json` checks the claim."""
    return isinstance(value, dict) and _MARK in value


def escape(value: JSON) -> JSON:
    """Make a user's value safe to stand where a pointer could stand.

    Only the top of ``value`` is looked at: a pointer is never searched for further down.
    """
    if isinstance(value, dict) and (_MARK in value or _LITERAL in value):
        return {_LITERAL: cast("dict[str, JSON]", value)}
    return value


def unescape(value: JSON) -> JSON:
    """Undo :func:`escape`."""
    if isinstance(value, dict) and len(cast("dict[str, JSON]", value)) == 1 and _LITERAL in value:
        return cast("dict[str, JSON]", value)[_LITERAL]
    return cast("JSON", value)


def _problems(value: JSON) -> list[tuple[str, str]]:
    if type(value) is not dict:
        return [("$", f"must be an object, is a {type(value).__name__}")]
    fields = cast("dict[str, JSON]", value)
    found: list[tuple[str, str]] = []
    version = fields.get(_MARK)
    if type(version) is not int or version != _VERSION:
        found.append((_MARK, f"must be {_VERSION}, is {version!r}"))
    for name in _REQUIRED:
        if name not in fields:
            found.append((name, "is missing"))
        elif what := _wrong(name, fields[name]):
            found.append((name, what))
    if fields.get("count") is not None and not _is_whole(fields["count"]):
        found.append(("count", f"must be a whole number >= 0, is {fields['count']!r}"))
    known = {_MARK, *_REQUIRED, *_OPTIONAL}
    found.extend((str(name), "is no field of a pointer") for name in fields if name not in known)
    return found


def _wrong(name: str, value: JSON) -> str | None:
    match name:
        case "size_bytes":
            return None if _is_whole(value) else f"must be a whole number >= 0, is {value!r}"
        case "codec":
            return None if type(value) is str and value in CODECS else f"must be one of {CODECS}, is {value!r}"
        case "sha256":
            valid = type(value) is str and _SHA256.fullmatch(value)
            return None if valid else f"must be 64 lower-case hexadecimal digits, is {value!r}"
        case "key":
            valid = type(value) is str and is_safe_key(value)
            return None if valid else f"must be a plain key without empty, dot or disguised parts, is {value!r}"
        case _:
            return None if type(value) is str and value else f"must be text that is not empty, is {value!r}"


def _is_whole(value: JSON) -> bool:
    return type(value) is int and value >= 0
