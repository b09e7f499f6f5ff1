"""StoreDistributedTaskToken: asks a person for a branch or a chunk that waits."""

from __future__ import annotations

from typing import Any

from asl_compat.lambdas._answer import answer, require
from asl_compat.lambdas._people import ask
from asl_compat.lambdas._surroundings import Surroundings, surroundings
from statebag.errors import InputRefused, Problem

__all__ = ["handle", "handler"]


def handler(event: Any, context: Any) -> Any:  # noqa: ARG001 - the signature that Lambda calls
    """``{"TaskToken", "execution_id", "bag", "chunk_result" | "branch_result"}``; nothing is returned."""
    return answer(lambda: handle(event, surroundings()))


def handle(event: Any, around: Surroundings) -> dict[str, Any]:
    """As :func:`handler`.

    Raises:
        InputRefused: the event lacks a member.
    """
    given = require(event, "TaskToken", "execution_id", "bag")
    waiting, bag = given.get("chunk_result") or given.get("branch_result"), given["bag"]
    if not isinstance(waiting, dict) or not {"pause_id", "segment", "pause"} <= waiting.keys():
        text = "must be what the chunk or the branch has returned, with its `pause_id`. Pass it on unchanged."
        raise InputRefused([Problem(path="$.chunk_result", code="FIELD_MISSING", message=text)], what="event")
    bag = require(bag, "ownerId", "workflowId", "execution_id")
    ask(
        around,
        token=given["TaskToken"],
        execution_id=given["execution_id"],
        owner_id=bag["ownerId"],
        workflow_id=bag["workflowId"],
        execution_name=bag["execution_id"],
        pause_id=waiting["pause_id"],
        segment=waiting["segment"],
        spec=waiting["pause"],
    )
    return {}
