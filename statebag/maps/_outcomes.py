"""The outcome of a chunk: recorded once, under a key of its own, whatever became of its worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from statebag.blobs import ExecutionBlobs, Pointer

__all__ = ["Outcome", "find_outcome", "list_outcomes", "record_outcome"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a chunk's items."""

    chunk: int
    status: str
    """``DONE``, or ``LOST`` where its worker ended without a word."""
    succeeded: int
    failed_at: tuple[int, ...]
    """Positions of the items that failed."""
    results: Pointer
    """The list of all items' results, those of earlier rounds too; a failed one is ``{"error": …}``."""
    tokens: Mapping[str, int] = field(default_factory=dict[str, int])
    """What the model calls of this round used."""
    logs: Pointer | None = None
    """Entries of the items' nodes."""
    warnings: tuple[Mapping[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The recorded form; what is empty is left out."""
        body: dict[str, Any] = {
            "chunk": self.chunk,
            "status": self.status,
            "succeeded": self.succeeded,
            "failed_at": list(self.failed_at),
            "results": self.results.to_json(),
        }
        body |= {"tokens": dict(self.tokens)} if self.tokens else {}
        body |= {"logs": self.logs.to_json()} if self.logs else {}
        return body | ({"warnings": list(self.warnings)} if self.warnings else {})

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> Outcome:
        """Read the recorded form."""
        return Outcome(
            chunk=body["chunk"],
            status=body["status"],
            succeeded=body["succeeded"],
            failed_at=tuple(body["failed_at"]),
            results=Pointer.from_json(body["results"]),
            tokens=body.get("tokens", {}),
            logs=Pointer.from_json(body["logs"]) if "logs" in body else None,
            warnings=tuple(body.get("warnings", ())),
        )

    def report(self) -> dict[str, Any]:
        """What the map's coordinator is told."""
        return {"succeeded": self.succeeded, "failed": len(self.failed_at)}


def record_outcome(outcome: Outcome, *, map_id: str, rounds: int, blobs: ExecutionBlobs) -> Outcome:
    """Make ``outcome`` that of its chunk in this round; where there is one already, that stays, and is returned."""
    mine, stored = blobs.record_once(_name(map_id, rounds, outcome.chunk), outcome.to_json())
    return outcome if mine else Outcome.from_json(stored)


def find_outcome(chunk: int, *, map_id: str, rounds: int, blobs: ExecutionBlobs, earlier: bool) -> Outcome | None:
    """The outcome of a chunk.

    Args:
        chunk: Its number.
        map_id: The map.
        rounds: The round, from 0.
        blobs: Where it is.
        earlier: Whether that of an earlier round counts, too.
    """
    for number in range(rounds, -1 if earlier else rounds - 1, -1):
        body = blobs.read_record(_name(map_id, number, chunk))
        if body is not None:
            return Outcome.from_json(body)
    return None


def list_outcomes(*, map_id: str, rounds: int, blobs: ExecutionBlobs) -> dict[int, int]:
    """Numbers of the chunks that have an outcome, to the newest round in which they have one."""
    found: dict[int, int] = {}
    for number in range(rounds + 1):
        folder = f"maps/{map_id}/{number}/"
        names = (name.removeprefix(folder) for name in blobs.list_records(folder))
        found |= {int(name): number for name in names if name.isdecimal()}
    return found


def _name(map_id: str, rounds: int, chunk: int) -> str:
    return f"maps/{map_id}/{rounds}/{chunk:08d}"
