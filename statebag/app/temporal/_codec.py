"""Payloads above a few KiB are compressed; small ones stay JSON that a person can read."""

from __future__ import annotations

from collections.abc import Sequence

import zstandard
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from statebag.errors import PointerCorrupt

__all__ = ["ZstdCodec"]

_ENCODING = b"binary/zstd"
PLAIN_BYTES = 4 * 1024
"""A payload up to this size is left alone."""
INFLATED_BYTES = 256 * 1024 * 1024
"""Most bytes that a payload may inflate to."""


class ZstdCodec(PayloadCodec):
    """Compresses with zstd what gets smaller by it."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Compress the large ones."""
        return [_compress(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Undo :meth:`encode`; other payloads pass as they are.

        Raises:
            PointerCorrupt: a compressed payload is damaged, or claims to be larger than 256 MiB.
        """
        return [_inflate(payload) for payload in payloads]


def _compress(payload: Payload) -> Payload:
    if payload.ByteSize() <= PLAIN_BYTES:
        return payload
    packed = zstandard.ZstdCompressor(level=3).compress(payload.SerializeToString())
    if len(packed) >= payload.ByteSize():
        return payload
    return Payload(metadata={"encoding": _ENCODING}, data=packed)


def _inflate(payload: Payload) -> Payload:
    if payload.metadata.get("encoding") != _ENCODING:
        return payload
    try:
        size = zstandard.frame_content_size(payload.data)
        if not 0 <= size <= INFLATED_BYTES:
            raise PointerCorrupt(f"payload: claims {size} bytes, {INFLATED_BYTES} are allowed; refused.")
        raw = zstandard.ZstdDecompressor().decompress(payload.data, max_output_size=size)
        inflated = Payload()
        inflated.ParseFromString(raw)
    except zstandard.ZstdError as cause:
        raise PointerCorrupt(f"payload: no zstd data: {cause}. It was changed on its way.") from cause
    except DecodeError as cause:
        raise PointerCorrupt(f"payload: inflates to no payload: {cause}. It was changed on its way.") from cause
    return inflated
