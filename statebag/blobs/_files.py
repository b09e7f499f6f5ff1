"""Files that an owner has uploaded, to be read by runs: whole files under names of the owner's choice."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, BinaryIO

from statebag.blobs._backend import Version, changed
from statebag.blobs._names import FILES_PART, encode_part, is_safe_key
from statebag.blobs._objects import Objects
from statebag.errors import InputRefused, NodeFailed, PointerNotFound, Problem, StateBagError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["OwnerFile", "OwnerFiles", "explain_name"]

PAGE_BYTES = 1024 * 1024


class OwnerFiles:
    """The files of one owner. Made by :meth:`BlobStore.files`; safe to share between threads.

    They are apart from executions: below the owner, in a folder whose name no workflow's folder can have (see
    :data:`~statebag.blobs._names.FILES_PART`). A name of plain letters, digits, ``.``, ``_`` and ``-`` is the file's
    name in that folder, so that ``cp`` and ``aws s3 cp`` do as well as :meth:`put`; what else is in a name is escaped.

    Args:
        objects: The store's inner layer.
        owner: Whose they are.
    """

    def __init__(self, objects: Objects, *, owner: str) -> None:
        self._objects = objects
        self._owner = owner
        self._prefix = f"{encode_part(owner)}/{FILES_PART}/"

    @property
    def prefix(self) -> str:
        """``{owner}/_files/`` with the owner escaped: where the files are."""
        return self._prefix

    def open(self, name: str, *, version: Version | None = None, page_bytes: int = PAGE_BYTES) -> OwnerFile:
        """A reader of the file.

        Args:
            name: Parts separated by ``/``.
            version: Of a reader opened before, where it has to be the same file still.
            page_bytes: What is fetched at a time.

        Raises:
            InputRefused: the name is none.
            NodeFailed: ``ITEMS_UNREADABLE``: there is no such file, or the store refuses access.
            NodeFailed: ``ITEMS_CHANGED``: it is another version.
            StoreUnavailable: the store did not answer.
        """
        key = self._key(name)
        found = self._version(name, key)
        if version is not None and found != version:
            raise changed(self._objects.backend, key)
        return OwnerFile(self._objects, key=key, version=found, page_bytes=page_bytes)

    def size(self, name: str) -> int:
        """The file's size in bytes. Raises as :meth:`open`."""
        return self._version(name, self._key(name)).size_bytes

    def put(self, name: str, stream: BinaryIO) -> int:
        """Write all that ``stream`` gives, in place of the file where there is one; the number of bytes.

        The file is there as a whole or not at all. A call that fails for a passing reason is repeated where the
        stream can be read again from where it stands.

        Raises:
            InputRefused: the name is none.
            StoreUnavailable: the store did not answer.
            StateBagError: with code ``STORE_DENIED``.
        """
        return self._objects.replace(self._key(name), stream)

    def _version(self, name: str, key: str) -> Version:
        try:
            return self._objects.version(key)
        except PointerNotFound as cause:
            raise self._unreadable(
                name,
                f"there is none at {key} in {self._objects.backend.location()}. Upload it: `statebag upload`",
                cause,
            ) from cause
        except StateBagError as cause:
            if cause.retryable:
                raise
            raise self._unreadable(name, cause.message.rstrip("."), cause) from cause

    def _unreadable(self, name: str, why: str, cause: StateBagError) -> NodeFailed:
        return NodeFailed(
            f"The file {name!r} of {self._owner!r} can't be read: {why}.",
            code="ITEMS_UNREADABLE",
            details={"file": name, **cause.details},
        )

    def _key(self, name: str) -> str:
        wrong = explain_name(name)
        key = self._prefix + "/".join(map(encode_part, name.split("/")))
        if wrong is None and not is_safe_key(key):
            wrong = "is too long"
        if wrong is not None:
            message = (
                f"{name!r} is no name of a file: it {wrong}. Use a name such as `orders.csv` or `2026/orders.csv`."
            )
            raise InputRefused([Problem(path="$.file", code="FIELD_VALUE", message=message)], what="file")
        return key


def explain_name(name: str) -> str | None:
    """What keeps ``name`` from being a file's; None where nothing does."""
    if name == "":
        return "is empty"
    if name.startswith("/"):
        return "starts with a slash"
    parts = name.split("/")
    if "" in parts:
        return "has an empty part"
    if "." in parts or ".." in parts:
        return "has a part of dots"
    if "\0" in name:
        return "has a NUL character"
    return None


class OwnerFile(io.RawIOBase):
    """Reads a file from its beginning to its end, page by page, one page of which is in memory at a time.

    Each page is fetched with the store's retries, and on the condition that the file is what it was when it was opened.

    Args:
        objects: The store's inner layer.
        key: Of the file.
        version: What it was when it was opened.
        page_bytes: Size of a page.
    """

    def __init__(self, objects: Objects, *, key: str, version: Version, page_bytes: int) -> None:
        super().__init__()
        self._objects = objects
        self._key = key
        self._page_bytes = page_bytes
        self._page = memoryview(b"")
        self._fetched = 0
        self.version = version

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill ``buffer`` with what comes next, or a part of it; how many bytes, 0 at the end.

        Raises:
            NodeFailed: ``ITEMS_CHANGED``: the file is another one than when it was opened, or is gone.
            StoreUnavailable: the store did not answer.
        """
        if self.closed:
            raise ValueError("I/O operation on closed file.")
        if not self._page and self._fetched < self.version.size_bytes:
            self._fetch()
        target = memoryview(buffer).cast("B")
        count = min(len(target), len(self._page))
        target[:count] = self._page[:count]
        self._page = self._page[count:]
        return count

    def close(self) -> None:
        """Let go of the page."""
        self._page = memoryview(b"")
        super().close()

    def _fetch(self) -> None:
        length = min(self._page_bytes, self.version.size_bytes - self._fetched)
        try:
            page = self._objects.read_range(self._key, self._fetched, length, version=self.version)
        except PointerNotFound as cause:
            raise changed(self._objects.backend, self._key) from cause
        if len(page) != length:
            raise changed(self._objects.backend, self._key)
        self._fetched += length
        self._page = memoryview(page)
