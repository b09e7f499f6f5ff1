"""MergeCallback: puts what a person has answered, or what a slow model has, into the bag of a legacy machine."""

from __future__ import annotations

from typing import Any

from asl_compat.lambdas import state_data_manager
from asl_compat.lambdas._answer import answer, require
from asl_compat.lambdas._legacy import fold, unfold
from asl_compat.lambdas._surroundings import Surroundings, surroundings

__all__ = ["handle", "handler"]


def handler(event: Any, context: Any) -> Any:  # noqa: ARG001 - the signature that Lambda calls
    """``{"previous_final_state_s3_path", "callback_result", "execution_id"?}`` to the state behind the answer."""
    return answer(lambda: handle(event, surroundings()))


def handle(event: Any, around: Surroundings) -> dict[str, Any]:
    """As :func:`handler`.

    Returns:
        An execution result, and, for old callers, ``new_current_state``, ``new_state_s3_path``,
        ``new_state_history`` and ``segment_to_run``.

    Raises:
        InputRefused: the event lacks a member.
        StateBagError: as ``merge_callback`` says.
    """
    given = require(event, "previous_final_state_s3_path")
    callback = given.get("callback_result", given.get("user_callback_result"))
    merged = state_data_manager.handle(
        {
            **unfold(around, given, "previous_final_state_s3_path"),
            "action": "merge_callback",
            "callback_result": callback,
            "execution_id": given.get("execution_id"),
        },
        around,
    )
    result = fold(merged)
    return {
        **result,
        "new_current_state": result["final_state"],
        "new_state_s3_path": result["final_state_s3_path"],
        "new_state_history": result["new_history_logs"],
        "segment_to_run": result["next_segment_to_run"],
    }
