"""Segments without outside calls: as local activities, as the machine runs them, against two activities each."""

from __future__ import annotations

from typing import Any

from benchmarks._cost import Cost, measure
from benchmarks._documents import pure_document
from benchmarks._figures import Figure, figure_of
from benchmarks._pure_loop import PureLoop
from benchmarks._rig import PURE_QUEUE, Rig
from benchmarks._size import Size

__all__ = ["measure_pure"]

OWNER, WORKFLOW = "bench", "pure"


async def measure_pure(rig: Rig, size: Size) -> list[Figure]:
    """Runs of both kinds, in turns."""
    for how in ("local", "two_activities"):
        await _run(rig, min(10, size.segments), how, "warm")
    local: list[Cost] = []
    two: list[Cost] = []
    for turn in range(size.turns):
        two.append(await _run(rig, size.segments, "two_activities", str(turn)))
        local.append(await _run(rig, size.segments, "local", str(turn)))
    baseline = "the same segments as two activities each"
    return [
        figure_of(
            "pure.history_events",
            [cost.events for cost in local],
            "events/segment",
            against=[cost.events for cost in two],
            baseline=baseline,
        ),
        figure_of(
            "pure.history_bytes",
            [cost.history_bytes for cost in local],
            "bytes/segment",
            against=[cost.history_bytes for cost in two],
            baseline=baseline,
            digits=1,
        ),
        figure_of(
            "pure.time",
            [cost.milliseconds for cost in local],
            "ms/segment",
            against=[cost.milliseconds for cost in two],
            baseline=baseline,
        ),
        figure_of(
            "pure.cpu",
            [cost.cpu_milliseconds for cost in local],
            "CPU ms/segment",
            against=[cost.cpu_milliseconds for cost in two],
            baseline=baseline,
        ),
    ]


async def _run(rig: Rig, segments: int, how: str, name: str) -> Cost:
    execution_id = f"pure-{how}-{name}"
    given: dict[str, Any] = {
        "ownerId": OWNER,
        "workflowId": WORKFLOW,
        "initial_state": {"topic": "pure"},
        "workflow_config": pure_document(segments),
    }
    born = rig.plugin.engine.init(given, execution_id)
    task = {
        "run": {"ownerId": OWNER, "workflowId": WORKFLOW, "execution_id": execution_id},
        "step": {name: value for name, value in born.to_json().items() if name != "extra"},
        "segments": segments,
        "how": how,
    }
    return await measure(
        rig.client, PureLoop.__name__, task, id=execution_id, task_queue=PURE_QUEUE, steps=segments, first=None
    )
