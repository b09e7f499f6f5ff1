"""Fakes for tests of what is built on the engine."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import BinaryIO

from statebag.blobs import Backend, Listed, Version
from statebag.errors import StoreUnavailable

__all__ = ["FaultyBackend"]


class FaultyBackend:
    """Passes calls on to another backend, and fails where it is told to.

    Args:
        inner: The backend that does the work.
        delay_seconds: Waited before each call.
        sleep: What waits.
    """

    def __init__(
        self, inner: Backend, *, delay_seconds: float = 0.0, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.inner = inner
        self.delay_seconds = delay_seconds
        self._sleep = sleep
        self._lock = threading.Lock()
        self._calls: Counter[str] = Counter()
        self._reads: deque[Exception] = deque()
        self._writes: deque[Exception] = deque()
        self._lost: deque[Exception] = deque()
        self._outage: Exception | None = None

    @property
    def parallel(self) -> bool:
        """As the inner backend."""
        return self.inner.parallel

    @property
    def calls(self) -> Mapping[str, int]:
        """Calls so far by method name, failed ones included."""
        with self._lock:
            return Counter(self._calls)

    def fail_next_reads(self, times: int = 1, error: Exception | None = None) -> None:
        """Let the next reads raise ``error``, StoreUnavailable where none is given."""
        self._reads.extend([error or _broken()] * times)

    def fail_next_writes(self, times: int = 1, error: Exception | None = None) -> None:
        """Let the next writes raise ``error`` and write nothing."""
        self._writes.extend([error or _broken()] * times)

    def lose_next_answers(self, times: int = 1, error: Exception | None = None) -> None:
        """Let the next writes take effect and raise ``error`` all the same."""
        self._lost.extend([error or _broken()] * times)

    @contextmanager
    def outage(self, error: Exception | None = None) -> Generator[None]:
        """Let every call fail inside of the ``with`` block."""
        self._outage = error or _broken()
        try:
            yield
        finally:
            self._outage = None

    def corrupt(self, key: str, change: Callable[[bytes], bytes]) -> None:
        """Replace a stored object by ``change`` of its bytes."""
        data = change(self.inner.read(key))
        self.inner.delete(key)
        self.inner.write_if_absent(key, data)

    def location(self) -> str:
        """As the inner backend."""
        return self.inner.location()

    def read(self, key: str, *, max_bytes: int | None = None) -> bytes:
        """Read, or fail."""
        self._enter("read", self._reads)
        return self.inner.read(key, max_bytes=max_bytes)

    def read_range(self, key: str, start: int, length: int, *, version: Version | None = None) -> bytes:
        """Read a part, or fail as a read does."""
        self._enter("read_range", self._reads)
        return self.inner.read_range(key, start, length, version=version)

    def version(self, key: str) -> Version:
        """Look, or fail in an outage."""
        self._enter("version")
        return self.inner.version(key)

    def size(self, key: str) -> int:
        """Look, or fail in an outage."""
        self._enter("size")
        return self.inner.size(key)

    def replace(self, key: str, stream: BinaryIO) -> int:
        """Write, or fail before or after writing."""
        self._enter("replace", self._writes)
        written = self.inner.replace(key, stream)
        self._raise_next(self._lost)
        return written

    def write_if_absent(self, key: str, data: bytes) -> bool:
        """Write, or fail before or after writing."""
        self._enter("write_if_absent", self._writes)
        written = self.inner.write_if_absent(key, data)
        self._raise_next(self._lost)
        return written

    def exists(self, key: str) -> bool:
        """Look, or fail in an outage."""
        self._enter("exists")
        return self.inner.exists(key)

    def list(self, prefix: str) -> Iterator[Listed]:
        """List, or fail in an outage."""
        self._enter("list")
        return self.inner.list(prefix)

    def delete(self, key: str) -> None:
        """Delete, or fail in an outage."""
        self._enter("delete")
        self.inner.delete(key)

    def _enter(self, name: str, planned: deque[Exception] | None = None) -> None:
        with self._lock:
            self._calls[name] += 1
        if self.delay_seconds:
            self._sleep(self.delay_seconds)
        if self._outage is not None:
            raise self._outage
        if planned is not None:
            self._raise_next(planned)

    def _raise_next(self, planned: deque[Exception]) -> None:
        with self._lock:
            error = planned.popleft() if planned else None
        if error is not None:
            raise error


def _broken() -> StoreUnavailable:
    return StoreUnavailable("The store does not answer: a fault was asked for.")
