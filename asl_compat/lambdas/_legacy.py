"""The forms of the machines before v3: flat bags, and results that say themselves how the run goes on.

The bag itself is in the store, and a flat bag names it. A function of the old form is the one of v3 between
:func:`unfold`, which fetches the bag, and :func:`fold`, which puts the new one away.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asl_compat.lambdas._surroundings import Surroundings, place_of
from statebag.bag import NextAction
from statebag.blobs import Pointer, is_pointer, unescape
from statebag.canonical import size_of
from statebag.errors import InputRefused, Problem, StateBagError

__all__ = ["flatten", "fold", "is_flat", "reference_in", "refuse_beyond_limit", "unfold"]

INLINE_BYTES = 30 * 1024
"""Of the copies of variables and history that a result has beside the bag's place, each."""
HISTORY_ENTRIES = 30
"""Of those, the newest."""


def is_flat(body: Any) -> bool:
    """Whether a ``state_s3_path`` or the like names a bag of ours, as only machines of the old form do."""
    return isinstance(body, Mapping) and {"ownerId", "workflowId", "execution_id", "version", "root"} <= body.keys()


def reference_in(event: Mapping[str, Any], name: str = "state_s3_path") -> Mapping[str, Any]:
    """The place of the bag that an event names.

    Raises:
        InputRefused: it names none.
    """
    found = event.get(name)
    if is_flat(found):
        return found  # pyright: ignore[reportReturnType] - a mapping, as is_flat says
    text = "names no bag. Pass on the `final_state_s3_path` that the state before it gave, unchanged."
    raise InputRefused([Problem(path=f"$.{name}", code="FIELD_VALUE", message=text)], what="event")


def unfold(around: Surroundings, event: Mapping[str, Any], name: str = "state_s3_path") -> dict[str, Any]:
    """``{"state_data", "next_action", "next"}`` of an event that names a bag: what functions of v3 are given."""
    place = place_of(reference_in(event, name))
    blobs = around.blobs(place.owner_id, place.workflow_id, place.execution_id)
    parts = event.get("partition_map")
    following = dict(parts) if isinstance(parts, Mapping) else {"left": {}}
    return {
        "state_data": blobs.get(Pointer.from_json(place.root)),
        "next_action": str(event.get("status") or NextAction.CONTINUE),
        "next": {**following, "bag": dict(reference_in(event, name)), "items": list(event.get("branches") or ())},
    }


def fold(document: Mapping[str, Any], *, segment_type: str = "ordinary") -> dict[str, Any]:
    """``execution_result`` of a document of v3.

    Args:
        document: What a function of v3 gave.
        segment_type: What was run.
    """
    state, action, following = document["state_data"], document["next_action"], document["next"]
    goes_on = action in (NextAction.STARTED, NextAction.CONTINUE)
    return {
        "status": "CONTINUE" if goes_on else action,
        "final_state": _variables(state),
        "final_state_s3_path": following["bag"],
        "next_segment_to_run": state["segment_to_run"],
        "new_history_logs": _history(state),
        "error_info": document["failure"],
        "branches": following["items"],
        "segment_type": segment_type,
        "inner_partition_map": {name: value for name, value in following.items() if name not in ("bag", "items")},
        "loop_counter": state["loop_counter"],
    }


def flatten(document: Mapping[str, Any]) -> dict[str, Any]:
    """``state_data`` of a document of v3: the bag's fields that the old machines know, and its place."""
    state = document["state_data"]
    same = (
        *("ownerId", "workflowId", "segment_to_run", "idempotency_key", "quota_reservation_id", "total_segments"),
        *("last_update_time", "start_time", "max_loop_iterations", "max_branch_iterations", "loop_counter"),
        *("max_concurrency", "distributed_mode", "distributed_strategy", "llm_segments", "hitp_segments"),
    )
    plan = state.get("segment_manifest_s3_path") or {}
    light = ("distributed_mode", "distributed_strategy", "llm_segments", "hitp_segments", "max_concurrency")
    return {
        "light_config": {"workflow_id": state["workflowId"], **{name: state[name] for name in light}},
        "workflow_config_s3_path": state.get("workflow_config_s3_path") or {},
        "state_s3_path": document["next"]["bag"],
        "state_history": _history(state),
        "partition_map": [],
        "partition_map_s3_path": plan,
        "segment_manifest": [],
        "segment_manifest_s3_path": plan,
        "state_durations": state.get("state_durations") or {},
        **{name: state[name] for name in same},
    }


def refuse_beyond_limit(document: Mapping[str, Any]) -> None:
    """Refuse to execute a segment more than the run may.

    Raises:
        StateBagError: ``LOOP_LIMIT_EXCEEDED``.
    """
    state = document["state_data"]
    done, limit = state["loop_counter"], state["max_loop_iterations"]
    if done >= limit:
        text = f"{done} segments were executed, the limit is {limit}. Raise max_loop_iterations."
        raise StateBagError(text, code="LOOP_LIMIT_EXCEEDED")


def _variables(state: Mapping[str, Any]) -> dict[str, Any]:
    """The user's variables, where all of them are in the bag and small; else none: they are where the bag is."""
    fields = state.get("current_state")
    if not isinstance(fields, Mapping) or is_pointer(fields):
        return {}
    found = unescape(dict(fields))
    if any(is_pointer(value) for value in found.values()) or size_of(found) > INLINE_BYTES:
        return {}
    return {name: unescape(value) for name, value in found.items()}


def _history(state: Mapping[str, Any]) -> list[Any]:
    """The newest entries; all of them are where the bag is."""
    newest: list[Any] = []
    left = INLINE_BYTES
    for entry in reversed(state.get("state_history", [])[-HISTORY_ENTRIES:]):
        left -= size_of(entry)
        if left < 0:
            break
        newest.append(entry)
    return newest[::-1]
