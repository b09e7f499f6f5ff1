"""Images and videos in S3 that the worker fetches, for a provider which doesn't."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from statebag.blobs.s3 import is_absent, is_transient, new_client
from statebag.errors import ProviderUnavailable, StateBagError
from statebag.nodes.llm._allow import MEDIA_ALLOW_VARIABLE, MediaAllow, has_dots, read_media_allow
from statebag.nodes.llm._config import Provider
from statebag.nodes.llm._media import MAX_INLINE_BYTES, Media, refused
from statebag.nodes.llm._taken import is_fetched_by_worker

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["fetch_media"]

_CHUNK_BYTES: Final = 1 << 20


def fetch_media(
    node_id: str, media: Sequence[Media], provider: Provider, *, heartbeat: Callable[[object], None]
) -> tuple[Media, ...]:
    """``media``, with the bytes of those in S3 that ``provider`` doesn't fetch by itself.

    Where S3 is, and as whom the worker reads, is what boto3 finds in the environment. Only what
    ``STATEBAG_MEDIA_ALLOW`` covers is fetched: a document must not read all that the worker can.

    Args:
        node_id: For messages.
        media: What the node shows.
        provider: To whom.
        heartbeat: Called before each object, and after each MiB.

    Raises:
        NodeFailed: ``VISION_MEDIA_REFUSED``: an object is not allowed, not there, not readable, too large, or neither
            an image nor a video.
        ProviderUnavailable: ``VISION_MEDIA_UNAVAILABLE``: S3 refuses for now.
        InputRefused: ``SETTING_INVALID``: ``STATEBAG_MEDIA_ALLOW`` can't be read.
    """
    wanted = [one for one in media if is_fetched_by_worker(one.kind, one.scheme, provider)]
    if not wanted:
        return tuple(media)
    allowed = read_media_allow()
    for one in wanted:
        _check_allowed(node_id, one, provider, allowed)
    client = _open(node_id, wanted[0])
    left = MAX_INLINE_BYTES - sum(len(one.content or b"") for one in media)
    fetched: list[Media] = []
    for one in media:
        if is_fetched_by_worker(one.kind, one.scheme, provider):
            heartbeat({"node_id": node_id, "fetching": one.url})
            one = _fetch(node_id, one, client, left, heartbeat)  # noqa: PLW2901
            left -= len(one.content or b"")
        fetched.append(one)
    return tuple(fetched)


def _check_allowed(node_id: str, one: Media, provider: Provider, allowed: MediaAllow) -> None:
    bucket, key = _place(one)
    if allowed.covers(bucket, key):
        return
    folder = key.rpartition("/")[0]
    remedy = (
        "Write it without `.` and `..`"
        if has_dots(key)
        else f"Add `s3://{bucket}/{folder}` to it in the worker's environment"
    )
    raise refused(
        node_id,
        f"{provider} doesn't fetch {one.url!r}, and the worker must not: {MEDIA_ALLOW_VARIABLE} doesn't cover it. "
        f"{remedy}, or give a presigned https address",
    )


def _open(node_id: str, first: Media) -> S3Client:
    try:
        return new_client({})
    except BotoCoreError as cause:
        raise _failure(node_id, first, cause) from cause


def _fetch(node_id: str, one: Media, client: S3Client, left: int, heartbeat: Callable[[object], None]) -> Media:
    bucket, key = _place(one)
    chunks: list[bytes] = []
    try:
        answer = client.get_object(Bucket=bucket, Key=key)
        with closing(answer["Body"]) as body:
            size = answer["ContentLength"]
            if size > left:
                raise refused(
                    node_id,
                    f"{one.url!r} has {size} bytes, and {left} of the {MAX_INLINE_BYTES} that go inline with a call are "
                    "left. Give a presigned https address, use the provider bedrock, or show less at once",
                )
            media_type = _type_of(node_id, one, answer.get("ContentType", ""), key)
            for chunk in body.iter_chunks(_CHUNK_BYTES):
                chunks.append(chunk)
                heartbeat({"node_id": node_id, "fetching": one.url})
    except (ClientError, BotoCoreError) as cause:
        raise _failure(node_id, one, cause) from cause
    if not size:
        raise refused(node_id, f"{one.url!r} has no bytes. Store the file itself")
    return replace(one, content=b"".join(chunks), media_type=media_type)


def _type_of(node_id: str, one: Media, stated: str, key: str) -> str:
    """The type that the object was stored with, or else that of its ending."""
    for found in (stated.partition(";")[0].strip().lower(), mimetypes.guess_type(key, strict=False)[0] or ""):
        if found.startswith(f"{one.kind}/"):
            return found
    raise refused(
        node_id,
        f"{one.url!r} is stored as {stated or 'nothing'!r}, and its ending is none of {one.kind}s. Store it with its "
        "content type",
    )


def _place(one: Media) -> tuple[str, str]:
    """Bucket and key: all behind the bucket, as it is written."""
    bucket, _, key = one.url.partition("://")[2].partition("/")
    return bucket, key


def _failure(node_id: str, one: Media, cause: ClientError | BotoCoreError) -> StateBagError:
    if is_transient(cause):
        return ProviderUnavailable(
            f"Node {node_id!r}: {one.url!r} can't be fetched for now: {cause}. "
            "The call is repeated as `retry_config` says.",
            code="VISION_MEDIA_UNAVAILABLE",
            details={"node_id": node_id, "url": one.url},
        )
    if is_absent(cause):
        return refused(node_id, f"there is no object {one.url!r}. Correct the address, or store the object first")
    return refused(
        node_id, f"S3 doesn't let the worker read {one.url!r}: {cause}. Check its credentials and permissions"
    )
