"""Verified reads and repeatable writes of single objects, whoever owns them."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import BinaryIO

from statebag.blobs._backend import Backend, Listed, Version
from statebag.blobs._cache import BlobCache
from statebag.blobs._codec import Codec, corrupt
from statebag.blobs._pointer import JSON, Pointer
from statebag.blobs._retry import RetryPolicy
from statebag.canonical import parse_json, sha256_hex
from statebag.errors import BagTooLarge, OffloadFailed, StoreUnavailable

__all__ = ["BlobStats", "Objects"]


@dataclass(frozen=True, kw_only=True)
class BlobStats:
    """What a store has done so far in this process. Each call of the backend counts, repeated ones too."""

    reads: int = 0
    bytes_read: int = 0
    """As stored, after compression."""
    writes: int = 0
    """Including those that found the object there already."""
    bytes_written: int = 0
    """As stored, and only of objects that were new."""
    writes_skipped: int = 0
    """Writes spared because this process knew that the object is there."""
    cache_hits: int = 0
    cache_misses: int = 0


class Objects:
    """The layer between executions and the backend: retry, codec, checks, cache, counters.

    Args:
        backend: Where the bytes are.
        codec: Encodes and decodes them.
        cache: Values verified before.
        retry: For calls that fail with StoreUnavailable.
    """

    def __init__(self, *, backend: Backend, codec: Codec, cache: BlobCache, retry: RetryPolicy) -> None:
        self.backend = backend
        self.codec = codec
        self.cache = cache
        self.retry = retry
        self._lock = threading.Lock()
        self._reads = self._bytes_read = self._writes = self._bytes_written = self._skipped = 0

    def write(self, data: bytes, *, directory: str, kind: str) -> Pointer:
        """Store canonical JSON below ``directory`` under a key made of its hash.

        Raises:
            BagTooLarge: it is larger than the store would ever read.
            OffloadFailed: the backend did not answer in all its tries.
        """
        size = len(data)
        self._check_size(size, f"{directory} ({kind})")
        sha256 = sha256_hex(data)
        for codec in ("json+zstd", "json"):
            key = _key(directory, sha256, codec)
            if self.cache.knows(sha256, key):
                self._count(skipped=1)
                return Pointer(kind=kind, key=key, size_bytes=size, sha256=sha256, codec=codec)
        codec, stored = self.codec.encode(data)
        key = _key(directory, sha256, codec)
        self.write_raw(key, stored)
        self.cache.add(sha256, key, data)
        return Pointer(kind=kind, key=key, size_bytes=size, sha256=sha256, codec=codec)

    def write_raw(self, key: str, stored: bytes) -> bool:
        """Write bytes as they are unless the key is taken; whether they were written.

        Raises:
            BagTooLarge: they are more than the store would ever read.
            OffloadFailed: the backend did not answer in all its tries.
        """
        self._check_size(len(stored), key)

        def call() -> bool:
            self._count(writes=1)
            return self.backend.write_if_absent(key, stored)

        try:
            written = self.retry.run(call)
        except StoreUnavailable as cause:
            raise OffloadFailed(
                f"{len(stored)} bytes could not be written to {key} in {self.backend.location()}, "
                f"{self.retry.attempts} times: {cause.message} The bag is unchanged; try again.",
                details={"key": key, "store": self.backend.location()},
            ) from cause
        if written:
            self._count(bytes_written=len(stored))
        return written

    def read(self, pointer: Pointer) -> bytes:
        """The canonical JSON behind a pointer whose key the caller has admitted.

        Raises:
            PointerNotFound: there is no such object.
            PointerCorrupt: the object fails a check.
            StoreUnavailable: the backend did not answer in all its tries.
        """
        key = pointer.key
        data = self.cache.get(pointer.sha256, key)
        if data is not None and len(data) == pointer.size_bytes:
            return data
        if not 0 < pointer.size_bytes <= self.codec.max_bytes:
            raise corrupt(key, f"{pointer.size_bytes} bytes are declared, 1 to {self.codec.max_bytes} are allowed")
        stored = self.read_raw(key, max_bytes=self.codec.stored_limit(pointer.size_bytes))
        data = self.codec.decode(stored, codec=pointer.codec, size_bytes=pointer.size_bytes, key=key)
        actual = sha256_hex(data)
        if actual != pointer.sha256:
            raise corrupt(key, f"its SHA-256 is {actual}, the pointer's {pointer.sha256}")
        self.cache.add(actual, key, data)
        return data

    def read_raw(self, key: str, *, max_bytes: int) -> bytes:
        """The stored bytes, unchecked but for their number."""

        def call() -> bytes:
            self._count(reads=1)
            return self.backend.read(key, max_bytes=max_bytes)

        stored = self.retry.run(call)
        self._count(bytes_read=len(stored))
        return stored

    def read_range(self, key: str, start: int, length: int, *, version: Version) -> bytes:
        """A part of a file, unchecked but for its version. Never cached."""

        def call() -> bytes:
            self._count(reads=1)
            return self.backend.read_range(key, start, length, version=version)

        part = self.retry.run(call)
        self._count(bytes_read=len(part))
        return part

    def version(self, key: str) -> Version:
        """The size and version of a file."""
        return self.retry.run(lambda: self.backend.version(key))

    def replace(self, key: str, stream: BinaryIO) -> int:
        """Write a file as ``stream`` gives it; again only from a stream that can go back to where it stands."""
        start = stream.tell() if stream.seekable() else None

        def call() -> int:
            self._count(writes=1)
            if start is not None:
                stream.seek(start)
            return self.backend.replace(key, stream)

        written = call() if start is None else self.retry.run(call)
        self._count(bytes_written=written)
        return written

    def list(self, prefix: str) -> list[Listed]:
        """All objects below ``prefix``."""
        return self.retry.run(lambda: list(self.backend.list(prefix)))

    def stats(self) -> BlobStats:
        """The counters at this moment."""
        hits, misses = self.cache.counts()
        with self._lock:
            return BlobStats(
                reads=self._reads,
                bytes_read=self._bytes_read,
                writes=self._writes,
                bytes_written=self._bytes_written,
                writes_skipped=self._skipped,
                cache_hits=hits,
                cache_misses=misses,
            )

    def _check_size(self, size: int, where: str) -> None:
        limit = self.codec.max_bytes
        if size > limit:
            raise BagTooLarge(
                f"{size} bytes can't be stored at {where}: objects have at most {limit} bytes. "
                "Split the value, or raise the store's `max_object_bytes`.",
                details={"size_bytes": size, "limit_bytes": limit},
            )

    def _count(
        self, *, reads: int = 0, bytes_read: int = 0, writes: int = 0, bytes_written: int = 0, skipped: int = 0
    ) -> None:
        with self._lock:
            self._reads += reads
            self._bytes_read += bytes_read
            self._writes += writes
            self._bytes_written += bytes_written
            self._skipped += skipped


def parse_object(data: bytes, key: str) -> JSON:
    """Decode verified bytes.

    Raises:
        PointerCorrupt: they are not JSON, so whoever wrote them was not the store.
    """
    try:
        return parse_json(data)
    except (ValueError, RecursionError) as cause:
        raise corrupt(key, f"it is not JSON: {cause}") from cause


def _key(directory: str, sha256: str, codec: str) -> str:
    return f"{directory}{sha256}{'.json.zst' if codec == 'json+zstd' else '.json'}"
