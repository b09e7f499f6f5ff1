"""The standard machine: one segment after another, with pauses for people and for slow models."""

from __future__ import annotations

from typing import Any

from temporalio import workflow

from workflows._orchestration import Orchestration

with workflow.unsafe.imports_passed_through():
    from statebag.machine import State

__all__ = ["WorkflowOrchestrator"]


@workflow.defn(name="WorkflowOrchestrator", sandboxed=False)
class WorkflowOrchestrator(Orchestration):
    """Runs a workflow document durably; see :class:`Orchestration`."""

    @workflow.run
    async def run(self, input: Any = None) -> dict[str, Any]:  # noqa: A002 - the name a caller sees
        """Run to the end."""
        return await self._run_to_end(input)

    async def _choose_way(self) -> State:
        await self._tell_started()
        self.enter(State.SELECT_EXECUTION_STRATEGY)
        return State.EXECUTE_SEGMENT
