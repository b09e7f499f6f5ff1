"""Turn what an action was given into a delta. Every result is checked first; nothing is guessed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from statebag.bag._bag import Bag
from statebag.bag._result import Delta, Status, check_execution_result, parse_status
from statebag.bag._segments import load_segment
from statebag.blobs import ExecutionBlobs, Pointer
from statebag.config.reserved import drop_reserved
from statebag.errors import InputRefused, Problem

__all__ = ["normalise_callback", "normalise_result", "reserved_warnings"]

ANSWER_FIELD = "last_hitp_response"
"""User field that holds the last answer of a person."""


def normalise_result(result: Any, blobs: ExecutionBlobs) -> Delta:
    """The delta of an executed segment: for ``sync``, ``sync_branch``, ``merge_async``, ``update_and_compress``.

    The user state comes as ``state_delta`` (a change), or as ``final_state`` or
    ``final_state_s3_path`` (the whole of it).

    Raises:
        InputRefused: the result breaks the contract.
        PointerNotFound, PointerCorrupt, StoreUnavailable: its stored state can't be read.
    """
    result = check_execution_result(result)
    status = parse_status(result["status"])
    values, unset, full = _user_state(result, blobs)
    kept, dropped = drop_reserved(values)
    kernel: dict[str, Any] = {}
    branches = result.get("branches")
    if status in (Status.PARALLEL_GROUP, Status.SCHEDULED_PARALLEL):
        if not branches:
            branches = [branch for batch in result["execution_batches"] for branch in batch]
        kernel["pending_branches"] = tuple(branches)
        kernel["branch_policy"] = result.get("branch_policy") or {}
        kernel["convergence_segment"] = result.get("convergence_segment", result.get("next_segment_to_run"))
    if result.get("error_info") is not None:
        kernel["error"] = result["error_info"]
    return Delta(
        status=status,
        unknown_status=None if status else str(result["status"]),
        kernel=kernel,
        user_set=kept,
        user_unset=unset,
        user_full=full,
        logs=tuple(result.get("new_history_logs") or ()),
        next_segment=result.get("next_segment_to_run"),
        counts_segment=status is not Status.PAUSED_FOR_ASYNC_LLM,
        inner_plan=result.get("inner_partition_map"),
        warnings=reserved_warnings(dropped, "$.final_state" if full else "$.state_delta.set"),
    )


def normalise_callback(bag: Bag, callback: Any, blobs: ExecutionBlobs) -> Delta:
    """The delta of a person's answer, or of its time running out.

    ``callback`` is the error of a Step Functions wait that ran out of time, or ``{"token_id", "decision", "user_response"?, "responder"?, "responded_at"?}``, where
    ``decision`` is APPROVED, REJECTED, ANSWER or TIMEOUT. A missing ``user_response`` and a falsy one differ.

    The pause has set ``segment_to_run`` already, so an approval moves nothing; a
    rejection or a time-out goes where the pause says, or fails the run.

    Raises:
        InputRefused: ``RESPONSE_INVALID`` problems.
    """
    if not isinstance(callback, Mapping):
        raise InputRefused([_response_problem("$", "must be an object with `decision`")], what="callback_result")
    expired = callback.get("Error") in ("States.Timeout", "States.HeartbeatTimeout")
    decision = "TIMEOUT" if expired else callback.get("decision", callback.get("status"))
    if decision not in ("APPROVED", "REJECTED", "ANSWER", "TIMEOUT"):
        problem = _response_problem("$.decision", "must be APPROVED, REJECTED, ANSWER or TIMEOUT")
        raise InputRefused([problem], what="callback_result")
    pause = _pause_before(bag, blobs)
    if decision == "TIMEOUT":
        route = pause.get("on_timeout_segment")
        error = {"code": "HITP_TIMEOUT", "message": _timeout_text(bag, pause)}
        return _routed(bag, route, error, {}, blobs)
    answer: dict[str, Any] = {"decision": decision, "token_id": callback.get("token_id", "")}
    answer |= {key: callback[key] for key in ("responder", "responded_at") if callback.get(key)}
    values: dict[str, Any] = {}
    if "user_response" in callback:
        response = callback["user_response"]
        answer["value"] = response
        if pause.get("output_key"):
            values[pause["output_key"]] = response
        if isinstance(response, str) and response:
            values["messages"] = [*_messages(bag), {"role": "user", "content": response}]
    values[ANSWER_FIELD] = answer
    if decision == "REJECTED":
        who = callback.get("responder") or "a person"
        error = {
            "code": "HITP_REJECTED",
            "message": f"{who} rejected before segment {bag.control.segment_to_run}. "
            "Set `metadata.on_reject` on the hitp edge to go on elsewhere.",
        }
        return _routed(bag, pause.get("on_reject_segment"), error, values, blobs)
    return Delta(user_set=values)


def reserved_warnings(names: tuple[str, ...], path: str) -> tuple[Problem, ...]:
    """One warning for each reserved key that was dropped."""
    text = "is reserved for the engine; its value is dropped. Use another key."
    return tuple(Problem(path=f"{path}.{name}", code="RESERVED_KEY", message=f"`{name}` {text}") for name in names)


def _user_state(result: Mapping[str, Any], blobs: ExecutionBlobs) -> tuple[Mapping[str, Any], tuple[str, ...], bool]:
    delta = result.get("state_delta")
    if delta is not None:
        return delta.get("set", {}), tuple(delta.get("unset", ())), False
    stored = result.get("final_state_s3_path")
    if stored is not None:
        state = blobs.get(Pointer.from_json(stored))
        if not isinstance(state, Mapping):
            problem = Problem(
                path="$.final_state_s3_path",
                code="RESULT_INVALID",
                message=f"leads to a {type(state).__name__}, not to an object (the whole user state)",
            )
            raise InputRefused([problem], what="execution_result")
        return state, (), True
    state = result.get("final_state")
    return (state, (), True) if state is not None else ({}, (), False)


def _routed(
    bag: Bag, route: int | None, error: Mapping[str, Any], values: Mapping[str, Any], blobs: ExecutionBlobs
) -> Delta:
    if route is None:
        return Delta(user_set=values, status=Status.FAILED, kernel={"error": error})
    asks = "pause" in load_segment(bag.kernel.plan, route, blobs)
    return Delta(
        user_set=values, next_segment=route, status=Status.PAUSED_FOR_HITP if asks else Status.CONTINUE
    )


def _pause_before(bag: Bag, blobs: ExecutionBlobs) -> Mapping[str, Any]:
    if bag.kernel.plan is None or bag.control.segment_to_run >= bag.control.total_segments:
        return {}
    return load_segment(bag.kernel.plan, bag.control.segment_to_run, blobs).get("pause") or {}


def _timeout_text(bag: Bag, pause: Mapping[str, Any]) -> str:
    seconds = pause.get("timeout_seconds", 86400.0)
    return (
        f"nobody answered the pause before segment {bag.control.segment_to_run} within {seconds:g} s. "
        "Raise `metadata.timeout_seconds` on the hitp edge, or set `metadata.on_timeout`."
    )


def _messages(bag: Bag) -> list[Any]:
    messages = bag.user.get("messages")
    return list(messages) if isinstance(messages, list) else []


def _response_problem(path: str, message: str) -> Problem:
    return Problem(path=path, code="RESPONSE_INVALID", message=message)
