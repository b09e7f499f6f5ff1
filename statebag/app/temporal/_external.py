"""The safety net: a payload that is still large goes to the store, and history keeps a claim on it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence

from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    StorageDriver,
    StorageDriverClaim,
    StorageDriverRetrieveContext,
    StorageDriverStoreContext,
)

from statebag.blobs import BlobStore, ExecutionBlobs, Pointer
from statebag.canonical import canonical_bytes, parse_json

__all__ = ["StoreDriver"]

_OWNER = "temporal"


class StoreDriver(StorageDriver):
    """Keeps payloads in the blob store, below ``temporal/{namespace}/{workflow or activity id}/payload/``.

    Args:
        store: the store that bags are in, too.
    """

    def __init__(self, store: BlobStore) -> None:
        self._store = store

    def name(self) -> str:
        """Name under which claims find this driver again."""
        return "statebag"

    async def store(self, context: StorageDriverStoreContext, payloads: Sequence[Payload]) -> list[StorageDriverClaim]:
        """Store the payloads and claim them."""
        target = context.target
        namespace = target.namespace if target is not None else ""
        owner_id = (target.id if target is not None else None) or "none"
        blobs = self._blobs(namespace, owner_id)
        texts = [base64.b64encode(payload.SerializeToString()).decode() for payload in payloads]
        pointers = await asyncio.to_thread(lambda: blobs.put_many([("payload", text) for text in texts]))
        claims = [{"namespace": namespace, "id": owner_id, "pointer": _print(pointer)} for pointer in pointers]
        return [StorageDriverClaim(claim_data=claim) for claim in claims]

    async def retrieve(
        self,
        context: StorageDriverRetrieveContext,  # noqa: ARG002 - the claim says all
        claims: Sequence[StorageDriverClaim],
    ) -> list[Payload]:
        """Read claimed payloads, verified as every read from the store is."""
        return await asyncio.to_thread(lambda: [self._read(claim) for claim in claims])

    def _read(self, claim: StorageDriverClaim) -> Payload:
        data = claim.claim_data
        blobs = self._blobs(data["namespace"], data["id"])
        payload = Payload()
        payload.ParseFromString(base64.b64decode(blobs.get(Pointer.from_json(parse_json(data["pointer"])))))
        return payload

    def _blobs(self, namespace: str, owner_id: str) -> ExecutionBlobs:
        return self._store.execution(_OWNER, namespace, owner_id)


def _print(pointer: Pointer) -> str:
    return canonical_bytes(pointer.to_json()).decode()
