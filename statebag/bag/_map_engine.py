"""The distributed map of an engine that keeps the bag in the store: prepare it, run its chunks, join what they gave."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from statebag.bag._bag import Bag
from statebag.bag._chunk_engine import ChunkEngine, Heartbeat
from statebag.bag._commit import find_commit
from statebag.bag._engine import attempt_of
from statebag.bag._maps import MapWork, join_map
from statebag.bag._pipe import Outcome as PipeOutcome
from statebag.bag._pipe import Surroundings, finish
from statebag.bag._result import Delta, Status
from statebag.bag._step import Place, Step
from statebag.blobs import ExecutionBlobs
from statebag.config import ItemReader
from statebag.config.templates import render
from statebag.errors import StateBagError
from statebag.maps import (
    Chunk,
    Manifest,
    chunk_size_for,
    find_outcome,
    gather,
    read_items,
    read_needs,
    write_manifest,
    write_waves,
)
from statebag.nodes import (
    listed_items,
)

__all__ = ["MapEngine"]


class MapEngine(ChunkEngine):
    """A :class:`ChunkEngine` that prepares and joins distributed maps, too."""

    def prepare_map(self, place: Place, *, heartbeat: Heartbeat) -> Step:
        """Put the items of the pending map into chunks.

        Returns:
            A step whose ``extra["map"]`` is :meth:`MapWork.describe`; or one that fails, where there is no list or
            its file can't be read.

        Raises:
            StateBagError: a retryable one, where the store fails for now.
        """
        blobs, bag = self._open(place)
        work = self._work_of(bag, blobs)
        making = attempt_of(place, "prepare_map", work.id)
        known = find_commit(blobs, making)
        if known is not None:
            return Step.from_json(known)
        try:
            manifest = self._write_manifest(bag, work, blobs, heartbeat)
        except StateBagError as error:
            if error.retryable:
                raise
            described = {"code": error.code, "message": error.message, "node_id": work.node.id}
            delta = Delta(status=Status.FAILED, error={**described, "details": error.details})
            return self._seal(finish("prepare_map", bag, delta, self._around(blobs)), blobs, making, place.root)
        outcome = _begin_round(bag, work, Delta(), self._around(blobs), manifest, whole=manifest)
        return self._seal(outcome, blobs, making, place.root)

    def join_map(self, place: Place, *, heartbeat: Heartbeat) -> Step:
        """Judge the map by the recorded outcomes, and merge its results, in the order of the items.

        Raises:
            StateBagError: a retryable one, where the store fails for now.
        """
        blobs, bag = self._open(place)
        work = self._work_of(bag, blobs)
        making = attempt_of(place, "aggregate_distributed", f"{work.id}/{work.rounds}")
        known = find_commit(blobs, making)
        if known is not None:
            return Step.from_json(known)
        whole = work.read_manifest(blobs, whole=True)
        size = work.spec.chunk_size or chunk_size_for(whole.total_items)
        found = gather(whole, map_id=work.id, rounds=work.rounds, blobs=blobs, page_items=size, heartbeat=heartbeat)
        segment = bag.control.segment_to_run
        ends = segment >= bag.control.total_segments
        asks = not ends and "pause" in self._plans.segment(bag, segment, blobs).body
        delta = join_map(bag, work, found, blobs, asks=asks, now=self._now())
        outcome = finish("aggregate_distributed", bag, delta, self._around(blobs))
        counts = {"failed": found.failed, "total": found.total}
        return self._seal(replace(outcome, extra={"map": counts}), blobs, making, place.root)

    def next_round(
        self, bag: Bag, blobs: ExecutionBlobs, around: Surroundings, *, logs: tuple[Any, ...] = ()
    ) -> PipeOutcome:
        """Begin another round of the map that ``bag`` has pending, with what failed or never ran."""
        work = self._work_of(bag, blobs)
        whole = work.read_manifest(blobs, whole=True)

        def left() -> Iterator[Chunk]:
            for chunk in whole.chunks(blobs):
                known = find_outcome(chunk.number, map_id=work.id, rounds=work.rounds, blobs=blobs, earlier=True)
                if known is None:
                    yield chunk
                elif known.failed_at:
                    yield replace(chunk, only=known.failed_at)

        manifest = Manifest.of(left(), total_items=whole.total_items, blobs=blobs)
        delta = Delta(kernel={"error": None}, logs=logs)
        return _begin_round(bag, replace(work, rounds=work.rounds + 1), delta, around, manifest, whole=whole)

    def _write_manifest(self, bag: Bag, work: MapWork, blobs: ExecutionBlobs, heartbeat: Heartbeat) -> Manifest:
        node, spec, where = work.node, work.spec, f"map `{work.node.id}`"
        user = bag.user.forget()
        written = node.config.get("item_reader")
        total: int | None = None
        if written is None:
            found = list(listed_items(node, user))
            total = len(found)

            def open_items() -> Iterator[Any]:
                return iter(found)
        else:
            reader = ItemReader.from_json(written)
            name = str(render(reader.file, user))
            files = self.store.files(bag.control.ownerId)
            first = files.open(name)

            def open_items() -> Iterator[Any]:
                # Read twice where items depend on each other: then it must be the same file both times.
                return read_items(reader, files.open(name, version=first.version), name=name)

        size = spec.chunk_size or chunk_size_for(total)
        if spec.depends_on is None:
            return write_manifest(open_items(), chunk_size=size, blobs=blobs, heartbeat=heartbeat)
        needs = read_needs(open_items(), id_key=spec.id_key, depends_on=spec.depends_on, where=where)
        return write_waves(open_items(), needs, chunk_size=size, blobs=blobs, heartbeat=heartbeat, where=where)


def _begin_round(
    bag: Bag, work: MapWork, delta: Delta, around: Surroundings, manifest: Manifest, *, whole: Manifest
) -> PipeOutcome:
    changes = {
        "manifest": around.blobs.put(whole.to_json(), kind="manifest").to_json(),
        "work": around.blobs.put(manifest.to_json(), kind="manifest").to_json(),
        "round": work.rounds,
    }
    pending = {**(bag.kernel.pending_map or {}), **changes}
    delta = replace(delta, status=Status.DISTRIBUTED_MAP, kernel={**delta.kernel, "pending_map": pending})
    return replace(finish("prepare_map", bag, delta, around), extra={"map": work.describe(manifest)})
