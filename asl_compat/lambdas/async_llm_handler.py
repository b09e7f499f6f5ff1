"""AsyncLLMHandler: answers a slow model's segment by a token."""

from __future__ import annotations

from typing import Any

from asl_compat.lambdas._answer import answer, require
from asl_compat.lambdas._legacy import unfold
from asl_compat.lambdas._slow_model import run_and_answer, run_and_merge
from asl_compat.lambdas._surroundings import Surroundings, surroundings

__all__ = ["handle", "handler"]


def handler(event: Any, context: Any) -> Any:  # noqa: ARG001 - the signature that Lambda calls
    """``{"TaskToken", "state_data"}``; the token is answered with the segment's result.

    Legacy machines give ``state_s3_path``: the token is answered with the result merged.
    """
    return answer(lambda: handle(event, surroundings()))


def handle(event: Any, around: Surroundings) -> dict[str, Any]:
    """As :func:`handler`.

    Raises:
        InputRefused: the event lacks a member.
    """
    given = require(event, "TaskToken")
    if "state_s3_path" in given:
        run_and_merge(around, given["TaskToken"], unfold(around, given)["state_data"])
        return {}
    require(given, "state_data")
    run_and_answer(around, given["TaskToken"], given["state_data"])
    return {}
