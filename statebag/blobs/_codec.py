"""Canonical JSON to stored bytes and back, without trusting the stored bytes."""

from __future__ import annotations

import threading

import zstandard

from statebag.errors import PointerCorrupt

__all__ = ["Codec"]

_LEVEL = 3
_MAGIC = b"\x28\xb5\x2f\xfd"


class Codec:
    """Encodes and decodes objects.

    zstd contexts are dear to make and must not be shared between threads, so each thread keeps its own.

    Args:
        max_bytes: Refuse to decode anything that declares or yields more.
    """

    def __init__(self, *, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._contexts = _Contexts()

    def encode(self, data: bytes) -> tuple[str, bytes]:
        """``(codec, stored bytes)``: compressed where that is smaller. The same data always gives the same."""
        packed = self._contexts.compressor.compress(data)
        return ("json+zstd", packed) if len(packed) < len(data) else ("json", data)

    def stored_limit(self, size_bytes: int) -> int:
        """The most that an object holding ``size_bytes`` of JSON can take in any codec."""
        return size_bytes + size_bytes // 128 + 512

    def decode(self, stored: bytes, *, codec: str, size_bytes: int, key: str) -> bytes:
        """The ``size_bytes`` bytes behind ``stored``.

        Raises:
            PointerCorrupt: ``stored`` is not one frame of exactly that size, or the size is above the cap.
        """
        if not 0 < size_bytes <= self.max_bytes:
            raise corrupt(key, f"{size_bytes} bytes are declared, at most {self.max_bytes} are allowed")
        if codec == "json":
            data = stored
        elif codec == "json+zstd":
            data = self._decompress(stored, size_bytes, key)
        else:
            raise corrupt(key, f"the codec {codec!r} does not exist")
        if len(data) != size_bytes:
            raise corrupt(key, f"{len(data)} bytes are stored, {size_bytes} are declared")
        return data

    def _decompress(self, stored: bytes, size_bytes: int, key: str) -> bytes:
        # The header decides first: what it declares is all that is ever allocated, and
        # a frame that yields more than its header says ends in an error, not in memory.
        if stored[:4] != _MAGIC:
            raise corrupt(key, "it is no zstd frame")
        try:
            declared = zstandard.frame_content_size(stored)
            if declared != size_bytes:
                said = "no size" if declared < 0 else f"{declared} bytes"
                raise corrupt(key, f"the frame declares {said}, the pointer {size_bytes} bytes")
            return self._contexts.decompressor.decompress(stored, allow_extra_data=False)
        except zstandard.ZstdError as cause:
            raise corrupt(key, f"zstd: {cause}") from cause


def corrupt(key: str, what: str) -> PointerCorrupt:
    """The error for an object that is not what was written."""
    return PointerCorrupt(
        f"The object {key} is not what was written: {what}. "
        "Restore it from a backup, or run again from before it was written.",
        details={"key": key},
    )


class _Contexts(threading.local):
    """One pair of contexts a thread: ``__init__`` runs on the first use in each."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=_LEVEL, write_content_size=True)
        self.decompressor = zstandard.ZstdDecompressor()
