"""What the store asks of the place that keeps its objects."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple, Protocol

from statebag.errors import PointerNotFound, StateBagError, StoreUnavailable

__all__ = ["Backend", "Listed"]


class Listed(NamedTuple):
    """One object of a listing."""

    key: str
    size_bytes: int
    """Bytes stored, after compression."""
    modified: datetime
    """Time of writing, with its time zone."""


class Backend(Protocol):
    """Named immutable objects.

    Each method raises StoreUnavailable where the same call may succeed later, and a
    StateBagError with code ``STORE_DENIED`` where it never will. None of them retries.
    """

    @property
    def parallel(self) -> bool:
        """Whether several calls at a time are faster than one after the other."""
        ...

    def read(self, key: str, *, max_bytes: int | None = None) -> bytes:
        """The object's bytes.

        Raises:
            PointerNotFound: there is no such object.
            PointerCorrupt: it has more than ``max_bytes``; nothing of it was fetched.
        """
        ...

    def write_if_absent(self, key: str, data: bytes) -> bool:
        """Write the whole object or nothing; False where one was there already, which stays."""
        ...

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        ...

    def list(self, prefix: str) -> Iterator[Listed]:
        """Each object whose key starts with ``prefix``, in no particular order."""
        ...

    def delete(self, key: str) -> None:
        """Remove the object; no error where there is none."""
        ...

    def location(self) -> str:
        """Address of the whole, for messages."""
        ...


def not_found(backend: Backend, key: str) -> PointerNotFound:
    """The error for an object that is not there."""
    return PointerNotFound(
        f"There is no object {key} in {backend.location()}. It was deleted, or this is not the store it was written to.",
        details={"key": key, "store": backend.location()},
    )


def unavailable(backend: Backend, doing: str, cause: object) -> StoreUnavailable:
    """The error for a call that may succeed when it is repeated."""
    return StoreUnavailable(
        f"The store {backend.location()} did not answer while {doing}: {cause}. Check it; the call is repeated.",
        details={"store": backend.location()},
    )


def denied(backend: Backend, doing: str, cause: object) -> StateBagError:
    """The error for a call that fails each time."""
    return StateBagError(
        f"The store {backend.location()} refused {doing}: {cause}. Check its address, credentials and permissions.",
        code="STORE_DENIED",
        details={"store": backend.location()},
    )
