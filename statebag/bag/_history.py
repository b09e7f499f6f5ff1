"""History: every entry once, in order, with old ones in archive pages.

An entry's identity is its ``log_id``, or the hash of the whole entry where a
producer gave none. Pages form a chain (each names the one before), so that the
bag holds one page pointer however long the history gets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from statebag.blobs import ExecutionBlobs, Pointer
from statebag.canonical import canonical_bytes, sha256_hex
from statebag.errors import StateBagError

__all__ = ["PAGE_ENTRIES", "History", "append_logs", "identify", "log_id_of", "read_all"]

PAGE_ENTRIES = 25
"""Entries of an archive page: half of the longest inline tail."""


@dataclass(frozen=True, kw_only=True)
class History:
    """The newest entries inline, the others behind ``archive``."""

    entries: tuple[Mapping[str, Any], ...] = ()
    archive: Pointer | None = None
    """The newest page: ``{"entries": […], "previous": pointer or null}``."""
    archived: int = 0
    """How many entries the pages hold."""

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
        """Read the fields of a sealed bag."""
        archive = body.get("state_history_archive")
        return History(
            entries=tuple(body.get("state_history", ())),
            archive=Pointer.from_json(archive["page"]) if archive else None,
            archived=archive["count"] if archive else 0,
        )


def log_id_of(execution_id: str, segment_id: str, visit: int, sequence: int) -> str:
    """Name a producer's entry: the same again when the step is tried again."""
    return sha256_hex("\x1f".join((execution_id, segment_id, str(visit), str(sequence))).encode())[:32]


def identify(entry: Mapping[str, Any]) -> str:
    """The identity by which duplicates are known."""
    given = entry.get("log_id")
    return given if isinstance(given, str) and given else sha256_hex(canonical_bytes(entry))


def append_logs(history: History, logs: Iterable[Any], *, blobs: ExecutionBlobs, tail: int) -> History:
    """Add the entries that are new, archiving full pages above ``tail`` inline ones.

    A text becomes ``{"message": text}``. Duplicates are looked for in the inline
    entries, in the batch itself and in the newest page.
    """
    seen = {identify(entry) for entry in history.entries}
    page = blobs.get(history.archive) if history.archive is not None else None
    if page is not None:
        seen.update(identify(entry) for entry in page["entries"])
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
    while len(entries) > tail and len(entries) >= PAGE_ENTRIES:
        leaving, entries = entries[:PAGE_ENTRIES], entries[PAGE_ENTRIES:]
        previous = archive.to_json() if archive is not None else None
        archive = blobs.put({"entries": list(leaving), "previous": previous}, kind="history")
        archived += len(leaving)
    return History(entries=entries, archive=archive, archived=archived)


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
