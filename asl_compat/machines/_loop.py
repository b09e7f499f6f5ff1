"""The states that both machines have around their loop: run a segment, merge it, decide, and keep to the limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from asl_compat.machines._build import ASL, call, catch, choice, is_equal, keep, wait_for_token
from asl_compat.machines._head import DOCUMENT
from asl_compat.machines._policies import retries
from statebag.bag import NextAction
from statebag.machine import State

__all__ = [
    "EXECUTION",
    "TIMED_OUT",
    "check_limit",
    "execute_segment",
    "manage",
    "ordered",
    "router",
    "sync_segment",
    "wait_for_answer",
]

Name = TypeVar("Name", bound=str)
EXECUTION: ASL = {"execution_id.$": "$$.Execution.Id"}
"""Which execution it is, for functions that publish events of it."""
TIMED_OUT = ("States.Timeout", "States.HeartbeatTimeout")


def manage(
    action: str,
    *names: str,
    then: State,
    more: ASL | None = None,
    failing: str = "$.failure",
    instead: State = State.NOTIFY_AND_FAIL,
) -> ASL:
    """Let the state data manager apply an action to the bag.

    Args:
        action: Which.
        names: Members of the document that it gets beside the bag.
        then: The state that follows.
        more: Further members of the call.
        failing: Where an error goes.
        instead: The state that an error leads to.
    """
    payload = {"action": action, **keep("state_data", *names), **(more or {})}
    caught = [catch(instead, into=failing)]
    return call(
        "StateDataManagerArn",
        payload,
        select=DOCUMENT,
        then=then,
        retry=retries("state_data_manager"),
        catches=caught,
    )


def execute_segment() -> ASL:
    """Run the segment that the bag is at; what it gave is not merged yet."""
    return call(
        "ExecuteSegmentArn",
        keep("state_data"),
        result="result",
        into="$.execution_result",
        then=State.SYNC_STATE_DATA,
        retry=retries("execute_segment", tries=True),
        catches=[catch(State.NOTIFY_AND_FAIL, into="$.failure")],
    )


def sync_segment(*, more: ASL | None = None) -> ASL:
    """Merge what the segment gave."""
    given = {"execution_result.$": "$.execution_result.result", **(more or {})}
    return manage("sync", then=State.EVALUATE_NEXT_ACTION, more=given)


def wait_for_answer(*, then: State) -> ASL:
    """Wait for a person; a time that has run out is an answer, too."""
    return wait_for_token(
        "StoreTaskTokenArn",
        {
            "execution_id.$": "$$.Execution.Id",
            "execution_name.$": "$$.Execution.Name",
            **keep("state_data", "next_action", "next"),
        },
        into="$.callback_result",
        then=then,
        timeout={"TimeoutSecondsPath": "$.next.timeout_seconds"},
        retry=retries("state_data_manager"),
        catches=[
            catch(then, into="$.callback_result", errors=TIMED_OUT),
            catch(State.NOTIFY_AND_FAIL, into="$.failure"),
        ],
    )


def router(
    routes: Mapping[NextAction, State],
    *,
    path: str = "$.next_action",
    first: Sequence[tuple[ASL, State]] = (),
    otherwise: State,
) -> ASL:
    """The choice that follows every change of a bag: arms as ``routes`` has them, one a target.

    Args:
        routes: From next action to state.
        path: Of the next action.
        first: Arms that come before those.
        otherwise: Where an action leads that is not there.
    """
    arms: dict[State, list[str]] = {}
    for action, target in routes.items():
        arms.setdefault(target, []).append(str(action))
    found = [(is_equal(path, actions), target) for target, actions in arms.items() if target is not otherwise]
    return choice([*first, *found], otherwise=otherwise)


def check_limit(where: str, limit: str, *, over: str, within: str, first: Sequence[tuple[ASL, str]] = ()) -> ASL:
    """Whether another segment may be executed; ``first`` are arms for those that are within the limit."""
    reached = {"Variable": where, "NumericGreaterThanEqualsPath": limit}
    return choice([(reached, over), *first], otherwise=within)


def ordered(states: Mapping[Name, ASL], order: Sequence[Name]) -> dict[Name, ASL]:
    """The states in the order of a catalogue, whatever order they were made in."""
    return {name: states[name] for name in order if name in states}
