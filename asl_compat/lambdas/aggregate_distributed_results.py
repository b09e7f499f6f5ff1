"""AggregateDistributedResults: joins the chunks of a legacy machine."""

from __future__ import annotations

from typing import Any

from asl_compat.lambdas import state_data_manager
from asl_compat.lambdas._answer import answer, require
from asl_compat.lambdas._legacy import fold, unfold
from asl_compat.lambdas._surroundings import Surroundings, surroundings

__all__ = ["handle", "handler"]


def handler(event: Any, context: Any) -> Any:  # noqa: ARG001 - the signature that Lambda calls
    """``{"distributed_results", "state_s3_path", "partition_map", "status", "execution_mode"}`` to an execution result."""
    return answer(lambda: handle(event, surroundings()))


def handle(event: Any, around: Surroundings) -> dict[str, Any]:
    """As :func:`handler`.

    Raises:
        InputRefused: the event lacks a member.
        StateBagError: as ``aggregate_distributed`` says.
    """
    given = require(event, "distributed_results", "state_s3_path", "partition_map")
    joined = state_data_manager.handle(
        {
            **unfold(around, given),
            "action": "aggregate_distributed",
            "distributed_results": given["distributed_results"],
        },
        around,
    )
    return fold(joined, segment_type="aggregator")
