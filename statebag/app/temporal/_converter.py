"""The data converter that clients, workers and replayers share."""

from __future__ import annotations

import dataclasses

from temporalio.converter import DataConverter, ExternalStorage

from statebag.app.temporal._codec import ZstdCodec
from statebag.app.temporal._external import StoreDriver
from statebag.blobs import BlobStore

__all__ = ["EXTERNAL_BYTES", "make_converter"]

EXTERNAL_BYTES = 64 * 1024
"""A payload above it goes to the store: at the library's default, some 20 results fill a 4 MiB message."""


def make_converter(store: BlobStore, base: DataConverter | None = None) -> DataConverter:
    """``base`` (the library's default where omitted) with our codec and external storage."""
    return dataclasses.replace(
        base or DataConverter.default,
        payload_codec=ZstdCodec(),
        external_storage=ExternalStorage(drivers=[StoreDriver(store)], payload_size_threshold=EXTERNAL_BYTES),
    )
