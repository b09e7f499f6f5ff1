"""LoadLatestState: where a chunk of a legacy machine stood when it was last saved."""

from __future__ import annotations

from typing import Any

from asl_compat.lambdas._answer import answer, require
from asl_compat.lambdas._latest_states import load_latest
from asl_compat.lambdas._surroundings import Surroundings, surroundings

__all__ = ["handle", "handler"]

_NOTHING = {"bag": {}}
"""Of a chunk that was not begun."""


def handler(event: Any, context: Any) -> Any:  # noqa: ARG001 - the signature that Lambda calls
    """``{"chunk", "bag"}`` to ``{"previous_state", "state_loaded"}``."""
    return answer(lambda: handle(event, surroundings()))


def handle(event: Any, around: Surroundings) -> dict[str, Any]:
    """As :func:`handler`.

    Raises:
        InputRefused: the event lacks a member.
    """
    given = require(event, "chunk", "bag")
    found = load_latest(around, given["bag"], given["chunk"])
    return {"previous_state": _NOTHING if found is None else found, "state_loaded": found is not None}
