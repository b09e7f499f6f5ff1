"""Everything that a run on an engine with small history needs of its bag: forks in chunks and redrives, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from typing import Any

from statebag.bag._commit import find_commit, newest_commits
from statebag.bag._engine import SAME_ALL_ALONG, attempt_of
from statebag.bag._map_engine import MapEngine
from statebag.bag._next_action import TERMINAL_FAILURES, NextAction
from statebag.bag._pipe import apply, finish
from statebag.bag._result import Delta
from statebag.bag._step import Place, Step
from statebag.blobs import ExecutionBlobs, Pointer
from statebag.canonical import sha256_hex
from statebag.errors import StateBagError

__all__ = ["RunEngine"]


@dataclass(frozen=True, kw_only=True)
class _Standing:
    """Where an ended run is taken up."""

    step: Step
    lineage: str
    error: Mapping[str, Any] | None = None
    """What it failed with there."""


class RunEngine(MapEngine):
    """A :class:`MapEngine` that runs forks in chunks, and takes up ended runs."""

    def finish_branches(self, place: Place, chunk: int, results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Record what the branches of a chunk of the pending fork gave; the first record of a chunk stays.

        Args:
            place: The bag that has the branches pending.
            chunk: Number of the chunk.
            results: As ``aggregate_branches`` takes them.

        Returns:
            ``{"succeeded", "failed"}``.
        """
        blobs, _ = self._open(place)
        good = sum(result["status"] == "COMPLETE" for result in results)
        report = {"succeeded": good, "failed": len(results) - good}
        pointer = blobs.put(list(results), kind="results")
        _, stored = blobs.record_once(_chunk_of(place, chunk), {**report, "results": pointer.to_json()})
        return {name: stored[name] for name in report}

    def join_branches(self, place: Place, chunks: int, *, begun_at: Place | None = None) -> Step:
        """``aggregate_branches`` for a fork that ran in so many chunks.

        Args:
            place: The bag that has the branches pending.
            chunks: How many there were.
            begun_at: The bag that they were begun with, where it has moved on since.

        Raises:
            StateBagError: as that action; ``RESULT_INVALID``: a chunk has no outcome.
        """
        blobs, _ = self._open(place)
        results: list[Any] = []
        for chunk in range(chunks):
            record = blobs.read_record(_chunk_of(begun_at or place, chunk))
            if record is None:
                text = f"chunk {chunk} of the fork has no outcome. Run it before the join."
                raise StateBagError(text, code="RESULT_INVALID")
            results += blobs.get(Pointer.from_json(record["results"]))
        name = f"branches:{place.version}"
        return self.act("aggregate_branches", place, {"parallel_results": results}, result_id=name)

    def redrive(
        self,
        owner_id: str,
        workflow_id: str,
        execution_id: str,
        *,
        lineages: Sequence[str],
        lineage: str,
        restore: str | None = None,
    ) -> Step:
        """Take up a run that has ended without success, where it stood before what it failed with.

        A map goes on with the items that failed or never ran; any other step is done again, a fork with all of its
        branches, a pause by asking again.

        Args:
            owner_id: Whose run it is.
            workflow_id: Of the run.
            execution_id: Of the run; it is kept.
            lineages: Lineages of the run so far, newest first.
            lineage: The new one.
            restore: Id of a snapshot to go back to, or ``pre`` for the newest taken before a fan-out; what was done
                behind it does not count, and is done again.

        Returns:
            A step whose ``extra`` has what :meth:`init` gives, and how to run a fork or a map that is under way.

        Raises:
            StateBagError: ``REDRIVE_REFUSED``: the run has no bag yet. ``SNAPSHOT_NOT_FOUND``.
        """
        blobs = self.store.execution(owner_id, workflow_id, execution_id)
        standing = _last_standing(blobs, lineages, execution_id)
        place = Place(
            owner_id=owner_id,
            workflow_id=workflow_id,
            execution_id=execution_id,
            version=standing.step.version,
            root=standing.step.root,
            lineage=lineage,
        )
        making = attempt_of(place, "redrive", f"{standing.lineage}/{standing.step.version}/{restore or ''}")
        record = find_commit(blobs, making)
        if record is not None:
            return Step.from_json(record)
        _, bag = self._open(place)
        step, around = standing.step, self._around(blobs)
        if restore is not None:
            bag = apply(
                "restore_snapshot", bag, {"snapshot_id": _snapshot_of(bag.kernel.snapshots, restore)}, around
            ).bag
            step = _step_at(blobs, lineages, bag.kernel.restored_from or "")
            # The version is that of the redrive, and nothing of what was recorded for the map counts.
            bag = replace(bag, control=replace(bag.control, bag_version=place.version))
            if bag.kernel.pending_map is not None:
                fresh = {name: bag.kernel.pending_map[name] for name in ("plan", "segment", "visit")}
                fresh["id"] = sha256_hex(f"{bag.kernel.pending_map['id']}/{place.version}".encode())[:24]
                bag = replace(bag, kernel=replace(bag.kernel, pending_map=fresh))
        action = NextAction(step.next_action)
        action = NextAction.CONTINUE if action is NextAction.STARTED else action
        entry = self._entry(standing, making.lineage)
        facts = {name: getattr(bag.control, name) for name in SAME_ALL_ALONG}
        if action is NextAction.DISTRIBUTED_MAP and "manifest" in (bag.kernel.pending_map or {}):
            outcome = self.next_round(bag, blobs, around, logs=(entry,))
        else:
            outcome = finish("redrive", bag, Delta(kernel={"error": None}, logs=(entry,)), around)
            outcome = replace(outcome, next_action=action, warnings=())
            under_way = {"fork": step.extra["fork"]} if "fork" in step.extra else {}
            if action is NextAction.DISTRIBUTED_MAP:
                under_way = {"map": {"strategy": step.extra["map"]["strategy"]}}
            outcome = replace(outcome, extra=under_way)
        extra = {**outcome.extra, **facts}
        return self._seal(replace(outcome, extra=extra), blobs, making, place.root)

    def _entry(self, standing: _Standing, lineage: str) -> dict[str, Any]:
        now = self._now().astimezone(UTC).isoformat(timespec="milliseconds")
        entry: dict[str, Any] = {"type": "redrive", "timestamp": now, "status": "COMPLETED"}
        entry["log_id"] = sha256_hex(f"redrive/{lineage}".encode())[:32]
        if standing.error is not None:
            entry["error"] = {"code": standing.error["code"], "message": standing.error["message"]}
        return entry


