"""Payloads as a person reads them: fetched from the store and inflated, within a limit of memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import zstandard
from google.protobuf.json_format import Parse, ParseError
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.api.sdk.v1 import ExternalStorageReference
from temporalio.converter import StorageDriverClaim, StorageDriverRetrieveContext

from statebag.app.temporal import StoreDriver, ZstdCodec
from statebag.blobs import BlobStore, Pointer
from statebag.canonical import parse_json
from statebag.errors import PointerCorrupt, PointerRefused, StateBagError

__all__ = ["PayloadReader"]

_REFERENCE = {"encoding": b"json/protobuf", "messageType": ExternalStorageReference.DESCRIPTOR.full_name.encode()}
_CLAIMED = ("namespace", "id", "pointer")
_MIB = 1024 * 1024


class PayloadReader:
    """Turns payloads of histories into those that were given to the client, and back. Writes nothing into the store.

    Args:
        store: Where payloads are that history has a reference to.
        decoded_bytes: Most bytes that the payloads of one call may come to. It is checked before they are fetched and
            before they are inflated, by the sizes that the store and the compressed frames hold themselves to.
    """

    def __init__(self, store: BlobStore, *, decoded_bytes: int) -> None:
        self._driver = StoreDriver(store)
        self._codec = ZstdCodec()
        self._decoded_bytes = decoded_bytes

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Compress the large ones, as a client does; what is still large stays inline."""
        return await self._codec.encode(payloads)

    async def decode(self, payloads: Sequence[Payload], *, keep_references: bool = False) -> list[Payload]:
        """Inflate what is compressed, and put what is stored in the place of its reference. Others pass as they are.

        Args:
            payloads: As they are in history.
            keep_references: Leave references as they are.

        Raises:
            StateBagError: ``CODEC_TOO_LARGE``; ``CODEC_REQUEST_INVALID`` where a reference is malformed;
                ``POINTER_…`` and ``STORE_…`` where one can't be followed.
        """
        claims = {} if keep_references else self._claims(payloads)
        fetched = await self._fetch(list(claims.values()))
        whole = list(payloads)
        for index, payload in zip(claims, fetched, strict=True):
            whole[index] = payload
        self._admit(map(_inflated_size, whole))
        return await self._codec.decode(whole)

    async def download(self, payloads: Sequence[Payload]) -> list[Payload]:
        """As :meth:`decode`, for references alone.

        Raises:
            StateBagError: as there; ``CODEC_REQUEST_INVALID`` where a payload is no reference into this store.
        """
        claims = self._claims(payloads)
        for index in range(len(payloads)):
            if index not in claims:
                raise _malformed(index, "is no reference into the store that this server reads. Ask /decode for it")
        return await self.decode(payloads)

    def _claims(self, payloads: Sequence[Payload]) -> dict[int, StorageDriverClaim]:
        """The claims of our references, by place. A reference of another driver is a payload like any other."""
        claims: dict[int, StorageDriverClaim] = {}
        for index, payload in enumerate(payloads):
            if any(payload.metadata.get(name) != value for name, value in _REFERENCE.items()):
                continue
            try:
                reference = Parse(payload.data, ExternalStorageReference(), ignore_unknown_fields=True)
            except (ParseError, ValueError) as cause:
                raise _malformed(index, f"is a reference that can't be read: {cause}") from cause
            if reference.driver_name != self._driver.name():
                continue
            claim = dict(reference.claim_data)
            if missing := [name for name in _CLAIMED if name not in claim]:
                raise _malformed(index, f"is a reference without {', '.join(missing)}")
            claims[index] = StorageDriverClaim(claim_data=claim)
        return claims

    async def _fetch(self, claims: Sequence[StorageDriverClaim]) -> list[Payload]:
        self._admit(_pointer_of(claim).size_bytes for claim in claims)
        try:
            return await self._driver.retrieve(StorageDriverRetrieveContext(), claims)
        except (DecodeError, TypeError, ValueError) as cause:
            raise PointerCorrupt(f"reference: what it leads to is no payload: {cause}.") from cause

    def _admit(self, sizes: Iterable[int]) -> None:
        total = sum(sizes)
        if total > self._decoded_bytes:
            raise StateBagError(
                f"payloads: {total:,} bytes when decoded; {self._decoded_bytes // _MIB} MiB are allowed. "
                "Ask for fewer at a time, or raise --max-decoded.",
                code="CODEC_TOO_LARGE",
            )


def _pointer_of(claim: StorageDriverClaim) -> Pointer:
    try:
        return Pointer.from_json(parse_json(claim.claim_data["pointer"]))
    except (ValueError, RecursionError) as cause:
        raise PointerRefused(
            f"reference: its pointer is not JSON: {cause}. It was changed on its way.", code="POINTER_MALFORMED"
        ) from cause


def _inflated_size(payload: Payload) -> int:
    if payload.metadata.get("encoding") != b"binary/zstd":
        return payload.ByteSize()
    try:
        # The frame holds itself to it: inflating stops there. One that doesn't tell is refused by the codec.
        return max(payload.ByteSize(), zstandard.frame_content_size(payload.data))
    except zstandard.ZstdError:
        return payload.ByteSize()


def _malformed(index: int, what: str) -> StateBagError:
    return StateBagError(f"payloads[{index}] {what}.", code="CODEC_REQUEST_INVALID")
