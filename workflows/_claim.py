"""Holds an idempotency key for the run that started it."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

__all__ = ["IdempotencyClaim"]


@workflow.defn(name="IdempotencyClaim")
class IdempotencyClaim:
    """Lives as long as its holder runs. Its workflow id is the key, so the server lets only one exist.

    It ends as its holder did: after success the id stays taken, after a failure it is free again.
    """

    def __init__(self) -> None:
        self._outcome: str | None = None

    @workflow.run
    async def run(self, holder: str) -> dict[str, Any]:
        """Wait for the holder's end."""
        await workflow.wait_condition(lambda: self._outcome is not None)
        if self._outcome != "SUCCEEDED":
            raise ApplicationError(f"the holder {holder} ended as {self._outcome}", type="CLAIM_RELEASED")
        return {"holder": holder, "status": "SUCCEEDED"}

    @workflow.signal(name="release")
    def release(self, outcome: str) -> None:
        """The holder has ended: SUCCEEDED, or anything else for without success."""
        self._outcome = outcome
