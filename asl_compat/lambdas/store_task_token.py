"""StoreTaskToken: asks a person, and keeps the token that the answer goes to."""

from __future__ import annotations

from typing import Any

from asl_compat.lambdas._answer import answer, require
from asl_compat.lambdas._legacy import unfold
from asl_compat.lambdas._people import ask, pause_id_of
from asl_compat.lambdas._slow_model import run_and_answer, tell_asking
from asl_compat.lambdas._surroundings import Surroundings, surroundings
from statebag.bag import NextAction

__all__ = ["handle", "handler"]


def handler(event: Any, context: Any) -> Any:  # noqa: ARG001 - the signature that Lambda calls
    """``{"TaskToken", "execution_id", "execution_name", "state_data", "next_action"}``; nothing is returned.

    Legacy machines name the bag as ``state_s3_path``, and give ``status`` in place of ``next_action``.
    """
    return answer(lambda: handle(event, surroundings()))


def handle(event: Any, around: Surroundings) -> dict[str, Any]:
    """As :func:`handler`; where a slow model is waited for, the token is answered with its result.

    Raises:
        InputRefused: the event lacks a member.
        StateBagError: a retryable one, where the store fails for now.
    """
    given = require(event, "TaskToken", "execution_id", "execution_name", "state_data")
    if "state_s3_path" in given:
        given = {**given, **unfold(around, given)}
    state = require(given["state_data"], "ownerId", "workflowId", "execution_id", "segment_to_run", "bag_version")
    action = given.get("next_action") or NextAction.PAUSED_FOR_HITP
    if action == NextAction.PAUSED_FOR_ASYNC_LLM:
        tell_asking(
            around,
            execution_id=given["execution_id"],
            owner_id=state["ownerId"],
            workflow_id=state["workflowId"],
            segment=state["segment_to_run"],
            version=state["bag_version"],
        )
        run_and_answer(around, given["TaskToken"], state)
        return {}
    ask(
        around,
        token=given["TaskToken"],
        execution_id=given["execution_id"],
        owner_id=state["ownerId"],
        workflow_id=state["workflowId"],
        execution_name=given["execution_name"],
        pause_id=pause_id_of(state),
        segment=state["segment_to_run"],
        spec=around.engine.ahead(around.adopt(state), action).get("pause", {}),
    )
    return {}
