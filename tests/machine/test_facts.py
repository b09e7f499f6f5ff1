from __future__ import annotations

import pytest

from statebag.bag import NextAction
from statebag.machine import (
    BRANCH_STATES,
    CHUNK_STATES,
    DISTRIBUTED_ROUTES,
    DISTRIBUTED_STATES,
    FUNCTIONS,
    ROUTES,
    STANDARD_STATES,
    State,
    route,
    route_distributed,
)


def test_the_standard_machine_has_43_states_of_which_10_are_nested() -> None:
    nested = BRANCH_STATES | {State.MAP_REDUCE_RUNNER, State.BATCHED_RUNNER}
    assert (len(STANDARD_STATES), len(set(STANDARD_STATES)), len(nested)) == (43, 43, 10)


def test_the_distributed_machine_has_46_states_of_which_13_are_nested() -> None:
    nested = CHUNK_STATES | {
        State.EXECUTE_BRANCH_WITH_HYDRATION,
        State.EVALUATE_BRANCH_RESULT,
        State.WAIT_FOR_BRANCH_CALLBACK,
        State.RESUME_BRANCH_AFTER_CALLBACK,
        State.HANDLE_BRANCH_ERROR,
        State.BRANCH_COMPLETE,
    }
    assert (len(DISTRIBUTED_STATES), len(set(DISTRIBUTED_STATES)), len(nested)) == (46, 46, 13)
    assert nested < set(DISTRIBUTED_STATES)


def test_the_router_of_the_distributed_machine_stays_within_its_states() -> None:
    assert set(DISTRIBUTED_ROUTES) == set(ROUTES)
    assert set(DISTRIBUTED_ROUTES.values()) < set(DISTRIBUTED_STATES)
    assert set(ROUTES.values()) < set(STANDARD_STATES)
    assert route_distributed("no such action") is State.NOTIFY_AND_FAIL


def test_the_router_has_an_arm_for_every_action_that_can_reach_it() -> None:
    assert set(ROUTES) == set(NextAction) - {NextAction.STARTED}


@pytest.mark.parametrize(
    ("action", "state"),
    [
        ("COMPLETE", State.NOTIFY_WORKFLOW_COMPLETED),
        ("CONTINUE", State.CHECK_LOOP_LIMIT),
        ("PAUSED_FOR_HITP", State.WAIT_FOR_HITP_CALLBACK),
        ("PAUSED_FOR_ASYNC_LLM", State.HANDLE_ASYNC_LLM),
        ("HALTED", State.NOTIFY_AND_FAIL),
        ("SIGKILL", State.NOTIFY_AND_FAIL),
        ("FAILED", State.NOTIFY_AND_FAIL),
        ("STARTED", State.NOTIFY_AND_FAIL),
        ("no such action", State.NOTIFY_AND_FAIL),
    ],
)
def test_an_action_leads_to_one_state_and_an_unknown_one_to_failure(action: str, state: State) -> None:
    assert route(action) is state


def test_every_function_gives_up_at_some_time_or_is_bounded_by_its_tries_or_its_run() -> None:
    unbounded = {
        name for name, facts in FUNCTIONS.items() if facts.give_up_seconds is None and facts.retry.retries is None
    }
    assert unbounded == {"execute_segment", "run_chunk", "watch_chunks"}
