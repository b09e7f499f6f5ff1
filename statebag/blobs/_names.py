"""How free text (an owner, an execution id, a kind) becomes one part of a key.

A part holds only ``[A-Za-z0-9._-]`` and ``%XX``, is neither empty nor ``.`` nor
``..``, and two different texts never share one. Text in which a slash, a
percent sign, NUL or dots that mean a folder occur is escaped twice: a reader that decodes a
key once, as web servers and proxies do, still finds neither ``/`` nor ``..``.

Two parts stand for no text of that form: ``_`` for the empty one, and :data:`FILES_PART`, below which an owner has
files. The texts that look like them are escaped in their first character, as ``%5F`` and ``%5Ffiles``.
"""

from __future__ import annotations

import hashlib
import re
from urllib.parse import quote, unquote

__all__ = ["FILES_PART", "PART_LIMIT", "decode_part", "encode_part", "is_safe_key"]

FILES_PART = "_files"
"""Stands where a workflow's part stands otherwise. :func:`encode_part` gives it for no text, in no mix of cases: no
workflow's objects can be among files, on a file system that ignores case neither. It is written as people write it,
without a percent sign, so that they find the folder."""

PART_LIMIT = 100
"""Longest part kept as it is. Shortened and escaped once more, it stays under the 255 bytes of a file name."""

_KEY_LIMIT = 1024
_DANGEROUS = re.compile(r"[%/\0]|\.\.|^\.\Z")
_PLAIN = re.compile(r"[A-Za-z0-9._-]+")
_KEY = re.compile(r"(?:[A-Za-z0-9._-]|%[0-9A-F]{2})+(?:/(?:[A-Za-z0-9._-]|%[0-9A-F]{2})+)*")
_DISGUISED = re.compile(r"\.\.|%2e|%2f|%00|(?:^|/)\.(?:/|$)", re.IGNORECASE)


def encode_part(text: str) -> str:
    """The part of a key that stands for ``text``, and for no other text.

    A text whose escaped form is longer than :data:`PART_LIMIT` is represented by its
    beginning and its SHA-256, which is longer than any form that is kept whole.
    """
    if text == "":
        return "_"
    if text == "_" or text.lower() == FILES_PART:
        return f"%5F{text[1:]}"
    if _PLAIN.fullmatch(text) and not _DANGEROUS.search(text):
        part = text
    else:
        part = _escape(text)
        if _DANGEROUS.search(text):
            part = _escape(part.replace(".", "%2E"))
    if len(part) <= PART_LIMIT:
        return part
    head = re.sub(r"%[0-9A-F]?$", "", part[:PART_LIMIT])
    return f"{head}-{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()}"


def decode_part(part: str) -> str:
    """Undo :func:`encode_part` for texts that were not shortened."""
    if part == "_":
        return ""
    once = unquote(part)
    return unquote(once) if "%" in once else once


def is_safe_key(key: str) -> bool:
    """Whether ``key`` is one that :func:`encode_part` and ``/`` can spell."""
    return len(key) <= _KEY_LIMIT and _KEY.fullmatch(key) is not None and _DISGUISED.search(key) is None


def _escape(text: str) -> str:
    # quote() leaves "~" alone, which the local backend needs for itself.
    return quote(text, safe="", errors="surrogatepass").replace("~", "%7E")
