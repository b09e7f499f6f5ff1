"""One chunk of a map: its items, or the branches of a fork; or a window over some of the map's chunks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError, WorkflowAlreadyStartedError, is_cancelled_exception

from workflows._forks import all_of, result_of, run_branch
from workflows._machine import Machine, failure_of
from workflows._maps import is_long
from workflows._window import Window
from workflows._window_plan import WindowPlan

with workflow.unsafe.imports_passed_through():
    from statebag.machine import FUNCTIONS, State

__all__ = ["ChunkWorkflow"]

_CONTINUED = "$continued"
_TELL_SECONDS = 2.0
"""Between two signals of a window that tell how far it is."""


@workflow.defn(name="ChunkWorkflow", sandboxed=False)
class ChunkWorkflow(Machine):
    """Runs what a map has put into its place ``chunk``, records the outcome, and reports ``{"succeeded", "failed"}``.

    The input is ``{"run", "bag", "chunk", "map"}``: whose bag has the map pending, and how it runs; of a fork also
    ``branches``, the positions ``[first, last]`` of the chunk's, and of a window ``window``, its chunks.
    """

    def __init__(self) -> None:
        super().__init__()
        self._task: Mapping[str, Any] = {}
        self._window: Window | None = None

    @workflow.run
    async def run(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """Run to the end."""
        carried = task.get(_CONTINUED)
        self._task = {name: value for name, value in task.items() if name != _CONTINUED}
        if "window" in task:
            return await self._run_window(carried)
        self.enter(State.PROCESS_CHUNK_WITH_HYDRATION)
        try:
            report = await self._process()
        except FailureError as failure:
            if is_cancelled_exception(failure):
                raise
            self.enter(State.HANDLE_CHUNK_ERROR)
            error = failure_of(failure)
            raise ApplicationError(error["message"], type=error["code"], non_retryable=True) from failure
        self.enter(State.EVALUATE_CHUNK_RESULT)
        self.enter(State.CHUNK_COMPLETE)
        return report

    @workflow.query(name="progress")
    def progress(self) -> dict[str, Any]:
        """Of a window, how far it is; of a chunk, the state that it is in."""
        counts = self._window.counts() if self._window is not None else {}
        return {"current_state": self.current_state(), **counts}

    @property
    def execution_id(self) -> str:
        """The run that this is a part of."""
        return self._task["run"]["execution_id"]

    async def _process(self) -> dict[str, Any]:
        how = self._task["map"]
        if how["kind"] == "calls":
            return await self.call("run_chunk", "run_chunk", self._own(), how=how, to_the_end=True)
        if how["kind"] == "items":
            return await self.call_local("run_chunk", "run_chunk", self._own(), how=_without_beats(how))
        if how["kind"] == "branches":
            first, last = self._task["branches"]
            lines = {at: {"branch": at} for at in range(first, last)}
            finish = "finish_branches"
        else:
            opened = await self.call_local("state_data_manager", "open_chunk", self._own())
            if not opened["positions"]:
                return {name: opened[name] for name in ("succeeded", "failed")}
            chunk = self._task["chunk"]
            lines = {at: {"item": {"chunk": chunk, "position": at}} for at in opened["positions"]}
            finish = "finish_chunk"
        self.enter(State.EVALUATE_CHUNK_RESULT)
        self.enter(State.WAIT_FOR_CHUNK_CALLBACK)
        results = await all_of(self._run_line(at, line) for at, line in lines.items())
        self.enter(State.RESUME_CHUNK_AFTER_CALLBACK)
        return await self.call_local("state_data_manager", finish, self._own(results=results))

    async def _run_line(self, position: int, line: Mapping[str, Any]) -> dict[str, Any]:
        """What a line reports; whatever happens to it, there is one result."""
        child = f"{workflow.info().workflow_id}/{position}"
        task = {"run": self._task["run"], "bag": self._task["bag"], **line}
        try:
            result = await run_branch(task, child)
        except WorkflowAlreadyStartedError:
            text = f"workflow {child} runs already, and not for this chunk. Cancel it."
            result = {"status": "FAILED", "error_info": {"code": "BRANCH_LOST", "message": text}}
        except FailureError as failure:
            if workflow.cancellation_reason() is not None and is_cancelled_exception(failure):
                raise
            result = result_of(failure, child)
            await self._tell_run("branch_over", child)
        return {"position": position, **result}

    async def _run_window(self, carried: Mapping[str, Any] | None) -> dict[str, Any]:
        self.enter(State.EXECUTE_DISTRIBUTED_CHUNKS)
        how, (first, last) = self._task["map"], self._task["window"]
        plan = WindowPlan(
            prefix=f"{workflow.info().workflow_id}/",
            waves=((last - first, 1),),
            limit=how["max_concurrency"],
            tolerated=how.get("tolerated"),
            first=first,
            timeout_seconds=how.get("chunk_timeout_seconds"),
        )
        self._window = Window(
            self,
            plan,
            task_of=lambda unit: {**self._own(), "chunk": first + unit},
            close=lambda unit, error: self._lose(first + unit, error),
            carried=carried,
        )
        telling = asyncio.create_task(self._tell(self._window))
        over = await self._window.run(is_long=is_long)
        if not over:
            workflow.continue_as_new({**self._task, _CONTINUED: self._window.carry()})
        telling.cancel()
        return {"succeeded": self._window.succeeded, "failed": self._window.failed}

    async def _tell(self, window: Window) -> None:
        """Tell the map's coordinator how far this window is, as long as that changes."""
        told: dict[str, int] | None = None
        while True:
            await workflow.sleep(_TELL_SECONDS)
            counts = window.counts()
            if counts != told:
                told = counts
                report = {"succeeded": counts["done"] - counts["failed"], "failed": counts["failed"]}
                await self._tell_run("window_progress", self._task["chunk"], report)

    async def _tell_run(self, signal: str, *args: Any) -> None:
        parent = workflow.info().parent
        where = self.execution_id if signal == "branch_over" or parent is None else parent.workflow_id
        try:
            await workflow.get_external_workflow_handle(where).signal(signal, args=list(args))
        except ApplicationError as gone:
            workflow.logger.info("workflow %s: is over, and needs no %s: %s", where, signal, gone)

    async def _lose(self, chunk: int, error: Mapping[str, Any]) -> Mapping[str, Any]:
        return await self.call_local(
            "state_data_manager", "close_chunk", {**self._own(), "chunk": chunk, "error": error}
        )

    def _own(self, *, results: Sequence[Mapping[str, Any]] | None = None) -> dict[str, Any]:
        task = {name: self._task[name] for name in ("run", "bag", "chunk", "map")}
        return task if results is None else {**task, "results": list(results)}


def _without_beats(how: Mapping[str, Any]) -> dict[str, Any]:
    """``how`` for a call in the worker itself, whose time is its own limit's."""
    usual = FUNCTIONS["run_chunk"].timeout_seconds
    return {"timeout_seconds": usual, **{name: how[name] for name in ("timeout_seconds", "label") if name in how}}
