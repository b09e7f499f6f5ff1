"""Read the results of branches or chunks: each in its place, none left out, whatever is wrong with it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from statebag.bag._bag import Bag
from statebag.bag._fields import read_state
from statebag.bag._history import read_all
from statebag.bag._result import Status, error_of, parse_status, wrong_logs
from statebag.blobs import ExecutionBlobs, Pointer, is_pointer
from statebag.errors import InputRefused, PointerCorrupt, PointerNotFound, PointerRefused, Problem, StateBagError

__all__ = ["BranchResult", "read_results"]

_SUCCESS = frozenset({Status.COMPLETE, Status.CONTINUE, Status.SKIPPED})
_NUMBERS = ("execution_order", "branch_index", "chunk_index")
_SUFFIX = re.compile(r"(\d{1,15})$")


@dataclass(frozen=True, kw_only=True)
class BranchResult:
    """One result in its place."""

    position: int
    name: str
    status: Status | None
    error: Mapping[str, Any] | None = None
    """Why it counts as failed."""
    pointer: Any = None
    """To its stored state, as it was given."""
    changes: Mapping[str, Any] | None = None
    """Fields of its state; those that it did not touch may be among them."""
    unset: tuple[str, ...] = ()
    logs: tuple[Any, ...] = ()

    @property
    def succeeded(self) -> bool:
        """Whether its state counts."""
        return self.error is None and self.status in _SUCCESS

    @property
    def paused(self) -> bool:
        """Whether it waits for a person."""
        return self.error is None and self.status is Status.PAUSED_FOR_HITP

    def line(self) -> dict[str, Any]:
        """What the summary says of it."""
        status = "FAILED" if self.error or self.status is None else str(self.status)
        body: dict[str, Any] = {"branch_id": self.name, "branch_index": self.position, "status": status}
        body |= {"pointer": self.pointer} if self.pointer else {}
        return body | ({"error": dict(self.error)} if self.error else {})


def read_results(results: Any, base: Bag, blobs: ExecutionBlobs) -> list[BranchResult]:
    """The results in branch order, with their states loaded.

    A state that can't be read, and a result that is no object, are failed branches, not missing ones.

    Args:
        results: a list, an object with one (``segment_results``, ``branches``, ``chunk_results``), or a pointer to
            either. A result has a ``status``, a number (``execution_order``, ``branch_index``, ``chunk_index``, or at
            the end of ``chunk_id``), and its state: ``state_delta`` (``set``, ``unset``), ``final_state``,
            ``final_state_s3_path``, ``state_data``, the sealed bag of a branch, or ``bag``, a pointer to a sealed bag
            that was born at the fork, without the history before it.
        base: the bag at the fork.
        blobs: where stored states are.

    Raises:
        InputRefused: there is no list.
        StateBagError: ``INVALID_EXECUTION_ORDER``.
        StoreUnavailable: a state can't be read for now.
    """
    ordered = list(_order(_listed(results, blobs)))
    # Read together where the store gains by it; what is missing or broken is found with its branch.
    with contextlib.suppress(PointerNotFound, PointerCorrupt, PointerRefused):
        blobs.get_many([Pointer.from_json(body["bag"]) for _, body in ordered if is_pointer(body.get("bag"))])
    return [_load(item, body, base, blobs) for item, body in ordered]


def _listed(results: Any, blobs: ExecutionBlobs) -> Sequence[Any]:
    if is_pointer(results):
        results = blobs.get(Pointer.from_json(results))
    if isinstance(results, Mapping):
        for key in ("segment_results", "branches", "chunk_results"):
            if isinstance(results.get(key), list):
                return results[key]
    if isinstance(results, list | tuple):
        return results
    problem = Problem(
        path="$", code="RESULT_INVALID", message="must be a list of results, one for each branch or chunk"
    )
    raise InputRefused([problem], what="results")


def _order(results: Sequence[Any]) -> Iterator[tuple[BranchResult, Mapping[str, Any]]]:
    numbers = [_number_of(result) for result in results]
    numbered = [number for number in numbers if number is not None]
    read = [_read(result) for result in results]
    if numbered:
        # What has failed may have lost its number; a success without one has no place among the others.
        for index, (item, number) in enumerate(zip(read, numbers, strict=True)):
            if number is None and item.succeeded:
                raise StateBagError(
                    f"results[{index}] has no number although others have. Give `execution_order` to all or to none.",
                    code="INVALID_EXECUTION_ORDER",
                )
        last = max(numbered)
        places = [last + 1 + index if number is None else number for index, number in enumerate(numbers)]
    else:
        places = list(range(len(results)))
    for index in sorted(range(len(results)), key=lambda i: (places[i], i)):
        item, body = read[index], results[index]
        named = replace(item, position=places[index], name=item.name or str(places[index]))
        yield named, body if isinstance(body, Mapping) else {}


def _number_of(result: Any) -> int | None:
    if not isinstance(result, Mapping):
        return None
    for key in _NUMBERS:
        value = result.get(key)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            raise StateBagError(f"{key} is {value!r}, not a whole number.", code="INVALID_EXECUTION_ORDER")
        return value
    suffix = _SUFFIX.search(str(result.get("chunk_id") or ""))
    return int(suffix.group(1)) if suffix else None


def _read(result: Any) -> BranchResult:
    if not isinstance(result, Mapping):
        return BranchResult(
            position=0, name="", status=None, error=_invalid(f"the result is a {type(result).__name__}, not an object")
        )
    status = parse_status(result.get("status"))
    given = result.get("error_info", result.get("error"))
    if status is None:
        said = {"code": "UNKNOWN_STATUS", "message": f"the status {result.get('status')!r} does not exist"}
        error = error_of(given) if given else said
    elif status in _SUCCESS or status is Status.PAUSED_FOR_HITP:
        error = None
    else:
        error = error_of(given) if given else {"code": "RUN_FAILED", "message": f"it ended with status {status}"}
    faults = [f"new_history_logs{where} {what}" for where, what in wrong_logs(result)]
    return BranchResult(
        position=0,
        name=str(result.get("branch_id") or result.get("chunk_id") or ""),
        status=status,
        error=_invalid("; ".join(faults)) if faults else error,
        pointer=result.get("final_state_s3_path") or result.get("bag"),
        logs=() if faults else tuple(result.get("new_history_logs") or ()),
    )


def _load(item: BranchResult, body: Mapping[str, Any], base: Bag, blobs: ExecutionBlobs) -> BranchResult:
    try:
        if isinstance(body.get("state_data"), Mapping):
            return _load_bag(item, Bag.from_json(body["state_data"], blobs), base, blobs)
        if is_pointer(body.get("bag")):
            return _load_born(item, Bag.from_json(blobs.get(Pointer.from_json(body["bag"])), blobs), base, blobs)
        if not item.succeeded:
            return item
        delta = body.get("state_delta")
        if isinstance(delta, Mapping):
            return _with_state(item, delta.get("set") or {}, tuple(delta.get("unset") or ()))
        if item.pointer is not None:
            state = read_state(item.pointer, blobs, path="$.final_state_s3_path", what="result")
            return _with_state(item, state.whole())
        return _with_state(item, delta or body.get("final_state") or {})
    except StateBagError as cause:
        if cause.retryable:
            raise
        return replace(item, error=cause.to_json())


def _load_bag(item: BranchResult, bag: Bag, base: Bag, blobs: ExecutionBlobs) -> BranchResult:
    """A branch's own bag, which continues the one at the fork: what it did is what differs, and what came after."""
    known = base.kernel.state_history.count
    logs = [entry for index, entry in enumerate(read_all(bag.kernel.state_history, blobs)) if index >= known]
    return _with_differences(replace(item, logs=(*logs, *item.logs)), bag, base)


def _load_born(item: BranchResult, bag: Bag, base: Bag, blobs: ExecutionBlobs) -> BranchResult:
    """A bag that began with the fork's variables: what it did is what differs, and all of its history."""
    return _with_differences(replace(item, logs=(*read_all(bag.kernel.state_history, blobs), *item.logs)), bag, base)


def _with_differences(item: BranchResult, bag: Bag, base: Bag) -> BranchResult:
    if not item.succeeded:
        return item
    changes, unset = bag.user.differences(base.user)
    return replace(item, changes=changes, unset=unset)


def _with_state(item: BranchResult, changes: Any, unset: tuple[Any, ...] = ()) -> BranchResult:
    if not isinstance(changes, Mapping):
        return replace(item, error=_invalid(f"the state is a {type(changes).__name__}, not an object"))
    return replace(item, changes=changes, unset=tuple(name for name in unset if isinstance(name, str)))


def _invalid(message: str) -> dict[str, Any]:
    return {"code": "RESULT_INVALID", "message": message}
