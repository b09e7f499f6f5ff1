"""Bags and data from before the namespaces: read whole, so that nothing of them is lost."""

from __future__ import annotations

import base64
import binascii
import gzip
import io
from collections.abc import Mapping
from typing import Any

from statebag.bag._bag import Bag, Kernel
from statebag.bag._control import Control
from statebag.bag._fields import UserFields
from statebag.bag._history import History
from statebag.blobs import ExecutionBlobs
from statebag.canonical import parse_json, sha256_hex
from statebag.errors import InputRefused, PointerCorrupt, Problem

__all__ = ["decompress", "read_old_bag"]

INFLATED_LIMIT = 64 * 1024 * 1024
"""Most bytes that compressed data of an old bag may become."""

_CONTROL = frozenset(Control().to_json())


def decompress(data: Any, *, sha256: str | None = None) -> Any:
    """Base64 of gzip of JSON, as old bags hold it, back to the value.

    Raises:
        InputRefused: it is not a text, or not base64.
        PointerCorrupt: it is no gzip, inflates beyond 64 MiB, fails the hash, or is no JSON.
    """
    if not isinstance(data, str) or not data:
        raise InputRefused([_problem("must be a base64 text")], what="decompress")
    try:
        packed = base64.b64decode(data, validate=True)
    except binascii.Error as cause:
        raise InputRefused([_problem(f"is not base64: {cause}")], what="decompress") from cause
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as stream:
            raw = stream.read(INFLATED_LIMIT + 1)
    except (OSError, EOFError) as cause:
        raise PointerCorrupt(f"compressed_data: no gzip data: {cause}. Fetch it again.") from cause
    if len(raw) > INFLATED_LIMIT:
        raise PointerCorrupt(f"compressed_data: inflates to more than {INFLATED_LIMIT} bytes; refused.")
    if sha256 is not None and sha256_hex(raw) != sha256:
        raise PointerCorrupt(f"compressed_data: its SHA-256 is {sha256_hex(raw)}, not {sha256}. Fetch it again.")
    try:
        return parse_json(raw)
    except ValueError as cause:
        raise PointerCorrupt(f"compressed_data: inflates to no JSON: {cause}.") from cause


def read_old_bag(body: Mapping[str, Any], blobs: ExecutionBlobs) -> Bag:
    """A bag without ``schema_version``: control fields by name, ``current_state`` as the user's, the rest carried."""
    control: dict[str, Any] = {"schema_version": 1}
    carried: dict[str, Any] = {}
    state: Mapping[str, Any] = {}
    history: tuple[Any, ...] = ()
    for name, value in body.items():
        value = _inflate(value)
        if name in _CONTROL and value is not None and name != "schema_version":
            control[name] = value
        elif name == "current_state" and isinstance(value, Mapping):
            state = value
        elif name == "state_history" and isinstance(value, list):
            history = tuple({"message": entry} if isinstance(entry, str) else entry for entry in value)
        else:
            carried[name] = value
    if not isinstance(control.get("last_update_time", ""), str):
        control["last_update_time"] = str(control["last_update_time"])
    return Bag(
        control=Control.from_json(control),
        kernel=Kernel(state_history=History(entries=history), carried=carried),
        user=UserFields.of(state, blobs),
    )


def _inflate(value: Any) -> Any:
    """The value behind ``{"type": "compressed", "data": …}``; any other value as it is."""
    if isinstance(value, Mapping) and value.get("type") == "compressed" and "compressed_at" in value:
        return decompress(value.get("data"))
    return value


def _problem(message: str) -> Problem:
    return Problem(path="$.compressed_data", code="FIELD_VALUE", message=message)
