"""The distributed machine before v3: chunks one after another, each with a pointer to where it stands."""

from __future__ import annotations

from collections.abc import Mapping

from asl_compat.machines._build import ASL, call, catch, choice, fan_out, is_equal, keep, pass_on, wait_for_token
from asl_compat.machines._legacy import (
    BAG,
    COMPLETE,
    ERROR,
    FAILS,
    GOES_ON,
    IS_LARGE,
    OUTCOME,
    PARTS,
    RESULT,
    STATUS,
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
from asl_compat.machines._loop import EXECUTION, TIMED_OUT, ordered
from asl_compat.machines._policies import retries
from statebag.bag import NextAction
from statebag.events import EventType
from statebag.machine import LEGACY_DISTRIBUTED_STATES
from statebag.machine import LegacyState as L

__all__ = ["legacy_distributed_machine"]

_CHILDREN = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
_TOLERATED_PERCENTAGE = 5
_MODE = "DISTRIBUTED"
_CHUNK = "$.processing_result.delta"


def legacy_distributed_machine() -> ASL:
    """The definition, with placeholders for what it calls."""
    # Only chunks have states that can wait for people.
    may_wait = {"Variable": "$.state_data.hitp_segments", "NumericGreaterThan": 0}
    fork = has_status(NextAction.PARALLEL_GROUP)
    waits = has_status(NextAction.PAUSED_FOR_HITP, "PAUSE", NextAction.PAUSED_FOR_ASYNC_LLM)
    states: dict[L, ASL] = {
        **_head(),
        L.CHECK_DISTRIBUTED_MAP_REQUIRED: choice(
            [(IS_LARGE, L.PREPARE_DISTRIBUTED_EXECUTION)], otherwise=L.NOTIFY_WORKFLOW_STARTED
        ),
        **_chunks(),
        L.CHECK_AGGREGATION_RESULT: choice(
            [(has_status(*FAILS), L.NOTIFY_EXECUTION_FAILURE), (COMPLETE, L.PREPARE_DISTRIBUTED_SUCCESS_OUTPUT)],
            otherwise=L.CHECK_SEGMENT_STATUS,
        ),
        L.PREPARE_DISTRIBUTED_SUCCESS_OUTPUT: pass_on(
            {f"{name}.$": f"{RESULT}.{name}" for name in OUTCOME}, into=RESULT, then=L.PUBLISH_SUCCEEDED_EVENT
        ),
        L.NOTIFY_WORKFLOW_STARTED: told(EventType.STARTED, then=L.EXECUTE_SEGMENT),
        L.EXECUTE_SEGMENT: execute_segment(then=L.CHECK_SEGMENT_STATUS, mode=_MODE),
        L.CHECK_SEGMENT_STATUS: choice(
            [
                (has_status(*GOES_ON, NextAction.SEQUENTIAL_BRANCH, NextAction.COMPLETE), L.CHECK_FOR_NEXT_SEGMENT),
                ({"And": [fork, {"Or": [IS_LARGE, may_wait]}]}, L.PREPARE_DISTRIBUTED_EXECUTION),
                (fork, L.PROCESS_PARALLEL_SEGMENTS_DISTRIBUTED),
                (has_status(NextAction.DISTRIBUTED_MAP), L.PREPARE_DISTRIBUTED_EXECUTION),
                (waits, L.WAIT_FOR_CALLBACK),
            ],
            otherwise=L.NOTIFY_EXECUTION_FAILURE,
        ),
        **_branches(),
        L.UPDATE_STATE_DATA: update_state(then=L.CHECK_FOR_NEXT_SEGMENT, instead=L.NOTIFY_EXECUTION_FAILURE),
        L.CHECK_FOR_NEXT_SEGMENT: choice(
            [
                (COMPLETE, L.PUBLISH_SUCCEEDED_EVENT),
                (
                    {"And": [has_status(*GOES_ON, NextAction.SEQUENTIAL_BRANCH), IS_LARGE]},
                    L.PREPARE_DISTRIBUTED_EXECUTION,
                ),
                (has_status(*GOES_ON, NextAction.SEQUENTIAL_BRANCH), L.PREPARE_NEXT_SEGMENT),
            ],
            otherwise=L.CHECK_SEGMENT_STATUS,
        ),
        L.PREPARE_NEXT_SEGMENT: advance(then=L.EXECUTE_SEGMENT),
        L.WAIT_FOR_CALLBACK: wait_for_answer(then=L.PREPARE_STATE_AFTER_PAUSE),
        L.PREPARE_STATE_AFTER_PAUSE: merge_answer(),
        L.APPLY_MERGED_STATE: apply_answer(),
        **end(distributed=True),
    }
    return {
        "Comment": "Runs a large workflow document in chunks, as before v3; kept for going back.",
        "StartAt": str(L.CHECK_FOR_INJECTED_CONFIG),
        "States": {str(name): state for name, state in ordered(states, LEGACY_DISTRIBUTED_STATES).items()},
    }


def _head() -> Mapping[L, ASL]:
    states = head(then=L.CHECK_DISTRIBUTED_MAP_REQUIRED)
    states[L.CHECK_FOR_EXISTING_EXECUTION] |= {"ResultPath": "$.dynamodb_result", "Next": str(L.CHECK_IF_ITEM_EXISTS)}
    there = {"Variable": "$.dynamodb_result.Item", "IsPresent": True}
    states[L.CHECK_IF_ITEM_EXISTS] = choice(
        [(there, L.EXTRACT_EXISTING_EXECUTION_INFO)], otherwise=L.INITIALIZE_STATE_DATA
    )
    states[L.EXTRACT_EXISTING_EXECUTION_INFO] = pass_on(
        {"Item.$": "$.dynamodb_result.Item"}, into="$.idempotency_check", then=L.HANDLE_EXISTING_EXECUTION
    )
    return states


def _chunks() -> Mapping[L, ASL]:
    """Put what is to be run into chunks, run one after another, and join what they gave."""
    given = keep("chunk", "bag", "execution_id")
    paused, unfinished = is_equal(f"{_CHUNK}.status", ["PAUSED_FOR_HITP"]), is_equal(f"{_CHUNK}.status", ["CONTINUE"])

    def run(function: str, more: ASL, then: L) -> ASL:
        payload = {**given, **more}
        retry = retries("run_chunk", tries=True)
        return call(function, payload, result="delta", into="$.processing_result", then=then, retry=retry)

    def save(then: L) -> ASL:
        return call(
            "SaveLatestStateArn",
            {**keep("chunk", "bag"), "final_state.$": _CHUNK},
            select=("state_saved",),
            into="$.state_save_result",
            then=then,
            retry=retries("state_data_manager"),
        )

    nested: dict[L, ASL] = {
        L.LOAD_LATEST_STATE_POINTER: call(
            "LoadLatestStateArn",
            keep("chunk", "bag"),
            select=("previous_state", "state_loaded"),
            into="$.state_continuity",
            then=L.PROCESS_SEGMENT_CHUNK,
            retry=retries("state_data_manager"),
        ),
        L.PROCESS_SEGMENT_CHUNK: run(
            "ProcessSegmentChunkArn",
            {"resume.$": "$.state_continuity.previous_state", "callback_result": {}},
            L.SAVE_LATEST_STATE_POINTER,
        ),
        L.SAVE_LATEST_STATE_POINTER: save(L.CHECK_CHUNK_STATUS),
        L.CHECK_CHUNK_STATUS: choice(
            [(paused, L.WAIT_FOR_DISTRIBUTED_CALLBACK), (unfinished, L.LOAD_LATEST_STATE_POINTER)],
            otherwise=L.CHUNK_COMPLETED,
        ),
        L.WAIT_FOR_DISTRIBUTED_CALLBACK: wait_for_token(
            "StoreDistributedTaskTokenArn",
            {
                **given,
                "chunk_result.$": _CHUNK,
                "distributed_context": {"is_child_execution": True, "parent_execution_id.$": "$.bag.execution_id"},
            },
            into="$.callback_result",
            then=L.RESUME_CHUNK_AFTER_CALLBACK,
            timeout={"TimeoutSecondsPath": f"{_CHUNK}.timeout_seconds"},
            retry=retries("state_data_manager"),
            catches=[catch(L.RESUME_CHUNK_AFTER_CALLBACK, into="$.callback_result", errors=TIMED_OUT)],
        ),
        L.RESUME_CHUNK_AFTER_CALLBACK: run(
            "ResumeChunkProcessingArn",
            {"chunk_result.$": _CHUNK, **keep("callback_result")},
            L.SAVE_RESUMED_STATE_POINTER,
        ),
        L.SAVE_RESUMED_STATE_POINTER: save(L.CHECK_RESUMED_CHUNK_STATUS),
        L.CHECK_RESUMED_CHUNK_STATUS: choice(
            [(paused, L.WAIT_FOR_DISTRIBUTED_CALLBACK), (unfinished, L.LOAD_LATEST_STATE_POINTER)],
            otherwise=L.CHUNK_COMPLETED,
        ),
        # What the chunk has come to is recorded in the store, where the join reads it.
        L.CHUNK_COMPLETED: pass_on(
            {"position.$": "$.chunk.position", "chunk_status.$": f"{_CHUNK}.status", "chunk_executed": True}, then=None
        ),
    }
    prepare = {
        "state_bucket": "${WorkflowStateBucket}",
        "state_s3_path.$": BAG,
        "status.$": STATUS,
        "branches.$": f"{RESULT}.branches",
        "partition_map.$": PARTS,
    }
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "JSON"},
        "Parameters": {"Bucket.$": f"{PARTS}.chunks.bucket", "Key.$": f"{PARTS}.chunks.key"},
    }
    writer = {
        "Resource": "arn:aws:states:::s3:putObject",
        "Parameters": {
            "Bucket": "${WorkflowStateBucket}",
            "Prefix.$": "States.Format('distributed-results/{}', $$.Execution.Name)",
        },
    }
    return {
        L.PREPARE_DISTRIBUTED_EXECUTION: call(
            "PrepareDistributedExecutionArn",
            prepare,
            select=OUTCOME,
            into=RESULT,
            then=L.NOTIFY_DISTRIBUTED_WORKFLOW_STARTED,
            retry=retries("prepare_map"),
            catches=[catch(L.NOTIFY_EXECUTION_FAILURE, into=ERROR)],
        ),
        L.NOTIFY_DISTRIBUTED_WORKFLOW_STARTED: told(
            EventType.DISTRIBUTED_STARTED, then=L.EXECUTE_DISTRIBUTED_SEGMENTS, number=f"{BAG}.version"
        ),
        L.EXECUTE_DISTRIBUTED_SEGMENTS: fan_out(
            ordered(nested, LEGACY_DISTRIBUTED_STATES),
            start=L.LOAD_LATEST_STATE_POINTER,
            items={"ItemReader": reader},
            concurrency={"MaxConcurrency": 1},
            selector={"chunk.$": "$$.Map.Item.Value", "bag.$": BAG, **EXECUTION},
            mode=_CHILDREN,
            more={"ToleratedFailurePercentage": _TOLERATED_PERCENTAGE, "ResultWriter": writer},
            into="$.distributed_results",
            then=L.AGGREGATE_DISTRIBUTED_RESULTS,
            catches=[catch(L.AGGREGATE_DISTRIBUTED_RESULTS, into="$.distributed_results.map_error")],
        ),
        L.AGGREGATE_DISTRIBUTED_RESULTS: aggregate(
            keep("distributed_results"),
            function="AggregateDistributedResultsArn",
            mode=_MODE,
            then=L.CHECK_AGGREGATION_RESULT,
        ),
    }


