"""Content-addressed store of JSON values, and of files that owners upload: on local files, or on S3.

A value goes in with :meth:`ExecutionBlobs.put` and leaves a :class:`Pointer`, which
:meth:`ExecutionBlobs.get` turns back into exactly that value or into a typed error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from statebag.blobs._backend import Backend, Listed, Version
from statebag.blobs._execution import ExecutionBlobs
from statebag.blobs._files import OwnerFile, OwnerFiles, explain_name
from statebag.blobs._local import LocalBackend
from statebag.blobs._objects import BlobStats
from statebag.blobs._pointer import JSON, Pointer, escape, is_pointer, unescape
from statebag.blobs._retry import RetryPolicy
from statebag.blobs._store import BlobStore, open_store

if TYPE_CHECKING:
    from statebag.blobs._s3 import S3Backend

__all__ = [
    "JSON",
    "Backend",
    "BlobStats",
    "BlobStore",
    "ExecutionBlobs",
    "Listed",
    "LocalBackend",
    "OwnerFile",
    "OwnerFiles",
    "Pointer",
    "RetryPolicy",
    "S3Backend",
    "Version",
    "escape",
    "explain_name",
    "is_pointer",
    "open_store",
    "unescape",
]


def __getattr__(name: str) -> Any:
    # Loaded on first use: users of the local store need no part of the AWS SDK.
    if name == "S3Backend":
        from statebag.blobs._s3 import S3Backend  # noqa: PLC0415

        return S3Backend
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
