"""Run branches beside each other, each in a child workflow, and join what they bring."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any

from temporalio import workflow
from temporalio.exceptions import (
    ApplicationError,
    ChildWorkflowError,
    FailureError,
    TerminatedError,
    WorkflowAlreadyStartedError,
    is_cancelled_exception,
)
from temporalio.exceptions import (
    TimeoutError as TemporalTimeoutError,
)

from workflows._segments import Segments

with workflow.unsafe.imports_passed_through():
    from statebag.machine import State

__all__ = ["Forks"]


class Forks(Segments):
    """The states around the map over branches."""

    def __init__(self) -> None:
        super().__init__()
        self._branches: dict[str, int] = {}
        """``total``, ``done`` and ``failed`` of the branches under way; empty while there are none."""
        self._under_way: set[str] = set()
        """Workflow ids of the branches that run, or may run, now."""

    async def _process_branches(self) -> None:
        self.enter(State.PROCESS_PARALLEL_BRANCHES)
        step = self._now
        fork: Mapping[str, Any] = step.extra["fork"]
        self._branches = {"total": fork["total"], "done": 0, "failed": 0}
        places = asyncio.Semaphore(fork["max_concurrency"])
        results: list[dict[str, Any]] = []
        for size in fork["batches"]:
            batch = range(len(results), len(results) + size)
            results += await _all_of(self._run_branch(position, places) for position in batch)
        self._failed_branches += self._branches["failed"]
        self._branches = {}
        self.enter(State.AGGREGATE_PARALLEL_RESULTS)
        await self._merge("aggregate_branches", {"parallel_results": results}, result_id=f"branches:{step.version}")

    async def _run_branch(self, position: int, places: asyncio.Semaphore) -> dict[str, Any]:
        """What the branch reports; whatever happens to it, there is one result."""
        async with places:
            child = f"{workflow.info().workflow_id}/{self._now.version}/{position}"
            self._under_way.add(child)
            try:
                result = await workflow.execute_child_workflow("BranchWorkflow", self._task(branch=position), id=child)
            except WorkflowAlreadyStartedError:
                text = f"workflow {child} runs already, and not for this run. Cancel it."
                result = {"status": "FAILED", "error_info": {"code": "BRANCH_LOST", "message": text}}
            except FailureError as failure:
                if is_cancelled_exception(failure) and workflow.cancellation_reason() is not None:
                    raise
                await self._forget_pauses(child)
                result = _result_of(failure, child)
            finally:
                self._under_way.discard(child)
            self._branches["done"] += 1
            self._branches["failed"] += result["status"] != "COMPLETE"
            return {"position": position, **result}

    async def _forget_pauses(self, child: str) -> None:
        """See to it that nobody is asked for a branch that is over."""
        raise NotImplementedError

    def _is_mine(self, child: str) -> bool:
        """Whether ``child`` is a branch under way here, or inside of one."""
        return any(f"{child}/".startswith(f"{branch}/") for branch in self._under_way)


async def _all_of(calls: Iterable[Coroutine[Any, Any, dict[str, Any]]]) -> list[dict[str, Any]]:
    """The results of all calls. Where the run is cancelled, every child has ended before it goes on to its own end."""
    results: list[dict[str, Any]] = []
    for ended in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(ended, BaseException):
            raise ended
        results.append(ended)
    return results


def _result_of(failure: FailureError, child: str) -> dict[str, Any]:
    cause = failure.cause if isinstance(failure, ChildWorkflowError) else failure
    if isinstance(cause, ApplicationError) and cause.details and isinstance(cause.details[0], Mapping):
        return dict(cause.details[0])
    if isinstance(cause, TerminatedError):
        how = "was terminated from outside"
    elif isinstance(cause, TemporalTimeoutError):
        how = "ran out of its time"
    elif is_cancelled_exception(failure):
        how = "was cancelled from outside"
    else:
        how = f"ended without a result: {cause or failure}"
    error = {"code": "BRANCH_LOST", "message": f"the workflow {child} {how}. What it had done is left out of the join."}
    return {"status": "FAILED", "error_info": error}
