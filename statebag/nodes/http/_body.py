"""The body of a response: read up to a limit, unpacked up to the same limit, and turned into JSON or text."""

from __future__ import annotations

import re
import zlib
from collections.abc import AsyncIterator, Mapping
from email.message import Message
from typing import Any, Final

from statebag.canonical import parse_json
from statebag.errors import NodeFailed
from statebag.nodes.http._values import HttpAnswer

__all__ = ["ACCEPTED_ENCODINGS", "excerpt_of", "read_body", "read_value"]

ACCEPTED_ENCODINGS: Final = "gzip, deflate"
"""Others can't be unpacked piece by piece under a limit."""

_EXCERPT_CHARACTERS: Final = 500
_EXCERPT_BYTES: Final = 16 * 1024
_JSON: Final = re.compile(r"application/([\w.+-]+\+)?json|text/json")


async def read_body(chunks: AsyncIterator[bytes], headers: Mapping[str, str], *, limit: int, whole: bool) -> bytes:
    """Read and unpack a body.

    Args:
        chunks: The body as it is sent.
        headers: Of the response.
        limit: Bytes, before and after unpacking.
        whole: Whether it is an error to have more, or what can't be unpacked; else the beginning is enough.

    Raises:
        NodeFailed: ``API_RESPONSE_TOO_LARGE``, ``API_RESPONSE_UNREADABLE``.
    """
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
        if not whole:
            return b""
        raise _unreadable(f"the response is packed as {encoding!r:.50}, which was not asked for")
    length = headers.get("content-length", "")
    if whole and length.isascii() and length.isdigit() and int(length) > limit:
        raise _too_large(limit)
    raw = bytearray()
    async for chunk in chunks:
        raw += chunk
        if len(raw) > limit:
            if whole:
                raise _too_large(limit)
            break
    if encoding in ("", "identity") or not raw:
        return bytes(raw[:limit])
    body = _unpack(bytes(raw), encoding, limit, whole=whole)
    if whole and len(body) > limit:
        raise _too_large(limit)
    return body[:limit]


def read_value(answer: HttpAnswer) -> Any:
    """The body as JSON where the content type says so, else as text.

    Raises:
        NodeFailed: ``API_RESPONSE_UNREADABLE``: it is neither.
    """
    kind, charset = _kind_of(answer.headers)
    if _JSON.fullmatch(kind):
        if not answer.body.strip():
            return None
        try:
            return parse_json(answer.body)
        except ValueError as wrong:
            raise _unreadable(f"the response calls itself {kind} and is no JSON: {wrong}") from None
    try:
        text = answer.body.decode(charset)
    except (LookupError, UnicodeError) as wrong:
        raise _unreadable(f"the response ({kind or 'without content type'}) is no text: {wrong}") from None
    if "\0" in text:
        raise _unreadable(f"the response ({kind or 'without content type'}) is no text: it has NUL characters")
    return text


def excerpt_of(answer: HttpAnswer) -> str:
    """The beginning of a body, for a message; what is no text in it is replaced."""
    return answer.body[:_EXCERPT_BYTES].decode(errors="replace").replace("\0", "\ufffd")[:_EXCERPT_CHARACTERS]


def _kind_of(headers: Mapping[str, str]) -> tuple[str, str]:
    message = Message()
    message["content-type"] = headers.get("content-type", "")
    charset = message.get_param("charset")
    kind = headers.get("content-type", "").split(";", 1)[0].strip().lower()
    return kind, charset if isinstance(charset, str) and charset else "utf-8"


def _unpack(raw: bytes, encoding: str, limit: int, *, whole: bool) -> bytes:
    """The first ``limit`` bytes and one more of what is packed in ``raw``."""
    gzip = encoding != "deflate"
    # Servers disagree on whether `deflate` has a header.
    window = 16 + zlib.MAX_WBITS if gzip else zlib.MAX_WBITS if _has_zlib_header(raw) else -zlib.MAX_WBITS
    body = bytearray()
    rest = raw
    while rest:
        unpacker = zlib.decompressobj(window)
        try:
            body += unpacker.decompress(rest, limit + 1 - len(body))
        except zlib.error as wrong:
            if not whole:
                break
            raise _unreadable(f"the response is not {encoding}: {wrong}") from None
        if len(body) > limit:
            break
        if not unpacker.eof:
            if whole:
                raise _unreadable(f"the response ends in the middle of its {encoding} data")
            break
        # A gzip file may be several behind one another, padded with zeros.
        rest = unpacker.unused_data.lstrip(b"\0") if gzip else b""
    return bytes(body)


def _has_zlib_header(raw: bytes) -> bool:
    return len(raw) > 1 and raw[0] & 0x0F == 8 and int.from_bytes(raw[:2], "big") % 31 == 0


def _too_large(limit: int) -> NodeFailed:
    return NodeFailed(
        f"the response has more than {limit} bytes. Ask for less, or raise `max_response_bytes`.",
        code="API_RESPONSE_TOO_LARGE",
        details={"limit_bytes": limit},
    )


def _unreadable(message: str) -> NodeFailed:
    return NodeFailed(f"{message}. Only JSON and text can be kept in the state.", code="API_RESPONSE_UNREADABLE")
