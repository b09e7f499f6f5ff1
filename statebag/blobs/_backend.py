"""What the store asks of the place that keeps its objects."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import BinaryIO, NamedTuple, Protocol

from statebag.errors import NodeFailed, PointerNotFound, StateBagError, StoreUnavailable

__all__ = ["Backend", "Listed", "Version"]


class Listed(NamedTuple):
    """One object of a listing."""

    key: str
    size_bytes: int
    """Bytes stored, after compression."""
    modified: datetime
    """Time of writing, with its time zone."""


class Version(NamedTuple):
    """An object as it is at a time."""

    size_bytes: int
    tag: str
    """Another one after each change; means nothing else."""


class Backend(Protocol):
    """Named objects, which never change; but for files, which their owner may :meth:`replace`.

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

    def read_range(self, key: str, start: int, length: int, *, version: Version | None = None) -> bytes:
        """The object's bytes from ``start`` on: ``length`` of them, fewer at its end, none behind it.

        Args:
            key: The object.
            start: From 0.
            length: At least 1.
            version: What the object has to be still.

        Raises:
            PointerNotFound: there is no such object.
            NodeFailed: with code ``ITEMS_CHANGED``: it is not that version any more.
        """
        ...

    def version(self, key: str) -> Version:
        """The object's size and version at present.

        Raises:
            PointerNotFound: there is no such object.
        """
        ...

    def size(self, key: str) -> int:
        """The object's size in bytes. Raises as :meth:`version`."""
        ...

    def replace(self, key: str, stream: BinaryIO) -> int:
        """Write all that ``stream`` gives, in place of the object where there is one; the number of bytes.

        The object is there as a whole or not at all. What reading the stream raises is passed on.
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


def changed(backend: Backend, key: str) -> NodeFailed:
    """The error for an object that is another one than before."""
    return NodeFailed(
        f"The file {key} in {backend.location()} was changed while it was read, so that its parts don't belong together. "
        "Run again, and leave the file as it is until then; give a new version a new name.",
        code="ITEMS_CHANGED",
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
