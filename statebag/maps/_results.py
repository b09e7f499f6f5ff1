"""Gather what the chunks of a map gave, in the order of the items, a page in memory at a time."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from statebag.blobs import ExecutionBlobs, Pointer
from statebag.maps._manifest import Chunk, Manifest
from statebag.maps._outcomes import Outcome, find_outcome, list_outcomes

__all__ = ["Gathered", "Part", "gather"]

PART_ENTRIES = 1000
"""Entries of a page of the result manifest."""
_SAMPLE = 5


class Part:
    """A part of the result manifest, written as it grows.

    Args:
        blobs: Takes its pages.
    """

    def __init__(self, blobs: ExecutionBlobs) -> None:
        self._blobs = blobs
        self._open: list[Any] = []
        self._pages: list[dict[str, Any]] = []
        self.items = 0

    def add(self, entry: Any, *, items: int = 1) -> None:
        """Add an entry about so many items."""
        self._open.append(entry)
        self.items += items
        if len(self._open) == PART_ENTRIES:
            self._turn()

    def end(self) -> list[dict[str, Any]]:
        """Pointers to the pages."""
        if self._open:
            self._turn()
        return self._pages

    def _turn(self) -> None:
        self._pages.append(self._blobs.put({"entries": self._open}, kind="result-manifest").to_json())
        self._open = []


@dataclass(kw_only=True)
class Gathered:
    """What a map has come to."""

    total: int
    succeeded: int
    failed: int
    pages: tuple[Pointer, ...]
    """The results in the order of the items; only where every item has one."""
    manifest: Pointer
    """``{"total", "succeeded", "failed", "pending", "result_files": {"SUCCEEDED", "FAILED", "PENDING"}}``: pointers to
    pages of entries."""
    sample: tuple[Mapping[str, Any], ...] = ()
    """The first failures."""
    tokens: Mapping[str, int] = field(default_factory=dict[str, int])
    warnings: tuple[Mapping[str, Any], ...] = ()

    @property
    def pending(self) -> int:
        """Items that never ran to an outcome."""
        return self.total - self.succeeded - self.failed


def gather(
    manifest: Manifest,
    *,
    map_id: str,
    rounds: int,
    blobs: ExecutionBlobs,
    page_items: int,
    heartbeat: Callable[[object], None],
) -> Gathered:
    """Read the outcomes of all chunks, and write the result manifest.

    Args:
        manifest: The map's first one, with all its chunks.
        map_id: The map.
        rounds: The newest round.
        blobs: Where all is.
        page_items: Results on a page, where they have to be put into another order than the chunks'.
        heartbeat: Takes signs of life.
    """
    parts = {name: Part(blobs) for name in ("SUCCEEDED", "FAILED", "PENDING")}
    newest = list_outcomes(map_id=map_id, rounds=rounds, blobs=blobs)
    pages: list[Pointer] = []
    tokens: dict[str, int] = {}
    warnings: dict[str, Mapping[str, Any]] = {}
    sample: list[Mapping[str, Any]] = []
    waves: list[list[tuple[Chunk, Outcome]]] = []
    mixed = sum(times for _, times in manifest.waves) > 1
    for chunk in manifest.chunks(blobs):
        heartbeat({"chunk": chunk.number})
        outcome = _outcome_of(chunk, newest, map_id, blobs)
        place = {"chunk": chunk.number, "start": chunk.start, "count": chunk.count, "items": chunk.items.to_json()}
        if outcome is None:
            parts["PENDING"].add(place, items=chunk.count)
            continue
        if outcome.succeeded:
            logs = {"logs": outcome.logs.to_json()} if outcome.logs else {}
            entry = {**place, "results": outcome.results.to_json(), "failed_at": list(outcome.failed_at), **logs}
            parts["SUCCEEDED"].add(entry, items=outcome.succeeded)
        for failure in _failures_of(chunk, outcome, blobs, mixed=mixed):
            parts["FAILED"].add(failure)
            if len(sample) < _SAMPLE:
                sample.append(failure)
        for name, count in outcome.tokens.items():
            tokens[name] = tokens.get(name, 0) + count
        for warning in outcome.warnings[:_SAMPLE]:
            if len(warnings) < _SAMPLE:
                warnings.setdefault(warning["message"], warning)
        pages.append(outcome.results)
        if chunk.wave >= len(waves):
            waves.append([])
        waves[chunk.wave].append((chunk, outcome))
    files = {name: part.end() for name, part in parts.items()}
    counts = {name.lower(): part.items for name, part in parts.items()}
    stored = blobs.put({"total": manifest.total_items, **counts, "result_files": files}, kind="result-manifest")
    if counts["pending"]:
        pages = []
    elif len(waves) > 1:
        pages = _in_item_order(waves, blobs, page_items)
    return Gathered(
        total=manifest.total_items,
        succeeded=counts["succeeded"],
        failed=counts["failed"],
        pages=tuple(pages),
        manifest=stored,
        sample=tuple(sample),
        tokens=tokens,
        warnings=tuple(warnings.values()),
    )


def _outcome_of(chunk: Chunk, newest: Mapping[int, int], map_id: str, blobs: ExecutionBlobs) -> Outcome | None:
    if chunk.number not in newest:
        return None
    return find_outcome(chunk.number, map_id=map_id, rounds=newest[chunk.number], blobs=blobs, earlier=False)


def _failures_of(chunk: Chunk, outcome: Outcome, blobs: ExecutionBlobs, *, mixed: bool) -> Iterator[dict[str, Any]]:
    """Entries on the failed items; ``mixed`` says that items of a chunk may not follow one another in the list."""
    if not outcome.failed_at:
        return
    results = blobs.get(outcome.results)
    indexes = blobs.get(chunk.items)["indexes"] if mixed else None
    for at in outcome.failed_at:
        index = indexes[at] if indexes else chunk.start + at
        yield {"item_index": index, "chunk": chunk.number, "error": results[at]["error"]}


def _in_item_order(
    waves: Sequence[Sequence[tuple[Chunk, Outcome]]], blobs: ExecutionBlobs, page_items: int
) -> list[Pointer]:
    """The results in the order of the items; a page of each wave is in memory."""
    pages: list[Pointer] = []
    page: list[Any] = []
    for _, result in heapq.merge(*(_numbered(wave, blobs) for wave in waves), key=lambda numbered: numbered[0]):
        page.append(result)
        if len(page) == page_items:
            pages.append(blobs.put(page, kind="items"))
            page = []
    return [*pages, blobs.put(page, kind="items")] if page else pages


def _numbered(wave: Sequence[tuple[Chunk, Outcome]], blobs: ExecutionBlobs) -> Iterator[tuple[int, Any]]:
    for chunk, outcome in wave:
        indexes = blobs.get(chunk.items).get("indexes", range(chunk.start, chunk.start + chunk.count))
        yield from zip(indexes, blobs.get(outcome.results), strict=True)
