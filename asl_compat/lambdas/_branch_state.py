"""A branch of the standard machine: what travels of it from state to state, while its bag is in the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asl_compat.lambdas._failures import error_of_task
from asl_compat.lambdas._lines import Line, Lines
from asl_compat.lambdas._surroundings import place_of
from statebag.bag import TERMINAL_FAILURES, NextAction
from statebag.errors import StateBagError
from statebag.machine import FUNCTIONS, GRACE_SECONDS, HITP_TIMEOUT_SECONDS

__all__ = ["advance_branch", "is_branch_state", "merge_into_branch", "pause_of"]


def is_branch_state(body: Any) -> bool:
    """Whether a ``branch_state`` is one of ours, whose bag is in the store."""
    return isinstance(body, Mapping) and "base" in body


def advance_branch(lines: Lines, body: Mapping[str, Any]) -> dict[str, Any]:
    """Take the branch's next step; ``{"line", "path"}``, which :func:`merge_into_branch` takes over."""
    if not body["next_action"]:
        base, branch = place_of(body["base"]), body["branch"]
        line = (
            lines.begin_item(base, branch["unit"], branch["at"])
            if "unit" in branch
            else lines.begin_branch(base, branch["position"])
        )
        path = line.step.extra["path"]
        if line.step.next_action == NextAction.STARTED:
            line = lines.advance(line)
        return {"line": line.to_json(), "path": path}
    return {"line": lines.advance(_line_of(body)).to_json(), "path": body["path"]}


def merge_into_branch(lines: Lines, body: Mapping[str, Any], result: Any) -> tuple[dict[str, Any], str]:
    """The branch behind a step, an answer, or a time that has run out; and what is next.

    Raises:
        StateBagError: ``NODE_TIMEOUT``: a segment took longer than its task may.
    """
    if isinstance(result, Mapping) and "line" in result:
        line = Line.from_json(result["line"], place_of(body["base"]))
    elif body["next_action"] == NextAction.PAUSED_FOR_HITP:
        line = lines.answer(_line_of(body), result, pause_id=pause_of(body))
    else:
        error = error_of_task(result) if isinstance(result, Mapping) else error_of_task({})
        raise StateBagError(
            f"branch {body['path'] or body['position']}: its segment gave no answer in its time: {error['message']}",
            code="NODE_TIMEOUT",
        )
    step, action = line.step, line.step.next_action
    path = result["path"] if isinstance(result, Mapping) and "path" in result else body["path"]
    timeout = FUNCTIONS["execute_segment"].timeout_seconds + GRACE_SECONDS
    if action == NextAction.PAUSED_FOR_HITP:
        timeout = (step.pause or {}).get("timeout_seconds", HITP_TIMEOUT_SECONDS)
    grown = {
        **body,
        "path": path,
        "bag": dict(step.root),
        "next_action": action,
        "segment_to_run": step.segment_to_run,
        "loop_counter": step.loop_counter,
        "max_branch_iterations": line.limit,
        "timeout_seconds": max(1, round(timeout)),
        "error": dict(step.error or {}) if action in TERMINAL_FAILURES else {},
        "line": line.to_json(),
    }
    return grown, action


def pause_of(body: Mapping[str, Any]) -> str:
    """The id of the pause that the branch waits at."""
    return f"{body['path']}:{body['segment_to_run']}-{body['line']['step']['bag']['version']}"


def _line_of(body: Mapping[str, Any]) -> Line:
    return Line.from_json(body["line"], place_of(body["base"]))
