"""Segments without outside calls, each run as the machine does it, or as two activities."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from statebag.machine import FUNCTIONS

__all__ = ["PureLoop"]


@workflow.defn(sandboxed=False)
class PureLoop:
    """Runs the segments of a bag in order and asks nobody, whatever stands between them."""

    @workflow.run
    async def run(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """Run ``{"run", "step", "segments", "how"}``; ``how`` is ``local`` or ``two_activities``."""
        step: dict[str, Any] = dict(task["step"])
        for _ in range(task["segments"]):
            place = {"run": task["run"], "bag": step["bag"]}
            if task["how"] == "local":
                step = await _run_locally({**place, "segment": step["segment_to_run"]}, step["next"]["label"])
            else:
                step = await _run_and_merge(place, step["next"]["label"])
        return step


async def _run_locally(task: Mapping[str, Any], label: str) -> dict[str, Any]:
    facts = FUNCTIONS["state_data_manager"]
    return await workflow.execute_local_activity(
        "execute_segment", task, start_to_close_timeout=timedelta(seconds=facts.timeout_seconds), summary=label
    )


async def _run_and_merge(place: Mapping[str, Any], label: str) -> dict[str, Any]:
    """One activity gives the segment's result, a second one merges it."""
    timeout = timedelta(seconds=FUNCTIONS["state_data_manager"].timeout_seconds)
    result = await workflow.execute_activity("async_llm", place, start_to_close_timeout=timeout, summary=label)
    task = {**place, "execution_result": result}
    return await workflow.execute_activity("sync", task, start_to_close_timeout=timeout, summary="sync")
