"""What both legacy machines have: flat bags, a result that says how the run goes on, their beginning and end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from asl_compat.machines._build import ASL, call, catch, fail, is_equal, keep, pass_on, succeed, wait_for_token
from asl_compat.machines._head import begin
from asl_compat.machines._loop import EXECUTION, TIMED_OUT
from asl_compat.machines._notices import publish
from asl_compat.machines._policies import retries
from statebag.bag import NextAction
from statebag.events import EventType
from statebag.machine import LegacyState as L
from statebag.machine import State

__all__ = [
    "BAG",
    "COMPLETE",
    "ERROR",
    "FAILS",
    "FLAT_BAG",
    "GOES_ON",
    "IS_LARGE",
    "OUTCOME",
    "PARTS",
    "RESULT",
    "STATUS",
    "advance",
    "aggregate",
    "apply_answer",
    "end",
    "execute_segment",
    "has_status",
    "head",
    "merge_answer",
    "told",
    "update_state",
    "wait_for_answer",
]

FLAT_BAG = (
    "light_config",
    "workflow_config_s3_path",
    "state_s3_path",
    "state_history",
    "ownerId",
    "workflowId",
    "segment_to_run",
    "idempotency_key",
    "quota_reservation_id",
    "total_segments",
    "partition_map",
    "partition_map_s3_path",
    "segment_manifest",
    "segment_manifest_s3_path",
    "state_durations",
    "last_update_time",
    "start_time",
    "max_loop_iterations",
    "max_branch_iterations",
    "loop_counter",
    "max_concurrency",
    "distributed_mode",
    "distributed_strategy",
    "llm_segments",
    "hitp_segments",
)
"""Fields of ``state_data``; the bag itself is where ``state_s3_path`` says."""
OUTCOME = (
    "status",
    "final_state",
    "final_state_s3_path",
    "next_segment_to_run",
    "new_history_logs",
    "error_info",
    "branches",
    "segment_type",
    "inner_partition_map",
    "loop_counter",
)
"""Members of ``execution_result``: what a function has done, and how the run goes on."""
RESULT = "$.execution_result"
STATUS = f"{RESULT}.status"
BAG = f"{RESULT}.final_state_s3_path"
PARTS = f"{RESULT}.inner_partition_map"
ERROR = f"{RESULT}.error_info"
"""Where errors are, whatever has failed."""

FAILS = (NextAction.FAILED, NextAction.HALTED, NextAction.SIGKILL)
GOES_ON = ("CONTINUE", "SKIPPED")
COMPLETE = is_equal(STATUS, [NextAction.COMPLETE])
IS_LARGE: ASL = {"Variable": "$.state_data.distributed_mode", "BooleanEquals": True}
_PLACES: Mapping[str, str] = {
    "error_type": f"{ERROR}.Error",
    "error_message": f"{ERROR}.Cause",
    "execution_name": "$$.Execution.Name",
    "final_state_s3_path": f"{BAG}.root.key",
    "state_s3_path": f"{BAG}.root.key",
    "total_items": f"{PARTS}.total_items",
    "loop_counter": f"{RESULT}.loop_counter",
    "segment_to_run": f"{RESULT}.next_segment_to_run",
}
_CAUSE = f"States.Format('{{}}: {{}}', {ERROR}.Error, {ERROR}.Cause)"
_OUTPUT = ("ownerId", "workflowId", "total_segments", "start_time", "llm_segments", "hitp_segments", "state_durations")
_HEAD: Mapping[str, str] = {
    State.CHECK_IDEMPOTENCY: L.CHECK_FOR_INJECTED_CONFIG,
    State.VERIFY_IDEMPOTENCY_KEY: L.CHECK_FOR_EXISTING_EXECUTION,
    State.HANDLE_IDEMPOTENCY_ERROR: L.HANDLE_IDEMPOTENCY_FAILURE,
    State.FAIL_IDEMPOTENCY_UNAVAILABLE: L.FAIL_IDEMPOTENCY_UNAVAILABLE,
    State.EVALUATE_IDEMPOTENCY: L.HANDLE_EXISTING_EXECUTION,
    State.FAIL_DUPLICATE_EXECUTION: L.FAIL_DUPLICATE_EXECUTION,
    State.SUCCEED_DUPLICATE_EXECUTION: L.SUCCEED_DUPLICATE_EXECUTION,
    State.INITIALIZE_STATE_BAG: L.INITIALIZE_STATE_DATA,
    State.NOTIFY_AND_FAIL_INIT: L.HANDLE_INIT_FAILURE,
    State.FAIL_INITIALIZATION: L.INITIALIZATION_FAILED,
}
"""States that v3 has kept under other names."""


def has_status(*statuses: str) -> ASL:
    """The rule that the last result has one of them."""
    return is_equal(STATUS, [str(status) for status in statuses])


def head(*, then: L) -> dict[L, ASL]:
    """The states up to the first bag."""
    states = {L(_HEAD[name]): _renamed(state) for name, state in begin(then=State.EXECUTE_SEGMENT).items()}
    states[L.INITIALIZE_STATE_DATA] |= {"Next": str(then)}
    first = states[L.INITIALIZE_STATE_DATA]
    first["Parameters"]["Payload"]["bag_format"] = "flat"
    first["ResultSelector"] = {
        "state_data": {f"{name}.$": f"$.Payload.{name}" for name in FLAT_BAG},
        "execution_result.$": "$.Payload.execution_result",
    }
    return states


def told(
    event: EventType, *, then: L, number: str = "", identity: str = "$.state_data", more: ASL | None = None
) -> ASL:
    """Publish an event, and go on whatever becomes of it."""
    found = catch(then, into=None)
    return publish(event, then=then, catches=[found], number=number, identity=identity, places=_PLACES, more=more)


def execute_segment(*, then: L, mode: str) -> ASL:
    """Run the segment that the bag is at, and merge what it gave."""
    payload = {
        "state_s3_path.$": "$.state_data.state_s3_path",
        "execution_mode": mode,
        **{
            f"{name}.$": f"$.state_data.{name}"
            for name in ("workflow_config_s3_path", "ownerId", "workflowId", "segment_to_run", "idempotency_key")
        },
    }
    return _function("ExecuteSegmentArn", payload, then=then, retry=retries("execute_segment", tries=True))


def aggregate(payload: ASL, *, then: L, function: str = "SegmentRunnerArn", mode: str) -> ASL:
    """Join what ran beside each other."""
    given = {"state_s3_path.$": BAG, "status.$": STATUS, "partition_map.$": PARTS, "execution_mode": mode}
    return _function(function, {**payload, **given}, then=then, retry=retries("join_map"))


def update_state(*, then: L, instead: L) -> ASL:
    """Take the bag that the last result names over into ``state_data``."""
    payload = {"action": "update_and_compress", "max_payload_size_kb": 200, **keep("state_data", "execution_result")}
    return call(
        "StateDataManagerArn",
        payload,
        select=(*FLAT_BAG, "payload_size_kb", "compression_applied"),
        into="$.state_data",
        then=then,
        retry=retries("state_data_manager"),
        catches=[catch(instead, into=ERROR if instead is L.NOTIFY_EXECUTION_FAILURE else "$.compression_error")],
    )


def advance(*, then: L) -> ASL:
    """``state_data`` before the segment that the last result names."""
    return pass_on(_grown(), into="$.state_data", then=then)


def wait_for_answer(*, then: L) -> ASL:
    """Wait for a person; a time that has run out is an answer, too."""
    payload = {
        "execution_id.$": "$$.Execution.Id",
        "conversation_id.$": "$$.Execution.Id",
        "execution_name.$": "$$.Execution.Name",
        "state_s3_path.$": BAG,
        "segment_to_run.$": f"{RESULT}.next_segment_to_run",
        "status.$": STATUS,
        **keep("state_data"),
    }
    return wait_for_token(
        "StoreTaskTokenArn",
        payload,
        into="$.callback_result",
        then=then,
        timeout={"TimeoutSecondsPath": f"{PARTS}.timeout_seconds"},
        retry=retries("state_data_manager"),
        catches=[
            catch(then, into="$.callback_result", errors=TIMED_OUT),
            catch(L.NOTIFY_EXECUTION_FAILURE, into=ERROR),
        ],
    )


def merge_answer() -> ASL:
    """Put a person's answer into the bag."""
    payload = {
        "previous_final_state_s3_path.$": BAG,
        "status.$": STATUS,
        "partition_map.$": PARTS,
        **EXECUTION,
        **keep("callback_result"),
    }
    return _function(
        "MergeCallbackArn",
        payload,
        then=L.APPLY_MERGED_STATE,
        into="$.current_state_merge",
        retry=retries("state_data_manager"),
        select=(*OUTCOME, "new_current_state", "new_state_s3_path", "new_state_history", "segment_to_run"),
    )


