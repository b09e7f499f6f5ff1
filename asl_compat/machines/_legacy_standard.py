"""The standard machine before v3: flat bags in its document, and a choice behind everything that is done."""

from __future__ import annotations

from collections.abc import Mapping

from asl_compat.machines._branches import LIMIT_OF_BRANCH, first_state
from asl_compat.machines._build import ASL, call, catch, choice, fail, fan_out, is_equal, keep, pass_on, wait_for_token
from asl_compat.machines._legacy import (
    BAG,
    COMPLETE,
    ERROR,
    FAILS,
    FLAT_BAG,
    GOES_ON,
    OUTCOME,
    PARTS,
    RESULT,
    advance,
    aggregate,
    apply_answer,
    end,
    execute_segment,
    has_status,
    head,
    merge_answer,
    told,
    update_state,
    wait_for_answer,
)
from asl_compat.machines._loop import EXECUTION, TIMED_OUT, check_limit, ordered
from asl_compat.machines._policies import patience, retries
from statebag.bag import NextAction
from statebag.events import EventType
from statebag.machine import LARGE_WORKFLOW_SEGMENTS, LEGACY_STANDARD_STATES
from statebag.machine import LegacyState as L

__all__ = ["legacy_standard_machine"]

_MAPS: Mapping[L, tuple[L, L, str, str]] = {
    L.EXECUTE_MAP_REDUCE_MODE: (
        L.MAP_REDUCE_SEGMENT_RUNNER,
        L.AGGREGATE_MAP_REDUCE_RESULTS,
        "MAP_REDUCE",
        "map_reduce_results",
    ),
    L.EXECUTE_BATCHED_MODE: (L.BATCHED_SEGMENT_RUNNER, L.AGGREGATE_BATCHED_RESULTS, "BATCHED", "batched_results"),
}
_HYBRID = {"And": [COMPLETE, is_equal("$.state_data.distributed_strategy", ["MAP_REDUCE", "BATCHED"])]}
_LIMIT = (
    "States.Format('LOOP_LIMIT_EXCEEDED: {} segments were executed, the limit is {}. Raise max_loop_iterations.', "
    f"{RESULT}.loop_counter, $.state_data.max_loop_iterations)"
)
_LIMIT_OF_BRANCH = (
    f"States.Format('{LIMIT_OF_BRANCH}', "
    "$.state_data.path, $.state_data.loop_counter, $.state_data.max_branch_iterations)"
)


def legacy_standard_machine() -> ASL:
    """The definition, with placeholders for what it calls."""
    large = {"Variable": "$.state_data.total_segments", "NumericGreaterThan": LARGE_WORKFLOW_SEGMENTS}
    states: dict[L, ASL] = {
        **head(then=L.CHECK_LARGE_WORKFLOW),
        L.CHECK_LARGE_WORKFLOW: choice([(large, L.NOTIFY_LARGE_WORKFLOW_WARNING)], otherwise=L.NOTIFY_WORKFLOW_STARTED),
        L.NOTIFY_LARGE_WORKFLOW_WARNING: told(EventType.LARGE_WORKFLOW_WARNING, then=L.NOTIFY_WORKFLOW_STARTED),
        L.NOTIFY_WORKFLOW_STARTED: told(EventType.STARTED, then=L.SELECT_DISTRIBUTED_STRATEGY),
        L.SELECT_DISTRIBUTED_STRATEGY: choice(
            [
                ({"And": [_a_map(), is_equal(f"{PARTS}.strategy", ["BATCHED"])]}, L.EXECUTE_BATCHED_MODE),
                (_a_map(), L.EXECUTE_MAP_REDUCE_MODE),
            ],
            otherwise=L.EXECUTE_SEGMENT,
        ),
        **_maps(),
        L.EXECUTE_SEGMENT: execute_segment(then=L.CHECK_SEGMENT_STATUS, mode="SAFE"),
        **_loop(),
        **_branches(),
        **_joins(),
        L.WAIT_FOR_CALLBACK: wait_for_answer(then=L.PREPARE_STATE_AFTER_PAUSE),
        L.PREPARE_STATE_AFTER_PAUSE: merge_answer(),
        L.APPLY_MERGED_STATE: apply_answer(),
        **_slow_models(),
        L.NOTIFY_WORKFLOW_COMPLETED: told(EventType.COMPLETED, then=L.PREPARE_HYBRID_MODE_OUTPUT),
        **end(distributed=False),
    }
    hybrid = dict(states[L.PREPARE_SUCCESS_OUTPUT]["Parameters"])
    hybrid["distributed_strategy.$"] = "$.state_data.distributed_strategy"
    states[L.PREPARE_HYBRID_MODE_OUTPUT] = pass_on(hybrid, then=L.WORKFLOW_SUCCEEDED)
    return {
        "Comment": "Runs a workflow document segment by segment, as before v3; kept for going back.",
        "StartAt": str(L.CHECK_FOR_INJECTED_CONFIG),
        "States": {str(name): state for name, state in ordered(states, LEGACY_STANDARD_STATES).items()},
    }


