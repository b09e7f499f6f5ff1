"""One branch of a fork: its own segments, counters and history, on the variables that the fork had."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError, is_cancelled_exception

from workflows._machine import failure_of
from workflows._maps import Maps

with workflow.unsafe.imports_passed_through():
    from statebag.events import EventType
    from statebag.machine import FUNCTIONS, State, route_branch

__all__ = ["BranchWorkflow"]

_CONTINUED = "$continued"


@workflow.defn(name="BranchWorkflow", sandboxed=False)
class BranchWorkflow(Maps):
    """Runs a branch to its end, for the run or the branch that forked.

    The input is ``{"run", "bag", "branch"}``: whose bag has which branch pending. The result names the branch's own
    bag; nothing of it reaches the run's before the run joins its branches. People are asked through the run.
    """

    EXECUTE = State.EXECUTE_BRANCH_SEGMENT
    SYNC = State.SYNC_BRANCH_STATE
    ACTION = "sync_branch"
    EVALUATE = State.EVALUATE_BRANCH_NEXT
    CHECK = State.CHECK_BRANCH_LOOP_LIMIT
    ROUTE = staticmethod(route_branch)

    def __init__(self) -> None:
        super().__init__()
        self._run_id = ""
        self._answer: tuple[str, dict[str, Any]] | None = None

    @property
    def execution_id(self) -> str:
        """The run that this is a part of."""
        return self._run_id

    @workflow.run
    async def run(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """Run to the branch's end."""
        if _CONTINUED in task:
            state = self._resume(task[_CONTINUED])
        else:
            state = await self._begin(task)
        while state is not State.BRANCH_COMPLETE:
            state = await self._advance(state)
        self.enter(state)
        return {"status": "COMPLETE", **self._outcome()}

    @workflow.signal(name="pause_over")
    def pause_over(self, pause_id: str, answer: dict[str, Any]) -> None:
        """The run has an answer for the pause that this branch waits at."""
        self._answer = (pause_id, answer)

    @workflow.query(name="progress")
    def progress(self) -> dict[str, Any]:
        """Counts, the current segment, and where the branch's bag is."""
        more = {"branches": self._branches, "map": self._map_progress()}
        return {**self._progress(), **{name: value for name, value in more.items() if value}}

    async def _begin(self, task: Mapping[str, Any]) -> State:
        run = task["run"]
        self._run_id, self.owner_id, self.workflow_id = run["execution_id"], run["ownerId"], run["workflowId"]
        self.enter(State.INIT_BRANCH_STATE)
        label = f"branch {task['branch']}" if "branch" in task else f"item {task['item']['position']}"
        how = {"timeout_seconds": FUNCTIONS["execute_segment"].timeout_seconds, "label": label}
        try:
            body = await self.call_local("state_data_manager", "begin_branch", task, how=how)
        except FailureError as failure:
            if is_cancelled_exception(failure):
                raise
            await self._fail(failure_of(failure))
        self._take(body)
        self._facts = {name: value for name, value in self._now.extra.items() if name not in ("fork", "map")}
        self._facts["max_loop_iterations"] = self._facts["max_branch_iterations"]
        if self._facts.pop("executed"):
            # A first segment that is quick is run where the bag is made: half the round trips of a short branch.
            self.enter(self.EXECUTE)
            self.enter(self.SYNC)
        self.enter(State.EVALUATE_BRANCH_NEXT)
        return route_branch(self._now.next_action)

    async def publish(self, event_type: EventType, status: str, **detail: Any) -> None:
        """Publish an event of the run; ``branch`` tells whose it is."""
        await super().publish(event_type, status, branch=self._facts["path"], **detail)

    async def _ask(self, pause_id: str, spec: Mapping[str, Any]) -> dict[str, Any]:
        """Let the run ask, since that is where people look; it keeps the time, too."""
        question = {"pause_id": pause_id, "segment": self._now.segment_to_run, "spec": dict(spec)}
        await self._of_the_run().signal("branch_pause", args=[workflow.info().workflow_id, question])
        await workflow.wait_condition(lambda: self._answer is not None and self._answer[0] == pause_id)
        assert self._answer is not None
        return self._answer[1]

    def _pause_id(self) -> str:
        return f"{self._facts['path']}:{super()._pause_id()}"

    async def _forget_pauses(self, child: str) -> None:
        await self._of_the_run().signal("branch_over", child)

    def _of_the_run(self) -> workflow.ExternalWorkflowHandle[Any]:
        return workflow.get_external_workflow_handle(self._run_id)

    async def _fail(self, error: Mapping[str, Any]) -> NoReturn:
        self.enter(State.HANDLE_BRANCH_ERROR)
        raise self._branch_failure("BranchFailed", "FAILED", error)

    async def _exceed_loop_limit(self) -> NoReturn:
        self.enter(State.FAIL_BRANCH_LOOP_LIMIT)
        limit = self._facts["max_branch_iterations"]
        text = (
            f"branch {self._facts['path']}: {self._now.loop_counter} segments were executed and {self._asked} pauses "
            f"asked; the limit of each is {limit}. Raise `max_branch_iterations`."
        )
        error = {"code": "LOOP_LIMIT_EXCEEDED", "message": text}
        raise self._branch_failure("BranchLoopLimitExceeded", "LOOP_LIMIT_EXCEEDED", error)

    def _branch_failure(self, kind: str, status: str, error: Mapping[str, Any]) -> ApplicationError:
        detail = {"status": status, "error_info": dict(error), **self._outcome()}
        return ApplicationError(f"{error['code']}: {error['message']}", detail, type=kind, non_retryable=True)

    def _outcome(self) -> dict[str, Any]:
        if self._step is None:
            return {}
        names = ("branch_id", "branch_index")
        return {name: self._facts[name] for name in names if name in self._facts} | {"bag": self._step.root}

    async def _continue_as_new_if_due(self) -> None:
        if workflow.info().is_continue_as_new_suggested():
            workflow.continue_as_new({_CONTINUED: {**self._carried(), "run_id": self._run_id}})

    async def _continue_map(self, window: Mapping[str, Any]) -> None:
        workflow.continue_as_new(
            {_CONTINUED: {**self._carried(), "run_id": self._run_id, "map": self._map, "window": window}}
        )

    def _resume(self, state: Mapping[str, Any]) -> State:
        self._restore(state)
        self._run_id = state["run_id"]
        if "map" not in state:
            return State.EXECUTE_BRANCH_SEGMENT
        self._map, self._carried_window = dict(state["map"]), state["window"]
        return self._map_state

    def _waiting_chunks(self) -> int:
        # The run has the pauses: as many chunks as may be open do not wait for them.
        return self._window.counts()["in_flight"] if self._map["kind"] == "lines" and self._window else 0
