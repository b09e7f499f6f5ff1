"""How the payloads of runs are kept: plain while small, compressed, or in the store."""

from statebag.app.temporal._codec import ZstdCodec
from statebag.app.temporal._converter import EXTERNAL_BYTES, make_converter
from statebag.app.temporal._external import StoreDriver

__all__ = ["EXTERNAL_BYTES", "StoreDriver", "ZstdCodec", "make_converter"]
