"""What a segment gives, before it is merged into the bag."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from statebag.bag._bag import Bag
from statebag.bag._commit import Attempt
from statebag.bag._execute import PlannedSegment, Ran, run_segment
from statebag.bag._groups import fork
from statebag.bag._maps import announce
from statebag.bag._plans import Plans
from statebag.bag._steps import RecordedSteps
from statebag.blobs import ExecutionBlobs
from statebag.config import MapSpec
from statebag.errors import Problem
from statebag.nodes import NodeRegistry

__all__ = ["Produced", "Producer"]


@dataclass(frozen=True, kw_only=True)
class Produced:
    """What a segment gave, before it is merged."""

    result: Mapping[str, Any]
    """An execution result."""
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """How to run the branches (``fork``) or the items (``map``) that it leaves to be run."""
    warnings: tuple[Problem, ...] = ()


class Producer:
    """Runs planned segments on bags.

    Args:
        plans: says what follows a segment.
        registry: the node types.
        now: the clock of recorded times.
    """

    def __init__(self, plans: Plans, registry: NodeRegistry, now: Callable[[], datetime]) -> None:
        self._plans = plans
        self._registry = registry
        self._now = now

    def produce(
        self,
        bag: Bag,
        planned: PlannedSegment,
        blobs: ExecutionBlobs,
        making: Attempt,
        *,
        attempt: int,
        heartbeat: Callable[[object], None] | None,
    ) -> Produced:
        """What the segment ``planned`` gives: it is run, or it leaves branches, items or a slow model to be run.

        Raises:
            StateBagError: a retryable one, where a node or the store fails for now.
        """
        if planned.body.get("type") == "map":
            strategy = MapSpec.from_json(planned.nodes[0].config).strategy
            return Produced(result=announce(bag, planned), extra={"map": {"strategy": strategy}})
        if planned.body.get("async_llm"):
            segment = bag.control.segment_to_run
            return Produced(result={"status": "PAUSED_FOR_ASYNC_LLM", "next_segment_to_run": segment})
        if planned.body.get("branches"):
            result, how = fork(bag, planned.body, blobs)
            return Produced(result=result, extra={"fork": how} if how else {})
        folder = f"{making.lineage}/{making.version}"
        steps = RecordedSteps(blobs, folder, attempt=attempt) if planned.body.get("outside") else None
        ran = self.run(bag, planned, attempt=attempt, heartbeat=heartbeat, steps=steps)
        result = {**ran.result, **self._plans.follow(bag, planned, ran, blobs)}
        return Produced(result=result, warnings=ran.warnings)

    def run(
        self,
        bag: Bag,
        planned: PlannedSegment,
        *,
        attempt: int,
        heartbeat: Callable[[object], None] | None,
        steps: RecordedSteps | None = None,
    ) -> Ran:
        """Run the nodes of the segment; raises as :meth:`produce`."""
        return run_segment(
            bag, planned, self._registry, attempt=attempt, heartbeat=heartbeat, now=self._now, steps=steps
        )
