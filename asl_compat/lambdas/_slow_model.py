"""Model calls that are answered by a token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asl_compat.lambdas._answer import error_name
from asl_compat.lambdas._document import document
from asl_compat.lambdas._fan_outs import no_heartbeat
from asl_compat.lambdas._legacy import fold
from asl_compat.lambdas._lines import LATER_TRY
from asl_compat.lambdas._publish import publish
from asl_compat.lambdas._results import pack
from asl_compat.lambdas._surroundings import Surroundings
from statebag.canonical import canonical_bytes
from statebag.errors import StateBagError
from statebag.events import EventType
from statebag.machine import EVENT_STATUS

__all__ = ["run_and_answer", "run_and_merge", "send_failure", "send_result", "tell_asking"]

_CAUSE_CHARACTERS = 32_000
"""Step Functions takes 32,768 of a cause."""


def run_and_answer(around: Surroundings, token: str, state_data: Mapping[str, Any]) -> None:
    """Run the segment that the bag waits for, and answer the token with its result, or with why there is none."""
    place = around.adopt(state_data)
    try:
        result = around.engine.run_async_segment(place, attempt=LATER_TRY, heartbeat=no_heartbeat)
    except StateBagError as error:
        send_failure(around, token, error)
        return
    send_result(around, token, pack(result, around.blobs(place.owner_id, place.workflow_id, place.execution_id)))


def run_and_merge(around: Surroundings, token: str, state_data: Mapping[str, Any]) -> None:
    """As :func:`run_and_answer`, for a machine that has no state that merges: the token gets the bag behind it."""
    place = around.adopt(state_data)
    result: Mapping[str, Any]
    try:
        result = around.engine.run_async_segment(place, attempt=LATER_TRY, heartbeat=no_heartbeat)
    except StateBagError as error:
        if error.retryable:
            send_failure(around, token, error)
            return
        result = {"status": "FAILED", "error_info": {"code": error.code, "message": error.message}}
    name = f"async:{state_data['bag_version']}"
    merging = {"action": "merge_async", "state_data": state_data, "async_result": result, "result_id": name}
    made = around.door.handle(merging)
    send_result(around, token, fold(document(around, made["state_data"], made["next_action"])))


def send_result(around: Surroundings, token: str, result: Any) -> None:
    """Answer a token."""
    around.step_functions.send_task_success(taskToken=token, output=canonical_bytes(result).decode())


def send_failure(around: Surroundings, token: str, error: StateBagError) -> None:
    """Answer a token with an error, under the name that a definition can match."""
    cause = f"{error.code}: {error.message}"
    around.step_functions.send_task_failure(taskToken=token, error=error_name(error), cause=cause[:_CAUSE_CHARACTERS])


def tell_asking(
    around: Surroundings, *, execution_id: str, owner_id: str, workflow_id: str, segment: int, version: int, **more: Any
) -> None:
    """Tell that a slow model is asked, where no state of the machine does."""
    publish(
        around,
        EventType.ASYNC_LLM_PROCESSING,
        execution_id=execution_id,
        owner_id=owner_id,
        workflow_id=workflow_id,
        status=EVENT_STATUS[EventType.ASYNC_LLM_PROCESSING],
        number=f"{more.get('branch', '')}{version}",
        segment_to_run=segment,
        **more,
    )
