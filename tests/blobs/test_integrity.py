"""No byte of a damaged or forged object is ever used."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from statebag.blobs import BlobStore, ExecutionBlobs, LocalBackend, Pointer
from statebag.canonical import canonical_bytes, sha256_hex
from statebag.errors import PointerCorrupt, PointerNotFound
from statebag.testing import FaultyBackend

VALUE = {"rows": [{"id": index, "name": f"row {index}"} for index in range(300)]}


@pytest.fixture
def faulty(tmp_path: Path) -> FaultyBackend:
    return FaultyBackend(LocalBackend(tmp_path / "store"))


@pytest.fixture
def reader(faulty: FaultyBackend) -> ExecutionBlobs:
    return BlobStore(faulty, cache_bytes=0).execution("o", "w", "e")


def place(backend: FaultyBackend, stored: bytes, data: bytes, *, size: int | None = None) -> Pointer:
    """Put a hand-made object where a pointer expects ``data``."""
    key = "o/w/e/field/made.json.zst"
    backend.write_if_absent(key, stored)
    return Pointer(kind="field", key=key, size_bytes=len(data) if size is None else size, sha256=sha256_hex(data))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.integers(min_value=0, max_value=5000), bit=st.integers(min_value=0, max_value=7))
@example(where=4, bit=4)
def test_flipped_bit_never_changes_a_value(faulty: FaultyBackend, reader: ExecutionBlobs, where: int, bit: int) -> None:
    pointer = reader.put(VALUE, kind="field")

    def flip(data: bytes) -> bytes:
        place = where % len(data)
        return data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]

    faulty.corrupt(pointer.key, flip)
    # A few bits of a frame mean nothing to decoders: then the value is still the very one.
    with suppress(PointerCorrupt):
        assert reader.get_bytes(pointer) == canonical_bytes(VALUE)
    faulty.delete(pointer.key)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:0],
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: data[:3],
        lambda data: data + b"\0",
        lambda data: data + data,
        lambda data: data + zstandard.compress(b""),
        lambda data: b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd" + data,
        lambda data: b"null" + data[:0],
        lambda data: data + b"x" * 10_000_000,
    ],
    ids=["empty", "cut", "half", "magic", "trailing", "twice", "second frame", "skippable", "other", "huge"],
)
@pytest.mark.parametrize("value", [VALUE, 12345], ids=["zstd", "raw"])
def test_changed_object_is_corrupt(
    faulty: FaultyBackend, reader: ExecutionBlobs, change: Callable[[bytes], bytes], value: object
) -> None:
    pointer = reader.put(value, kind="field")
    faulty.corrupt(pointer.key, change)
    with pytest.raises(PointerCorrupt) as caught:
        reader.get(pointer)
    assert caught.value.code == "POINTER_CORRUPT"
    assert caught.value.details == {"key": pointer.key}
    assert pointer.key in caught.value.message
    with pytest.raises(PointerCorrupt):
        reader.get_many([pointer, pointer])


def test_corrupt_objects_are_not_read_again(faulty: FaultyBackend, reader: ExecutionBlobs) -> None:
    pointer = reader.put(VALUE, kind="field")
    faulty.corrupt(pointer.key, lambda data: data[:-1])
    before = faulty.calls["read"]
    with pytest.raises(PointerCorrupt):
        reader.get(pointer)
    assert faulty.calls["read"] == before + 1


def test_swapped_objects_are_corrupt(faulty: FaultyBackend, reader: ExecutionBlobs) -> None:
    one, two = reader.put({"who": "one"}, kind="field"), reader.put({"who": "two"}, kind="field")
    other = faulty.read(two.key)
    faulty.corrupt(one.key, lambda _: other)
    with pytest.raises(PointerCorrupt, match="SHA-256"):
        reader.get(one)
    assert reader.get(two) == {"who": "two"}


@pytest.mark.parametrize("delta", [-1, 1, 1000])
@pytest.mark.parametrize("value", [VALUE, 12345], ids=["zstd", "raw"])
@pytest.mark.parametrize("cache_bytes", [0, 1_000_000])
def test_wrong_declared_size_is_corrupt_even_from_memory(
    faulty: FaultyBackend, value: object, delta: int, cache_bytes: int
) -> None:
    blobs = BlobStore(faulty, cache_bytes=cache_bytes).execution("o", "w", "e")
    pointer = blobs.put(value, kind="field")
    with pytest.raises(PointerCorrupt):
        blobs.get(replace(pointer, size_bytes=pointer.size_bytes + delta))


def test_wrong_hash_and_wrong_codec_are_corrupt(reader: ExecutionBlobs) -> None:
    pointer = reader.put(VALUE, kind="field")
    for wrong in (
        replace(pointer, sha256="0" * 64),
        replace(pointer, codec="json"),
        replace(pointer, codec="json+gzip"),
        replace(pointer, size_bytes=0),
        replace(pointer, size_bytes=2**60),
    ):
        with pytest.raises(PointerCorrupt):
            reader.get(wrong)


def test_size_above_the_cap_is_refused_unread(faulty: FaultyBackend, reader: ExecutionBlobs) -> None:
    pointer = reader.put("x" * 1000, kind="field")
    small = BlobStore(faulty, max_object_bytes=500).execution("o", "w", "e")
    with pytest.raises(PointerCorrupt, match="1002 bytes are declared, 1 to 500 are allowed"):
        small.get(pointer)
    assert faulty.calls.get("read", 0) == 0


def test_bomb_that_admits_its_size_is_refused(faulty: FaultyBackend, reader: ExecutionBlobs) -> None:
    bomb = zstandard.compress(bytes(50_000_000))
    assert len(bomb) < 5_000
    with pytest.raises(PointerCorrupt, match="the frame declares 50000000 bytes, the pointer 20000 bytes"):
        reader.get(place(faulty, bomb, b"0" * 20_000))


def test_bomb_with_a_lying_header_is_refused(faulty: FaultyBackend, reader: ExecutionBlobs) -> None:
    # Frame header of 20,000 bytes (4-byte content size, single segment), then the blocks of 50 MB.
    bomb = zstandard.compress(bytes(50_000_000))
    header = zstandard.get_frame_parameters(bomb)
    assert header.content_size == 50_000_000
    blocks = bomb[zstandard.frame_header_size(bomb) :]
    lying = b"\x28\xb5\x2f\xfd" + bytes([0b1000_0000, 0x58]) + (20_000).to_bytes(4, "little") + blocks
    assert zstandard.frame_content_size(lying) == 20_000
    with pytest.raises(PointerCorrupt, match="zstd"):
        reader.get(place(faulty, lying, b"0" * 20_000))


def test_frame_without_a_size_is_refused(faulty: FaultyBackend, reader: ExecutionBlobs) -> None:
    data = b'"' + b"x" * 5000 + b'"'
    silent = zstandard.ZstdCompressor(write_content_size=False).compress(data)
    with pytest.raises(PointerCorrupt, match="declares no size"):
        reader.get(place(faulty, silent, data))


def test_object_that_is_not_json_is_corrupt(faulty: FaultyBackend, reader: ExecutionBlobs) -> None:
    for text in (b"{'a': 1}" * 50, b"NaN" * 50, b"\xff\xfe" * 50):
        pointer = place(faulty, zstandard.compress(text), text)
        with pytest.raises(PointerCorrupt, match="not JSON"):
            reader.get(pointer)
        faulty.delete(pointer.key)


def test_missing_object_is_not_found(faulty: FaultyBackend, reader: ExecutionBlobs) -> None:
    pointer = reader.put(VALUE, kind="field")
    faulty.delete(pointer.key)
    before = faulty.calls["read"]
    with pytest.raises(PointerNotFound):
        reader.get(pointer)
    assert faulty.calls["read"] == before + 1


def test_record_that_was_damaged_is_corrupt(faulty: FaultyBackend, reader: ExecutionBlobs) -> None:
    reader.record_once("commit", {"version": 1})
    for damaged in (b'{"version":', b'{"version": 1}', b""):
        faulty.corrupt(f"{reader.prefix}commit.json", lambda _, damaged=damaged: damaged)
        with pytest.raises(PointerCorrupt):
            reader.read_record("commit")
