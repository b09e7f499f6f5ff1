"""The map over parallel branches of the standard machine: each has a bag of its own, and grows in it."""

from __future__ import annotations

from collections.abc import Mapping

from asl_compat.machines._build import ASL, call, catch, fan_out, keep, pass_on, wait_for_token
from asl_compat.machines._loop import TIMED_OUT, check_limit, manage, router
from asl_compat.machines._policies import retries
from statebag.machine import BRANCH_ROUTES, FUNCTIONS, GRACE_SECONDS, State

__all__ = ["LIMIT_OF_BRANCH", "first_state", "run_branches"]

_IN_THE_RUN = frozenset(
    {
        State.WAIT_FOR_HITP_CALLBACK,
        State.HANDLE_ASYNC_LLM,
        State.PROCESS_PARALLEL_BRANCHES,
        State.EXECUTE_MAP_REDUCE_MODE,
    }
)
"""States of the run that a branch has no own ones for: there, its next segment's task does what they do."""
_STATE = "$.branch_state"
LIMIT_OF_BRANCH = "branch {}: {} segments were executed, the limit is {}. Raise max_branch_iterations."
_LIMIT = (
    f"States.Format('{LIMIT_OF_BRANCH}', "
    "$.branch_state.path, $.branch_state.loop_counter, $.branch_state.max_branch_iterations)"
)


def run_branches() -> Mapping[State, ASL]:
    """The map, the states inside of it, and those behind it."""
    routes = {
        action: State.EXECUTE_BRANCH_SEGMENT if target in _IN_THE_RUN else target
        for action, target in BRANCH_ROUTES.items()
    }
    nested = {
        State.INIT_BRANCH_STATE: pass_on({"branch_state": first_state()}, then=State.EXECUTE_BRANCH_SEGMENT),
        State.EXECUTE_BRANCH_SEGMENT: _execute(),
        State.SYNC_BRANCH_STATE: call(
            "StateDataManagerArn",
            {
                "action": "sync_branch",
                "execution_id.$": "$$.Execution.Id",
                **keep("branch_state", "execution_result"),
            },
            select=("branch_state", "next_action"),
            then=State.EVALUATE_BRANCH_NEXT,
            retry=retries("state_data_manager"),
            catches=[catch(State.HANDLE_BRANCH_ERROR, into=f"{_STATE}.error")],
        ),
        State.EVALUATE_BRANCH_NEXT: router(routes, otherwise=State.HANDLE_BRANCH_ERROR),
        State.CHECK_BRANCH_LOOP_LIMIT: check_limit(
            f"{_STATE}.loop_counter",
            f"{_STATE}.max_branch_iterations",
            over=State.FAIL_BRANCH_LOOP_LIMIT,
            within=State.EXECUTE_BRANCH_SEGMENT,
        ),
        State.FAIL_BRANCH_LOOP_LIMIT: pass_on(
            {
                **_outcome("LOOP_LIMIT_EXCEEDED"),
                "error_info": {"code": "LOOP_LIMIT_EXCEEDED", "message.$": _LIMIT},
            },
            then=None,
        ),
        State.HANDLE_BRANCH_ERROR: pass_on(
            {**_outcome("FAILED"), "error_info.$": f"{_STATE}.error"},
            then=None,
        ),
        State.BRANCH_COMPLETE: pass_on(_outcome("COMPLETE"), then=None),
    }
    return {
        State.PROCESS_PARALLEL_BRANCHES: fan_out(
            nested,
            start=State.INIT_BRANCH_STATE,
            items={"ItemsPath": "$.next.items"},
            concurrency={"MaxConcurrencyPath": "$.next.max_concurrency"},
            selector={"branch.$": "$$.Map.Item.Value", "bag.$": "$.next.bag"},
            more={"ResultSelector": {"branches.$": "$"}},
            into="$.parallel_results",
            then=State.AGGREGATE_PARALLEL_RESULTS,
            catches=[catch(State.HANDLE_MAP_ERROR, into="$.map_error")],
        ),
        State.HANDLE_MAP_ERROR: pass_on(
            {**keep("state_data", "next"), "parallel_results": {"branches": [], "map_error.$": "$.map_error"}},
            then=State.AGGREGATE_PARALLEL_RESULTS,
        ),
        State.AGGREGATE_PARALLEL_RESULTS: manage(
            "aggregate_branches", "parallel_results", "next", then=State.EVALUATE_NEXT_ACTION
        ),
    }


def first_state() -> ASL:
    """A branch before its first segment; what is not known yet is empty."""
    facts = FUNCTIONS["execute_segment"]
    return {
        "position.$": "$.branch.position",
        "branch.$": "$.branch",
        "base.$": "$.bag",
        "path": "",
        "bag": {},
        "next_action": "",
        "segment_to_run": 0,
        "loop_counter": 0,
        "max_branch_iterations": 0,
        "timeout_seconds": int(facts.timeout_seconds + GRACE_SECONDS),
        "error": {},
    }


def _execute() -> ASL:
    """Run the branch's next segment, or wait where it waits: the function answers by the token, at once or later."""
    return wait_for_token(
        "ExecuteSegmentArn",
        {"execution_id.$": "$$.Execution.Id", **keep("branch_state")},
        into="$.execution_result",
        then=State.SYNC_BRANCH_STATE,
        timeout={"TimeoutSecondsPath": f"{_STATE}.timeout_seconds"},
        retry=retries("execute_segment", tries=True),
        catches=[
            catch(State.SYNC_BRANCH_STATE, into="$.execution_result", errors=TIMED_OUT),
            catch(State.HANDLE_BRANCH_ERROR, into=f"{_STATE}.error"),
        ],
    )


def _outcome(status: str) -> ASL:
    return {"position.$": f"{_STATE}.position", "status": status, "bag.$": f"{_STATE}.bag"}
