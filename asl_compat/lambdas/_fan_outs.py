"""Branches and chunks that are left to be run: laid out for a map in rounds, and joined when all rounds are over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from asl_compat.lambdas._document import document, document_of_step
from asl_compat.lambdas._failures import error_of_task, outcome_of
from asl_compat.lambdas._surroundings import Surroundings, place_of
from statebag.bag import NextAction, Place, Step
from statebag.blobs import Pointer
from statebag.machine import waves_of

__all__ = ["begin_fork", "begin_map", "join_branches", "join_chunks", "no_heartbeat"]

_ROUND_ITEMS = 500
"""Lines that one round of a map has at most: they travel in the document."""


def no_heartbeat(_: object) -> None:
    """A function on Lambda gives no sign of life but its answer."""


def begin_fork(around: Surroundings, state_data: Mapping[str, Any], how: Mapping[str, Any]) -> dict[str, Any]:
    """The document before the first batch of a fork: ``how`` is ``{"total", "batches", "max_concurrency"}``."""
    rounds = waves_of([[size, 1] for size in how["batches"]])
    left = {"kind": "branches", "fork": dict(how), "rounds": rounds, "joined": []}
    return document(around, state_data, NextAction.PARALLEL_GROUP, _next_branches(left))


def begin_map(around: Surroundings, place: Place, *, in_children: bool) -> dict[str, Any]:
    """Put the items of the map that the bag at ``place`` has pending into chunks; the document before its first wave.

    Args:
        around: Has the engine.
        place: The bag.
        in_children: Whether chunks wait for people themselves. Else the lines of items that may pause run as branches.
    """
    step = around.engine.prepare_map(place, heartbeat=no_heartbeat)
    if step.next_action != NextAction.DISTRIBUTED_MAP:
        return document_of_step(around, place, step)
    found = step.extra["map"]
    kind = "lines" if found["kind"] == "lines" and not in_children else "chunks"
    names = ("kind", "max_concurrency", "strategy", "item_concurrency", "total_items")
    how = {name: found[name] for name in names}
    left = {"kind": kind, "map": how, "rounds": waves_of(found["waves"])}
    return _go_on_with_map(around, around.state_of(place, step), left)


def join_branches(around: Surroundings, event: Mapping[str, Any]) -> dict[str, Any]:
    """Take the results of a round of branches; the next round, or the bag with all of them joined."""
    state, given, left = event["state_data"], event["parallel_results"], dict(event["next"]["left"])
    results, error = _results_in(given)
    if left.get("kind") == "lines":
        return _join_lines(around, state, left, results, error)
    place = around.adopt(state)
    blobs = around.blobs(place.owner_id, place.workflow_id, place.execution_id)
    if left.get("rounds") and error is None:
        left["joined"] = [*left["joined"], blobs.put(results, kind="results").to_json()]
        return document(around, state, NextAction.PARALLEL_GROUP, _next_branches(left))
    earlier = [entry for stored in left.get("joined", ()) for entry in blobs.get(Pointer.from_json(stored))]
    payload: dict[str, Any] = {"action": "aggregate_branches", "state_data": state}
    payload |= {"parallel_results": [*earlier, *results], "result_id": f"branches:{state['bag_version']}"}
    if error is not None:
        payload["map_error"] = error["message"]
    answer = around.door.handle(payload)
    return document(around, answer["state_data"], answer["next_action"])


def join_chunks(around: Surroundings, event: Mapping[str, Any], given: Any) -> dict[str, Any]:
    """Take the outcomes of a wave of chunks; the next wave, or the bag with the map joined."""
    state, left, reference = event["state_data"], event["next"]["left"], event["next"]["bag"]
    _, error = _results_in(given)
    if error is not None:
        _close(around, place_of(reference), left["units"], error)
    if left["rounds"]:
        return _go_on_with_map(around, state, left)
    return _join_map(around, state)


def _go_on_with_map(around: Surroundings, state: Mapping[str, Any], left: Mapping[str, Any]) -> dict[str, Any]:
    """The document before the next round, which runs nothing where there is nothing to run."""
    how = left["map"]
    (first, last), *rounds = left["rounds"] or [[0, 0]]
    concurrency = how["max_concurrency"]
    if left["kind"] == "chunks":
        items: list[dict[str, Any]] = [{"unit": unit, "position": unit} for unit in range(first, last)]
    else:
        items, taken = _lines_of(around, around.adopt(state), first, last)
        if taken < last:
            rounds = [[taken, last], *rounds]
        last = taken
        concurrency = max(concurrency, concurrency * len(items) // max(1, last - first))
    work = {
        "items": items,
        "max_concurrency": concurrency,
        "total_items": how["total_items"],
        "strategy": how["strategy"],
        "left": {**left, "units": [first, last], "rounds": rounds},
    }
    action = NextAction.DISTRIBUTED_MAP if left["kind"] == "chunks" else NextAction.PARALLEL_GROUP
    return document(around, state, action, work)


def _lines_of(around: Surroundings, place: Place, first: int, last: int) -> tuple[list[dict[str, Any]], int]:
    """The items of as many chunks as make a round, and the chunk after them."""
    items: list[dict[str, Any]] = []
    for unit in range(first, last):
        found = around.engine.open_chunk(place, unit)["positions"]
        if items and len(items) + len(found) > _ROUND_ITEMS:
            return items, unit
        items += [{"unit": unit, "at": at, "position": len(items) + number} for number, at in enumerate(found)]
    return items, last


def _join_lines(
    around: Surroundings,
    state: Mapping[str, Any],
    left: Mapping[str, Any],
    results: Sequence[Mapping[str, Any]],
    error: Mapping[str, Any] | None,
) -> dict[str, Any]:
    place, (first, last) = around.adopt(state), left["units"]
    lines, _ = _lines_of(around, place, first, last)
    by_position = {result["position"]: result for result in results if "position" in result}
    for unit in range(first, last):
        of_unit = [line for line in lines if line["unit"] == unit]
        if not of_unit:
            continue
        if error is not None:
            around.engine.close_chunk(place, unit, error)
            continue
        found = [{**by_position[line["position"]], "position": line["at"]} for line in of_unit]
        around.engine.finish_chunk(place, unit, found)
    if left["rounds"]:
        return _go_on_with_map(around, state, left)
    return _join_map(around, state)


def _join_map(around: Surroundings, state: Mapping[str, Any]) -> dict[str, Any]:
    place = around.adopt(state)
    step: Step = around.engine.join_map(place, heartbeat=no_heartbeat)
    return document_of_step(around, place, step)


def _close(around: Surroundings, place: Place, units: Sequence[int], error: Mapping[str, Any]) -> None:
    """Count the chunks as lost that have recorded nothing."""
    lost = {"code": "CHUNK_LOST", "message": f"the chunk ended without a word: {error['message']}"}
    for unit in range(*units):
        around.engine.close_chunk(place, unit, lost)


def _next_branches(left: Mapping[str, Any]) -> dict[str, Any]:
    (first, last), *rounds = left["rounds"]
    items = [{"position": position} for position in range(first, last)]
    concurrency = left["fork"]["max_concurrency"]
    return {"items": items, "max_concurrency": concurrency, "left": {**left, "rounds": rounds}}


def _results_in(given: Any) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """The results of a map, and the error that ended it."""
    if isinstance(given, Mapping) and "Error" in given:
        return [], error_of_task(given)
    if isinstance(given, Mapping) and given.get("map_error"):
        return [], error_of_task(given["map_error"])
    listed: Iterable[Any] = given.get("branches", ()) if isinstance(given, Mapping) else given or ()
    return [outcome_of(result) for result in listed], None
