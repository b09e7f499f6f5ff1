"""The manifest of a map: its items in chunks, in the store, so that nothing of them is in anybody's history.

A manifest is an object with pages; a page lists chunks; a chunk is an object with
items. All are content-addressed: the same items give the same manifest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from statebag.blobs import ExecutionBlobs, Pointer
from statebag.canonical import canonical_bytes
from statebag.maps._waves import Needs, compress, find_waves

__all__ = ["PAGE_CHUNKS", "Chunk", "Manifest", "chunk_size_for", "write_manifest", "write_waves"]

PAGE_CHUNKS = 100
"""Chunks that a page lists: a worker reads one page for a chunk."""
CHUNK_BYTES = 4 * 1024 * 1024
"""Bytes of items after which a chunk ends, however many it has."""
_CHUNK_ITEMS, _LEAST_ITEMS, _MAX_CHUNKS = 100, 10, 100


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Some items of a map that one worker takes together."""

    number: int
    """Among all chunks of the map, from 0."""
    start: int
    """Number of its first item, where its items follow one another."""
    count: int
    items: Pointer
    """``{"items": […]}``; of a map with dependencies also ``indexes`` and ``needs``."""
    only: tuple[int, ...] | None = None
    """Positions of the items to run; None for all."""
    wave: int = 0

    def to_json(self) -> dict[str, Any]:
        """The form in a page."""
        body: dict[str, Any] = {
            "chunk": self.number,
            "start": self.start,
            "count": self.count,
            "items": self.items.to_json(),
        }
        body |= {} if self.only is None else {"only": list(self.only)}
        return body | ({"wave": self.wave} if self.wave else {})

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> Chunk:
        """Read the form in a page."""
        return Chunk(
            number=body["chunk"],
            start=body["start"],
            count=body["count"],
            items=Pointer.from_json(body["items"]),
            only=tuple(body["only"]) if "only" in body else None,
            wave=body.get("wave", 0),
        )


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What there is to do in one round of a map: all of it at first, what is left in a redrive."""

    total_items: int
    """Of the whole map."""
    items: int
    """Of the chunks of this round, those included that have succeeded before."""
    units: int
    """Chunks of this round."""
    waves: tuple[tuple[int, int], ...]
    """``(chunks, times)``: so many waves of so many chunks."""
    pages: tuple[Pointer, ...]

    def to_json(self) -> dict[str, Any]:
        """The stored form."""
        return {
            "total_items": self.total_items,
            "items": self.items,
            "units": self.units,
            "waves": [list(run) for run in self.waves],
            "pages": [page.to_json() for page in self.pages],
        }

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> Manifest:
        """Read the stored form."""
        return Manifest(
            total_items=body["total_items"],
            items=body["items"],
            units=body["units"],
            waves=tuple((size, times) for size, times in body["waves"]),
            pages=tuple(Pointer.from_json(page) for page in body["pages"]),
        )

    def page(self, number: int, blobs: ExecutionBlobs) -> Sequence[Chunk]:
        """The chunks that a page lists, :data:`PAGE_CHUNKS` or, on the last one, less."""
        return [Chunk.from_json(entry) for entry in blobs.get(self.pages[number])["chunks"]]

    def chunks(self, blobs: ExecutionBlobs) -> Iterator[Chunk]:
        """All chunks of this round, a page in memory at a time."""
        for number in range(len(self.pages)):
            yield from self.page(number, blobs)

    @staticmethod
    def of(chunks: Iterable[Chunk], *, total_items: int | None, blobs: ExecutionBlobs) -> Manifest:
        """Write the pages of ``chunks``, which come in the order of their waves.

        Args:
            chunks: Some, or all, of the map.
            total_items: Of the whole map; None for those of ``chunks``.
            blobs: Takes the pages.
        """
        pages: list[Pointer] = []
        open_page: list[dict[str, Any]] = []
        sizes: list[int] = []
        wave, units, items = None, 0, 0
        for chunk in chunks:
            if chunk.wave != wave:
                wave = chunk.wave
                sizes.append(0)
            sizes[-1] += 1
            units, items = units + 1, items + chunk.count
            open_page.append(chunk.to_json())
            if len(open_page) == PAGE_CHUNKS:
                pages.append(blobs.put({"chunks": open_page}, kind="manifest"))
                open_page = []
        if open_page:
            pages.append(blobs.put({"chunks": open_page}, kind="manifest"))
        return Manifest(
            total_items=items if total_items is None else total_items,
            items=items,
            units=units,
            waves=tuple((size, times) for size, times in compress(sizes)),
            pages=tuple(pages),
        )


def chunk_size_for(total: int | None) -> int:
    """Items of a chunk where nobody says: 100 of many, 10 of few."""
    return _CHUNK_ITEMS if total is None else min(_CHUNK_ITEMS, max(_LEAST_ITEMS, total // _MAX_CHUNKS))


def write_manifest(
    items: Iterable[Any], *, chunk_size: int, blobs: ExecutionBlobs, heartbeat: Callable[[object], None]
) -> Manifest:
    """Store ``items`` in chunks as they come; no more of them than a chunk is in memory."""

    def cut() -> Iterator[Chunk]:
        for number, (start, part) in enumerate(_parts(items, chunk_size)):
            pointer = blobs.put({"items": part}, kind="chunk")
            heartbeat({"items": start + len(part)})
            yield Chunk(number=number, start=start, count=len(part), items=pointer)

    return Manifest.of(cut(), total_items=None, blobs=blobs)


def _parts(items: Iterable[Any], chunk_size: int) -> Iterator[tuple[int, list[Any]]]:
    start, size, part = 0, 0, list[Any]()
    for item in items:
        if part and (len(part) == chunk_size or size > CHUNK_BYTES):
            yield start, part
            start, size, part = start + len(part), 0, []
        part.append(item)
        if not isinstance(item, int | float | bool) and item is not None:
            size += len(item) if isinstance(item, str) else len(canonical_bytes(item))
    if part:
        yield start, part


def write_waves(
    items: Iterable[Any],
    needs: Needs,
    *,
    chunk_size: int,
    blobs: ExecutionBlobs,
    heartbeat: Callable[[object], None],
    where: str,
) -> Manifest:
    """As :func:`write_manifest`, for items that depend on others: in waves, each cut into chunks of its own.

    A chunk has, for each of its items, the place of each result that it depends on. Ids, and the open chunk of each
    wave, are in memory.

    Raises:
        NodeFailed: ``ITEMS_DEPENDENCY``: items depend on each other.
    """
    wave_of = find_waves(needs.of, names=needs.ids, where=where)
    members = [0] * (max(wave_of, default=-1) + 1)
    rank: list[int] = []
    for wave in wave_of:
        rank.append(members[wave])
        members[wave] += 1
    first: list[int] = []
    total = 0
    for count in members:
        first.append(total)
        total += -(-count // chunk_size)

    def place(index: int) -> list[int]:
        return [first[wave_of[index]] + rank[index] // chunk_size, rank[index] % chunk_size]

    chunks: dict[int, Chunk] = {}
    gathered: dict[int, list[tuple[int, Any]]] = {}
    for index, item in enumerate(items):
        wave = wave_of[index]
        part = gathered.setdefault(wave, [])
        part.append((index, item))
        if len(part) < chunk_size and rank[index] + 1 < members[wave]:
            continue
        del gathered[wave]
        body = {
            "items": [value for _, value in part],
            "indexes": [at for at, _ in part],
            "needs": [[[needs.ids[one], *place(one)] for one in needs.of[at]] for at, _ in part],
        }
        number = place(index)[0]
        pointer = blobs.put(body, kind="chunk")
        heartbeat({"items": index + 1})
        chunks[number] = Chunk(number=number, start=part[0][0], count=len(part), items=pointer, wave=wave)
    return Manifest.of(_in_order(chunks), total_items=None, blobs=blobs)


def _in_order(chunks: Mapping[int, Chunk]) -> Sequence[Chunk]:
    return [chunks[number] for number in range(len(chunks))]
