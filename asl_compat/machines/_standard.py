"""The standard machine: one segment after another, with branches, maps, people and slow models."""

from __future__ import annotations

from collections.abc import Mapping

from asl_compat.machines._branches import run_branches
from asl_compat.machines._build import ASL, call, catch, fan_out, is_equal, keep, wait_for_token
from asl_compat.machines._endings import end
from asl_compat.machines._head import begin
from asl_compat.machines._loop import (
    EXECUTION,
    check_limit,
    execute_segment,
    manage,
    ordered,
    router,
    sync_segment,
    wait_for_answer,
)
from asl_compat.machines._notices import BAG_VERSION, publish
from asl_compat.machines._policies import patience, retries
from statebag.bag import NextAction
from statebag.events import EventType
from statebag.machine import ROUTES, STANDARD_STATES, State

__all__ = ["standard_machine"]

_RUNNERS = {
    State.EXECUTE_MAP_REDUCE_MODE: (State.MAP_REDUCE_RUNNER, "MAP_REDUCE"),
    State.EXECUTE_BATCHED_MODE: (State.BATCHED_RUNNER, "BATCHED"),
}


def standard_machine() -> ASL:
    """The definition, with placeholders for what it calls."""
    states: dict[State, ASL] = {
        **begin(then=State.NOTIFY_WORKFLOW_STARTED),
        State.NOTIFY_WORKFLOW_STARTED: publish(
            EventType.STARTED,
            then=State.SELECT_EXECUTION_STRATEGY,
            catches=[catch(State.SELECT_EXECUTION_STRATEGY, into=None)],
        ),
        State.SELECT_EXECUTION_STRATEGY: router(
            {NextAction.STARTED: State.EXECUTE_SEGMENT}, first=_ways_to_map(), otherwise=State.EXECUTE_SEGMENT
        ),
        **{state: _map(state) for state in _RUNNERS},
        State.SYNC_STATE_AFTER_DISTRIBUTED: manage(
            "aggregate_distributed", "chunk_results", "next", then=State.EVALUATE_NEXT_ACTION
        ),
        State.EXECUTE_SEGMENT: execute_segment(),
        State.SYNC_STATE_DATA: sync_segment(),
        State.EVALUATE_NEXT_ACTION: router(ROUTES, first=_ways_to_map()[:1], otherwise=State.NOTIFY_AND_FAIL),
        State.CHECK_LOOP_LIMIT: check_limit(
            "$.state_data.loop_counter",
            "$.state_data.max_loop_iterations",
            over=State.FAIL_LOOP_LIMIT_EXCEEDED,
            within=State.EXECUTE_SEGMENT,
        ),
        **run_branches(),
        State.WAIT_FOR_HITP_CALLBACK: wait_for_answer(then=State.MERGE_CALLBACK_RESULT),
        State.MERGE_CALLBACK_RESULT: manage(
            "merge_callback", "callback_result", "next", more=EXECUTION, then=State.EVALUATE_NEXT_ACTION
        ),
        **_slow_models(),
        **end(distributed=False),
    }
    return {
        "Comment": "Runs a workflow document segment by segment; the state data manager keeps its data in a bag.",
        "StartAt": str(State.CHECK_IDEMPOTENCY),
        "States": {str(name): state for name, state in ordered(states, STANDARD_STATES).items()},
    }


def _ways_to_map() -> list[tuple[ASL, State]]:
    a_map = is_equal("$.next_action", [NextAction.DISTRIBUTED_MAP])
    batched = {"And": [a_map, is_equal("$.next.strategy", ["BATCHED"])]}
    return [(batched, State.EXECUTE_BATCHED_MODE), (a_map, State.EXECUTE_MAP_REDUCE_MODE)]


def _map(state: State) -> ASL:
    """Run the chunks of a map. A chunk that ends without a word counts as lost, when they are joined."""
    runner, mode = _RUNNERS[state]
    nested = {
        runner: call(
            "ExecuteSegmentArn",
            keep("chunk", "bag", "execution_mode"),
            select=("chunk_index", "status", "succeeded", "failed"),
            then=None,
            retry=retries("run_chunk", tries=True),
        )
    }
    return fan_out(
        nested,
        start=runner,
        items={"ItemsPath": "$.next.items"},
        concurrency={"MaxConcurrencyPath": "$.next.max_concurrency"},
        selector={"chunk.$": "$$.Map.Item.Value", "bag.$": "$.next.bag", "execution_mode": mode},
        into="$.chunk_results",
        then=State.SYNC_STATE_AFTER_DISTRIBUTED,
        catches=[catch(State.SYNC_STATE_AFTER_DISTRIBUTED, into="$.chunk_results")],
    )


def _slow_models() -> Mapping[State, ASL]:
    return {
        State.HANDLE_ASYNC_LLM: publish(
            EventType.ASYNC_LLM_PROCESSING,
            then=State.WAIT_FOR_ASYNC_LLM_CALLBACK,
            catches=[catch(State.WAIT_FOR_ASYNC_LLM_CALLBACK, into=None)],
            number=BAG_VERSION,
        ),
        State.WAIT_FOR_ASYNC_LLM_CALLBACK: wait_for_token(
            "AsyncLLMHandlerArn",
            {"execution_id.$": "$$.Execution.Id", **keep("state_data")},
            into="$.async_result",
            then=State.MERGE_ASYNC_RESULT,
            timeout={"TimeoutSeconds": patience("async_llm")},
            retry=retries("async_llm", tries=True),
            catches=[catch(State.MERGE_ASYNC_RESULT, into="$.async_result")],
        ),
        State.MERGE_ASYNC_RESULT: manage("merge_async", "async_result", then=State.EVALUATE_NEXT_ACTION),
    }
