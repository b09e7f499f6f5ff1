"""What can be said of a query without a database: its parameters, and whether it only reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

__all__ = ["READING_WORDS", "check_single", "first_word", "may_write", "parameters_of"]

READING_WORDS: Final = ("SELECT", "WITH", "VALUES", "EXPLAIN")
"""With what a query begins that a read-only node may send."""

_PARAMETER: Final = re.compile(r"(?<![:\w\\]):(\w+)(?![:\w])")
"""As SQLAlchemy reads a text: ``::`` casts, ``\\:`` is a colon."""
_COMMENTS: Final = re.compile(r"--[^\n]*(?:\n|\Z)|/\*.*?\*/", re.DOTALL)
_WORD: Final = re.compile(r"[\s(]*([A-Za-z]+)")
_MORE: Final = re.compile(r";\s*[^\s;]")
_INTO_FILE: Final = re.compile(r"\binto\s+(?:outfile|dumpfile)\b", re.IGNORECASE)


def parameters_of(query: str) -> tuple[str, ...]:
    """Names of the ``:name`` parameters, each once, in the order in which they come."""
    return tuple(dict.fromkeys(match[1] for match in _PARAMETER.finditer(query)))


def first_word(query: str) -> str:
    """The statement's keyword in upper case; empty where there is none."""
    match = _WORD.match(_COMMENTS.sub(" ", query))
    return match[1].upper() if match else ""


def check_single(query: str) -> str | None:
    """Why ``query`` may be several statements; None where it is surely one.

    Databases disagree on where a text or a comment ends, so that anything behind a semicolon counts.
    """
    if _MORE.search(query):
        return "has something behind a `;`. Send one statement a node, and texts with a `;` in them as `params`"
    return None


def may_write(query: str) -> str | None:
    """Why ``query`` is not plainly one that reads; None where it is."""
    return next(_writings(query), None)


def _writings(query: str) -> Iterator[str]:
    word = first_word(query)
    if word not in READING_WORDS:
        yield f"begins with {word or 'nothing'!r} rather than {', '.join(READING_WORDS[:-1])} or {READING_WORDS[-1]}"
    if "/*!" in query or "/*M!" in query:
        yield "has a comment that MySQL executes"
    if _INTO_FILE.search(_COMMENTS.sub(" ", query)):
        yield "writes a file"
