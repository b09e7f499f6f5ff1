"""What goes in comes out, under a key that depends on the value alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from statebag.blobs import BlobStore, ExecutionBlobs, LocalBackend, escape, unescape
from statebag.canonical import canonical_bytes, sha256_hex
from statebag.errors import BagTooLarge, Unserialisable

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-(2**200), max_value=2**200)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)
KEYS = st.text(max_size=8) | st.sampled_from(["$ptr", "$lit"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=6) | st.dictionaries(KEYS, inner, max_size=6), max_leaves=25
)


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory: pytest.TempPathFactory) -> tuple[ExecutionBlobs, ExecutionBlobs]:
    """A writer, and a reader that has nothing in memory."""
    root = tmp_path_factory.mktemp("values")
    writer = BlobStore(LocalBackend(root)).execution("o", "w", "e")
    return writer, BlobStore(LocalBackend(root), cache_bytes=0).execution("o", "w", "e")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=VALUES)
def test_any_json_value_survives(two_processes: tuple[ExecutionBlobs, ExecutionBlobs], value: Any) -> None:
    writer, reader = two_processes
    pointer = writer.put(escape(value), kind="field")
    read = unescape(reader.get(pointer))
    assert read == value
    # Equality alone would take true for 1 and 1 for 1.0.
    assert canonical_bytes(read) == canonical_bytes(value)
    assert reader.get_bytes(pointer) == canonical_bytes(escape(value))
    assert pointer.size_bytes == len(canonical_bytes(escape(value)))
    assert pointer.sha256 == sha256_hex(canonical_bytes(escape(value)))


@settings(max_examples=50, deadline=None)
@given(value=VALUES)
def test_same_value_has_the_same_key_and_stored_bytes(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    stored: list[tuple[Any, bytes]] = []
    for _ in range(2):
        backend = LocalBackend(tmp_path_factory.mktemp("same"))
        pointer = BlobStore(backend).execution("o", "w", "e").put(value, kind="field")
        stored.append((pointer, backend.read(pointer.key)))
    assert stored[0] == stored[1]


def test_order_of_keys_makes_no_difference(blobs: ExecutionBlobs) -> None:
    one = blobs.put({"a": 1, "b": {"c": 2, "d": 3}}, kind="field")
    two = blobs.put({"b": {"d": 3, "c": 2}, "a": 1}, kind="field")
    assert one == two


def test_non_ascii_text_of_60_kb(blobs: ExecutionBlobs, cold: Callable[..., ExecutionBlobs]) -> None:
    text = "".join(chr(0x4E00 + index * 7919 % 20000) for index in range(20_000)) + "ß😀\u2028\0"
    pointer = blobs.put(text, kind="field")
    assert pointer.size_bytes == len(canonical_bytes(text)) > 60_000
    assert cold().get(pointer) == text


@pytest.mark.parametrize("size", [500_000, 750_000])
def test_large_value_keeps_its_hash(blobs: ExecutionBlobs, cold: Callable[..., ExecutionBlobs], size: int) -> None:
    value = {"rows": [{"id": index, "hash": sha256_hex(b"%d" % index)} for index in range(size // 90)]}
    pointer = blobs.put(value, kind="field")
    assert sha256_hex(canonical_bytes(cold().get(pointer))) == pointer.sha256 == sha256_hex(canonical_bytes(value))


def test_codec_follows_the_gain(blobs: ExecutionBlobs, store: BlobStore) -> None:
    small = blobs.put(7, kind="field")
    assert (small.codec, small.key) == ("json", f"{blobs.prefix}field/{small.sha256}.json")
    assert store.backend.read(small.key) == b"7"
    large = blobs.put("ab" * 5000, kind="field")
    assert (large.codec, large.key) == ("json+zstd", f"{blobs.prefix}field/{large.sha256}.json.zst")
    assert len(store.backend.read(large.key)) < 100


def test_canonical_bytes_are_stored_without_another_encoding(blobs: ExecutionBlobs) -> None:
    value = {"b": [None, 1.5], "a": "ü"}
    assert blobs.put_bytes_canonical(canonical_bytes(value), kind="field") == blobs.put(value, kind="field")


def test_callers_share_no_mutable_state(blobs: ExecutionBlobs) -> None:
    value = {"items": [1, 2, 3]}
    pointer = blobs.put(value, kind="field")
    value["items"].append(4)
    first = blobs.get(pointer)
    first["items"].clear()
    assert blobs.get(pointer) == {"items": [1, 2, 3]}
    one, two = blobs.get_many([pointer, pointer])
    assert one is not two


def test_what_is_not_json_is_refused_before_anything_is_written(blobs: ExecutionBlobs, store: BlobStore) -> None:
    with pytest.raises(Unserialisable, match=r"\$\.a\[1\]"):
        blobs.put_many([("field", {"good": 1}), ("field", {"a": [1, math.nan]})])
    assert list(store.backend.list("")) == []


def test_value_above_the_cap_is_refused_on_writing(tmp_path: Path) -> None:
    blobs = BlobStore(LocalBackend(tmp_path), max_object_bytes=100).execution("o", "w", "e")
    assert blobs.get(blobs.put("x" * 98, kind="field")) == "x" * 98
    with pytest.raises(BagTooLarge, match="101 bytes can't be stored"):
        blobs.put("x" * 99, kind="field")
    with pytest.raises(BagTooLarge):
        blobs.record_once("commit", "x" * 99)
