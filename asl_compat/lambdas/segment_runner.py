"""SegmentRunner: executes a segment of the run, a step of a branch, a branch to its end, or a chunk of a map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asl_compat.lambdas._answer import answer, require
from asl_compat.lambdas._branch_state import advance_branch, pause_of
from asl_compat.lambdas._deadline import has_time
from asl_compat.lambdas._fan_outs import no_heartbeat
from asl_compat.lambdas._lines import LATER_TRY, Lines
from asl_compat.lambdas._people import ask
from asl_compat.lambdas._results import pack
from asl_compat.lambdas._slow_model import send_failure, send_result, tell_asking
from asl_compat.lambdas._surroundings import Surroundings, place_of, surroundings
from asl_compat.lambdas._waiting_lines import run_branch
from statebag.bag import NextAction
from statebag.errors import StateBagError

__all__ = ["handle", "handler"]


def handler(event: Any, context: Any) -> Any:
    """What is executed depends on the event: ``branch_state``, ``branch``, ``chunk`` or ``state_data``."""
    return answer(lambda: handle(event, surroundings(), context))


def handle(event: Any, around: Surroundings, context: Any = None) -> dict[str, Any]:
    """As :func:`handler`.

    Returns:
        Of ``state_data``: the execution result, not merged. Of ``chunk``: ``{"chunk_index", "status", "succeeded",
        "failed"}``. Of ``branch``: how far it is. Of ``branch_state``: nothing; the token is answered.

    Raises:
        StateBagError: a retryable one, where a node or the store fails for now; InputRefused.
    """
    given = require(event)
    lines = Lines(engine=around.engine, has_time=has_time(context))
    if "branch_state" in given:
        _step_branch(around, lines, require(given, "TaskToken", "execution_id"))
        return {}
    if "branch" in given:
        return run_branch(around, lines, require(given, "bag"))
    if "chunk" in given:
        chunk, place = given["chunk"], place_of(require(given, "bag")["bag"])
        return {"chunk_index": chunk["unit"], **lines.run_chunk(place, chunk["unit"]), "status": "DONE"}
    state = require(given, "state_data")["state_data"]
    place = around.adopt(state)
    result = around.engine.produce(place, attempt=LATER_TRY, heartbeat=no_heartbeat)
    return pack(result, around.blobs(place.owner_id, place.workflow_id, place.execution_id))


def _step_branch(around: Surroundings, lines: Lines, event: Mapping[str, Any]) -> None:
    """Answer the token with the branch's next step; where it waits for a person, let that person do it."""
    body, token = event["branch_state"], event["TaskToken"]
    if body["next_action"] == NextAction.PAUSED_FOR_HITP:
        base = body["base"]
        ask(
            around,
            token=token,
            execution_id=event["execution_id"],
            owner_id=base["ownerId"],
            workflow_id=base["workflowId"],
            execution_name=base["execution_id"],
            pause_id=pause_of(body),
            segment=body["segment_to_run"],
            spec=body["line"]["step"].get("pause") or {},
        )
        return
    if body["next_action"] == NextAction.PAUSED_FOR_ASYNC_LLM:
        tell_asking(
            around,
            execution_id=event["execution_id"],
            owner_id=body["base"]["ownerId"],
            workflow_id=body["base"]["workflowId"],
            segment=body["segment_to_run"],
            version=body["line"]["step"]["bag"]["version"],
            branch=body["path"],
        )
    try:
        result = advance_branch(lines, body)
    except StateBagError as error:
        send_failure(around, token, error)
        return
    send_result(around, token, result)