def _a_map() -> ASL:
    return has_status(NextAction.DISTRIBUTED_MAP)


def _maps() -> Mapping[L, ASL]:
    """Run the chunks of a map. A chunk that ends without a word counts as lost, when they are joined."""
    states: dict[L, ASL] = {}
    for state, (runner, join, mode, results) in _MAPS.items():
        nested = {
            runner: call(
                "ExecuteSegmentArn",
                keep("chunk", "bag", "execution_mode"),
                select=("chunk_index", "status", "succeeded", "failed"),
                then=None,
                retry=retries("run_chunk", tries=True),
            )
        }
        states[state] = fan_out(
            nested,
            start=runner,
            items={"ItemsPath": f"{RESULT}.branches"},
            concurrency={"MaxConcurrencyPath": f"{PARTS}.max_concurrency"},
            selector={"chunk.$": "$$.Map.Item.Value", "bag.$": BAG, "execution_mode": mode},
            into=f"$.{results}",
            then=join,
            catches=[catch(join, into=f"$.{results}")],
        )
        states[join] = aggregate(
            {"distributed_results.$": f"$.{results}"},
            function="AggregateResultsArn",
            mode=mode,
            then=L.CHECK_SEGMENT_STATUS,
        )
    return states


def _loop() -> Mapping[L, ASL]:
    asked = has_status(NextAction.PAUSED_FOR_HITP, "PAUSE")
    return {
        L.CHECK_SEGMENT_STATUS: choice(
            [
                (has_status(*GOES_ON), L.PREPARE_NEXT_SEGMENT),
                (_HYBRID, L.NOTIFY_WORKFLOW_COMPLETED),
                (COMPLETE, L.PUBLISH_SUCCEEDED_EVENT),
                (has_status(NextAction.PARALLEL_GROUP), L.PROCESS_PARALLEL_SEGMENTS),
                (_a_map(), L.SELECT_DISTRIBUTED_STRATEGY),
                (has_status(NextAction.SEQUENTIAL_BRANCH), L.PREPARE_SEQUENTIAL_BRANCH),
                (has_status(NextAction.PAUSED_FOR_ASYNC_LLM), L.CHECK_IF_ASYNC_REQUIRED),
                (asked, L.WAIT_FOR_CALLBACK),
            ],
            otherwise=L.NOTIFY_EXECUTION_FAILURE,
        ),
        L.PREPARE_SEQUENTIAL_BRANCH: advance(then=L.CHECK_LOOP_LIMIT),
        L.PREPARE_NEXT_SEGMENT: choice(
            [({"Variable": f"{RESULT}.next_segment_to_run", "IsNumeric": True}, L.UPDATE_SEGMENT_TO_RUN)],
            otherwise=L.NOTIFY_EXECUTION_FAILURE,
        ),
        L.UPDATE_SEGMENT_TO_RUN: advance(then=L.CHECK_LOOP_LIMIT),
        L.CHECK_LOOP_LIMIT: check_limit(
            "$.state_data.loop_counter",
            "$.state_data.max_loop_iterations",
            over=L.LOOP_LIMIT_EXCEEDED,
            within=L.EXECUTE_SEGMENT,
        ),
        L.LOOP_LIMIT_EXCEEDED: fail("LoopLimitExceeded", cause_path=_LIMIT),
        L.UPDATE_STATE_DATA: update_state(then=L.IS_PAUSE_NEEDED, instead=L.UPDATE_STATE_DATA_FALLBACK),
        # The bag is safe whatever becomes of the copy of its fields.
        L.UPDATE_STATE_DATA_FALLBACK: pass_on(
            {
                **{f"{name}.$": f"$.state_data.{name}" for name in FLAT_BAG},
                "state_s3_path.$": BAG,
                "state_history.$": f"{RESULT}.new_history_logs",
            },
            into="$.state_data",
            then=L.IS_PAUSE_NEEDED,
        ),
        L.IS_PAUSE_NEEDED: choice([(asked, L.WAIT_FOR_CALLBACK)], otherwise=L.CHECK_FOR_NEXT_SEGMENT),
        L.CHECK_FOR_NEXT_SEGMENT: choice(
            [
                (has_status(*GOES_ON), L.PREPARE_NEXT_SEGMENT),
                (_HYBRID, L.NOTIFY_WORKFLOW_COMPLETED),
                (COMPLETE, L.PUBLISH_SUCCEEDED_EVENT),
            ],
            otherwise=L.CHECK_SEGMENT_STATUS,
        ),
    }


