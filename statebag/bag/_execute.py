"""A planned segment, ready to run, and what running it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from statebag.bag._bag import Bag
from statebag.bag._history import log_id_of
from statebag.config import Node
from statebag.errors import Problem
from statebag.nodes import NodeContext, NodeRegistry, Steps, reads_of, run_nodes

__all__ = ["PlannedSegment", "Ran", "run_segment"]


@dataclass(frozen=True, kw_only=True)
class PlannedSegment:
    """A segment of the plan with what is made of it once."""

    body: Mapping[str, Any]
    """The stored form, linked by ``next_segment``."""
    nodes: tuple[Node, ...]
    reads: frozenset[str] | None
    """User fields that it will ask for; None where that is all, or not known."""

    @staticmethod
    def of(body: Mapping[str, Any], registry: NodeRegistry) -> PlannedSegment:
        """Read the stored form."""
        nodes = tuple(Node.from_json(node) for node in body["nodes"])
        return PlannedSegment(body=body, nodes=nodes, reads=reads_of(nodes, registry))

    def how_to_run(self) -> dict[str, Any]:
        """What an engine must know before: ``mode`` (local, activity, async), ``label``, time-outs and retries."""
        mode = ("async" if self.body.get("async_llm") else "activity") if self.body.get("outside") else "local"
        first = (self.nodes[0].label or self.nodes[0].id) if self.nodes else self.body.get("label") or self._kind()
        label = first if len(self.nodes) < 2 else f"{first} +{len(self.nodes) - 1}"
        optional = ("timeout_seconds", "heartbeat_seconds", "retry")
        return {"mode": mode, "label": label} | {name: self.body[name] for name in optional if self.body.get(name)}

    def _kind(self) -> str:
        if self.body.get("type") == "aggregator":
            return "join"
        return "pause" if "pause" in self.body else "start"


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What a segment's nodes did."""

    result: Mapping[str, Any]
    """An execution result but for ``status`` and ``next_segment_to_run``, which the plan's links decide."""
    error: Mapping[str, Any] | None
    warnings: tuple[Problem, ...]
    next_node: str | None = None
    """Node that the last node chose to go on with."""


def run_segment(
    bag: Bag,
    segment: PlannedSegment,
    registry: NodeRegistry,
    *,
    attempt: int,
    heartbeat: Callable[[object], None] | None,
    now: Callable[[], datetime],
    steps: Steps | None = None,
) -> Ran:
    """Run the nodes on the bag's variables.

    Raises:
        StateBagError: a retryable one, where a node or the store fails for now.
    """
    control = bag.control
    context = NodeContext(
        execution_id=control.execution_id,
        segment_id=segment.body["id"],
        visit=control.loop_counter,
        forked_at=bag.kernel.forked_at,
        attempt=attempt,
        mock=control.MOCK_MODE == "true",
        now=now,
        types=registry,
    )
    if heartbeat is not None:
        context = replace(context, heartbeat=heartbeat)
    if steps is not None:
        context = replace(context, steps=steps)
    user = bag.user.forget()
    if segment.reads:
        user.prefetch(segment.reads)
    started = now()
    ran = run_nodes(segment.nodes, user, context, registry)
    entry: dict[str, Any] = {
        "type": "segment",
        "steps": list(ran.steps),
        "timestamp": started.astimezone(UTC).isoformat(timespec="milliseconds"),
        "duration_ms": round((now() - started).total_seconds() * 1000, 1),
        "status": "FAILED" if ran.error else "COMPLETED",
    }
    if ran.error:
        entry["error"] = {"code": ran.error["code"], "message": ran.error["message"]}
    place = "@".join((context.segment_id, *map(str, context.forked_at)))
    logs = [
        # Whatever a node calls its entry, it must not be taken for a repeat of another one.
        {**log, "log_id": log_id_of(context.execution_id, place, context.visit, number)}
        | {"segment_id": context.segment_id}
        for number, log in enumerate((*ran.logs, entry))
    ]
    result = {"state_delta": {"set": ran.changes, "unset": list(ran.unset)}, "new_history_logs": logs}
    return Ran(result=result, error=ran.error, warnings=ran.warnings, next_node=ran.next_node)
