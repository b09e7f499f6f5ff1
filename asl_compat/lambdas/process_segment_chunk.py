"""ProcessSegmentChunk: runs a chunk of a map, of the branches of a fork, or of the run itself."""

from __future__ import annotations

from typing import Any

from asl_compat.lambdas._answer import answer, require
from asl_compat.lambdas._deadline import has_time
from asl_compat.lambdas._lines import Lines
from asl_compat.lambdas._surroundings import Surroundings, surroundings
from asl_compat.lambdas._waiting_lines import run_chunk

__all__ = ["handle", "handler"]


def handler(event: Any, context: Any) -> Any:
    """``{"chunk", "bag", "resume", "callback_result"}`` to how far the chunk is."""
    return answer(lambda: handle(event, surroundings(), context))


def handle(event: Any, around: Surroundings, context: Any = None) -> dict[str, Any]:
    """As :func:`handler`.

    Returns:
        ``{"position", "status", "error", "bag"}``; with what it goes on with, where the status is CONTINUE or
        PAUSED_FOR_HITP.

    Raises:
        StateBagError: a retryable one, where calls or the store fail for now; InputRefused.
    """
    given = require(event, "chunk", "bag", "resume")
    return run_chunk(around, Lines(engine=around.engine, has_time=has_time(context)), given)
