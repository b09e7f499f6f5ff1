"""How the branches of a fork, or the chunks of a map, are grouped to run beside each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["cut_branches", "waves_of"]

BRANCH_CHUNK = 10
"""Branches of a chunk, unless they are more than a thousand."""
MOST_CHUNKS = 100


def cut_branches(fork: Mapping[str, Any]) -> tuple[list[list[int]], list[list[int]], int]:
    """The branches of a fork as chunks: its batches are waves.

    Args:
        fork: ``{"total", "batches", …}``.

    Returns:
        Of each chunk the positions ``[first, last]`` of its branches, ``last`` excluded; the waves, ``[chunks, times]``
        each; and how many branches a chunk has at most.
    """
    size = max(BRANCH_CHUNK, -(-fork["total"] // MOST_CHUNKS))
    ranges: list[list[int]] = []
    waves: list[list[int]] = []
    first = 0
    for batch in fork["batches"]:
        cut = [[at, min(at + size, first + batch)] for at in range(first, first + batch, size)]
        ranges += cut
        waves.append([len(cut), 1])
        first += batch
    return ranges, waves, size


def waves_of(waves: list[list[int]]) -> list[list[int]]:
    """The numbers ``[first, last]`` of the chunks of each wave, ``last`` excluded."""
    found: list[list[int]] = []
    first = 0
    for size, times in waves:
        for _ in range(times):
            found.append([first, first + size])
            first += size
    return found
