"""How much a benchmark does."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Size"]


@dataclass(frozen=True, kw_only=True)
class Size:
    """The full size by default."""

    segments: int = 100
    """Segments of a run, and steps of what it is compared with."""
    branches: int = 200
    """Branches of a fork, of one step each, and children of what it is compared with."""
    nodes: int = 500
    """Nodes of a document that is planned; as many as there may be."""
    items: int = 10_000
    """Items of a map."""
    few_items: int = 1_000
    many_items: int = 100_000
    scenarios: int = 1_000
    """Most scenarios that the machines before v3 are compared on; there are fewer."""
    legacy_turns: int = 3
    """Times that each runs on each side."""
    turns: int = 5
    """Times that each side runs; they take turns, and medians are given."""
    large_bytes: int = 20_000_000
    small_bytes: int = 2_000
