"""Turn what an action was given into a delta. Every result is checked first; nothing is guessed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from statebag.bag._bag import Bag
from statebag.bag._fields import read_state
from statebag.bag._result import FORKS, Delta, Status, check_execution_result, error_of, parse_status
from statebag.bag._segments import load_segment
from statebag.blobs import ExecutionBlobs, Pointer, is_pointer
from statebag.config import PauseSpec, drop_reserved
from statebag.errors import InputRefused, Problem

__all__ = ["STORED_PARTS", "normalise_callback", "normalise_result", "reserved_warnings"]

STORED_PARTS = ("state_delta", "new_history_logs", "branches", "execution_batches", "inner_partition_map")
"""Parts of an execution result that may come as a pointer."""
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
    result = check_execution_result(_fetch_parts(result, blobs))
    status = parse_status(result["status"])
    values, unset, full = _user_state(result, blobs)
    kept, dropped = drop_reserved(values)
    error = result.get("error_info")
    return Delta(
        status=status,
        unknown_status=None if status else result["status"],
        kernel=_left_to_run(result, status),
        user_set=kept,
        user_unset=unset,
        user_full=full,
        logs=tuple(result.get("new_history_logs") or ()),
        next_segment=result.get("next_segment_to_run"),
        executed=status is not Status.PAUSED_FOR_ASYNC_LLM,
        counts_segment=status is not Status.PAUSED_FOR_ASYNC_LLM,
        inner_plan=result.get("inner_partition_map"),
        error=None if error is None else error_of(error),
        warnings=reserved_warnings(dropped, "$.state_delta.set" if result.get("state_delta") else "$.final_state"),
    )


def normalise_callback(bag: Bag, callback: Any, blobs: ExecutionBlobs) -> Delta:
    """The delta of a person's answer, or of its time running out.

    ``callback`` is ``{"token_id", "decision", "user_response"?, "responder"?, "responded_at"?}``, where ``decision``
    is APPROVED, REJECTED, ANSWER or TIMEOUT, or the error of a Step Functions wait that ran out of time. A missing
    ``user_response`` and a falsy one differ.

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
    segment = bag.control.segment_to_run
    if decision == "TIMEOUT":
        text = (
            f"nobody answered the pause before segment {segment} within {_seconds_of(pause):g} s. "
            "Raise `metadata.timeout_seconds` on the hitp edge, or set `metadata.on_timeout`."
        )
        error = {"code": "HITP_TIMEOUT", "message": text}
        return _routed(bag, pause.get("on_timeout_segment"), error, {}, blobs)
    values = _answered(bag, callback, decision, pause)
    if decision == "REJECTED":
        text = (
            f"{callback.get('responder') or 'a person'} rejected before segment {segment}. "
            "Set `metadata.on_reject` on the hitp edge to go on elsewhere."
        )
        error = {"code": "HITP_REJECTED", "message": text}
        return _routed(bag, pause.get("on_reject_segment"), error, values, blobs)
    return Delta(user_set=values)


def reserved_warnings(names: tuple[str, ...], path: str) -> tuple[Problem, ...]:
    """One warning for each reserved key that was dropped."""
    text = "is reserved for the engine; its value is dropped. Use another key."
    return tuple(Problem(path=f"{path}.{name}", code="RESERVED_KEY", message=f"`{name}` {text}") for name in names)


def _user_state(result: Mapping[str, Any], blobs: ExecutionBlobs) -> tuple[Mapping[str, Any], tuple[str, ...], bool]:
    """What is set, what is unset, and whether that is the whole state."""
    delta = result.get("state_delta")
    if delta is not None:
        return delta.get("set", {}), tuple(delta.get("unset", ())), False
    stored = result.get("final_state_s3_path")
    if stored is not None:
        state = read_state(stored, blobs, path="$.final_state_s3_path", what="execution_result").whole()
        return state, (), True
    final = result.get("final_state")
    return ({}, (), False) if final is None else (final, (), True)


def _fetch_parts(result: Any, blobs: ExecutionBlobs) -> Any:
    """The result with those parts that its producer has put into the store, since a message may not be that large."""
    if not isinstance(result, Mapping):
        return result
    stored = {name: Pointer.from_json(result[name]) for name in STORED_PARTS if is_pointer(result.get(name))}
    return {**result, **{name: blobs.get(pointer) for name, pointer in stored.items()}} if stored else result


def _left_to_run(result: Mapping[str, Any], status: Status | None) -> dict[str, Any]:
    if status is Status.DISTRIBUTED_MAP:
        return {"pending_map": result.get("pending_map")}
    return _fork(result) if status in FORKS else {}


def _fork(result: Mapping[str, Any]) -> dict[str, Any]:
    """The branches that a fork leaves to run, in the batches that it asked for."""
    batches = [batch for batch in result.get("execution_batches") or () if batch]
    branches = result.get("branches") or [branch for batch in batches for branch in batch]
    places: list[list[int]] = []
    if len(batches) > 1 and not result.get("branches"):
        for batch in batches:
            start = places[-1][-1] + 1 if places else 0
            places.append(list(range(start, start + len(batch))))
    return {
        "pending_branches": tuple(branches),
        "execution_batches": tuple(places),
        "branch_policy": result.get("branch_policy") or {},
        "convergence_segment": result.get("convergence_segment", result.get("next_segment_to_run")),
    }


def _answered(bag: Bag, callback: Mapping[str, Any], decision: str, pause: Mapping[str, Any]) -> dict[str, Any]:
    """The user fields that an answer sets."""
    answer: dict[str, Any] = {"decision": decision, "token_id": callback.get("token_id", "")}
    answer |= {key: callback[key] for key in ("responder", "responded_at") if callback.get(key)}
    if "user_response" not in callback:
        return {ANSWER_FIELD: answer}
    response = callback["user_response"]
    values: dict[str, Any] = {ANSWER_FIELD: {**answer, "value": response}}
    messages = bag.user.get("messages", [])
    said = isinstance(response, str) and response and not pause.get("options")
    if said and isinstance(messages, list):
        values["messages"] = [*messages, {"role": "user", "content": response}]
    return values | ({pause["output_key"]: response} if pause.get("output_key") else {})


def _routed(
    bag: Bag, route: int | None, error: Mapping[str, Any], values: Mapping[str, Any], blobs: ExecutionBlobs
) -> Delta:
    if route is None:
        return Delta(user_set=values, status=Status.FAILED, error=error)
    asks = "pause" in load_segment(bag.kernel.plan, route, blobs)
    return Delta(user_set=values, next_segment=route, status=Status.PAUSED_FOR_HITP if asks else Status.CONTINUE)


def _pause_before(bag: Bag, blobs: ExecutionBlobs) -> Mapping[str, Any]:
    if bag.kernel.plan is None or bag.control.segment_to_run >= bag.control.total_segments:
        return {}
    return load_segment(bag.kernel.plan, bag.control.segment_to_run, blobs).get("pause") or {}


def _seconds_of(pause: Mapping[str, Any]) -> float:
    return pause.get("timeout_seconds", PauseSpec.timeout_seconds)


def _response_problem(path: str, message: str) -> Problem:
    return Problem(path=path, code="RESPONSE_INVALID", message=message)
