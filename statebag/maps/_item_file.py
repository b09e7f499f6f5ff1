"""The file that items are read from, as its errors name it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from statebag.errors import NodeFailed

__all__ = ["ITEM_LIMIT", "ItemFile"]

ITEM_LIMIT: Final = 16 * 1024 * 1024
"""Bytes that an item may have in its file (characters, in JSON): what keeps one that never ends out of memory."""


@dataclass(frozen=True, kw_only=True)
class ItemFile:
    """Makes the errors of one file."""

    name: str
    format: str

    def unreadable(self, why: str) -> NodeFailed:
        """The error for a file that has no items to read."""
        return NodeFailed(
            f"{self.name}: it can't be read as {self.format}: {why}. Correct the file, or the node's `item_reader`.",
            code="ITEMS_UNREADABLE",
            details={"file": self.name},
        )

    def malformed(self, place: str, why: str) -> NodeFailed:
        """The error for a file that breaks its format at a place, such as ``line 7``."""
        return NodeFailed(
            f"{self.name}: {place} is not {self.format} as it should be: {why}. Correct the file there, and run again.",
            code="ITEMS_MALFORMED",
            details={"file": self.name, "place": place},
        )

    def too_many(self, limit: int) -> NodeFailed:
        """The error for a file with more items than the limit."""
        return NodeFailed(
            f"{self.name}: it has more than {limit} items, which is `max_items`. Raise that, or shorten the file.",
            code="ITEMS_LIMIT",
            details={"file": self.name, "limit": limit},
        )
