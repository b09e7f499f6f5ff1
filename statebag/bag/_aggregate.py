"""Join the results of branches or chunks: every result counted, ordered by number, merged by one writer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from statebag.bag._bag import Bag
from statebag.bag._merge_states import merge_states
from statebag.bag._result import Delta, Status, parse_status
from statebag.blobs import ExecutionBlobs, Pointer
from statebag.config.reserved import drop_reserved
from statebag.errors import InputRefused, PointerCorrupt, PointerNotFound, Problem, StateBagError

__all__ = ["FAILED_SAMPLE", "SUMMARY_SAMPLE", "normalise_aggregate"]

SUMMARY_SAMPLE = 10
"""Results listed in the summary itself; all of them are behind its pointer."""
FAILED_SAMPLE = 5
"""Failed results kept beside the pointer to all of them."""

_SUCCESS = frozenset({Status.COMPLETE, Status.CONTINUE, Status.SKIPPED})
_NUMBER = re.compile(r"(\d+)$")


@dataclass(frozen=True, kw_only=True)
class _Item:
    """One result in its place."""

    position: int
    name: str
    status: Status | None
    body: Mapping[str, Any]
    state: Mapping[str, Any] | None = None
    error: Any = None

    @property
    def succeeded(self) -> bool:
        return self.error is None and self.status in _SUCCESS

    def line(self) -> dict[str, Any]:
        """What the summary says of it."""
        body: dict[str, Any] = {
            "branch_id": self.name,
            "branch_index": self.position,
            "status": str(self.status) if self.status and self.error is None else "FAILED",
        }
        pointer = self.body.get("final_state_s3_path")
        return body | ({"pointer": pointer} if pointer else {}) | ({"error": self.error} if self.error else {})


def normalise_aggregate(bag: Bag, results: Any, policy: Mapping[str, Any], blobs: ExecutionBlobs) -> Delta:
    """The delta of a fork or a map that has ended.

    Args:
        bag: holds the state as it was before the fork.
        results: a list of results, or ``{"segment_results" | "branches": list}``. Each has ``status``, optionally
            ``branch_id``/``chunk_id``, ``branch_index``/``execution_order``, and its state as ``final_state``,
            ``state_delta`` or ``final_state_s3_path``.
        policy: ``on_conflict`` (last_wins, keep_first, error), ``failure`` (fail_if_all, fail_on_any,
            fail_on_majority, ``tolerate:P``), ``append_keys`` (names or patterns whose added elements are joined).
        blobs: where stored states are.

    Raises:
        StateBagError: ``INVALID_EXECUTION_ORDER``, or a conflict under the policy ``error``.
        StoreUnavailable: a state can't be read for now.
    """
    items = [_load(item, blobs) for item in _order(_listed(results))]
    good = [item for item in items if item.succeeded]
    paused = [item for item in items if item.status is Status.PAUSED_FOR_HITP and item.error is None]
    bad = [item for item in items if not item.succeeded and item not in paused]
    merged = merge_states(
        bag.user,
        [(item.name, item.state or {}) for item in good],
        on_conflict=str(policy.get("on_conflict", "last_wins")),
        append_keys=tuple(policy.get("append_keys", ())),
    )
    kept, dropped = drop_reserved(merged.changes)
    lines = [item.line() for item in items]
    summary: dict[str, Any] = {
        "total": len(items),
        "succeeded": len(good),
        "failed": len(bad),
        "paused": len(paused),
        "conflicts": list(merged.conflicts),
        "chunk_results": lines[:SUMMARY_SAMPLE],
    }
    if len(lines) > SUMMARY_SAMPLE:
        summary["all_results"] = blobs.put(lines, kind="results").to_json()
    kernel: dict[str, Any] = {
        "distributed_chunk_summary": summary,
        "pending_branches": (),
        "branch_policy": {},
        "convergence_segment": None,
    }
    if bad:
        failures = [item.line() for item in bad]
        kernel["failed_segments"] = {
            "count": len(failures),
            "sample": failures[:FAILED_SAMPLE],
            "all": blobs.put(failures, kind="failed").to_json(),
        }
    logs = [entry for item in items for entry in item.body.get("new_history_logs") or ()]
    violated = _violated(len(items), len(bad), str(policy.get("failure", "fail_if_all")))
    following = bag.kernel.convergence_segment
    return Delta(
        status=Status.PAUSED_FOR_HITP if paused and not violated else None,
        kernel=kernel,
        user_set=kept,
        user_unset=merged.unset,
        logs=tuple(logs),
        next_segment=None if violated or paused else following,
        aggregation_failed=violated,
        warnings=tuple(
            Problem(path=f"$.{name}", code="RESERVED_KEY", message=f"`{name}` is reserved; the branches' value is dropped")
            for name in dropped
        ),
    )


def _listed(results: Any) -> Sequence[Any]:
    if isinstance(results, Mapping):
        for key in ("segment_results", "branches", "chunk_results"):
            if isinstance(results.get(key), list):
                return results[key]
    if isinstance(results, list | tuple):
        return results
    problem = Problem(path="$", code="RESULT_INVALID", message="must be a list of results, one for each branch or chunk")
    raise InputRefused([problem], what="results")


def _order(results: Sequence[Any]) -> list[_Item]:
    keys: list[int | None] = [_number_of(result) for result in results]
    explicit = [isinstance(r, Mapping) and r.get("execution_order") is not None for r in results]
    if any(explicit) and not all(explicit):
        missing = explicit.index(False)
        raise StateBagError(
            f"results[{missing}] has no `execution_order` although others have. Give it to all or to none.",
            code="INVALID_EXECUTION_ORDER",
        )
    numbers = [key if key is not None else index for index, key in enumerate(keys)]
    if any(key is None for key in keys):
        numbers = list(range(len(results)))
    order = sorted(range(len(results)), key=lambda index: (numbers[index], index))
    return [_item(results[index], numbers[index]) for index in order]


def _number_of(result: Any) -> int | None:
    if not isinstance(result, Mapping):
        return None
    for key in ("execution_order", "branch_index", "chunk_index"):
        value = result.get(key)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            raise StateBagError(f"{key} is {value!r}, not a whole number.", code="INVALID_EXECUTION_ORDER")
        return value
    suffix = _NUMBER.search(str(result.get("chunk_id") or ""))
    return int(suffix.group(1)) if suffix else None


def _item(result: Any, position: int) -> _Item:
    if not isinstance(result, Mapping):
        error = {"code": "RESULT_INVALID", "message": f"a result is a {type(result).__name__}, not an object"}
        return _Item(position=position, name=str(position), status=Status.FAILED, body={}, error=error)
    name = str(result.get("branch_id") or result.get("chunk_id") or position)
    status = parse_status(result.get("status"))
    error = result.get("error_info") or result.get("error")
    if status is None:
        error = error or {"code": "UNKNOWN_STATUS", "message": f"the status {result.get('status')!r} does not exist"}
    if error is not None and status in _SUCCESS:
        error = None
    return _Item(position=position, name=name, status=status, body=result, error=error)


def _load(item: _Item, blobs: ExecutionBlobs) -> _Item:
    """Read a successful result's state. One that can't be read is a failed branch, not a missing one."""
    if not item.succeeded:
        return item
    body = item.body
    try:
        if body.get("state_delta") is not None:
            state = body["state_delta"]
        elif body.get("final_state_s3_path") is not None:
            state = blobs.get(Pointer.from_json(body["final_state_s3_path"]))
        else:
            state = body.get("final_state")
    except (PointerNotFound, PointerCorrupt) as cause:
        return _Item(position=item.position, name=item.name, status=item.status, body=body, error=cause.to_json())
    delta = body.get("state_delta") is not None
    values: Any = state.get("set", {}) if delta and isinstance(state, Mapping) else (state or {})
    if not isinstance(values, Mapping):
        error = {"code": "RESULT_INVALID", "message": f"the state is a {type(values).__name__}, not an object"}
        return _Item(position=item.position, name=item.name, status=item.status, body=body, error=error)
    return _Item(position=item.position, name=item.name, status=item.status, body=body, state=values)


def _violated(total: int, failed: int, policy: str) -> str | None:
    """Why the failure policy is violated, or None."""
    if total == 0:
        return "there are no results to join: the fork or the map ran nothing."
    text = f"{failed} of {total} failed, and the policy is {policy}."
    if policy == "fail_on_any":
        return text if failed else None
    if policy == "fail_on_majority":
        return text if failed * 2 > total else None
    if policy == "fail_if_all":
        return text if failed == total else None
    kind, _, percent = policy.partition(":")
    if kind == "tolerate" and percent.replace(".", "", 1).isdigit():
        return text if failed * 100 > float(percent) * total else None
    problem = Problem(
        path="$.failure",
        code="RESULT_INVALID",
        message=f"the policy {policy!r} does not exist. Use fail_if_all, fail_on_any, fail_on_majority or tolerate:PERCENT",
    )
    raise InputRefused([problem], what="branch_policy")
