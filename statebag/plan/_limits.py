"""Budgets of a plan: how many segments it may run, how long a segment may take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from statebag.config import Document, Node
from statebag.plan._segment import RetrySpec

__all__ = ["LoopLimits", "RunBudget", "budget_of", "estimate_executions", "limits_of", "weigh_nodes"]

_FLOOR = 100
_FLAT_BONUS = 20
_BRANCH_FLOOR = 50
_LOOP_PASSES = 5
_FOR_EACH_ITEMS = 20

_SEGMENT_SECONDS = 300.0
_ASYNC_LLM_SECONDS = 900.0
_AGENT_GRACE_SECONDS = 60.0
_BODY_SECONDS = 21_600.0
"""A node that runs others may run them for each of many items; each of their calls has its own limit."""
_ASYNC_FLAGS = ("async", "async_mode", "force_async")


@dataclass(frozen=True, kw_only=True)
class LoopLimits:
    """More executed segments than these end a run, or a branch, as a failure."""

    max_loop_iterations: int
    max_branch_iterations: int


@dataclass(frozen=True, kw_only=True)
class RunBudget:
    """What the nodes of a segment together ask for."""

    timeout_seconds: float
    heartbeat_seconds: float | None
    retry: RetrySpec | None
    async_llm: bool


def limits_of(document: Document, total_segments: int) -> LoopLimits:
    """The document's own limits, else ones that grow with what it may execute."""
    estimate = estimate_executions(document.nodes, total_segments)
    loop = document.max_loop_iterations or estimate + max(estimate // 4, 20)
    return LoopLimits(
        max_loop_iterations=loop,
        max_branch_iterations=document.max_branch_iterations or max(loop // 2, _BRANCH_FLOOR),
    )


def estimate_executions(nodes: Sequence[Node], total_segments: int) -> int:
    """A generous upper bound of executed steps: one and a half times segments and repetitions, 100 at least."""
    raw = max(1, total_segments) + weigh_nodes(nodes)
    return max(raw * 3 // 2 + _FLAT_BONUS, _FLOOR)


def weigh_nodes(nodes: Iterable[Node]) -> int:
    """Steps that repetition adds to a list of nodes, bodies included."""
    return sum(_weigh(node) for node in nodes)


def _weigh(node: Node) -> int:
    inner = [one for body in node.bodies for one in body.nodes]
    if node.type == "loop":
        return len(inner) * (_count(node, _LOOP_PASSES) - 1) + weigh_nodes(inner)
    if node.type == "for_each":
        return len(inner) * _count(node, _FOR_EACH_ITEMS) + weigh_nodes(inner)
    return weigh_nodes(inner)


def _count(node: Node, default: int) -> int:
    value = node.config.get("max_iterations")
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else default


def budget_of(nodes: Sequence[Node]) -> RunBudget:
    """The largest of what the nodes' configs ask for; a node that asks for nothing takes the default."""
    async_llm = any(node.type == "llm_chat" and _is_async(node) for node in nodes)
    seconds = _ASYNC_LLM_SECONDS if async_llm else _SEGMENT_SECONDS
    inner = list(_with_inner(nodes))
    beats = [float(node.config["heartbeat_seconds"]) for node in inner if node.config.get("heartbeat_seconds")]
    retries = [node.config["retry_config"] for node in inner if node.config.get("retry_config")]
    times = [float(node.config.get("timeout_seconds") or _seconds_of(node, seconds)) for node in nodes]
    return RunBudget(
        timeout_seconds=max(times, default=seconds),
        heartbeat_seconds=max(beats, default=None),
        retry=_largest(retries) if retries else None,
        async_llm=async_llm,
    )


def _seconds_of(node: Node, usual: float) -> float:
    if node.bodies:
        return _BODY_SECONDS
    if node.type == "react":
        # An agent keeps its own time; a try must not end before it does.
        return max(usual, float(node.config.get("wall_clock_timeout") or 0.0) + _AGENT_GRACE_SECONDS)
    return usual


def _with_inner(nodes: Iterable[Node]) -> Iterator[Node]:
    for node in nodes:
        yield node
        for body in node.bodies:
            yield from _with_inner(body.nodes)


def _largest(retries: Sequence[Mapping[str, Any]]) -> RetrySpec:
    return RetrySpec(
        max_retries=max(retry.get("max_retries") or 0 for retry in retries),
        base_delay_seconds=max(float(retry.get("base_delay") or 1.0) for retry in retries),
        max_delay_seconds=max((float(retry["max_delay"]) for retry in retries if retry.get("max_delay")), default=None),
    )


def _is_async(node: Node) -> bool:
    return any(node.config.get(flag) is True for flag in _ASYNC_FLAGS)
