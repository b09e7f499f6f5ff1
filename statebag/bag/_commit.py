"""One commit record a bag version: what makes an action happen once, however often it is tried.

The record is written with put-if-absent, which is a compare-and-set on the
version. Whoever comes second with the same action gets the first one's answer;
with another action, a conflict. Each record names the hash of the bag it made
and of the bag it was made from, so that the records form a chain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from statebag.blobs import ExecutionBlobs
from statebag.canonical import canonical_bytes, sha256_hex
from statebag.errors import BagConflict

__all__ = ["Attempt", "commit", "digest_of", "find_commit", "list_commits", "newest_commits"]


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """An action on its way to make a bag version."""

    lineage: str
    """Separates histories that may count the same versions: a branch, a run after a reset."""
    version: int
    """The bag version that the action makes."""
    action: str
    result_id: str
    """What tells a repeat from another result."""

    @property
    def record(self) -> str:
        """Name of the commit record."""
        return f"{_folder(self.lineage)}{self.version:08d}"


def digest_of(action: str, payload: Mapping[str, Any]) -> str:
    """Identity of a result that brings none of its own."""
    return sha256_hex(canonical_bytes([action, payload]))[:32]


def find_commit(blobs: ExecutionBlobs, attempt: Attempt) -> Mapping[str, Any] | None:
    """The stored answer, if this very action has made this version already.

    Raises:
        BagConflict: another action has.
    """
    record = blobs.read_record(attempt.record)
    return None if record is None else _answer(record, attempt)


def commit(
    blobs: ExecutionBlobs,
    attempt: Attempt,
    *,
    answer: Mapping[str, Any],
    root: str,
    parent: str | None,
    now: datetime,
) -> Mapping[str, Any]:
    """Make ``answer`` the one that led to the version, and return the one that did.

    Args:
        blobs: the execution's store.
        attempt: what is tried.
        answer: small JSON: it is kept in the record.
        root: SHA-256 of the sealed bag.
        parent: SHA-256 of the sealed bag that the action was applied to; None for the first.
        now: time to record.

    Raises:
        BagConflict: another action made this version.
    """
    record = {
        "bag_version": attempt.version,
        "action": attempt.action,
        "result_id": attempt.result_id,
        "root": root,
        "parent": parent,
        "created_at": now.astimezone(UTC).isoformat(timespec="milliseconds"),
        "answer": answer,
    }
    mine, stored = blobs.record_once(attempt.record, record)
    return answer if mine else _answer(stored, attempt)


def list_commits(blobs: ExecutionBlobs, *, lineage: str = "main") -> Iterator[Mapping[str, Any]]:
    """The records of a lineage by version, which is how a run is audited, and how its newest bag is found.

    Yields:
        ``{"bag_version", "action", "result_id", "root", "parent", "created_at", "answer"}``.
    """
    folder = _folder(lineage)
    for name in blobs.list_records(folder):
        record = None if "/" in name.removeprefix(folder) else blobs.read_record(name)
        if record is not None:
            yield record


def newest_commits(blobs: ExecutionBlobs, *, lineage: str) -> Iterator[Mapping[str, Any]]:
    """As :func:`list_commits`, newest first; reads no more of them than are asked for."""
    folder = _folder(lineage)
    for name in reversed(blobs.list_records(folder)):
        record = None if "/" in name.removeprefix(folder) else blobs.read_record(name)
        if record is not None:
            yield record


def _folder(lineage: str) -> str:
    return f"commits/{lineage}/"


def _answer(record: Mapping[str, Any], attempt: Attempt) -> Mapping[str, Any]:
    if record["action"] == attempt.action and record["result_id"] == attempt.result_id:
        return record["answer"]
    raise BagConflict(
        f"bag version {attempt.version}: already made by {record['action']} with another result than this "
        f"{attempt.action}. Reload the bag and apply the action to its newest version.",
        details={"bag_version": attempt.version, "made_by": record["action"]},
    )
