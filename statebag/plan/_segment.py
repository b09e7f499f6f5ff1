"""A segment: the slice of a document that runs in one go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from statebag.config import Node, PauseSpec, ResourcePolicy
from statebag.plan._needs import BranchNeeds

__all__ = ["BranchPlan", "RetrySpec", "Segment"]


@dataclass(frozen=True, kw_only=True)
class RetrySpec:
    """How often a segment is tried again, where its nodes say so."""

    max_retries: int = 0
    """Tries after the first."""
    base_delay_seconds: float = 1.0
    """Wait before the second try; it grows from there."""
    max_delay_seconds: float | None = None
    """Longest wait; None leaves it to the engine."""

    def to_json(self) -> dict[str, Any]:
        """The stored form."""
        body: dict[str, Any] = {"max_retries": self.max_retries, "base_delay_seconds": self.base_delay_seconds}
        return body if self.max_delay_seconds is None else body | {"max_delay_seconds": self.max_delay_seconds}

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> RetrySpec:
        """Read the stored form."""
        longest = body.get("max_delay_seconds")
        return RetrySpec(
            max_retries=body["max_retries"],
            base_delay_seconds=float(body["base_delay_seconds"]),
            max_delay_seconds=None if longest is None else float(longest),
        )


@dataclass(frozen=True, kw_only=True)
class BranchPlan:
    """One of the branches that a group of segments runs beside each other."""

    id: str
    """Unique in its group: as the document names it, else ``B`` and the number of the edge that leads to it."""
    segments: tuple[Segment, ...]
    """Never empty."""
    needs: BranchNeeds = field(default_factory=BranchNeeds)

    def to_json(self) -> dict[str, Any]:
        """The stored form."""
        segments = [segment.to_json() for segment in self.segments]
        return {"branch_id": self.id, "partition_map": segments, "needs": self.needs.to_json()}

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> BranchPlan:
        """Read the stored form."""
        return BranchPlan(
            id=body["branch_id"],
            segments=tuple(Segment.from_json(segment) for segment in body["partition_map"]),
            needs=BranchNeeds.from_json(body["needs"]),
        )


@dataclass(frozen=True, kw_only=True)
class Segment:
    """Nodes that run one behind another without a stop, or branches beside each other, or where these join."""

    id: str
    """Stable path of the segment: its number; of one inside of a branch, ``3/B0/1``."""
    index: int
    """Place in its list, from 0."""
    type: str = "normal"
    """``normal``; ``llm`` or ``react`` for one such node alone; ``parallel_group`` and, behind it, ``aggregator``;
    ``map`` for one whose items are spread over workers."""
    nodes: tuple[Node, ...] = ()
    """In running order; empty in groups, aggregators, and where there is but a pause."""
    label: str = ""
    """Name of a group."""
    branches: tuple[BranchPlan, ...] = ()
    """Of a group; with a single one there is nothing beside it, and it runs in the run's own line."""
    resource_policy: ResourcePolicy | None = None
    """Of a group: how much of it may run at the same time."""
    branch_policy: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Of a group: ``on_conflict``, ``failure``, ``append_keys``."""
    max_concurrency: int | None = None
    """Of a group: branches at the same time; None leaves it to the resource policy."""
    pause: PauseSpec | None = None
    """Asked before this segment runs, whatever leads to it."""
    on_reject: str | None = None
    """Id of the segment that a rejection of the pause leads to."""
    on_timeout: str | None = None
    """Id of the segment to go to when the pause's time is up."""
    next: str | None = None
    """Id of the segment that follows; None where the run, or the branch, ends."""
    routes: Mapping[str, str | None] = field(default_factory=dict[str, "str | None"])
    """Where the last node chooses: target node to segment id, None for the end."""
    dependencies: tuple[str, ...] = ()
    """Ids of the segments of the same list that lead here; of alternatives, one of them is enough."""
    outside: bool = False
    """Whether it calls the outside world."""
    timeout_seconds: float = 300.0
    """Time for one try; five minutes, unless a node says more or less."""
    heartbeat_seconds: float | None = None
    """Longest silence of a running try; None where nothing waits for the outside."""
    retry: RetrySpec | None = None
    """None leaves it to the engine."""
    async_llm: bool = False
    """Whether the model's answer comes from elsewhere, after the call has returned."""
    calls: bool = False
    """Of a map: whether its items call the outside world. Where they pause or fork, ``branches`` has what runs for
    each of them, as one branch; otherwise its node does."""

    def with_inner(self) -> Iterator[Segment]:
        """This segment and those inside of its branches, at any depth."""
        yield self
        for branch in self.branches:
            for segment in branch.segments:
                yield from segment.with_inner()

    def to_json(self) -> dict[str, Any]:
        """The stored form; defaults are left out."""
        body: dict[str, Any] = {"id": self.id, "index": self.index, "nodes": [node.to_json() for node in self.nodes]}
        for name in _PLAIN:
            if getattr(self, name) != getattr(Segment, name):
                body[name] = getattr(self, name)
        for name in ("pause", "resource_policy", "retry"):
            if getattr(self, name) is not None:
                body[name] = getattr(self, name).to_json()
        if self.branches:
            body["branches"] = [branch.to_json() for branch in self.branches]
        for name in ("branch_policy", "routes"):
            if getattr(self, name):
                body[name] = dict(getattr(self, name))
        if self.dependencies:
            body["dependencies"] = list(self.dependencies)
        return body

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> Segment:
        """Read the stored form."""
        policy = body.get("resource_policy")
        return Segment(
            id=body["id"],
            index=body["index"],
            nodes=tuple(Node.from_json(node) for node in body["nodes"]),
            branches=tuple(BranchPlan.from_json(branch) for branch in body.get("branches", ())),
            resource_policy=None if policy is None else ResourcePolicy.from_json(policy),
            branch_policy=body.get("branch_policy", {}),
            pause=PauseSpec.from_json(body["pause"]) if "pause" in body else None,
            routes=body.get("routes", {}),
            dependencies=tuple(body.get("dependencies", ())),
            retry=RetrySpec.from_json(body["retry"]) if "retry" in body else None,
            **{name: body[name] for name in _PLAIN if name in body},
        )


_PLAIN = (
    *("type", "label", "max_concurrency", "on_reject", "on_timeout", "next", "outside", "timeout_seconds"),
    *("heartbeat_seconds", "async_llm", "calls"),
)
