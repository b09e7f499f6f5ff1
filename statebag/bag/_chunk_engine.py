"""The chunks of a distributed map, and what is recorded of each: once, whoever comes first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from statebag.bag._bag import Bag
from statebag.bag._commit import Attempt
from statebag.bag._engine import BagEngine
from statebag.bag._maps import MapWork, bear_item, changes_of_item
from statebag.bag._step import Place, Step
from statebag.bag._steps import RecordedSteps
from statebag.blobs import ExecutionBlobs, Pointer
from statebag.errors import ProviderUnavailable
from statebag.maps import PAGE_CHUNKS, Chunk, Outcome, find_outcome, record_outcome
from statebag.nodes import MapItem, NodeContext, NodesRun, Tokens, reads_of_items, run_items, shown_changes

__all__ = ["ChunkEngine", "Heartbeat"]

Heartbeat = Callable[[object], None]

_WARNINGS = 5
"""Warnings that a chunk tells."""


class ChunkEngine(BagEngine):
    """A :class:`BagEngine` that runs the chunks of the map that a bag has pending."""

    def run_chunk(
        self, place: Place, unit: int, *, attempt: int, max_retries: int, heartbeat: Heartbeat
    ) -> dict[str, Any]:
        """Run the items of a chunk, and record their outcome; a chunk that has one is not run again.

        Args:
            place: The bag that has the map pending.
            unit: The chunk's place in this round.
            attempt: 1-based try.
            max_retries: Tries after the first, for calls that are refused for now.
            heartbeat: Takes signs of life.

        Returns:
            :meth:`Outcome.report`.

        Raises:
            StateBagError: a retryable one, where calls or the store fail for now.
        """
        blobs, bag = self._open(place)
        work = self._work_of(bag, blobs)
        chunk = self._chunk_at(work, unit, blobs)
        known = find_outcome(chunk.number, map_id=work.id, rounds=work.rounds, blobs=blobs, earlier=False)
        if known is not None:
            return known.report()
        items, unmet = self._items_of(chunk, work, blobs)
        reads = reads_of_items(work.node, self.registry)
        user = bag.user.forget()
        if reads:
            user.prefetch(reads)
        calls = bool(work.planned.body.get("calls"))
        # What an earlier try, or an earlier round, has called is not called again.
        tries = attempt + work.rounds
        context = self._context_of(bag, work, heartbeat, tries)
        if calls:
            steps = RecordedSteps(blobs, f"maps/{work.id}/{chunk.number:08d}", attempt=tries)
            context = replace(context, steps=steps)
        folder = f"maps/{work.id}/{work.rounds}/refused/{chunk.number:08d}"
        refused = 0 if attempt == 1 else len(blobs.list_records(f"{folder}/"))
        try:
            runs = run_items(
                work.node,
                list(items.values()),
                user,
                context,
                outside=calls,
                threads=work.spec.item_concurrency,
                last=refused >= max_retries,
            )
        except ProviderUnavailable:
            # Tries that ended with their worker, or at the store, are none of those that a node grants.
            blobs.record_once(f"{folder}/{refused:04d}", {"attempt": attempt})
            raise
        done = dict(zip(items, runs, strict=True))
        results = {at: shown_changes(run) for at, run in done.items()} | unmet
        failed = {*unmet, *(at for at, run in done.items() if run.error is not None)}
        tokens = Tokens.sum_of(run.tokens for run in runs)
        logs = [{"item_index": items[at].index, **log} for at, run in done.items() for log in run.logs]
        outcome = self._outcome(chunk, results, failed, work, blobs)
        return self._record(
            replace(
                outcome,
                tokens=tokens.to_json() if tokens else {},
                logs=blobs.put(logs, kind="logs") if logs else None,
                warnings=_warnings_of(runs),
            ),
            work,
            blobs,
        )

    def open_chunk(self, place: Place, unit: int) -> dict[str, Any]:
        """What of a chunk whose items are lines of their own is to be done.

        Returns:
            ``{"positions": [...]}``; with :meth:`Outcome.report` where it is done.
        """
        blobs, bag = self._open(place)
        work = self._work_of(bag, blobs)
        chunk = self._chunk_at(work, unit, blobs)
        known = find_outcome(chunk.number, map_id=work.id, rounds=work.rounds, blobs=blobs, earlier=False)
        if known is not None:
            return {"positions": [], **known.report()}
        items, unmet = self._items_of(chunk, work, blobs)
        if not items:
            return {"positions": [], **self._record(self._outcome(chunk, unmet, unmet, work, blobs), work, blobs)}
        return {"positions": list(items)}

    def begin_item(
        self, place: Place, unit: int, position: int, *, attempt: int = 1, heartbeat: Heartbeat | None = None
    ) -> Step:
        """Make the bag of an item that is a line of its own; returns and raises as :meth:`begin_branch`."""
        blobs, parent = self._open(place)
        work = self._work_of(parent, blobs)
        chunk = self._chunk_at(work, unit, blobs)
        born = bear_item(parent, work, self._items_of(chunk, work, blobs)[0][position], blobs)
        making = Attempt(lineage=place.lineage, version=1, action="sync_branch", result_id=f"item:{born.branch_index}")
        return self._begin_line(born, blobs, making, attempt=attempt, heartbeat=heartbeat)

    def finish_chunk(self, place: Place, unit: int, results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Record the outcome of a chunk whose items are lines of their own.

        Args:
            place: The bag that has the map pending.
            unit: The chunk's place in this round.
            results: ``{"position", "status", "bag"?, "error_info"?}`` of each of them.
        """
        blobs, parent = self._open(place)
        work = self._work_of(parent, blobs)
        chunk = self._chunk_at(work, unit, blobs)
        items, found = self._items_of(chunk, work, blobs)
        failed = set(found)
        for result in results:
            at = result["position"]
            changes: dict[str, Any] = {}
            if result.get("bag"):
                bag = Bag.from_json(blobs.get(Pointer.from_json(result["bag"])), blobs)
                changes = changes_of_item(bag, parent, work, items[at], self._policy)
            if result["status"] != "COMPLETE":
                error = result["error_info"]
                changes = {**changes, "error": {"code": error["code"], "message": error["message"]}}
                failed.add(at)
            found[at] = changes
        return self._record(self._outcome(chunk, found, failed, work, blobs), work, blobs)

    def close_chunk(self, place: Place, unit: int, error: Mapping[str, Any]) -> dict[str, Any]:
        """Record that a chunk ended without a word: its items failed, unless it has an outcome after all."""
        blobs, bag = self._open(place)
        work = self._work_of(bag, blobs)
        chunk = self._chunk_at(work, unit, blobs)
        shown = {"error": {"code": error["code"], "message": error["message"]}}
        at = _positions_of(chunk)
        lost = self._outcome(chunk, dict.fromkeys(at, shown), at, work, blobs)
        return self._record(replace(lost, status="LOST"), work, blobs)

    def _chunk_at(self, work: MapWork, unit: int, blobs: ExecutionBlobs) -> Chunk:
        """The chunk at a place of this round; a worker parses a page once for all of its chunks."""
        key = (blobs.prefix, f"{work.id}/{work.rounds}")
        manifest = self._kept.get(key, lambda: work.read_manifest(blobs))
        number, place = divmod(unit, PAGE_CHUNKS)
        page = self._kept.get((blobs.prefix, manifest.pages[number].key), lambda: manifest.page(number, blobs))
        return page[place]

    def _work_of(self, bag: Bag, blobs: ExecutionBlobs) -> MapWork:
        return MapWork.of(bag, lambda plan, index: self._plans.segment_of(plan, index, blobs))

    def _context_of(self, bag: Bag, work: MapWork, heartbeat: Heartbeat, attempt: int) -> NodeContext:
        return NodeContext(
            execution_id=bag.control.execution_id,
            segment_id=work.planned.body["id"],
            visit=work.visit,
            forked_at=bag.kernel.forked_at,
            attempt=attempt,
            mock=bag.control.MOCK_MODE == "true",
            now=self._now,
            heartbeat=heartbeat,
            types=self.registry,
        )

    def _items_of(
        self, chunk: Chunk, work: MapWork, blobs: ExecutionBlobs
    ) -> tuple[dict[int, MapItem], dict[int, Any]]:
        """The items to run, by position, and the results of those that can't, since one before them failed."""
        body = blobs.get(chunk.items)
        items: dict[int, MapItem] = {}
        unmet: dict[int, Any] = {}
        before: dict[int, tuple[Sequence[Any], frozenset[int]] | None] = {}
        for at in _positions_of(chunk):
            index = body["indexes"][at] if "indexes" in body else chunk.start + at
            dependencies: dict[str, Any] = {}
            for name, number, place in body["needs"][at] if "needs" in body else ():
                if number not in before:
                    before[number] = _read_outcome(number, work, blobs)
                known = before[number]
                if known is not None and place not in known[1]:
                    dependencies[name] = known[0][place]
                    continue
                text = f"item {index} was not run: {name!r}, which it depends on, has failed or never ran."
                unmet[at] = {"error": {"code": "DEPENDENCY_FAILED", "message": text}}
                break
            else:
                items[at] = MapItem(index=index, value=body["items"][at], dependencies=dependencies)
        return items, unmet

    def _outcome(
        self, chunk: Chunk, found: Mapping[int, Any], failed_now: Iterable[int], work: MapWork, blobs: ExecutionBlobs
    ) -> Outcome:
        results: list[Any] = [None] * chunk.count
        failed: set[int] = set()
        if chunk.only is not None:
            before = find_outcome(chunk.number, map_id=work.id, rounds=work.rounds - 1, blobs=blobs, earlier=True)
            if before is not None:
                results = list(blobs.get(before.results))
                failed = set(before.failed_at)
        for at, result in found.items():
            results[at] = result
        failed = failed.difference(found).union(failed_now)
        return Outcome(
            chunk=chunk.number,
            status="DONE",
            succeeded=chunk.count - len(failed),
            failed_at=tuple(sorted(failed)),
            results=blobs.put(results, kind="items"),
        )

    def _record(self, outcome: Outcome, work: MapWork, blobs: ExecutionBlobs) -> dict[str, Any]:
        return record_outcome(outcome, map_id=work.id, rounds=work.rounds, blobs=blobs).report()


def _positions_of(chunk: Chunk) -> Sequence[int]:
    return range(chunk.count) if chunk.only is None else chunk.only


def _read_outcome(number: int, work: MapWork, blobs: ExecutionBlobs) -> tuple[Sequence[Any], frozenset[int]] | None:
    """The results of a chunk, and positions of those that failed; None where it has no outcome."""
    known = find_outcome(number, map_id=work.id, rounds=work.rounds, blobs=blobs, earlier=True)
    return None if known is None else (blobs.get(known.results), frozenset(known.failed_at))


def _warnings_of(runs: Sequence[NodesRun]) -> tuple[dict[str, str], ...]:
    told = dict.fromkeys(warning for run in runs for warning in run.warnings)
    return tuple(warning.to_json() for warning in list(told)[:_WARNINGS])
