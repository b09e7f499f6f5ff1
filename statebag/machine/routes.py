"""Where the router goes for each next action."""

from __future__ import annotations

from collections.abc import Mapping

from statebag.bag import NextAction
from statebag.machine.states import State

__all__ = ["BRANCH_ROUTES", "DISTRIBUTED_ROUTES", "ROUTES", "route", "route_branch", "route_distributed"]

ROUTES: Mapping[NextAction, State] = {
    NextAction.FAILED: State.NOTIFY_AND_FAIL,
    NextAction.HALTED: State.NOTIFY_AND_FAIL,
    NextAction.SIGKILL: State.NOTIFY_AND_FAIL,
    NextAction.COMPLETE: State.NOTIFY_WORKFLOW_COMPLETED,
    NextAction.PAUSED_FOR_HITP: State.WAIT_FOR_HITP_CALLBACK,
    NextAction.PAUSED_FOR_ASYNC_LLM: State.HANDLE_ASYNC_LLM,
    NextAction.PARALLEL_GROUP: State.PROCESS_PARALLEL_BRANCHES,
    NextAction.DISTRIBUTED_MAP: State.EXECUTE_MAP_REDUCE_MODE,
    NextAction.SEQUENTIAL_BRANCH: State.CHECK_LOOP_LIMIT,
    NextAction.CONTINUE: State.CHECK_LOOP_LIMIT,
}
"""Arms of ``EvaluateNextAction`` of the standard machine; an action that is not here fails the run."""

DISTRIBUTED_ROUTES: Mapping[NextAction, State] = {
    NextAction.FAILED: State.NOTIFY_AND_FAIL,
    NextAction.HALTED: State.NOTIFY_AND_FAIL,
    NextAction.SIGKILL: State.NOTIFY_AND_FAIL,
    NextAction.COMPLETE: State.NOTIFY_WORKFLOW_COMPLETED,
    NextAction.PAUSED_FOR_HITP: State.WAIT_FOR_CALLBACK,
    NextAction.PAUSED_FOR_ASYNC_LLM: State.WAIT_FOR_CALLBACK,
    NextAction.PARALLEL_GROUP: State.PROCESS_PARALLEL_BRANCHES,
    NextAction.DISTRIBUTED_MAP: State.PREPARE_DISTRIBUTED_EXECUTION,
    NextAction.SEQUENTIAL_BRANCH: State.CHECK_LOOP_LIMIT,
    NextAction.CONTINUE: State.CHECK_LOOP_LIMIT,
}
"""The same of the distributed machine."""


BRANCH_ROUTES: Mapping[NextAction, State] = {
    NextAction.STARTED: State.EXECUTE_BRANCH_SEGMENT,
    NextAction.FAILED: State.HANDLE_BRANCH_ERROR,
    NextAction.HALTED: State.HANDLE_BRANCH_ERROR,
    NextAction.SIGKILL: State.HANDLE_BRANCH_ERROR,
    NextAction.COMPLETE: State.BRANCH_COMPLETE,
    NextAction.PAUSED_FOR_HITP: State.WAIT_FOR_HITP_CALLBACK,
    NextAction.PAUSED_FOR_ASYNC_LLM: State.HANDLE_ASYNC_LLM,
    NextAction.PARALLEL_GROUP: State.PROCESS_PARALLEL_BRANCHES,
    NextAction.DISTRIBUTED_MAP: State.EXECUTE_MAP_REDUCE_MODE,
    NextAction.SEQUENTIAL_BRANCH: State.CHECK_BRANCH_LOOP_LIMIT,
    NextAction.CONTINUE: State.CHECK_BRANCH_LOOP_LIMIT,
}
"""Arms of ``EvaluateBranchNext``; an action that is not here fails the branch."""


def route(next_action: str) -> State:
    """The state that follows ``EvaluateNextAction`` of the standard machine."""
    return _way(ROUTES, next_action, State.NOTIFY_AND_FAIL)


def route_distributed(next_action: str) -> State:
    """The state that follows ``EvaluateNextAction`` of the distributed machine."""
    return _way(DISTRIBUTED_ROUTES, next_action, State.NOTIFY_AND_FAIL)


def route_branch(next_action: str) -> State:
    """The state that follows ``EvaluateBranchNext``."""
    return _way(BRANCH_ROUTES, next_action, State.HANDLE_BRANCH_ERROR)


def _way(routes: Mapping[NextAction, State], next_action: str, otherwise: State) -> State:
    return routes.get(NextAction(next_action), otherwise) if next_action in NextAction.__members__ else otherwise