def apply_answer() -> ASL:
    """The document behind an answer; what the answer was is in the bag."""
    merged = "$.current_state_merge"
    state = {
        **_kept(),
        "state_s3_path.$": f"{merged}.new_state_s3_path",
        "state_history.$": f"{merged}.new_state_history",
        "segment_to_run.$": f"{merged}.segment_to_run",
    }
    return pass_on({"state_data": state, "execution_result.$": merged}, then=L.CHECK_SEGMENT_STATUS)


def end(*, distributed: bool) -> dict[L, ASL]:
    """The states at the end of a machine."""
    output: ASL = {
        "status": "SUCCEEDED",
        "execution_id.$": "$$.Execution.Id",
        "final_state.$": f"{RESULT}.final_state",
        "final_state_s3_path.$": f"{BAG}.root",
        "loop_counter.$": f"{RESULT}.loop_counter",
        **{f"{name}.$": f"$.state_data.{name}" for name in _OUTPUT},
    }
    told_again = {
        "final_state_s3_path": "$.final_state_s3_path.key",
        **{name: f"$.{name}" for name in ("total_segments", "loop_counter", "start_time")},
    }
    logs = {"state_history.$": "$.state_data.state_history", "new_history_logs.$": f"{RESULT}.new_history_logs"}
    success = L.NOTIFY_EXECUTION_SUCCESS
    return {
        L.PUBLISH_SUCCEEDED_EVENT: told(EventType.COMPLETED, then=L.PREPARE_SUCCESS_OUTPUT, more=logs),
        L.PREPARE_SUCCESS_OUTPUT: pass_on(
            {**output, **({"distributed_execution": True} if distributed else {})}, then=success
        ),
        # The same event once more, under the same id: for consumers that an outage has kept the first one from.
        success: publish(
            EventType.COMPLETED,
            then=L.WORKFLOW_SUCCEEDED,
            catches=[catch(L.WORKFLOW_SUCCEEDED, into=None)],
            identity="$",
            places=told_again,
        ),
        L.WORKFLOW_SUCCEEDED: succeed(),
        L.NOTIFY_EXECUTION_FAILURE: publish(
            EventType.FAILED,
            then=L.WORKFLOW_FAILED,
            catches=[catch(L.WORKFLOW_FAILED, into=None)],
            hint=True,
            places=_PLACES,
        ),
        L.WORKFLOW_FAILED: fail("WorkflowExecutionFailed", cause_path=_CAUSE),
    }


def _function(
    name: str,
    payload: ASL,
    *,
    then: L,
    retry: Sequence[ASL],
    into: str = RESULT,
    select: Sequence[str] = OUTCOME,
) -> ASL:
    caught = [catch(L.NOTIFY_EXECUTION_FAILURE, into=ERROR)]
    return call(name, payload, select=select, into=into, then=then, retry=retry, catches=caught)


def _kept() -> ASL:
    return {f"{name}.$": f"$.state_data.{name}" for name in FLAT_BAG}


def _grown() -> ASL:
    return {
        **_kept(),
        "segment_to_run.$": f"{RESULT}.next_segment_to_run",
        "state_s3_path.$": BAG,
        "state_history.$": f"{RESULT}.new_history_logs",
        "loop_counter.$": f"{RESULT}.loop_counter",
    }


def _renamed(value: Any) -> Any:
    """A state of v3 with the names of the legacy machines where it leads."""
    if isinstance(value, dict):
        return {
            key: _HEAD.get(member, member) if key in ("Next", "Default") else _renamed(member)
            for key, member in value.items()
        }
    return [_renamed(member) for member in value] if isinstance(value, list) else value
