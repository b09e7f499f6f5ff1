"""Holds an idempotency key for the run that started it."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

__all__ = ["IdempotencyClaim"]


@workflow.defn(name="IdempotencyClaim", sandboxed=False)
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
    def release(self, outcome: str, holder_run: str | None = None) -> None:
        """The holder has ended: SUCCEEDED, or anything else for without success.

        Args:
            outcome: How it ended.
            holder_run: Id of the first run of the holder's chain. A run that was reset ends once more, and by then
                the key may be another one's; only a release that names nobody is for whoever holds it.
        """
        if holder_run in (None, workflow.memo_value("holder_run", None)):
            self._outcome = outcome
        else:
            workflow.logger.warning("run %s has no claim on this key: its release is ignored", holder_run)
