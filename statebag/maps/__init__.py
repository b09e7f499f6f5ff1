"""The distributed map: items in chunks, an outcome a chunk, results in the order of the items."""

from statebag.maps._items import read_items
from statebag.maps._manifest import PAGE_CHUNKS, Chunk, Manifest, chunk_size_for, write_manifest, write_waves
from statebag.maps._outcomes import Outcome, find_outcome, list_outcomes, record_outcome
from statebag.maps._results import Gathered, gather
from statebag.maps._tolerance import explain_failure, tolerated_failures
from statebag.maps._waves import Needs, compress, expand, find_waves, read_needs

__all__ = [
    "PAGE_CHUNKS",
    "Chunk",
    "Gathered",
    "Manifest",
    "Needs",
    "Outcome",
    "chunk_size_for",
    "compress",
    "expand",
    "explain_failure",
    "find_outcome",
    "find_waves",
    "gather",
    "list_outcomes",
    "read_items",
    "read_needs",
    "record_outcome",
    "tolerated_failures",
    "write_manifest",
    "write_waves",
]
