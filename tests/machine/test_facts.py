from __future__ import annotations

import pytest

from statebag.bag import NextAction
from statebag.machine import BRANCH_STATES, FUNCTIONS, ROUTES, STANDARD_STATES, State, route


def test_the_standard_machine_has_43_states_of_which_10_are_nested() -> None:
    nested = BRANCH_STATES | {State.MAP_REDUCE_RUNNER, State.BATCHED_RUNNER}
    assert (len(STANDARD_STATES), len(set(STANDARD_STATES)), len(nested)) == (43, 43, 10)


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
    assert unbounded == {"execute_segment"}
