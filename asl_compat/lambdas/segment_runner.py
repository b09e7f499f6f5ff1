"""SegmentRunner: executes a segment of the run, a step of a branch, a branch to its end, or a chunk of a map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asl_compat.lambdas import state_data_manager
from asl_compat.lambdas._answer import answer, require
from asl_compat.lambdas._branch_state import advance_branch, merge_into_branch, pause_of
from asl_compat.lambdas._deadline import has_time
from asl_compat.lambdas._fan_outs import join_branches, no_heartbeat
from asl_compat.lambdas._legacy import fold, refuse_beyond_limit, unfold
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
    """What is executed depends on the event: ``branch_state``, ``branch``, ``chunk`` or ``state_data``.

    Legacy machines give ``state_s3_path`` in place of ``state_data``, and get the result merged.
    """
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
    lines = Lines(engine=around.engine, has_time=_always if given.get("to_the_end") else has_time(context))
    if "branch_state" in given:
        _step_branch(around, lines, require(given, "TaskToken", "execution_id"))
        return {}
    if "branch" in given:
        return run_branch(around, lines, require(given, "bag"))
    if "chunk" in given:
        chunk, place = require(given["chunk"], "unit"), place_of(require(given, "bag")["bag"])
        return {"chunk_index": chunk["unit"], **lines.run_chunk(place, chunk["unit"]), "status": "DONE"}
    if "state_s3_path" in given:
        return _join(around, given) if given.get("segment_type") == "aggregator" else _run_whole(around, given)
    return _produce(around, require(given, "state_data")["state_data"])


def _produce(around: Surroundings, state: Mapping[str, Any]) -> dict[str, Any]:
    place = around.adopt(state)
    result = around.engine.produce(place, attempt=LATER_TRY, heartbeat=no_heartbeat)
    return pack(result, around.blobs(place.owner_id, place.workflow_id, place.execution_id))


def _run_whole(around: Surroundings, event: Mapping[str, Any]) -> dict[str, Any]:
    """Run a segment of a legacy machine and merge what it gave."""
    given = unfold(around, event)
    refuse_beyond_limit(given)
    state = given["state_data"]
    # A task that is tried again merges nothing twice, though its segment may have run twice: its times differ then.
    name = f"segment:{state['segment_to_run']}:{state['loop_counter']}"
    merging = {"action": "sync", "state_data": state, "execution_mode": event.get("execution_mode"), "result_id": name}
    return fold(state_data_manager.handle({**merging, "execution_result": _produce(around, state)}, around))


def _join(around: Surroundings, event: Mapping[str, Any]) -> dict[str, Any]:
    """Join a round of branches of a legacy machine."""
    results = event.get("parallel_results", [])
    if event.get("map_error"):
        results = {"map_error": event["map_error"]}
    return fold(
        join_branches(around, {**unfold(around, event), "parallel_results": results}), segment_type="aggregator"
    )


def _always() -> bool:
    return True


def _step_branch(around: Surroundings, lines: Lines, event: Mapping[str, Any]) -> None:
    """Answer the token with the branch's next step; where it waits for a person, let that person do it."""
    body, token = event["branch_state"], event["TaskToken"]
    if event.get("answer"):
        _send_whole(around, token, _with_answer(around, event))
        return
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
    if "answer" in event:
        _send_whole(around, token, merge_into_branch(lines, body, result)[0])
        return
    send_result(around, token, result)


def _with_answer(around: Surroundings, event: Mapping[str, Any]) -> dict[str, Any]:
    """The branch of a legacy machine behind what a person has answered, or a time that has run out."""
    merging = {"action": "sync_branch", "execution_result": event["answer"], "execution_id": event["execution_id"]}
    merged = state_data_manager.handle({**merging, "branch_state": event["branch_state"]}, around)
    return merged["branch_state"]


def _send_whole(around: Surroundings, token: str, body: Mapping[str, Any]) -> None:
    """Answer the token of a legacy machine's branch: it has no state of its own that merges."""
    outcome = {"status": body["next_action"], "bag": body["bag"], "error_info": body["error"], "branch_state": body}
    send_result(around, token, outcome)
