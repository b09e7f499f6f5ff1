"""The distributed machine: what can run beside each other runs in chunks, with the bag kept as it was before."""

from __future__ import annotations

from collections.abc import Mapping

from asl_compat.machines._build import ASL, call, catch, choice, fan_out, is_equal, keep, pass_on, wait_for_token
from asl_compat.machines._endings import end
from asl_compat.machines._head import DOCUMENT, begin
from asl_compat.machines._loop import (
    EXECUTION,
    TIMED_OUT,
    check_limit,
    execute_segment,
    manage,
    ordered,
    router,
    sync_segment,
    wait_for_answer,
)
from asl_compat.machines._notices import BAG_VERSION, publish
from asl_compat.machines._policies import retries
from statebag.bag import NextAction
from statebag.config import DEFAULT_PERCENTAGE
from statebag.events import EventType
from statebag.machine import DISTRIBUTED_ROUTES, DISTRIBUTED_STATES, State

__all__ = ["distributed_machine"]

_CHILDREN = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
_LARGE = {"Variable": "$.state_data.distributed_mode", "BooleanEquals": True}


def distributed_machine() -> ASL:
    """The definition, with placeholders for what it calls."""
    large_fork = {"And": [is_equal("$.next_action", [NextAction.PARALLEL_GROUP]), _LARGE]}
    states: dict[State, ASL] = {
        **begin(then=State.SELECT_EXECUTION_MODE),
        State.SELECT_EXECUTION_MODE: choice(
            [(_LARGE, State.PREPARE_DISTRIBUTED_EXECUTION)], otherwise=State.NOTIFY_WORKFLOW_STARTED
        ),
        State.NOTIFY_WORKFLOW_STARTED: publish(
            EventType.STARTED, then=State.EXECUTE_SEGMENT, catches=[catch(State.EXECUTE_SEGMENT, into=None)]
        ),
        **_run_chunks(),
        State.EXECUTE_SEGMENT: execute_segment(),
        State.SYNC_STATE_DATA: sync_segment(more={"execution_mode": "DISTRIBUTED"}),
        State.EVALUATE_NEXT_ACTION: router(
            DISTRIBUTED_ROUTES,
            first=[(large_fork, State.PREPARE_DISTRIBUTED_EXECUTION)],
            otherwise=State.NOTIFY_AND_FAIL,
        ),
        State.CHECK_LOOP_LIMIT: check_limit(
            "$.state_data.loop_counter",
            "$.state_data.max_loop_iterations",
            over=State.FAIL_LOOP_LIMIT_EXCEEDED,
            within=State.EXECUTE_SEGMENT,
            first=[(_LARGE, State.PREPARE_DISTRIBUTED_EXECUTION)],
        ),
        **_run_branches(),
        State.WAIT_FOR_CALLBACK: wait_for_answer(then=State.MERGE_CALLBACK_RESULT),
        State.MERGE_CALLBACK_RESULT: manage(
            "merge_callback", "callback_result", "next", "next_action", more=EXECUTION, then=State.EVALUATE_NEXT_ACTION
        ),
        **end(distributed=True),
    }
    return {
        "Comment": "Runs a large workflow document; branches and items of maps run in chunks beside each other.",
        "StartAt": str(State.CHECK_IDEMPOTENCY),
        "States": {str(name): state for name, state in ordered(states, DISTRIBUTED_STATES).items()},
    }


