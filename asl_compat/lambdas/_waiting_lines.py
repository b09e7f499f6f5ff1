"""Branches and chunks of the distributed machine: run as far as they go, and gone on with when people have answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from asl_compat.lambdas._answer import require
from asl_compat.lambdas._lines import Line, Lines, failed
from asl_compat.lambdas._people import tell_timeout
from asl_compat.lambdas._surroundings import Surroundings, place_of
from statebag.bag import Place, Step
from statebag.blobs import Pointer
from statebag.errors import StateBagError
from statebag.machine import HITP_TIMEOUT_SECONDS

__all__ = ["run_branch", "run_chunk"]


def run_branch(around: Surroundings, lines: Lines, event: Mapping[str, Any]) -> dict[str, Any]:
    """Run a branch; its ``delta`` has ``position``, ``status``, ``error``, ``bag``, and what it goes on with."""
    base, at = place_of(event["bag"]), require(event["branch"], "position")["position"]
    found = _go_on(around, lines, event, base, {at: lambda: lines.begin_branch(base, at)})
    if "results" not in found:
        return found
    (result,) = found["results"]
    error, bag = result.get("error_info", {}), result.get("bag", {})
    return {"position": at, "status": result["status"], "error": error, "bag": bag}


def run_chunk(around: Surroundings, lines: Lines, event: Mapping[str, Any]) -> dict[str, Any]:
    """Run a chunk of items, of branches, or a stretch of the run itself; its ``delta`` as of :func:`run_branch`."""
    base, chunk = place_of(event["bag"]), require(event["chunk"], "unit", "kind")
    unit, kind = chunk["unit"], chunk["kind"]
    if kind == "stretch":
        return _run_stretch(around, lines, base, chunk)
    if kind in ("items", "calls"):
        lines.run_chunk(base, unit)
        return _done(unit)
    if kind == "branches":
        positions: Sequence[int] = range(*chunk["range"])
        begin = {at: lambda at=at: lines.begin_branch(base, at) for at in positions}
    else:
        positions = around.engine.open_chunk(base, unit)["positions"] if not event["resume"].get("lines") else []
        begin = {at: lambda at=at: lines.begin_item(base, unit, at) for at in positions}
    found = _go_on(around, lines, event, base, begin)
    if "results" not in found:
        return found | {"position": unit}
    if kind == "branches":
        around.engine.finish_branches(base, unit, found["results"])
    elif found["results"]:
        around.engine.finish_chunk(base, unit, found["results"])
    return _done(unit)


def _done(position: int) -> dict[str, Any]:
    return {"position": position, "status": "COMPLETE", "error": {}, "bag": {}}


def _go_on(
    around: Surroundings,
    lines: Lines,
    event: Mapping[str, Any],
    base: Place,
    begin: Mapping[int, Callable[[], Line]],
) -> dict[str, Any]:
    """Go on with all lines; ``{"results"}`` when all are over, else the delta to wait or to go on with."""
    blobs = around.blobs(base.owner_id, base.workflow_id, base.execution_id)
    resume, callback = event.get("resume") or {}, event.get("callback_result") or {}
    stored = blobs.get(Pointer.from_json(resume["lines"])) if resume.get("lines") else None
    entries: list[dict[str, Any]] = stored or [{"position": at} for at in begin]
    asked = resume.get("asked") if callback and resume.get("status") == "PAUSED_FOR_HITP" else None
    if asked is not None and "Error" in callback:
        tell_timeout(
            around,
            execution_id=event["execution_id"],
            owner_id=base.owner_id,
            workflow_id=base.workflow_id,
            pause_id=resume["pause_id"],
        )
    for entry in entries:
        if "result" in entry:
            continue
        try:
            _advance(lines, entry, base, begin, callback if asked == entry["position"] else None, resume)
        except StateBagError as error:
            if error.retryable:
                raise
            entry["result"] = failed(entry["position"], error)
    if all("result" in entry for entry in entries):
        return {"results": [entry["result"] for entry in entries]}
    common: dict[str, Any] = {"position": entries[0]["position"], "error": {}, "bag": {}}
    common["lines"] = blobs.put(entries, kind="lines").to_json()
    open_lines = {e["position"]: Line.from_json(e["line"], base) for e in entries if "line" in e and "result" not in e}
    waiting = [(at, line) for at, line in open_lines.items() if line.waits]
    if len(waiting) < len(open_lines) or not waiting:
        return common | {"status": "CONTINUE"}
    at, line = waiting[0]
    pause = line.step.pause or {}
    return common | {
        "status": "PAUSED_FOR_HITP",
        "asked": at,
        "pause": dict(pause),
        "pause_id": f"{line.place.lineage.removeprefix('main/')}:{line.step.segment_to_run}-{line.step.version}",
        "segment": line.step.segment_to_run,
        "timeout_seconds": max(1, round(pause.get("timeout_seconds", HITP_TIMEOUT_SECONDS))),
    }


def _advance(
    lines: Lines,
    entry: dict[str, Any],
    base: Place,
    begin: Mapping[int, Callable[[], Line]],
    callback: Mapping[str, Any] | None,
    resume: Mapping[str, Any],
) -> None:
    if "line" in entry:
        line = Line.from_json(entry["line"], base)
        if callback is not None:
            line = lines.answer(line, callback, pause_id=resume["pause_id"])
    elif lines.has_time():
        line = begin[entry["position"]]()
    else:
        return
    line = lines.go_on(line)
    entry["line"] = line.to_json()
    if line.is_over:
        entry["result"] = line.outcome(entry["position"])


def _run_stretch(around: Surroundings, lines: Lines, base: Place, chunk: Mapping[str, Any]) -> dict[str, Any]:
    """Go on with the run itself, and record where it stands then: the map's results are not read."""
    step = Step(
        version=base.version,
        root=base.root,
        next_action=chunk["next_action"],
        segment_to_run=chunk["segment_to_run"],
        loop_counter=chunk["loop_counter"],
    )
    line = Line(place=base, step=step, limit=chunk["max_loop_iterations"], action="sync")
    line = lines.go_on(line, fans_out=False)
    blobs = around.blobs(base.owner_id, base.workflow_id, base.execution_id)
    blobs.record_once(f"stretches/{base.root['sha256'][:32]}", line.to_json())
    return _done(chunk["unit"])
