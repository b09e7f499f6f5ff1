"""StateDataManager: every action on a bag. What a machine must know to go on stands beside the bag in the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from asl_compat.lambdas._answer import answer, require
from asl_compat.lambdas._branch_state import is_branch_state, merge_into_branch, pause_of
from asl_compat.lambdas._document import document
from asl_compat.lambdas._failures import result_of_task
from asl_compat.lambdas._fan_outs import begin_fork, begin_map, join_branches, join_chunks
from asl_compat.lambdas._legacy import flatten, is_flat, unfold
from asl_compat.lambdas._lines import Lines
from asl_compat.lambdas._people import pause_id_of, tell_timeout
from asl_compat.lambdas._stretches import join_branch_chunks, join_stretch
from asl_compat.lambdas._surroundings import Surroundings, surroundings
from statebag.bag import NextAction

__all__ = ["handle", "handler"]

_OF_CALLER = frozenset({"execution_id", "next", "next_action", "execution_mode", "create_post_snapshot"})
"""Members of an event that are for this function, and no part of what an action is given."""


def handler(event: Any, context: Any) -> Any:  # noqa: ARG001 - the signature that Lambda calls
    """``{"action", "state_data", …}`` to ``{"state_data", "next_action", "next", "failure"}``."""
    return answer(lambda: handle(event, surroundings()))


def handle(event: Any, around: Surroundings) -> Any:
    """As :func:`handler`; actions that give no next action return what :class:`StateDataManager` says.

    Raises:
        StateBagError: ``ACTION_UNKNOWN``, or as the action says.
    """
    given = require(event)
    action = given.get("action")
    if action == "update_and_compress" and "execution_result" in given and is_flat(_path_in(given)):
        return _update(around, given["execution_result"])
    if action == "sync_branch" and is_branch_state(given.get("branch_state")):
        return _sync_branch(around, given)
    ours = _ACTIONS.get(str(action))
    if ours is not None and "next" in given:
        return ours(around, require(given, "state_data"))
    if action == "sync":
        return _sync(around, given)
    if action == "merge_async":
        return _apply(around, {**given, "async_result": result_of_task(given.get("async_result"))})
    return around.door.handle(_without_ours(given))


def _path_in(event: Mapping[str, Any]) -> Any:
    result = event["execution_result"]
    return result.get("final_state_s3_path") if isinstance(result, Mapping) else None


def _update(around: Surroundings, result: Mapping[str, Any]) -> dict[str, Any]:
    """The flat bag of a legacy machine behind a result, which names where the bag itself is."""
    found = unfold(around, {**result, "partition_map": result.get("inner_partition_map")}, "final_state_s3_path")
    size = found["state_data"]["payload_size_kb"]
    return {**flatten(found), "payload_size_kb": size, "compression_applied": False}


def _sync(around: Surroundings, event: Mapping[str, Any]) -> dict[str, Any]:
    result = result_of_task(event.get("execution_result"))
    made = around.door.handle({**_without_ours(event), "execution_result": result})
    state, action = made["state_data"], made["next_action"]
    if action == NextAction.DISTRIBUTED_MAP:
        in_children = event.get("execution_mode") == "DISTRIBUTED"
        return begin_map(around, around.adopt(state), in_children=in_children)
    if action == NextAction.PARALLEL_GROUP and isinstance(result, Mapping) and "fork" in result:
        return begin_fork(around, state, result["fork"])
    return _with_warnings(document(around, state, action), made)


def _sync_branch(around: Surroundings, event: Mapping[str, Any]) -> dict[str, Any]:
    lines = Lines(engine=around.engine, has_time=lambda: True)
    body, result = event["branch_state"], event.get("execution_result")
    if body["next_action"] == NextAction.PAUSED_FOR_HITP and isinstance(result, Mapping) and "Error" in result:
        base = body["base"]
        tell_timeout(
            around,
            execution_id=str(event.get("execution_id") or base["execution_id"]),
            owner_id=base["ownerId"],
            workflow_id=base["workflowId"],
            pause_id=pause_of(body),
        )
    grown, action = merge_into_branch(lines, body, result)
    return {"branch_state": grown, "next_action": action}


def _merge_callback(around: Surroundings, event: Mapping[str, Any]) -> dict[str, Any]:
    if event.get("next_action") == NextAction.PAUSED_FOR_ASYNC_LLM:
        merged = {**event, "action": "merge_async", "async_result": result_of_task(event.get("callback_result"))}
        del merged["callback_result"]
        return _apply(around, merged)
    state, callback = event["state_data"], event.get("callback_result")
    if isinstance(callback, Mapping) and "Error" in callback:
        tell_timeout(
            around,
            execution_id=str(event.get("execution_id") or state["execution_id"]),
            owner_id=state["ownerId"],
            workflow_id=state["workflowId"],
            pause_id=pause_id_of(state),
        )
    return _apply(around, event)


def _take_snapshot(around: Surroundings, event: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the bag; what is next, and how it is run, stays as it was."""
    made = around.door.handle(_without_ours(event))
    found = document(around, made["state_data"], event["next_action"])
    # What the chunks of a later batch record belongs to the bag that the first ones began with.
    bag = event["next"]["left"].get("begun_at") or found["next"]["bag"]
    return found | {"next": {**event["next"], "bag": bag}}


def _join_distributed(around: Surroundings, event: Mapping[str, Any]) -> dict[str, Any]:
    kind = event["next"]["left"].get("kind")
    given = event.get("chunk_results", event.get("distributed_results"))
    if kind == "stretch":
        found = join_stretch(around, event, given)
    elif kind == "branches":
        found = join_branch_chunks(around, event, given)
    elif kind is None:
        # There was nothing to run, since preparing it has failed.
        found = document(around, event["state_data"], event["next_action"])
    else:
        found = join_chunks(around, event, given)
    if event.get("create_post_snapshot") and found["next_action"] == NextAction.COMPLETE:
        asked = {"action": "create_snapshot", "snapshot_type": "post", "best_effort": True}
        return _take_snapshot(around, {**found, **asked})
    return found


def _apply(around: Surroundings, event: Mapping[str, Any]) -> dict[str, Any]:
    made = around.door.handle(_without_ours(event))
    return _with_warnings(document(around, made["state_data"], made["next_action"]), made)


def _with_warnings(found: dict[str, Any], made: Mapping[str, Any]) -> dict[str, Any]:
    return found | ({"warnings": made["warnings"]} if "warnings" in made else {})


def _without_ours(event: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in _OF_CALLER}


_ACTIONS: Mapping[str, Callable[[Surroundings, Mapping[str, Any]], dict[str, Any]]] = {
    "merge_callback": _merge_callback,
    "aggregate_branches": join_branches,
    "aggregate_distributed": _join_distributed,
    "create_snapshot": _take_snapshot,
}
"""Actions of a machine, which hands on what it was told to run (``next``)."""
