"""Budgets of a plan: how many segments it may run, how long a segment may take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from statebag.config import NODE_TYPE_ALIASES, Document, Node, normalise_type
from statebag.plan._segment import RetrySpec

__all__ = ["LoopLimits", "RunBudget", "budget_of", "estimate_executions", "limits_of", "weigh_nodes"]

_FLOOR = 100
_FLAT_BONUS = 20
_BRANCH_FLOOR = 50
_LOOP_PASSES = 5
_FOR_EACH_ITEMS = 20

_SEGMENT_SECONDS = 300.0
_ASYNC_LLM_SECONDS = 900.0
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
    raw = max(1, total_segments) + weigh_nodes((node.type, node.config) for node in nodes)
    return max(raw * 3 // 2 + _FLAT_BONUS, _FLOOR)


def weigh_nodes(nodes: Iterable[tuple[str, Mapping[str, Any]]]) -> int:
    """Steps that repetition adds to a list of nodes, each given as type and config, bodies included."""
    return sum(_weigh(kind, config) for kind, config in nodes)


def _weigh(kind: str, config: Mapping[str, Any]) -> int:
    if kind == "loop":
        body = _objects(config.get("nodes"))
        return len(body) * (_count(config, _LOOP_PASSES) - 1) + weigh_nodes(_typed(body))
    if kind == "for_each":
        body = _objects(_member(config.get("sub_workflow"), "nodes"))
        return len(body) * _count(config, _FOR_EACH_ITEMS) + weigh_nodes(_typed(body))
    if kind == "parallel_group":
        branches = _objects(config.get("branches"))
        return sum(weigh_nodes(_typed(_objects(branch.get("nodes")))) for branch in branches)
    return 0


def _typed(nodes: Iterable[Mapping[str, Any]]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    for node in nodes:
        kind = normalise_type(str(node.get("type", "")))
        config = node.get("config")
        yield NODE_TYPE_ALIASES.get(kind, kind), cast("dict[str, Any]", config) if isinstance(config, dict) else {}


def _count(config: Mapping[str, Any], default: int) -> int:
    value = config.get("max_iterations")
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else default


def _member(value: Any, name: str) -> Any:
    return cast("dict[str, Any]", value).get(name) if isinstance(value, dict) else None


def _objects(value: Any) -> list[dict[str, Any]]:
    items = cast("list[Any]", value) if isinstance(value, list) else []
    return [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]


def budget_of(nodes: Sequence[Node]) -> RunBudget:
    """The largest of what the nodes' configs ask for; a node that asks for nothing takes the default."""
    async_llm = any(node.type == "llm_chat" and _is_async(node) for node in nodes)
    seconds = _ASYNC_LLM_SECONDS if async_llm else _SEGMENT_SECONDS
    beats = [float(node.config["heartbeat_seconds"]) for node in nodes if node.config.get("heartbeat_seconds")]
    retries = [node.config["retry_config"] for node in nodes if node.config.get("retry_config")]
    return RunBudget(
        timeout_seconds=max((float(node.config.get("timeout_seconds") or seconds) for node in nodes), default=seconds),
        heartbeat_seconds=max(beats, default=None),
        retry=_largest(retries) if retries else None,
        async_llm=async_llm,
    )


def _largest(retries: Sequence[Mapping[str, Any]]) -> RetrySpec:
    return RetrySpec(
        max_retries=max(retry.get("max_retries") or 0 for retry in retries),
        base_delay_seconds=max(float(retry.get("base_delay") or 1.0) for retry in retries),
    )


def _is_async(node: Node) -> bool:
    return any(node.config.get(flag) is True for flag in _ASYNC_FLAGS)
