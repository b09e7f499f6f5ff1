"""The store as a whole: opened once a process, then bound to executions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from statebag.blobs._backend import Backend
from statebag.blobs._cache import BlobCache
from statebag.blobs._codec import Codec
from statebag.blobs._execution import ExecutionBlobs
from statebag.blobs._files import OwnerFiles
from statebag.blobs._local import LocalBackend
from statebag.blobs._names import encode_part
from statebag.blobs._objects import BlobStats, Objects
from statebag.blobs._retry import RetryPolicy
from statebag.errors import InputRefused, Problem

__all__ = ["BlobStore", "open_store"]

_MIB = 1024 * 1024


class BlobStore:
    """Content-addressed JSON values, kept apart by execution. Safe to share between threads.

    Args:
        backend: Where objects are kept.
        cache_bytes: Memory for values read or written before; 0 for no cache.
        cache_entries: Values in that memory at most.
        max_object_bytes: Largest value, uncompressed; what declares more is refused unread.
        retry: For calls that fail for a passing reason.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        cache_bytes: int = 64 * _MIB,
        cache_entries: int = 16_384,
        max_object_bytes: int = 256 * _MIB,
        retry: RetryPolicy | None = None,
    ) -> None:
        self._objects = Objects(
            backend=backend,
            codec=Codec(max_bytes=max_object_bytes),
            cache=BlobCache(max_bytes=cache_bytes, max_entries=cache_entries),
            retry=retry or RetryPolicy(),
        )

    @property
    def backend(self) -> Backend:
        """Where objects are kept."""
        return self._objects.backend

    def execution(self, owner: str, workflow: str, execution: str, *, allow: Sequence[str] = ()) -> ExecutionBlobs:
        """The part that belongs to one execution.

        Args:
            owner: Tenant. Any text; what keys can't hold is escaped, and no two texts meet.
            workflow: Any text.
            execution: Any text.
            allow: Key prefixes of other places whose objects it may read, such as uploaded inputs.
        """
        prefix = "".join(f"{encode_part(part)}/" for part in (owner, workflow, execution))
        return ExecutionBlobs(self._objects, prefix=prefix, allow=allow)

    def files(self, owner: str) -> OwnerFiles:
        """The files that an owner has uploaded, which belong to no execution.

        Args:
            owner: As for :meth:`execution`.
        """
        return OwnerFiles(self._objects, owner=owner)

    def stats(self) -> BlobStats:
        """Counters since the store was opened."""
        return self._objects.stats()


def open_store(
    url: str,
    *,
    cache_bytes: int = 64 * _MIB,
    max_object_bytes: int = 256 * _MIB,
    retry: RetryPolicy | None = None,
    fsync: bool = False,
    server_side_encryption: str | None = None,
    setting: str = "store",
) -> BlobStore:
    """Open the store at an address. Nothing is contacted before the first call.

    Args:
        url: A path, ``file:///path`` or ``s3://bucket/prefix``.
        cache_bytes: As for :class:`BlobStore`.
        max_object_bytes: As for :class:`BlobStore`.
        retry: As for :class:`BlobStore`.
        fsync: As for :class:`LocalBackend`.
        server_side_encryption: As for :class:`S3Backend`.
        setting: What to call the address in errors, such as the variable it came from.

    Raises:
        InputRefused: with code ``SETTING_INVALID``: the address is none of those.
    """
    backend = _backend(url, fsync=fsync, server_side_encryption=server_side_encryption, setting=setting)
    return BlobStore(backend, cache_bytes=cache_bytes, max_object_bytes=max_object_bytes, retry=retry)


def _backend(url: str, *, fsync: bool, server_side_encryption: str | None, setting: str) -> Backend:
    scheme, separator, rest = url.partition("://")
    if not separator:
        return _local(url, url, fsync, setting)
    parts = urlsplit(url)
    if scheme == "file" and rest.startswith(("/", "localhost/")) and not (parts.query or parts.fragment):
        return _local(url, unquote(parts.path), fsync, setting)
    if scheme == "s3" and parts.hostname and not (parts.query or parts.fragment or parts.port or parts.username):
        from statebag.blobs._s3 import S3Backend  # noqa: PLC0415

        return S3Backend(parts.netloc, unquote(parts.path), server_side_encryption=server_side_encryption)
    raise _refused(url, setting)


def _local(url: str, path: str, fsync: bool, setting: str) -> LocalBackend:
    if not path.strip() or path.startswith(("file:", "s3:")) or "\0" in path:
        raise _refused(url, setting)
    root = Path(path).expanduser()
    if root.exists() and not root.is_dir():
        raise _refused(url, setting, " There is a file at that path, not a directory.")
    return LocalBackend(root, fsync=fsync)


def _refused(url: str, setting: str, why: str = "") -> InputRefused:
    message = f"{url!r} is no address of a store.{why} Use a path, file:///path or s3://bucket/prefix."
    return InputRefused([Problem(path=setting, code="SETTING_INVALID", message=message)], what="setting")
