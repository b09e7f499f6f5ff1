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
    WorkflowAlreadyStartedError,
)

from workflows._losses import how_it_ended
from workflows._segments import Segments

with workflow.unsafe.imports_passed_through():
    from statebag.machine import State, route

__all__ = ["Forks", "all_of", "result_of", "run_branch"]

_WAITS = tuple(0.2 * 2**times for times in range(7))
"""Seconds, 25 in all, until a workflow that has the id of a branch counts as somebody else's."""


class Forks(Segments):
    """The router, and the states around the map over branches."""

    EVALUATE = State.EVALUATE_NEXT_ACTION
    CHECK = State.CHECK_LOOP_LIMIT
    ROUTE = staticmethod(route)
    """From a next action to the state that follows ``EVALUATE``."""

    def __init__(self) -> None:
        super().__init__()
        self._branches: dict[str, int] = {}
        """``total``, ``done`` and ``failed`` of the branches under way; empty while there are none."""
        self._under_way: set[str] = set()
        """Workflow ids of the branches that run, or may run, now."""

    async def _advance(self, state: State) -> State:
        """Enter one arm of the router and give the state that follows it."""
        if state is self.EXECUTE:
            await self._continue_as_new_if_due()
            await self._execute_segment()
        elif state is self.CHECK:
            self.enter(state)
            if self._now.loop_counter >= self._facts["max_loop_iterations"]:
                await self._exceed_loop_limit()
            return self.EXECUTE
        elif state is State.WAIT_FOR_HITP_CALLBACK:
            await self._wait_for_answer()
        elif state is State.HANDLE_ASYNC_LLM:
            await self._wait_for_llm()
        elif state is State.PROCESS_PARALLEL_BRANCHES:
            await self._process_branches()
        else:
            step = self._now
            text = f"segment {step.segment_to_run}: there is no way on after {step.next_action}."
            await self._fail(step.error or {"code": "RUN_FAILED", "message": text})
        self.enter(self.EVALUATE)
        return self.ROUTE(self._now.next_action)

    async def _process_branches(self) -> None:
        self.enter(State.PROCESS_PARALLEL_BRANCHES)
        step = self._now
        fork: Mapping[str, Any] = step.extra["fork"]
        self._branches = {"total": fork["total"], "done": 0, "failed": 0}
        places = asyncio.Semaphore(fork["max_concurrency"])
        results: list[dict[str, Any]] = []
        for size in fork["batches"]:
            batch = range(len(results), len(results) + size)
            results += await all_of(self._run_branch(position, places) for position in batch)
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
                result = await run_branch(self._task(branch=position), child)
            except WorkflowAlreadyStartedError:
                text = f"workflow {child} runs already, and not for this run. Cancel it."
                result = {"status": "FAILED", "error_info": {"code": "BRANCH_LOST", "message": text}}
            except FailureError as failure:
                result = result_of(failure, child)
                if workflow.cancellation_reason() is None:
                    await self._forget_pauses(child)
            finally:
                self._under_way.discard(child)
            self._branches["done"] += 1
            self._branches["failed"] += result["status"] != "COMPLETE"
            return {"position": position, **result}

    async def _continue_as_new_if_due(self) -> None:
        """Start a new history where this one has become long; nothing is open or under way where it is called."""
        raise NotImplementedError

    async def _forget_pauses(self, child: str) -> None:
        """See to it that nobody is asked for a branch that is over."""
        raise NotImplementedError

    def _is_mine(self, child: str) -> bool:
        """Whether ``child`` is a branch under way here, or inside of one."""
        return any(f"{child}/".startswith(f"{branch}/") for branch in self._under_way)


async def run_branch(task: Mapping[str, Any], child: str) -> dict[str, Any]:
    """Run a branch in the workflow ``child``.

    Where a run was reset, the branches of its earlier try end in their own time: their ids are waited for.

    Raises:
        WorkflowAlreadyStartedError: Another workflow has kept the id.
    """
    for seconds in _WAITS:
        try:
            return await workflow.execute_child_workflow("BranchWorkflow", task, id=child)
        except WorkflowAlreadyStartedError:
            if not workflow.patched("wait-for-branches-of-an-earlier-try"):
                raise
        await workflow.sleep(seconds)
    return await workflow.execute_child_workflow("BranchWorkflow", task, id=child)


async def all_of(calls: Iterable[Coroutine[Any, Any, dict[str, Any]]]) -> list[dict[str, Any]]:
    """The results of all calls.

    Where the run, or the branch around, is cancelled, all its children have ended before that is raised.
    """
    results: list[dict[str, Any]] = []
    for ended in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(ended, BaseException):
            raise ended
        results.append(ended)
    return results


def result_of(failure: FailureError, child: str) -> dict[str, Any]:
    """What a branch whose workflow has failed counts as."""
    cause = failure.cause if isinstance(failure, ChildWorkflowError) else failure
    if isinstance(cause, ApplicationError) and cause.details and isinstance(cause.details[0], Mapping):
        return dict(cause.details[0])
    text = f"the workflow {child} {how_it_ended(failure)}. What it had done is left out of the join."
    return {"status": "FAILED", "error_info": {"code": "BRANCH_LOST", "message": text}}
