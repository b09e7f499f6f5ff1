"""History: every entry once, in order, with old ones in archive pages.

An entry's identity is its ``log_id``, or the hash of the whole entry where a
producer gave none. Pages form a chain (each names the one before), so that the
bag holds one page pointer however long the history gets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from statebag.blobs import ExecutionBlobs, Pointer
from statebag.canonical import canonical_bytes, sha256_hex, size_of
from statebag.errors import StateBagError

__all__ = ["PAGE_ENTRIES", "History", "append_logs", "identify", "log_id_of", "read_all"]

PAGE_ENTRIES = 25
"""Most entries of an archive page: half of the longest inline tail."""


@dataclass(frozen=True, kw_only=True)
class History:
    """The newest entries inline, the others behind ``archive``."""

    entries: tuple[Mapping[str, Any], ...] = ()
    archive: Pointer | None = None
    """The newest page: ``{"entries": […], "previous": pointer or null}``."""
    archived: int = 0
    """How many entries the pages hold."""
    recent: frozenset[str] | None = field(default=None, compare=False, repr=False)
    """Identities in the newest pages, where this process has seen them: saves reading the pages again."""

    @property
    def count(self) -> int:
        """All entries, archived ones included."""
        return self.archived + len(self.entries)

    def to_json(self) -> dict[str, Any]:
        """The fields of the sealed bag: ``state_history`` and, with old entries, ``state_history_archive``."""
        body: dict[str, Any] = {"state_history": list(self.entries)}
        if self.archive is not None:
            body["state_history_archive"] = {"page": self.archive.to_json(), "count": self.archived}
        return body

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> History:
        """Read the fields of a sealed bag.

        Raises:
            StateBagError: ``BAG_MALFORMED``.
            PointerRefused: the archive's pointer is malformed.
        """
        entries, archive = body.get("state_history", ()), body.get("state_history_archive", {})
        if not all(isinstance(entry, Mapping) for entry in entries) or (
            archive and not isinstance(archive.get("count"), int)
        ):
            raise StateBagError(
                "state_data.state_history must hold objects, and its archive a `page` and a `count`. "
                "Pass on what the last action returned, unchanged.",
                code="BAG_MALFORMED",
            )
        return History(
            entries=tuple(entries),
            archive=Pointer.from_json(archive.get("page")) if archive else None,
            archived=archive["count"] if archive else 0,
        )


def log_id_of(execution_id: str, segment_id: str, visit: int, sequence: int) -> str:
    """Name a producer's entry: the same again when the step is tried again."""
    return sha256_hex("\x1f".join((execution_id, segment_id, str(visit), str(sequence))).encode())[:32]


def identify(entry: Mapping[str, Any]) -> str:
    """The identity by which duplicates are known."""
    given = entry.get("log_id")
    return given if isinstance(given, str) and given else sha256_hex(canonical_bytes(entry))


def append_logs(
    history: History, logs: Iterable[Any], *, blobs: ExecutionBlobs, tail: int, tail_bytes: int | None = None
) -> History:
    """Add the entries that are new, and archive the oldest ones that do not fit inline.

    Args:
        history: stays as it is.
        logs: objects, or texts, which become ``{"message": text}``. An entry is a duplicate where its identity is
            in the inline entries, in the batch itself, or in the newest archived :data:`PAGE_ENTRIES`.
        blobs: takes the archive's pages.
        tail: entries that stay inline; a page leaves when it is full.
        tail_bytes: bytes that stay inline; None for any number.
    """
    recent = history.recent
    if recent is None:
        recent = frozenset(identify(entry) for entry in _newest_archived(history, blobs))
    seen = {*recent, *(identify(entry) for entry in history.entries)}
    fresh: list[Mapping[str, Any]] = []
    for raw in logs:
        entry = _entry(raw)
        identity = identify(entry)
        if identity not in seen:
            seen.add(identity)
            fresh.append(entry)
    if not fresh:
        return history
    entries = history.entries + tuple(fresh)
    archive, archived = history.archive, history.archived
    while _is_full(entries, tail, tail_bytes):
        leaving, entries = entries[:PAGE_ENTRIES], entries[PAGE_ENTRIES:]
        previous = archive.to_json() if archive is not None else None
        archive = blobs.put({"entries": list(leaving), "previous": previous}, kind="history")
        archived += len(leaving)
        recent = frozenset(map(identify, leaving)) if len(leaving) == PAGE_ENTRIES else None
    return History(entries=entries, archive=archive, archived=archived, recent=recent)


def _is_full(entries: tuple[Mapping[str, Any], ...], tail: int, tail_bytes: int | None) -> bool:
    if len(entries) > tail and len(entries) >= PAGE_ENTRIES:
        return True
    return tail_bytes is not None and bool(entries) and size_of(entries) > tail_bytes


def _newest_archived(history: History, blobs: ExecutionBlobs) -> Iterator[Mapping[str, Any]]:
    """At least :data:`PAGE_ENTRIES` archived entries, where there are so many: pages of large entries are short."""
    pointer, found = history.archive, 0
    while pointer is not None and found < PAGE_ENTRIES:
        page = blobs.get(pointer)
        yield from page["entries"]
        found += len(page["entries"])
        pointer = Pointer.from_json(page["previous"]) if page["previous"] else None


def read_all(history: History, blobs: ExecutionBlobs) -> Iterator[Mapping[str, Any]]:
    """Every entry, oldest first; holds the page pointers, not the pages, in memory."""
    pages: list[Pointer] = []
    pointer = history.archive
    while pointer is not None:
        pages.append(pointer)
        previous = blobs.get(pointer)["previous"]
        pointer = Pointer.from_json(previous) if previous else None
    for page in reversed(pages):
        yield from blobs.get(page)["entries"]
    yield from history.entries


def _entry(raw: Any) -> Mapping[str, Any]:
    if isinstance(raw, str):
        return {"message": raw}
    if isinstance(raw, Mapping):
        return raw
    raise StateBagError(
        f"new_history_logs: an entry is a {type(raw).__name__}; entries are JSON objects or texts.",
        code="RESULT_INVALID",
    )
