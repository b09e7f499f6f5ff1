"""A map over trivial items in chunks of 100, against the same child workflows without items and without a bag."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks._bare import BareBranch, BareFanOut
from benchmarks._cost import Cost, histories_of, measure
from benchmarks._figures import Figure, figure_of
from benchmarks._rig import BARE_QUEUE, Rig
from benchmarks._size import Size

__all__ = ["measure_map"]

OWNER, WORKFLOW = "bench", "map"
CHUNK_ITEMS = 100
_SAMPLE_SECONDS = 0.25
_MIB = 1024 * 1024


async def measure_map(rig: Rig, size: Size) -> list[Figure]:
    """Both in turns; then how time and memory grow with the number of items."""
    chunks = size.items // CHUNK_ITEMS
    for count in sorted({size.few_items, size.items, size.many_items}):
        _write_items(rig, count)
    await _run(rig, size.few_items, "warm")
    await _run_bare(rig, chunks, "warm")
    ours: list[Cost] = []
    bare: list[Cost] = []
    few: list[Cost] = []
    for turn in range(size.turns):
        bare.append(await _run_bare(rig, chunks, str(turn)))
        ours.append(await _run(rig, size.items, str(turn)))
        few.append(await _run(rig, size.few_items, str(turn)))
    async with _watch_memory() as seen:
        many = await _run(rig, size.many_items, "many")
    plain = f"as many child workflows of one local activity each as there are chunks of {CHUNK_ITEMS} items"
    return [
        figure_of(
            "map.time",
            [cost.milliseconds for cost in ours],
            "ms/item",
            against=[cost.milliseconds / CHUNK_ITEMS for cost in bare],
            baseline=plain,
        ),
        figure_of(
            "map.cpu",
            [cost.cpu_milliseconds for cost in ours],
            "CPU ms/item",
            against=[cost.cpu_milliseconds / CHUNK_ITEMS for cost in bare],
            baseline=plain,
        ),
        figure_of(
            "map.flat.time",
            [many.milliseconds],
            f"ms/item of {size.many_items:,}",
            against=[cost.milliseconds for cost in few],
            baseline=f"the same of {size.few_items:,}",
        ),
        *await _history(rig, size.many_items),
        figure_of(
            "map.worker_rss",
            [max(seen) / _MIB],
            f"MiB at most, with {size.many_items:,} items",
            against=[max(seen[: max(1, len(seen) // 3)]) / _MIB],
            baseline="the same in the first third of the run",
            digits=1,
        ),
    ]


async def _run(rig: Rig, items: int, name: str) -> Cost:
    execution_id = _id_of(items, name)
    document: dict[str, Any] = {
        "nodes": [
            {
                "id": "each",
                "type": "for_each",
                "config": {
                    "item_reader": {"format": "JSONL", "file": f"{items}.jsonl"},
                    "chunk_size": CHUNK_ITEMS,
                    "nodes": [{"id": "twice", "type": "operator", "config": {"sets": {"seen": "{{ item.number }}"}}}],
                },
            }
        ],
        "edges": [],
    }
    given: dict[str, Any] = {"ownerId": OWNER, "workflowId": WORKFLOW, "MOCK_MODE": "true"}
    return await measure(
        rig.client,
        "WorkflowOrchestrator",
        given | {"workflow_config": document},
        id=execution_id,
        task_queue=rig.settings.task_queue,
        steps=items,
        first="prepare_map",
    )


async def _run_bare(rig: Rig, chunks: int, name: str) -> Cost:
    return await measure(
        rig.bare,
        BareFanOut.__name__,
        chunks,
        id=f"bare-map-{name}",
        task_queue=BARE_QUEUE,
        steps=chunks,
        first=BareBranch.__name__,
    )


async def _history(rig: Rig, items: int) -> list[Figure]:
    """The longest of the histories that the run with most items took."""
    histories = await histories_of(rig.client, _id_of(items, "many"))
    events = [len(history) for history in histories]
    sizes = [sum(event.ByteSize() for event in history) for history in histories]
    return [
        figure_of("map.parent_events", [max(events)], f"events in one history, of {len(events)}"),
        figure_of("map.parent_bytes", [max(sizes)], "bytes in one history"),
    ]


def _id_of(items: int, name: str) -> str:
    return f"map-{items}-{name}"


def _write_items(rig: Rig, count: int) -> None:
    lines = b"".join(b'{"number":%d}\n' % number for number in range(count))
    rig.plugin.store.files(OWNER).put(f"{count}.jsonl", io.BytesIO(lines))


@asynccontextmanager
async def _watch_memory() -> AsyncGenerator[list[int]]:
    """Resident bytes of this process, worker and client, a few times a second."""
    seen: list[int] = []

    async def sample() -> None:
        while True:
            seen.append(_resident_bytes())
            await asyncio.sleep(_SAMPLE_SECONDS)

    task = asyncio.create_task(sample())
    try:
        yield seen
    finally:
        task.cancel()


def _resident_bytes() -> int:
    """0 where the system does not say."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024
