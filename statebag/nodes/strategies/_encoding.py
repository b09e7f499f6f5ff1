"""Strategies that encode, hash and identify."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs, quote, unquote, urlencode
from uuid import UUID

from statebag.canonical import canonical_bytes
from statebag.config.templates import text_of
from statebag.errors import NodeFailed
from statebag.nodes.strategies._kinds import text_in
from statebag.nodes.strategies._params import Param, word
from statebag.nodes.strategies._strategy import Strategy, StrategyContext

__all__ = ["STRATEGIES"]


def _base64_encode(value: Any, params: Mapping[str, Any], context: StrategyContext) -> str:
    try:
        data = text_of(value).encode(params["encoding"])
    except UnicodeEncodeError as cause:
        raise NodeFailed(f"the input can't be written as {params['encoding']}: {cause.reason}. Use utf-8.") from cause
    return base64.b64encode(data).decode()


def _base64_decode(value: Any, params: Mapping[str, Any], context: StrategyContext) -> str:
    compact = "".join(text_in(value).split())
    try:
        return base64.b64decode(compact, validate=True).decode(params["encoding"])
    except (binascii.Error, ValueError) as cause:
        raise NodeFailed(f"the input is not base64 of {params['encoding']} text: {cause}. Correct it.") from cause


def _url_encode(value: Any, params: Mapping[str, Any], context: StrategyContext) -> str:
    try:
        if isinstance(value, Mapping):
            return urlencode(_query(value), safe=params["safe"])
        return quote(text_in(value), safe=params["safe"])
    except UnicodeEncodeError as cause:
        raise NodeFailed(f"the input holds half a character: {cause.reason}. Correct it.") from cause


def _query(held: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (name, text_of(item))
        for name, value in held.items()
        for item in (value if isinstance(value, list) else [value])
    ]


def _url_decode(value: Any, params: Mapping[str, Any], context: StrategyContext) -> Any:
    text = text_in(value)
    try:
        if "=" in text:
            return parse_qs(text, keep_blank_values=True, errors="strict")
        return unquote(text, errors="strict")
    except ValueError as cause:
        raise NodeFailed(f"the input is no encoded text: {cause}. Correct it.") from cause


def _bytes_of(value: Any) -> bytes:
    if not isinstance(value, str):
        return canonical_bytes(value)
    try:
        return value.encode()
    except UnicodeEncodeError as cause:
        raise NodeFailed(f"the input holds half a character: {cause.reason}. Correct it.") from cause


def _hash_sha256(value: Any, params: Mapping[str, Any], context: StrategyContext) -> str:
    return hashlib.sha256(_bytes_of(value)).hexdigest()


def _hash_md5(value: Any, params: Mapping[str, Any], context: StrategyContext) -> str:
    return hashlib.md5(_bytes_of(value), usedforsecurity=False).hexdigest()


def _uuid_generate(value: Any, params: Mapping[str, Any], context: StrategyContext) -> str:
    return str(UUID(bytes=context.seed("uuid_generate")[:16], version=int(params["version"])))


_ENCODING: Final = {"encoding": Param(kind="encoding", default="utf-8")}

STRATEGIES: Final = (
    Strategy(name="base64_encode", apply=_base64_encode, params=_ENCODING),
    Strategy(name="base64_decode", apply=_base64_decode, params=_ENCODING),
    Strategy(name="url_encode", apply=_url_encode, params={"safe": Param(kind="text", default="")}),
    Strategy(name="url_decode", apply=_url_decode),
    Strategy(name="hash_sha256", apply=_hash_sha256),
    Strategy(name="hash_md5", apply=_hash_md5),
    Strategy(
        name="uuid_generate",
        apply=_uuid_generate,
        params={"version": Param(kind="word", default="4", choices=word("1", "4"))},
        takes_state=False,
    ),
)
