"""Look at who holds an idempotency key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from temporalio import activity
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

__all__ = ["ClaimActivities"]


class ClaimActivities:
    """Reads claims through the worker's own client."""

    def all(self) -> list[Callable[..., Any]]:
        """All activities, for a worker to register."""
        return [self.verify_claim]

    @activity.defn(name="verify_claim")
    async def verify_claim(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """``{"holder", "input_hash", "status", "output"?}`` of the claim ``task["claim_id"]``.

        ``status`` is RUNNING, SUCCEEDED, or FREE: the holder has ended without success, and its claim is gone.
        """
        client = activity.client()
        handle = client.get_workflow_handle(task["claim_id"])
        claim = await handle.describe()
        memo = await claim.memo()
        holder = client.get_workflow_handle(memo["holder"])
        try:
            status = (await holder.describe()).status
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            status = None
        found = {"holder": memo["holder"], "input_hash": memo["input_hash"]}
        if status is WorkflowExecutionStatus.COMPLETED:
            return found | {"status": "SUCCEEDED", "output": await holder.result()}
        if status is WorkflowExecutionStatus.RUNNING:
            return found | {"status": "RUNNING"}
        if claim.status is WorkflowExecutionStatus.RUNNING:
            await handle.terminate("its holder ended without releasing it")
        return found | {"status": "FREE"}
