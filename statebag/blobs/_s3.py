"""Objects in a bucket of S3 or of a server that speaks its protocol."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from botocore.exceptions import BotoCoreError, ClientError

from statebag.blobs._backend import Listed, Version, changed, denied, not_found, unavailable
from statebag.blobs._codec import corrupt
from statebag.blobs.s3 import is_absent, is_transient, new_client, status_of
from statebag.errors import StateBagError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["S3Backend"]

_PART_BYTES = 16 * 1024 * 1024
"""Of an upload in parts. The protocol has 10,000 parts at most, which makes 160 GB of a stream of unknown length."""
_PARTS_AT_A_TIME = 4
"""Their bytes are in memory together."""


class S3Backend:
    """Keeps each object under ``{prefix}{key}`` of one bucket.

    Address, region and credentials come from the environment as everywhere in boto3
    (``AWS_ENDPOINT_URL_S3``, ``AWS_PROFILE`` and so on).

    Args:
        bucket: An existing bucket. The server has to honour ``If-None-Match: *``.
        prefix: Put before each key, with one ``/`` between.
        client: A boto3 client to use instead of a new one; its own retries should be off.
        session: Arguments of ``boto3.Session`` for a new client.
        server_side_encryption: ``AES256`` or ``aws:kms`` to send with each write; the bucket's default otherwise.
    """

    parallel = True

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        client: S3Client | None = None,
        session: Mapping[str, Any] | None = None,
        server_side_encryption: str | None = None,
    ) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._extra: dict[str, Any] = {}
        if server_side_encryption is not None:
            self._extra["ServerSideEncryption"] = server_side_encryption
        self._client = new_client(session or {}) if client is None else client

    def location(self) -> str:
        """The place as an ``s3://`` address."""
        return f"s3://{self._bucket}/{self._prefix}"

    def read(self, key: str, *, max_bytes: int | None = None) -> bytes:
        """Get the object, whose length is checked before its body is fetched."""
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=self._prefix + key)
            # As a context manager, the body gives its inner stream, whose errors are those of another library.
            with closing(answer["Body"]) as body:
                size = answer["ContentLength"]
                if max_bytes is not None and size > max_bytes:
                    raise corrupt(key, f"{size} bytes are stored, at most {max_bytes} belong there")
                return body.read()
        except (ClientError, BotoCoreError) as cause:
            if is_absent(cause):
                raise not_found(self, key) from cause
            raise self._error(f"reading {key}", cause) from cause

    def read_range(self, key: str, start: int, length: int, *, version: Version | None = None) -> bytes:
        """Get a part, on the condition that the object has still the ETag of its version."""
        condition: dict[str, Any] = {} if version is None else {"IfMatch": version.tag}
        try:
            answer = self._client.get_object(
                Bucket=self._bucket, Key=self._prefix + key, Range=f"bytes={start}-{start + length - 1}", **condition
            )
            with closing(answer["Body"]) as body:
                # Not every server that speaks the protocol heeds the condition.
                if version is not None and answer["ETag"] != version.tag:
                    raise changed(self, key)
                if answer["ContentLength"] > length:
                    raise denied(self, f"a part of {key}", "it sends all of the object, so it does not know ranges")
                return body.read()
        except (ClientError, BotoCoreError) as cause:
            status = status_of(cause) if isinstance(cause, ClientError) else 0
            if status == 416:
                return b""
            if status == 412:
                raise changed(self, key) from cause
            if is_absent(cause):
                raise not_found(self, key) from cause
            raise self._error(f"reading {key}", cause) from cause

    def version(self, key: str) -> Version:
        """What a HEAD request tells: size and ETag."""
        try:
            answer = self._client.head_object(Bucket=self._bucket, Key=self._prefix + key)
        except (ClientError, BotoCoreError) as cause:
            if is_absent(cause):
                raise not_found(self, key) from cause
            raise self._error(f"looking for {key}", cause) from cause
        return Version(answer["ContentLength"], answer["ETag"])

    def size(self, key: str) -> int:
        """The size that a HEAD request tells."""
        return self.version(key).size_bytes

    def replace(self, key: str, stream: BinaryIO) -> int:
        """Put the object, in parts where it is large; it appears when the last one is there."""
        # Takes part in nothing but uploads, and loads slowly.
        from boto3.s3.transfer import TransferConfig  # noqa: PLC0415

        parts = TransferConfig(
            multipart_threshold=_PART_BYTES, multipart_chunksize=_PART_BYTES, max_concurrency=_PARTS_AT_A_TIME
        )
        source = _Counted(stream)
        try:
            self._client.upload_fileobj(
                cast("BinaryIO", source),
                self._bucket,
                self._prefix + key,
                ExtraArgs={"ContentType": "application/octet-stream", **self._extra},
                Config=parts,
            )
        except (ClientError, BotoCoreError) as cause:
            raise self._error(f"writing {key}", cause) from cause
        return source.size

    def write_if_absent(self, key: str, data: bytes) -> bool:
        """Put the object on the condition that there is none.

        A 409 tells that another request was under way, not that an object is there, so it is repeated.
        """
        try:
            self._client.put_object(
                Bucket=self._bucket,
                Key=self._prefix + key,
                Body=data,
                IfNoneMatch="*",
                ContentType="application/zstd" if key.endswith(".zst") else "application/json",
                **self._extra,
            )
        except (ClientError, BotoCoreError) as cause:
            if isinstance(cause, ClientError) and status_of(cause) == 412:
                return False
            raise self._error(f"writing {key}", cause) from cause
        return True

    def exists(self, key: str) -> bool:
        """Whether a HEAD request finds the object."""
        try:
            self._client.head_object(Bucket=self._bucket, Key=self._prefix + key)
        except (ClientError, BotoCoreError) as cause:
            if is_absent(cause):
                return False
            raise self._error(f"looking for {key}", cause) from cause
        return True

    def list(self, prefix: str) -> Iterator[Listed]:
        """List page by page."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._prefix + prefix
        )
        try:
            for page in pages:
                for item in page.get("Contents", ()):
                    key = item.get("Key", "").removeprefix(self._prefix)
                    if "Size" in item and "LastModified" in item:
                        yield Listed(key, item["Size"], item["LastModified"])
        except (ClientError, BotoCoreError) as cause:
            raise self._error(f"listing {prefix}", cause) from cause

    def delete(self, key: str) -> None:
        """Delete the object."""
        try:
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + key)
        except (ClientError, BotoCoreError) as cause:
            if not is_absent(cause):
                raise self._error(f"deleting {key}", cause) from cause

    def _error(self, doing: str, cause: ClientError | BotoCoreError) -> StateBagError:
        return unavailable(self, doing, cause) if is_transient(cause) else denied(self, doing, cause)


class _Counted:
    """A stream that can only be read, so that nothing seeks in it or closes it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.size = 0

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self.size += len(data)
        return data
