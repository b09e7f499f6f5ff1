"""AsyncLLMHandler: answers a slow model's segment by a token."""

from __future__ import annotations

from typing import Any

from asl_compat.lambdas._answer import answer, require
from asl_compat.lambdas._slow_model import run_and_answer
from asl_compat.lambdas._surroundings import Surroundings, surroundings

__all__ = ["handle", "handler"]


def handler(event: Any, context: Any) -> Any:  # noqa: ARG001 - the signature that Lambda calls
    """``{"TaskToken", "state_data"}``; the token is answered with the segment's result."""
    return answer(lambda: handle(event, surroundings()))


def handle(event: Any, around: Surroundings) -> dict[str, Any]:
    """As :func:`handler`.

    Raises:
        InputRefused: the event lacks a member.
    """
    given = require(event, "TaskToken", "state_data")
    run_and_answer(around, given["TaskToken"], given["state_data"])
    return {}
