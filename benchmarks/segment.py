"""Segments that call the outside world: their history, their store, their time against a bare loop's."""

from __future__ import annotations

from typing import Any

from benchmarks._bare import BareLoop, bare_step
from benchmarks._cost import Cost, measure
from benchmarks._documents import calling_document, state_of
from benchmarks._figures import Figure, figure_of
from benchmarks._meter import SegmentTraffic
from benchmarks._rig import BARE_QUEUE, Rig
from benchmarks._size import Size
from statebag.bag import TEMPORAL, upload_state

__all__ = ["measure_segment"]

FIELDS = 200
OWNER, WORKFLOW = "bench", "segment"


async def measure_segment(rig: Rig, size: Size) -> list[Figure]:
    """Runs with a large and with a small bag, and bare loops, in turns."""
    warm_up = min(10, size.segments)
    await _run(rig, warm_up, size.small_bytes, "warm")
    await _run_bare(rig, warm_up, "warm")
    large: list[Cost] = []
    small: list[Cost] = []
    bare: list[Cost] = []
    for turn in range(size.turns):
        bare.append(await _run_bare(rig, size.segments, str(turn)))
        large.append(await _run(rig, size.segments, size.large_bytes, f"large-{turn}"))
        small.append(await _run(rig, size.segments, size.small_bytes, f"small-{turn}"))
    of_large = [_traffic(rig, f"large-{turn}") for turn in range(size.turns)]
    of_small = [_traffic(rig, f"small-{turn}") for turn in range(size.turns)]
    other_bag = f"the same run with a bag of {size.small_bytes} bytes"
    loop = "a bare loop of one activity a step"
    return [
        figure_of(
            "segment.history_bytes",
            [cost.history_bytes for cost in large],
            "bytes/segment",
            against=[cost.history_bytes for cost in small],
            baseline=other_bag,
            digits=1,
        ),
        figure_of(
            "segment.history_events",
            [cost.events for cost in large],
            "events/segment",
            against=[cost.events for cost in small],
            baseline=other_bag,
        ),
        figure_of(
            "segment.store_bytes_written",
            [max(traffic.bytes_written for traffic in run) for run in of_large],
            "bytes/segment, largest",
            against=[max(traffic.bytes_written for traffic in run) for run in of_small],
            baseline=other_bag,
            digits=1,
        ),
        figure_of(
            "segment.store_reads_warm",
            [max(traffic.reads for traffic in run) for run in of_large],
            "reads/segment, largest",
        ),
        figure_of(
            "segment.time",
            [cost.milliseconds for cost in large],
            "ms/segment",
            against=[cost.milliseconds for cost in bare],
            baseline=loop,
        ),
        figure_of(
            "segment.cpu",
            [cost.cpu_milliseconds for cost in large],
            "CPU ms/segment",
            against=[cost.cpu_milliseconds for cost in bare],
            baseline=loop,
        ),
    ]


async def _run(rig: Rig, segments: int, state_bytes: int, name: str) -> Cost:
    execution_id = _id_of(name)
    blobs = rig.plugin.store.execution(OWNER, WORKFLOW, execution_id)
    state = upload_state(state_of(state_bytes, fields=FIELDS, answers=segments), blobs, TEMPORAL)
    document = blobs.put(calling_document(segments), kind="document")
    given: dict[str, Any] = {
        "ownerId": OWNER,
        "workflowId": WORKFLOW,
        "MOCK_MODE": "true",
        "workflow_config_s3_path": document.to_json(),
        "initial_state_s3_path": state.to_json(),
    }
    return await measure(
        rig.client,
        "WorkflowOrchestrator",
        given,
        id=execution_id,
        task_queue=rig.settings.task_queue,
        steps=segments,
        first="execute_segment",
    )


async def _run_bare(rig: Rig, steps: int, name: str) -> Cost:
    return await measure(
        rig.bare,
        BareLoop.__name__,
        steps,
        id=f"bare-{name}",
        task_queue=BARE_QUEUE,
        steps=steps,
        first=bare_step.__name__,
    )


def _traffic(rig: Rig, name: str) -> list[SegmentTraffic]:
    return rig.meter.of(_id_of(name))


def _id_of(name: str) -> str:
    return f"segment-{name}"