def _branches() -> Mapping[L, ASL]:
    """The map over branches. Each task of one is answered by a token, so that a branch can wait for a person."""
    onwards = {**keep("branch", "bag", "execution_id")}
    nested: dict[L, ASL] = {
        L.INITIALIZE_BRANCH: pass_on(
            {**onwards, "state_data": first_state(), "answer": {}}, then=L.EXECUTE_BRANCH_SEGMENT
        ),
        L.EXECUTE_BRANCH_SEGMENT: wait_for_token(
            "ExecuteSegmentArn",
            {"branch_state.$": "$.state_data", **keep("execution_id", "answer")},
            into=RESULT,
            then=L.CHECK_BRANCH_NEXT,
            timeout={"TimeoutSecondsPath": "$.state_data.timeout_seconds"},
            retry=retries("execute_segment", tries=True),
            catches=[
                catch(L.CHECK_BRANCH_NEXT, into=RESULT, errors=TIMED_OUT),
                catch(L.HANDLE_BRANCH_ERROR, into="$.branch_error"),
            ],
        ),
        L.CHECK_BRANCH_NEXT: choice(
            [
                # A person's answer, or a time that has run out, is no result of ours.
                ({"Not": {"Variable": f"{RESULT}.branch_state", "IsPresent": True}}, L.UPDATE_BRANCH_TO_SEQUENTIAL),
                (COMPLETE, L.BRANCH_COMPLETE),
                (has_status(*FAILS), L.HANDLE_BRANCH_FAILED_STATUS),
            ],
            otherwise=L.UPDATE_BRANCH_SEGMENT,
        ),
        L.UPDATE_BRANCH_SEGMENT: pass_on(
            {**onwards, "state_data.$": f"{RESULT}.branch_state", "answer": {}}, then=L.CHECK_BRANCH_LOOP_LIMIT
        ),
        L.UPDATE_BRANCH_TO_SEQUENTIAL: pass_on(
            {**onwards, "state_data.$": "$.state_data", "answer.$": RESULT}, then=L.EXECUTE_BRANCH_SEGMENT
        ),
        L.CHECK_BRANCH_LOOP_LIMIT: check_limit(
            "$.state_data.loop_counter",
            "$.state_data.max_branch_iterations",
            over=L.BRANCH_LOOP_LIMIT_EXCEEDED,
            within=L.EXECUTE_BRANCH_SEGMENT,
        ),
        L.BRANCH_LOOP_LIMIT_EXCEEDED: pass_on(
            {
                "position.$": "$.state_data.position",
                "bag.$": "$.state_data.bag",
                "status": "LOOP_LIMIT_EXCEEDED",
                "error_info": {"code": "LOOP_LIMIT_EXCEEDED", "message.$": _LIMIT_OF_BRANCH},
            },
            then=None,
        ),
        L.HANDLE_BRANCH_ERROR: pass_on(
            {"status": "FAILED", "bag.$": "$.state_data.bag", "error_info.$": "$.branch_error"},
            into=RESULT,
            then=L.BRANCH_COMPLETE,
        ),
        L.HANDLE_BRANCH_FAILED_STATUS: pass_on(
            {"status": "FAILED", **{f"{name}.$": f"{RESULT}.{name}" for name in ("bag", "error_info")}},
            into=RESULT,
            then=L.BRANCH_COMPLETE,
        ),
        L.BRANCH_COMPLETE: pass_on(
            {
                "position.$": "$.state_data.position",
                **{f"{name}.$": f"{RESULT}.{name}" for name in ("status", "bag", "error_info")},
            },
            then=None,
        ),
    }
    branches = fan_out(
        ordered(nested, LEGACY_STANDARD_STATES),
        start=L.INITIALIZE_BRANCH,
        items={"ItemsPath": f"{RESULT}.branches"},
        concurrency={"MaxConcurrencyPath": f"{PARTS}.max_concurrency"},
        selector={"branch.$": "$$.Map.Item.Value", "bag.$": BAG, **EXECUTION},
        into="$.parallel_results",
        then=L.AGGREGATE_PARALLEL_RESULTS,
        catches=[catch(L.HANDLE_MAP_ERROR, into="$.map_error")],
    )
    return {L.PROCESS_PARALLEL_SEGMENTS: branches}