def _run_chunks() -> Mapping[State, ASL]:
    """Prepare, keep a snapshot, run the chunks, and join what they gave."""
    nested = {
        **_line(
            "chunk",
            function="ProcessSegmentChunkArn",
            retry="run_chunk",
            execute=State.PROCESS_CHUNK_WITH_HYDRATION,
            evaluate=State.EVALUATE_CHUNK_RESULT,
            wait=State.WAIT_FOR_CHUNK_CALLBACK,
            late=State.HANDLE_CHUNK_TIMEOUT,
            resume=State.RESUME_CHUNK_AFTER_CALLBACK,
            wrong=State.HANDLE_CHUNK_ERROR,
            over=State.CHUNK_COMPLETE,
        ),
        State.HANDLE_CHUNK_TIMEOUT: pass_on(
            {"Error": TIMED_OUT[0], "Cause": "Nobody answered in time."},
            into="$.callback_result",
            then=State.RESUME_CHUNK_AFTER_CALLBACK,
        ),
    }
    order = (
        State.PROCESS_CHUNK_WITH_HYDRATION,
        State.EVALUATE_CHUNK_RESULT,
        State.WAIT_FOR_CHUNK_CALLBACK,
        State.RESUME_CHUNK_AFTER_CALLBACK,
        State.HANDLE_CHUNK_TIMEOUT,
        State.HANDLE_CHUNK_ERROR,
        State.CHUNK_COMPLETE,
    )
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "JSON"},
        "Parameters": {"Bucket.$": "$.next.chunks.bucket", "Key.$": "$.next.chunks.key"},
    }
    writer = {
        "Resource": "arn:aws:states:::s3:putObject",
        "Parameters": {
            "Bucket": "${WorkflowStateBucket}",
            "Prefix.$": "States.Format('distributed-results/{}', $$.Execution.Name)",
        },
    }
    return {
        State.PREPARE_DISTRIBUTED_EXECUTION: call(
            "PrepareDistributedExecutionArn",
            {"state_bucket": "${WorkflowStateBucket}", **keep("state_data", "next_action", "next")},
            select=DOCUMENT,
            then=State.NOTIFY_DISTRIBUTED_STARTED,
            retry=retries("prepare_map"),
            catches=[catch(State.NOTIFY_AND_FAIL, into="$.failure")],
        ),
        State.NOTIFY_DISTRIBUTED_STARTED: publish(
            EventType.DISTRIBUTED_STARTED,
            then=State.CREATE_PRE_SNAPSHOT,
            catches=[catch(State.CREATE_PRE_SNAPSHOT, into=None)],
            number=BAG_VERSION,
        ),
        State.CREATE_PRE_SNAPSHOT: manage(
            "create_snapshot",
            "next_action",
            "next",
            more={"snapshot_type": "pre", "best_effort": True},
            then=State.EXECUTE_DISTRIBUTED_CHUNKS,
        ),
        State.EXECUTE_DISTRIBUTED_CHUNKS: fan_out(
            ordered(nested, order),
            start=State.PROCESS_CHUNK_WITH_HYDRATION,
            items={"ItemReader": reader},
            concurrency={"MaxConcurrencyPath": "$.next.max_concurrency"},
            selector=_selector("chunk"),
            mode=_CHILDREN,
            more={"ToleratedFailurePercentage": DEFAULT_PERCENTAGE, "ResultWriter": writer},
            into="$.distributed_results",
            then=State.AGGREGATE_DISTRIBUTED_RESULTS,
            catches=[catch(State.HANDLE_DISTRIBUTED_MAP_ERROR, into="$.map_error")],
        ),
        State.HANDLE_DISTRIBUTED_MAP_ERROR: pass_on(
            {**keep("state_data", "next_action", "next"), "distributed_results": {"map_error.$": "$.map_error"}},
            then=State.AGGREGATE_DISTRIBUTED_RESULTS,
        ),
        State.AGGREGATE_DISTRIBUTED_RESULTS: manage(
            "aggregate_distributed",
            "next_action",
            "next",
            "distributed_results",
            more={"create_post_snapshot": True},
            then=State.EVALUATE_NEXT_ACTION,
        ),
    }


