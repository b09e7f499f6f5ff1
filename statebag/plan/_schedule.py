"""Which branches of a parallel group run at the same time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from statebag.config import ResourcePolicy
from statebag.plan._needs import BranchNeeds

__all__ = ["Schedule", "schedule_branches"]

_MAX_BRANCHES = 100
"""Branches at the same time, whatever a policy says."""
_MAX_SPEED_MB = 10_240
"""Megabytes at the same time where so many branches ask for speed."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The branches of a group in batches that run one behind another."""

    strategy: str
    """The policy's; ``DEFAULT`` without one."""
    batches: tuple[tuple[int, ...], ...]
    """Indices of branches; those of a batch run beside each other."""
    max_concurrency: int
    """Branches that run at the same time within a batch."""
    total_memory_mb: int
    total_tokens: int
    guardrail_applied: bool
    """Whether there are more branches than ever run at the same time, and that alone holds some of them back."""
    reason: str
    """Why these batches, in words."""

    def to_json(self) -> dict[str, Any]:
        """The stored form."""
        return {
            "strategy": self.strategy,
            "batches": [list(batch) for batch in self.batches],
            "max_concurrency": self.max_concurrency,
            "total_memory_mb": self.total_memory_mb,
            "total_tokens": self.total_tokens,
            "guardrail_applied": self.guardrail_applied,
            "reason": self.reason,
        }

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> Schedule:
        """Read the stored form."""
        rest = {name: value for name, value in body.items() if name != "batches"}
        return Schedule(batches=tuple(tuple(batch) for batch in body["batches"]), **rest)


@dataclass(frozen=True, kw_only=True)
class _Load:
    """A branch with its lists counted."""

    index: int
    memory_mb: int
    tokens: int
    shared: bool


@dataclass(frozen=True, kw_only=True)
class _Limits:
    """What a batch may hold."""

    memory_mb: int
    tokens: int
    branches: int


@dataclass(kw_only=True)
class _Batch:
    """Branches, and what is left of the limits; less than nothing where one branch is over them by itself."""

    memory_mb: int
    tokens: int
    branches: int
    indices: list[int] = field(default_factory=list[int])

    def add(self, load: _Load) -> None:
        self.memory_mb -= load.memory_mb
        self.tokens -= load.tokens
        self.branches -= 1
        self.indices.append(load.index)


def schedule_branches(
    needs: Sequence[BranchNeeds], policy: ResourcePolicy | None, count_items: Callable[[str], int]
) -> Schedule:
    """Put each branch into one batch; the same arguments give the same batches.

    Args:
        needs: One for each branch, in the group's order.
        policy: The group's, if it has one.
        count_items: The length of the list at a path of the state, 0 where there is none. Asked once for each path.
    """
    loads = _count(needs, count_items)
    total_mb, total_tokens = sum(load.memory_mb for load in loads), sum(load.tokens for load in loads)
    many = len(loads) > _MAX_BRANCHES
    concurrency = _MAX_BRANCHES
    if policy is None:
        guarded = many
        batches, reason = _together(loads), "The group has no resource policy: all branches are in one batch."
    elif policy.strategy == "SPEED_OPTIMIZED":
        guarded = many
        limits = _Limits(memory_mb=_MAX_SPEED_MB, tokens=total_tokens, branches=_MAX_BRANCHES)
        batches = _pack(loads, limits) if many else _together(loads)
        reason = (
            f"Even for speed, at most {_MAX_BRANCHES} branches and {_MAX_SPEED_MB} MB run at the same time."
            if many
            else "Speed comes first: all branches are in one batch."
        )
    else:
        concurrency = min(policy.max_concurrent_branches, _MAX_BRANCHES)
        guarded = many and policy.max_concurrent_branches > _MAX_BRANCHES
        batches, reason = _within(loads, policy, concurrency)
    return Schedule(
        strategy="DEFAULT" if policy is None else policy.strategy,
        batches=tuple(tuple(batch) for batch in batches),
        max_concurrency=concurrency,
        total_memory_mb=total_mb,
        total_tokens=total_tokens,
        guardrail_applied=guarded,
        reason=reason,
    )


def _count(needs: Sequence[BranchNeeds], count_items: Callable[[str], int]) -> list[_Load]:
    paths = dict.fromkeys(each.path for need in needs for each in need.lists)
    lengths = {path: count_items(path) for path in paths}
    return [
        _Load(
            index=index,
            memory_mb=need.memory_mb + sum(lengths[each.path] * each.memory_mb_per_item for each in need.lists),
            tokens=need.tokens + sum(lengths[each.path] * each.tokens_per_item for each in need.lists),
            shared=need.shared,
        )
        for index, need in enumerate(needs)
    ]


def _together(loads: Sequence[_Load]) -> list[list[int]]:
    return [[load.index for load in loads]] if loads else []


def _within(loads: Sequence[_Load], policy: ResourcePolicy, branches: int) -> tuple[list[list[int]], str]:
    """Batches within the policy's limits, then each branch that writes something shared alone."""
    limits = _Limits(memory_mb=policy.max_concurrent_memory_mb, tokens=policy.max_concurrent_tokens, branches=branches)
    free = [load for load in loads if not load.shared]
    alone = [[load.index] for load in loads if load.shared]
    memory_mb, tokens = sum(load.memory_mb for load in free), sum(load.tokens for load in free)
    if memory_mb <= limits.memory_mb and tokens <= limits.tokens and len(free) <= branches:
        batches, reason = _together(free), "All fits into the limits of the resource policy."
    else:
        batches = _pack(free, limits, by_tokens=policy.strategy == "COST_OPTIMIZED")
        told = f"{limits.memory_mb} MB, {limits.tokens} tokens and {branches} branches"
        reason = f"Together they need more than the limits of a batch: {told}."
    if alone:
        reason += f" Branches that write shared resources, {len(alone)} of them, run alone."
    return batches + alone, reason


def _pack(loads: Sequence[_Load], limits: _Limits, *, by_tokens: bool = False) -> list[list[int]]:
    """First fit, the largest first, by memory unless told; one that is over a limit by itself stays alone."""
    batches: list[_Batch] = []
    for load in sorted(loads, key=lambda load: (-(load.tokens if by_tokens else load.memory_mb), load.index)):
        for batch in batches:
            if batch.memory_mb >= load.memory_mb and batch.tokens >= load.tokens and batch.branches > 0:
                break
        else:
            batch = _Batch(memory_mb=limits.memory_mb, tokens=limits.tokens, branches=limits.branches)
            batches.append(batch)
        batch.add(load)
    return [sorted(batch.indices) for batch in batches]
