"""Look at who holds an idempotency key."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Mapping
from typing import Any

from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError
from temporalio.exceptions import ApplicationError
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

        ``status`` is RUNNING, SUCCEEDED, or FREE: the holder has ended without success, and its claim is gone. Where
        the server has forgotten the claim meanwhile, FREE is all there is to say.
        """
        client = activity.client()
        try:
            claim = await client.get_workflow_handle(task["claim_id"]).describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return {"status": "FREE"}
        memo = await claim.memo()
        found = {"holder": memo["holder"], "input_hash": memo["input_hash"]}
        status, output = await _look(client, memo["holder"], memo["holder_run"])
        if status == "RUNNING":
            return found | {"status": status}
        if status == "SUCCEEDED":
            return found | {"status": status, "output": output}
        if claim.status is WorkflowExecutionStatus.COMPLETED:
            text = f"run {memo['holder']} used this key, and its result can't be had any more. Use a new key."
            raise ApplicationError(text, type="IDEMPOTENCY_UNVERIFIED", non_retryable=True)
        if claim.status is WorkflowExecutionStatus.RUNNING:
            # By its run id: another run may have cleared this claim, and claimed the key, since we looked.
            handle = client.get_workflow_handle(claim.id, run_id=claim.run_id)
            with _unless_gone():
                await handle.terminate("its holder ended without releasing it")
        return found | {"status": "FREE"}


async def _look(client: Client, workflow_id: str, first_run_id: str) -> tuple[str, Any]:
    """State of the chain of runs that began with ``first_run_id``, and its result."""
    with _unless_gone():
        latest = await client.get_workflow_handle(workflow_id).describe()
        same = latest.raw_info.first_run_id == first_run_id
        if same and latest.status is WorkflowExecutionStatus.RUNNING:
            return "RUNNING", None
        # The chain is over, so this does not wait. Its first run is forgotten before its last one.
        run_id = latest.run_id if same else first_run_id
        try:
            return "SUCCEEDED", await client.get_workflow_handle(workflow_id, run_id=run_id).result()
        except WorkflowFailureError:
            return "FAILED", None
    return "GONE", None


@contextlib.contextmanager
def _unless_gone() -> Generator[None]:
    try:
        yield
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
