"""Results of outside calls within a segment, recorded one by one, so that a later try does not call again."""

from __future__ import annotations

import threading
from typing import Any

from statebag.blobs import ExecutionBlobs, Pointer, is_pointer
from statebag.canonical import canonical_bytes, sha256_hex

__all__ = ["RecordedSteps"]

INLINE_BYTES = 16 * 1024
"""A larger result is an object of its own, and its record a pointer to it."""


class RecordedSteps:
    """The steps of one visit of one segment. Thread safe.

    Args:
        blobs: where they are recorded.
        folder: names the visit among all of the run's.
        attempt: 1-based try of the segment. The first has nothing to recall, and spares the look.
    """

    def __init__(self, blobs: ExecutionBlobs, folder: str, *, attempt: int) -> None:
        self._blobs = blobs
        self._folder = folder
        self._attempt = attempt
        self._lock = threading.Lock()
        self.kept = 0
        """How many this try has added."""

    def recall(self, key: str) -> Any:
        """What an earlier try kept under ``key``; None where there is nothing.

        Raises:
            StoreUnavailable, PointerCorrupt, PointerNotFound: it can't be read.
        """
        if self._attempt < 2:
            return None
        record = self._blobs.read_record(self._name(key))
        if record is None:
            return None
        value = record["value"]
        return self._blobs.get(Pointer.from_json(value)) if record["stored"] else value

    def keep(self, key: str, value: Any) -> None:
        """Keep ``value``; where another try was faster, its value stays.

        Raises:
            OffloadFailed, StoreUnavailable: it is not kept.
            Unserialisable: it is not JSON.
        """
        stored = len(canonical_bytes(value)) > INLINE_BYTES or is_pointer(value)
        kept = self._blobs.put(value, kind="step").to_json() if stored else value
        self._blobs.record_once(self._name(key), {"key": key, "stored": stored, "value": kept})
        with self._lock:
            self.kept += 1

    def _name(self, key: str) -> str:
        return f"steps/{self._folder}/{sha256_hex(key.encode())[:32]}"
