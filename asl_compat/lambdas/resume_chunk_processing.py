"""ResumeChunkProcessing: goes on with a chunk of a legacy machine that a person was asked for."""

from __future__ import annotations

from typing import Any

from asl_compat.lambdas import process_segment_chunk
from asl_compat.lambdas._answer import answer, require
from asl_compat.lambdas._surroundings import Surroundings, surroundings

__all__ = ["handle", "handler"]


def handler(event: Any, context: Any) -> Any:
    """``{"chunk", "bag", "chunk_result", "callback_result", "execution_id"}`` to how far the chunk is."""
    return answer(lambda: handle(event, surroundings(), context))


def handle(event: Any, around: Surroundings, context: Any = None) -> dict[str, Any]:
    """As :func:`handler`.

    Raises:
        InputRefused: the event lacks a member.
        StateBagError: a retryable one, where calls or the store fail for now.
    """
    given = require(event, "chunk", "bag", "chunk_result", "callback_result")
    return process_segment_chunk.handle({**given, "resume": given["chunk_result"]}, around, context)
