"""What is compared with: a plain Temporal workflow that runs one small activity after another."""

from __future__ import annotations

from datetime import timedelta

from temporalio import activity, workflow

__all__ = ["BareLoop", "bare_step"]


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