def _joins() -> Mapping[L, ASL]:
    empty: ASL = {
        "status": "FAILED",
        "final_state": {},
        "final_state_s3_path.$": "$.state_data.state_s3_path",
        "next_segment_to_run": 0,
        "new_history_logs": [],
        "error_info": {"Error": "RUN_FAILED", "Cause": "The branches were not joined."},
        "branches": [],
        "segment_type": "aggregator",
        "inner_partition_map": {"max_concurrency": 1, "timeout_seconds": 1, "strategy": "", "left": {}},
        "loop_counter.$": "$.state_data.loop_counter",
    }
    assert {name.removesuffix(".$") for name in empty} == set(OUTCOME)
    wrapped = "$.parallel_results_wrapper"
    merged = "States.JsonMerge($.execution_result_default, $.execution_result, false)"
    return {
        L.HANDLE_MAP_ERROR: pass_on(
            {"status": "MAP_ERROR", "error_info.$": "$.map_error", "parallel_results": []},
            into=wrapped,
            then=L.AGGREGATE_PARALLEL_RESULTS_FROM_ERROR,
        ),
        L.AGGREGATE_PARALLEL_RESULTS_FROM_ERROR: aggregate(
            {
                "segment_type": "aggregator",
                "parallel_results.$": f"{wrapped}.parallel_results",
                "map_error.$": f"{wrapped}.error_info",
            },
            mode="SAFE",
            then=L.ENSURE_EXECUTION_RESULT,
        ),
        L.AGGREGATE_PARALLEL_RESULTS: aggregate(
            {"segment_type": "aggregator", **keep("parallel_results")}, mode="SAFE", then=L.ENSURE_EXECUTION_RESULT
        ),
        L.ENSURE_EXECUTION_RESULT: pass_on(empty, into="$.execution_result_default", then=L.MERGE_EXECUTION_RESULT),
        L.MERGE_EXECUTION_RESULT: pass_on(
            {"result.$": merged}, into="$.execution_result_wrapper", then=L.CLEANUP_MERGED_STATE
        ),
        L.CLEANUP_MERGED_STATE: pass_on(
            {**keep("state_data"), "execution_result.$": "$.execution_result_wrapper.result"},
            then=L.UPDATE_STATE_DATA,
        ),
    }


def _slow_models() -> Mapping[L, ASL]:
    names = ("idempotency_key", "workflow_config_s3_path", "ownerId", "workflowId")
    payload = {
        **EXECUTION,
        "state_s3_path.$": BAG,
        "segment_to_run.$": f"{RESULT}.next_segment_to_run",
        **{f"{name}.$": f"$.state_data.{name}" for name in names},
    }
    return {
        L.CHECK_IF_ASYNC_REQUIRED: choice(
            [({"Variable": f"{RESULT}.next_segment_to_run", "IsNumeric": True}, L.NOTIFY_ASYNC_LLM_PROCESSING)],
            otherwise=L.NOTIFY_EXECUTION_FAILURE,
        ),
        L.NOTIFY_ASYNC_LLM_PROCESSING: told(
            EventType.ASYNC_LLM_PROCESSING, then=L.HANDLE_ASYNC_LLM, number=f"{BAG}.version"
        ),
        L.HANDLE_ASYNC_LLM: wait_for_token(
            "AsyncLLMHandlerArn",
            payload,
            into="$.async_result",
            then=L.PROCESS_ASYNC_RESULT,
            timeout={"TimeoutSeconds": patience("async_llm")},
            retry=retries("async_llm", tries=True),
            catches=[catch(L.NOTIFY_EXECUTION_FAILURE, into=ERROR)],
        ),
        L.PROCESS_ASYNC_RESULT: pass_on(
            {**keep("state_data"), "execution_result.$": "$.async_result"}, then=L.CHECK_SEGMENT_STATUS
        ),
    }
