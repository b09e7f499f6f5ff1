"""Verified values kept in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict

__all__ = ["BlobCache"]

_KEYS_LIMIT = 64
"""Keys remembered for one value; a value stored by thousands of executions must not slow down the rest."""
_ENTRY_COST = 300
"""What an entry takes besides its data and keys, roughly; keeps tiny values from being counted as free."""


class BlobCache:
    """Least recently used values, under a bound of bytes and one of entries.

    An entry is one value, found by its SHA-256, with the keys under which it is known to
    be stored. Another execution's key is not among them, so a hash alone opens nothing.

    Args:
        max_bytes: Of data and bookkeeping together; 0 keeps nothing.
        max_entries: Values at most.
    """

    def __init__(self, *, max_bytes: int, max_entries: int) -> None:
        self._max_bytes = max_bytes
        self._max_entries = max_entries
        self._entries: OrderedDict[str, tuple[bytes, frozenset[str]]] = OrderedDict()
        self._bytes = 0
        self._hits = 0
        self._misses = 0
        self._lock = threading.Lock()

    def get(self, sha256: str, key: str) -> bytes | None:
        """The value, where it is known to be stored under ``key``."""
        with self._lock:
            entry = self._entries.get(sha256)
            if entry is None or key not in entry[1]:
                self._misses += 1
                return None
            self._entries.move_to_end(sha256)
            self._hits += 1
            return entry[0]

    def knows(self, sha256: str, key: str) -> bool:
        """Whether the value is known to be stored under ``key``. Counts as a use, not as a hit."""
        with self._lock:
            entry = self._entries.get(sha256)
            if entry is None or key not in entry[1]:
                return False
            self._entries.move_to_end(sha256)
            return True

    def add(self, sha256: str, key: str, data: bytes) -> None:
        """Remember a value that was written to, or read from, ``key`` and whose hash was checked."""
        with self._lock:
            held, keys = self._entries.pop(sha256, (data, frozenset[str]()))
            if keys:
                self._bytes -= _cost(held, keys)
            keys |= {key}
            if len(keys) > _KEYS_LIMIT or _cost(held, keys) > self._max_bytes:
                keys = frozenset({key})
            cost = _cost(held, keys)
            if cost > self._max_bytes:
                return
            self._entries[sha256] = (held, keys)
            self._bytes += cost
            while self._bytes > self._max_bytes or len(self._entries) > self._max_entries:
                _, (old, old_keys) = self._entries.popitem(last=False)
                self._bytes -= _cost(old, old_keys)

    def counts(self) -> tuple[int, int]:
        """``(hits, misses)`` of :meth:`get`."""
        with self._lock:
            return self._hits, self._misses

    def held(self) -> tuple[int, int]:
        """``(bytes, entries)`` at present."""
        with self._lock:
            return self._bytes, len(self._entries)


def _cost(data: bytes, keys: frozenset[str]) -> int:
    return len(data) + _ENTRY_COST + sum(len(key) + 100 for key in keys)