def _run_branches() -> Mapping[State, ASL]:
    """Run the branches of a fork of a small run, each to its end."""
    nested = _line(
        "branch",
        function="ExecuteBranchArn",
        retry="execute_segment",
        execute=State.EXECUTE_BRANCH_WITH_HYDRATION,
        evaluate=State.EVALUATE_BRANCH_RESULT,
        wait=State.WAIT_FOR_BRANCH_CALLBACK,
        late=State.RESUME_BRANCH_AFTER_CALLBACK,
        resume=State.RESUME_BRANCH_AFTER_CALLBACK,
        wrong=State.HANDLE_BRANCH_ERROR,
        over=State.BRANCH_COMPLETE,
    )
    return {
        State.PROCESS_PARALLEL_BRANCHES: fan_out(
            nested,
            start=State.EXECUTE_BRANCH_WITH_HYDRATION,
            items={"ItemsPath": "$.next.items"},
            concurrency={"MaxConcurrencyPath": "$.next.max_concurrency"},
            selector=_selector("branch"),
            mode=_CHILDREN,
            more={"ResultSelector": {"branches.$": "$"}},
            into="$.parallel_results",
            then=State.AGGREGATE_PARALLEL_RESULTS,
            catches=[catch(State.HANDLE_PARALLEL_MAP_ERROR, into="$.map_error")],
        ),
        State.HANDLE_PARALLEL_MAP_ERROR: pass_on(
            {**keep("state_data", "next"), "parallel_results": {"branches": [], "map_error.$": "$.map_error"}},
            then=State.AGGREGATE_PARALLEL_RESULTS,
        ),
        State.AGGREGATE_PARALLEL_RESULTS: manage(
            "aggregate_branches", "parallel_results", "next", then=State.EVALUATE_NEXT_ACTION
        ),
    }


def _selector(name: str) -> ASL:
    """What the machine of one chunk or branch begins with."""
    return {
        f"{name}.$": "$$.Map.Item.Value",
        "bag.$": "$.next.bag",
        # That of the run: each inner machine is an execution of its own.
        **EXECUTION,
        f"{name}_result": {"delta": {"bag": {}}, "error": {}},
        "callback_result": {},
    }


def _line(
    name: str,
    *,
    function: str,
    retry: str,
    execute: State,
    evaluate: State,
    wait: State,
    late: State,
    resume: State,
    wrong: State,
    over: State,
) -> dict[State, ASL]:
    """The inner machine of a chunk or a branch: run it as far as it goes, and wait for people in between."""
    result = f"$.{name}_result"

    def run() -> ASL:
        given = {**keep(name, "bag", "execution_id", "callback_result"), "resume.$": f"{result}.delta"}
        task = call(
            function,
            given,
            then=evaluate,
            into=result,
            retry=retries(retry, tries=True),
            catches=[catch(wrong, into=f"{result}.error")],
        )
        return {**task, "ResultSelector": {"delta.$": "$.Payload", "error.$": "$.Payload.error"}}

    status = f"{result}.delta.status"
    return {
        execute: run(),
        evaluate: choice(
            [
                (is_equal(status, ["PAUSED_FOR_HITP"]), wait),
                (is_equal(status, ["CONTINUE"]), execute),
                (is_equal(status, ["FAILED"]), wrong),
            ],
            otherwise=over,
        ),
        wait: wait_for_token(
            "StoreDistributedTaskTokenArn",
            {
                **keep("execution_id", name, "bag"),
                f"{name}_result.$": f"{result}.delta",
                "distributed_context": {"is_child_execution": True, "parent_execution_id.$": "$.bag.execution_id"},
            },
            into="$.callback_result",
            then=resume,
            timeout={"TimeoutSecondsPath": f"{result}.delta.timeout_seconds"},
            retry=retries("state_data_manager"),
            catches=[
                catch(late, into="$.callback_result", errors=TIMED_OUT),
                catch(wrong, into=f"{result}.error"),
            ],
        ),
        resume: run(),
        wrong: pass_on(
            {
                "position.$": f"$.{name}.position",
                "status": "FAILED",
                "error.$": f"{result}.error",
                "bag.$": f"{result}.delta.bag",
            },
            into=f"{result}.delta",
            then=over,
        ),
        over: pass_on(
            {f"{member}.$": f"{result}.delta.{member}" for member in ("position", "status", "error", "bag")},
            then=None,
        ),
    }
