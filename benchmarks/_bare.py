"""What is compared with: plain Temporal workflows, with small activities one after another, or beside each other."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import activity, workflow

__all__ = ["BareBranch", "BareFanOut", "BareLoop", "bare_step"]


@activity.defn
async def bare_step(number: int) -> int:
    """Do nothing."""
    return number


@workflow.defn
class BareLoop:
    """One activity per step, nothing else."""

    @workflow.run
    async def run(self, steps: int) -> int:
        """Run ``steps`` steps."""
        done = 0
        while done < steps:
            done = 1 + await workflow.execute_activity(bare_step, done, start_to_close_timeout=timedelta(seconds=60))
        return done


# Without the sandbox, as ours: building one for each child would be most of what is measured.
@workflow.defn(sandboxed=False)
class BareBranch:
    """One local activity, nothing else."""

    @workflow.run
    async def run(self, number: int) -> int:
        """Run the step."""
        return await workflow.execute_local_activity(bare_step, number, start_to_close_timeout=timedelta(seconds=60))


@workflow.defn(sandboxed=False)
class BareFanOut:
    """All branches at once, nothing else."""

    @workflow.run
    async def run(self, branches: int) -> int:
        """Run ``branches`` branches."""
        name = workflow.info().workflow_id
        results = await asyncio.gather(
            *(workflow.execute_child_workflow(BareBranch.run, one, id=f"{name}/{one}") for one in range(branches))
        )
        return sum(results)