def _chunk_of(place: Place, chunk: int) -> str:
    """Name of the record of a chunk of a fork: by the bag that has it pending."""
    return f"maps/fork-{place.root['sha256'][:24]}/0/{chunk:08d}"


def _last_standing(blobs: ExecutionBlobs, lineages: Sequence[str], execution_id: str) -> _Standing:
    """Where the run stood last without having failed."""
    error: Mapping[str, Any] | None = None
    for lineage in lineages:
        for body in newest_commits(blobs, lineage=lineage):
            step = Step.from_json(body["answer"])
            if step.next_action not in TERMINAL_FAILURES:
                return _Standing(step=step, lineage=lineage, error=error)
            error = error or step.error
    text = f"{execution_id}: the run has no bag to go on from: it ended before it had one. Start it anew."
    raise StateBagError(text, code="REDRIVE_REFUSED")


def _snapshot_of(snapshots: Mapping[str, Any], wanted: str) -> str:
    if wanted != "pre":
        return wanted
    taken = [name for name in snapshots if name.endswith("/pre")]
    return max(taken, key=_version_of, default="pre")


def _version_of(snapshot_id: str) -> int:
    return int(snapshot_id.rsplit("/", 2)[1])


def _step_at(blobs: ExecutionBlobs, lineages: Sequence[str], snapshot_id: str) -> Step:
    """The step that led to the bag of a snapshot."""
    version = _version_of(snapshot_id)
    for lineage in lineages:
        for body in newest_commits(blobs, lineage=lineage):
            if body["bag_version"] == version:
                return Step.from_json(body["answer"])
    text = f"snapshot {snapshot_id!r}: what led to it is not recorded any more. Redrive without it."
    raise StateBagError(text, code="SNAPSHOT_NOT_FOUND")
