"""SaveLatestState: keeps where a chunk of a legacy machine stands, so that a chunk that is tried again goes on there."""

from __future__ import annotations

from typing import Any

from asl_compat.lambdas._answer import answer, require
from asl_compat.lambdas._latest_states import save_latest
from asl_compat.lambdas._surroundings import Surroundings, surroundings

__all__ = ["handle", "handler"]


def handler(event: Any, context: Any) -> Any:  # noqa: ARG001 - the signature that Lambda calls
    """``{"chunk", "bag", "final_state"}`` to ``{"state_saved": true}``."""
    return answer(lambda: handle(event, surroundings()))


def handle(event: Any, around: Surroundings) -> dict[str, Any]:
    """As :func:`handler`.

    Raises:
        InputRefused: the event lacks a member.
    """
    given = require(event, "chunk", "bag", "final_state")
    save_latest(around, given["bag"], given["chunk"], given["final_state"])
    return {"state_saved": True}
