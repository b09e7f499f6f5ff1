"""Execution results on their way from one function to another: what is large goes by the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from statebag.bag import STORED_PARTS
from statebag.blobs import ExecutionBlobs
from statebag.canonical import size_of

__all__ = ["RESULT_BYTES", "pack"]

RESULT_BYTES = 40 * 1024
"""A result above it has its parts in the store, the largest first: it shares a document of 256 KiB with the bag,
which has 200 KiB at most."""


def pack(result: Mapping[str, Any], blobs: ExecutionBlobs) -> dict[str, Any]:
    """The result with as many parts behind pointers as it takes; ``sync`` and ``merge_async`` read both forms."""
    packed = dict(result)
    total = size_of(packed)
    sizes = {name: size_of(packed[name]) for name in STORED_PARTS if name in packed}
    for name in sorted(sizes, key=lambda part: (-sizes[part], part)):
        if total <= RESULT_BYTES:
            break
        packed[name] = blobs.put(packed[name], kind="result").to_json()
        total -= sizes[name]
    return packed