def _branches() -> Mapping[L, ASL]:
    """Run the branches of a fork one after another, each to its end in one call."""
    branch = call(
        "ExecuteBranchArn",
        {**keep("branch", "bag", "execution_id"), "to_the_end": True},
        select=("position", "status", "error", "bag"),
        then=None,
        retry=retries("execute_segment", tries=True),
    )
    return {
        L.PROCESS_PARALLEL_SEGMENTS_DISTRIBUTED: fan_out(
            {L.EXECUTE_BRANCH_DISTRIBUTED: branch},
            start=L.EXECUTE_BRANCH_DISTRIBUTED,
            items={"ItemsPath": f"{RESULT}.branches"},
            concurrency={"MaxConcurrency": 1},
            selector={"branch.$": "$$.Map.Item.Value", "bag.$": BAG, **EXECUTION},
            mode=_CHILDREN,
            more={"ResultSelector": {"branches.$": "$"}},
            into="$.parallel_results",
            then=L.AGGREGATE_PARALLEL_RESULTS,
            catches=[catch(L.AGGREGATE_PARALLEL_RESULTS, into="$.parallel_results.map_error")],
        ),
        L.AGGREGATE_PARALLEL_RESULTS: aggregate(
            {"segment_type": "aggregator", **keep("parallel_results")}, mode=_MODE, then=L.UPDATE_STATE_DATA
        ),
    }
