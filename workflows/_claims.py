"""Acquire and release the claim on an idempotency key."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from statebag.canonical import sha256_hex

if TYPE_CHECKING:
    from workflows._machine import Machine

__all__ = ["Claim", "claim_key"]

TRIES = 3
"""Times to claim anew after finding that the holder has ended without success."""


def claim_key(owner_id: str, idempotency_key: str) -> str:
    """Workflow id of the claim: one for each owner and key, and readable in no more than its kind."""
    scoped = f"{owner_id}\x1f{idempotency_key}"
    return f"claim-{sha256_hex(scoped.encode())[:40]}"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim that this run holds, or wants."""

    claim_id: str
    holder: str
    """Workflow id of the run."""
    holder_run: str
    """Id of the first run of the holder's chain: an id may be used again, and then it is another holder."""
    input_hash: str

    async def acquire(self, machine: Machine) -> dict[str, Any] | None:
        """Take the claim; None when it is ours.

        Returns:
            Who holds it instead: ``{"holder", "input_hash", "status": "RUNNING" | "SUCCEEDED", "output"?}``.
        """
        for _ in range(TRIES):
            try:
                await workflow.start_child_workflow(
                    "IdempotencyClaim",
                    self.holder,
                    id=self.claim_id,
                    id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                    parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                    memo={"holder": self.holder, "holder_run": self.holder_run, "input_hash": self.input_hash},
                )
            except WorkflowAlreadyStartedError:
                found = await machine.call("verify_claim", "verify_claim", {"claim_id": self.claim_id})
                if found["status"] != "FREE":
                    return found
            else:
                return None
        # Each time another run was faster.
        return {"holder": self.claim_id, "input_hash": self.input_hash, "status": "RUNNING"}

    async def release(self, status: str) -> None:
        """Say how the run ended. A claim that is gone needs no release.

        The run's end is settled by now: a cancellation that comes meanwhile is too late.
        """
        handle = workflow.get_external_workflow_handle(self.claim_id)
        signal = asyncio.create_task(handle.signal("release", args=[status, self.holder_run]))
        try:
            await asyncio.shield(signal)
        except asyncio.CancelledError:
            if workflow.cancellation_reason() is None:
                raise
        except ApplicationError as gone:
            workflow.logger.warning("claim %s: could not be released: %s", self.claim_id, gone)

    def to_json(self) -> dict[str, Any]:
        """The form in which it is handed to the next run of a chain."""
        return {
            "claim_id": self.claim_id,
            "holder": self.holder,
            "holder_run": self.holder_run,
            "input_hash": self.input_hash,
        }

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> Claim:
        """Read the handed form."""
        return Claim(**body)
