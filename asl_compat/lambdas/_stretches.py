"""A large document on the distributed machine: stretches of its segments, and its forks in chunks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asl_compat.lambdas._document import document, document_of_step
from asl_compat.lambdas._failures import error_of_task
from asl_compat.lambdas._fan_outs import begin_fork, begin_map
from asl_compat.lambdas._lines import Line, failed
from asl_compat.lambdas._surroundings import Surroundings, place_of
from statebag.bag import NextAction
from statebag.errors import StateBagError
from statebag.machine import cut_branches, waves_of

__all__ = ["begin_stretch", "chunks_of_fork", "join_branch_chunks", "join_stretch"]


def begin_stretch(event: Mapping[str, Any]) -> dict[str, Any]:
    """The members of ``next`` for one chunk that goes on with the run itself."""
    state = event["state_data"]
    here = {name: state[name] for name in ("segment_to_run", "loop_counter", "max_loop_iterations")}
    item = {"unit": 0, "position": 0, "kind": "stretch", "next_action": event["next_action"], **here}
    return {"items": [item], "max_concurrency": 1, "left": {"kind": "stretch", "rounds": [], "units": [0, 1]}}


def chunks_of_fork(left: Mapping[str, Any]) -> dict[str, Any]:
    """The members of ``next`` for the chunks of the next batch of a fork."""
    fork = left["fork"]
    ranges, waves, size = cut_branches(fork)
    rounds = left["rounds"] if "ranges" in left else waves_of(waves)
    (first, last), *rest = rounds
    items = [{"unit": unit, "position": unit, "kind": "branches", "range": ranges[unit]} for unit in range(first, last)]
    limit = max(1, fork["max_concurrency"] // size)
    kept = {**left, "ranges": True, "rounds": rest, "total": len(ranges)}
    left = {**kept, "units": [first, last]}
    return {"items": items, "max_concurrency": limit, "total_items": fork["total"], "left": left}


def join_stretch(around: Surroundings, event: Mapping[str, Any], given: Any) -> dict[str, Any]:
    """The bag where the stretch has led to, with what it has left to be run."""
    base = place_of(event["next"]["bag"])
    blobs = around.blobs(base.owner_id, base.workflow_id, base.execution_id)
    record = blobs.read_record(f"stretches/{base.root['sha256'][:32]}")
    if record is None:
        raise StateBagError(f"the stretch of the run ended without a word: {_why(given)}", code="CHUNK_LOST")
    line = Line.from_json(record, base)
    state = around.state_of(base, line.step)
    if line.step.next_action == NextAction.DISTRIBUTED_MAP:
        return begin_map(around, line.place, in_children=True)
    if line.step.next_action == NextAction.PARALLEL_GROUP:
        return begin_fork(around, state, line.step.extra["fork"])
    return document(around, state, line.step.next_action)


def join_branch_chunks(around: Surroundings, event: Mapping[str, Any], given: Any) -> dict[str, Any]:
    """Join the chunks of a fork, when those of all its batches have run."""
    left, base = event["next"]["left"], place_of(event["next"]["bag"])
    error = _why(given) if isinstance(given, Mapping) and given.get("map_error") else None
    if error is not None:
        ranges, _, _ = cut_branches(left["fork"])
        lost = StateBagError(f"the chunk of the branch ended without a word: {error}", code="CHUNK_LOST")
        for unit in range(*left["units"]):
            around.engine.finish_branches(base, unit, [failed(at, lost) for at in range(*ranges[unit])])
    if left["rounds"]:
        begun = {**left, "begun_at": event["next"]["bag"]}
        return document(around, event["state_data"], NextAction.PARALLEL_GROUP, {"left": begun})
    place = around.adopt(event["state_data"])
    step = around.engine.join_branches(place, left["total"], begun_at=base)
    return document_of_step(around, place, step)


def _why(given: Any) -> str:
    if isinstance(given, Mapping) and given.get("map_error"):
        return str(error_of_task(given["map_error"])["message"])
    return "no outcome was recorded"
