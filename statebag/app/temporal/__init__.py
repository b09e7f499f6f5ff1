"""How the payloads of runs are kept: plain while small, compressed, or in the store; and when queries are answered."""

from statebag.app.temporal._codec import ZstdCodec
from statebag.app.temporal._converter import EXTERNAL_BYTES, make_converter
from statebag.app.temporal._external import StoreDriver
from statebag.app.temporal._queries import PatientRunner

__all__ = ["EXTERNAL_BYTES", "PatientRunner", "StoreDriver", "ZstdCodec", "make_converter"]
