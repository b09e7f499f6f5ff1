"""The document that travels from state to state: the bag, what is next, and how it is run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asl_compat.lambdas._failures import failure_of
from asl_compat.lambdas._surroundings import Surroundings, reference_of
from statebag.bag import TERMINAL_FAILURES, NextAction, Place, Step
from statebag.machine import HITP_TIMEOUT_SECONDS

__all__ = ["document", "document_of_step"]


def document(
    around: Surroundings, state_data: Mapping[str, Any], next_action: str, work: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """``{"state_data", "next_action", "next", "failure"}``, each whole whatever is next, so that every path resolves.

    Args:
        around: Has the store.
        state_data: The sealed bag.
        next_action: What is next.
        work: Members of ``next`` for branches or chunks that are left to be run.
    """
    place = around.adopt(state_data)
    timeout: float = HITP_TIMEOUT_SECONDS
    if next_action == NextAction.PAUSED_FOR_HITP:
        timeout = around.engine.ahead(place, next_action).get("pause", {}).get("timeout_seconds", timeout)
    following = {
        "bag": reference_of(place),
        "timeout_seconds": max(1, round(timeout)),
        "items": [],
        "max_concurrency": 1,
        "total_items": 0,
        "strategy": "",
        "left": {},
        "chunks": {"bucket": "", "key": ""},
    }
    failed = next_action in TERMINAL_FAILURES
    return {
        "state_data": dict(state_data),
        "next_action": str(next_action),
        "next": {**following, **(work or {})},
        "failure": failure_of(state_data.get("error") if failed else None),
    }


def document_of_step(
    around: Surroundings, place: Place, step: Step, work: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The document behind a step of the engine."""
    return document(around, around.state_of(place, step), step.next_action, work)
