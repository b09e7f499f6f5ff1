"""A fork into branches of one step, against a plain fan-out to child workflows of one local activity."""

from __future__ import annotations

from typing import Any

from benchmarks._bare import BareBranch, BareFanOut
from benchmarks._cost import Cost, measure
from benchmarks._documents import forking_document
from benchmarks._figures import Figure, figure_of
from benchmarks._rig import BARE_QUEUE, Rig
from benchmarks._size import Size

__all__ = ["measure_branches"]

OWNER, WORKFLOW = "bench", "branches"


async def measure_branches(rig: Rig, size: Size) -> list[Figure]:
    """Both in turns."""
    warm_up = min(20, size.branches)
    await _run(rig, warm_up, "warm")
    await _run_bare(rig, warm_up, "warm")
    ours: list[Cost] = []
    bare: list[Cost] = []
    for turn in range(size.turns):
        bare.append(await _run_bare(rig, size.branches, str(turn)))
        ours.append(await _run(rig, size.branches, str(turn)))
    plain = "a plain fan-out to as many child workflows of one local activity"
    return [
        figure_of(
            "branches.time",
            [cost.milliseconds for cost in ours],
            "ms/branch",
            against=[cost.milliseconds for cost in bare],
            baseline=plain,
        ),
        figure_of(
            "branches.cpu",
            [cost.cpu_milliseconds for cost in ours],
            "CPU ms/branch",
            against=[cost.cpu_milliseconds for cost in bare],
            baseline=plain,
        ),
        figure_of(
            "branches.history_events",
            [cost.events for cost in ours],
            "events/branch, in the run that forks",
            against=[cost.events for cost in bare],
            baseline=plain,
        ),
        figure_of(
            "branches.history_bytes",
            [cost.history_bytes for cost in ours],
            "bytes/branch, in the run that forks",
            against=[cost.history_bytes for cost in bare],
            baseline=plain,
            digits=1,
        ),
    ]


async def _run(rig: Rig, branches: int, name: str) -> Cost:
    execution_id = f"branches-{name}"
    blobs = rig.plugin.store.execution(OWNER, WORKFLOW, execution_id)
    document = blobs.put(forking_document(branches), kind="document")
    given: dict[str, Any] = {
        "ownerId": OWNER,
        "workflowId": WORKFLOW,
        "MOCK_MODE": "true",
        "workflow_config_s3_path": document.to_json(),
    }
    return await measure(
        rig.client,
        "WorkflowOrchestrator",
        given,
        id=execution_id,
        task_queue=rig.settings.task_queue,
        steps=branches,
        first="BranchWorkflow",
    )


async def _run_bare(rig: Rig, branches: int, name: str) -> Cost:
    return await measure(
        rig.bare,
        BareFanOut.__name__,
        branches,
        id=f"bare-branches-{name}",
        task_queue=BARE_QUEUE,
        steps=branches,
        first=BareBranch.__name__,
    )
