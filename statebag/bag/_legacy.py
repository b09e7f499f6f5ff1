"""Bags and data from before the namespaces: read whole and given back whole, so that nothing of them is lost."""

from __future__ import annotations

import base64
import gzip
import io
import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from statebag.bag._bag import ROOT_FIELDS, Bag
from statebag.bag._control import CONTROL_FIELDS, SCHEMA_VERSION, Control
from statebag.bag._fields import UserFields
from statebag.bag._history import History
from statebag.bag._kernel import Kernel
from statebag.blobs import ExecutionBlobs
from statebag.canonical import parse_json, sha256_hex
from statebag.errors import InputRefused, PointerCorrupt, Problem

__all__ = ["decompress", "read_bare", "write_bare"]

INFLATED_LIMIT = 64 * 1024 * 1024
"""Most bytes that compressed data of an old bag may become."""

_STAMPS = frozenset({"compression_applied", "s3_offloaded", "last_optimization"})
"""What ``update_and_compress`` says of itself."""


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
    except ValueError as cause:
        raise InputRefused([_problem(f"is not base64: {cause}")], what="decompress") from cause
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as stream:
            raw = stream.read(INFLATED_LIMIT + 1)
    except (OSError, EOFError, zlib.error) as cause:
        raise PointerCorrupt(f"compressed_data: no gzip data: {cause}. Fetch it again.") from cause
    if len(raw) > INFLATED_LIMIT:
        raise PointerCorrupt(f"compressed_data: inflates to more than {INFLATED_LIMIT} bytes; refused.")
    if sha256 is not None and sha256_hex(raw) != sha256:
        raise PointerCorrupt(f"compressed_data: its SHA-256 is {sha256_hex(raw)}, not {sha256}. Fetch it again.")
    try:
        return parse_json(raw)
    except ValueError as cause:
        raise PointerCorrupt(f"compressed_data: inflates to no JSON: {cause}.") from cause


def read_bare(body: Mapping[str, Any], blobs: ExecutionBlobs) -> Bag:
    """A bag as the callers of ``update_and_compress`` hold it: of this version or older, with fields of their own.

    Raises:
        StateBagError: ``BAG_MALFORMED``: a control field can't be what it should be.
        InputRefused, PointerCorrupt: a compressed field can't be read.
    """
    if "schema_version" not in body:
        return _read_old(body, blobs)
    foreign = {name: value for name, value in body.items() if name not in ROOT_FIELDS | _STAMPS}
    for name in ("workflow_config_s3_path", "segment_manifest_s3_path", "state_s3_path"):
        if isinstance(body.get(name), str) and "://" in body[name]:
            foreign[name] = body[name]
    own = {name: value for name, value in body.items() if name in ROOT_FIELDS and name not in foreign}
    bag = Bag.from_json(own, blobs)
    return replace(bag, kernel=replace(bag.kernel, carried={**bag.kernel.carried, **foreign}))


def write_bare(bag: Bag) -> dict[str, Any]:
    """The form that :func:`read_bare` reads: what was carried stands where it was."""
    body = bag.to_json()
    carried = body.pop("carried", {})
    hidden = {name: value for name, value in carried.items() if name in body}
    return {
        **carried,
        **body,
        **({"carried": hidden} if hidden else {}),
        "compression_applied": False,
        "s3_offloaded": bag.user_pointer is not None,
        "last_optimization": bag.control.last_update_time,
    }


def _read_old(body: Mapping[str, Any], blobs: ExecutionBlobs) -> Bag:
    """Control fields by name, ``current_state`` as the user's, ``state_history``; the rest is carried."""
    control: dict[str, Any] = {**Control().to_json(), "schema_version": SCHEMA_VERSION}
    carried: dict[str, Any] = {}
    state: Mapping[str, Any] = {}
    history: tuple[Any, ...] = ()
    for name, stored in body.items():
        value = _inflate(stored)
        if name in CONTROL_FIELDS and value is not None:
            control[name] = _control_value(name, value)
        elif name == "current_state" and isinstance(value, Mapping):
            state = value
        elif name == "state_history" and isinstance(value, list) and all(isinstance(e, Mapping | str) for e in value):
            history = tuple({"message": entry} if isinstance(entry, str) else entry for entry in value)
        elif name not in _STAMPS and not (name in CONTROL_FIELDS and value is None):
            carried[name] = value
    control["execution_id"] = control["execution_id"] or control["idempotency_key"]
    return Bag(
        control=Control.from_json(control),
        kernel=Kernel(state_history=History(entries=history), carried=carried),
        user=UserFields.of(state, blobs),
    )


def _control_value(name: str, value: Any) -> Any:
    """Old producers disagreed about the types of a few fields."""
    if name == "last_update_time" and not isinstance(value, str):
        return str(value)
    if name == "MOCK_MODE" and isinstance(value, bool):
        return str(value).lower()
    return int(value) if isinstance(value, float) and value.is_integer() and name != "payload_size_kb" else value


def _inflate(value: Any) -> Any:
    """The value behind ``{"type": "compressed", "data": …}``; any other value as it is."""
    if isinstance(value, Mapping) and value.get("type") == "compressed" and "compressed_at" in value:
        return decompress(value.get("data"))
    return value


def _problem(message: str) -> Problem:
    return Problem(path="$.compressed_data", code="FIELD_VALUE", message=message)
