"""Join the results of branches or chunks: every result counted, ordered by number, merged by one writer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from statebag.bag._bag import Bag
from statebag.bag._fields import UserFields
from statebag.bag._merge_states import BranchChange, MergedStates, merge_states
from statebag.bag._normalise import reserved_warnings
from statebag.bag._result import Delta, Status
from statebag.bag._results import BranchResult, read_results
from statebag.blobs import ExecutionBlobs, Pointer
from statebag.canonical import size_of
from statebag.config import drop_reserved
from statebag.errors import InputRefused, Problem

__all__ = ["FAILED_SAMPLE", "SUMMARY_SAMPLE", "name_results", "normalise_aggregate"]

SUMMARY_SAMPLE = 10
"""Results and conflicts listed in the summary itself; all of them are behind its pointers."""
FAILED_SAMPLE = 5
"""Failed results kept beside the pointer to all of them."""
SAMPLE_BYTES = 8 * 1024
"""Bytes that a sample may have, so that long errors do not make a summary long."""

SHOWN_CHARACTERS = 300
"""Of a failure, in the warning of it; the bag has the whole."""

_TOKENS = ("total_tokens", "total_input_tokens", "total_output_tokens")
_TOLERATE = re.compile(r"tolerate:(\d+(?:\.\d+)?)", re.ASCII)


def normalise_aggregate(bag: Bag, results: Any, policy: Mapping[str, Any], blobs: ExecutionBlobs) -> Delta:
    """The delta of a fork or a map that has ended.

    Args:
        bag: holds the state as it was before the fork.
        results: as for :func:`read_results`.
        policy: ``on_conflict`` (last_wins, keep_first, error), ``failure`` (fail_if_all, fail_on_any,
            fail_on_majority, ``tolerate:PERCENT``), ``append_keys`` (names or patterns whose added elements are joined).
        blobs: where stored states are.

    Raises:
        InputRefused: the results are no list, or the policy does not exist.
        StateBagError: ``INVALID_EXECUTION_ORDER``, or a conflict under the policy ``error``.
        StoreUnavailable: a state can't be read for now.
    """
    items = read_results(results, bag, blobs)
    good = [item for item in items if item.succeeded]
    paused = [item for item in items if item.paused]
    bad = [item for item in items if not item.succeeded and not item.paused]
    violated = _violated(len(items), len(bad), policy.get("failure") or "fail_if_all")
    if violated and bad:
        first = bad[0].line()
        violated += f" The first: {first['branch_id']}: {first['error']['code']}: {first['error']['message']}"
    merged = merge_states(
        bag.user,
        [BranchChange(name=item.name, state=item.changes or {}, unset=item.unset) for item in good],
        on_conflict=policy.get("on_conflict") or "last_wins",
        append_keys=_patterns(policy.get("append_keys") or ()),
    )
    kept, dropped = drop_reserved(merged.changes)
    kernel: dict[str, Any] = {
        "distributed_chunk_summary": _summarise(items, merged, bag.user, blobs),
        "pending_branches": (),
        "execution_batches": (),
        "branch_policy": {},
        "convergence_segment": None,
    }
    if bad:
        kernel["failed_segments"] = _add_failures(bag.kernel.failed_segments, [item.line() for item in bad], blobs)
    return Delta(
        status=Status.PAUSED_FOR_HITP if paused and not violated else None,
        kernel=kernel,
        user_set=kept,
        user_unset=merged.unset,
        logs=tuple(entry for item in items for entry in item.logs),
        next_segment=None if violated else bag.kernel.convergence_segment,
        aggregation_failed=violated,
        warnings=(*reserved_warnings(dropped, "$.results"), *_tell_failures(bad)),
    )


def name_results(results: Any, pending: Sequence[Any]) -> Any:
    """Results with the number and id of their branch, where they only have the ``position`` in what was pending."""
    if not isinstance(results, list):
        return results
    named: list[Any] = []
    for result in results:
        at = result.get("position") if isinstance(result, Mapping) else None
        if isinstance(at, int) and 0 <= at < len(pending):
            known = pending[at]
            index, name = known.get("branch_index", at), known.get("branch_id", str(at))
            named.append({"branch_index": index, "branch_id": name, **result})
        else:
            named.append(result)
    return named


def _tell_failures(failed: Sequence[BranchResult]) -> list[Problem]:
    """A warning for each of the first failures: what a run survives, its owner should know."""
    told: list[Problem] = []
    for item in failed[:FAILED_SAMPLE]:
        error = item.line()["error"]
        text = f"branch {item.name} failed: {error['code']}: {error['message']}"
        shown = text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]} …"
        told.append(Problem(path=f"$.branches.{item.name}", code="BRANCH_FAILED", message=shown))
    if len(failed) > len(told):
        text = f"{len(failed) - len(told)} more failed; `failed_segments` of the bag has all."
        told.append(Problem(path="$.branches", code="BRANCH_FAILED", message=text))
    return told


def _summarise(
    items: Sequence[BranchResult], merged: MergedStates, base: UserFields, blobs: ExecutionBlobs
) -> dict[str, Any]:
    lines = [item.line() for item in items]
    summary: dict[str, Any] = {
        "total": len(items),
        "succeeded": sum(item.succeeded for item in items),
        "failed": sum(not item.succeeded and not item.paused for item in items),
        "paused": sum(item.paused for item in items),
        "skipped": sum(item.succeeded and item.status is Status.SKIPPED for item in items),
        "conflicts": _sample(merged.conflicts, SUMMARY_SAMPLE),
        "chunk_results": _sample(lines, SUMMARY_SAMPLE),
    }
    if len(summary["chunk_results"]) < len(lines):
        summary["all_results"] = blobs.put(lines, kind="results").to_json()
    if len(summary["conflicts"]) < len(merged.conflicts):
        summary["conflict_count"] = len(merged.conflicts)
        summary["all_conflicts"] = blobs.put(list(merged.conflicts), kind="conflicts").to_json()
    tokens = _sum_tokens(items, base)
    return summary | ({"tokens": tokens} if tokens else {})


def _add_failures(
    earlier: Mapping[str, Any] | None, lines: Sequence[Mapping[str, Any]], blobs: ExecutionBlobs
) -> dict[str, Any]:
    """All failures of the run: new ones join the stored list, never its sample."""
    stored = blobs.get(Pointer.from_json(earlier["all"])) if earlier else []
    failures = [*stored, *lines]
    pointer = blobs.put(failures, kind="failed")
    return {"count": len(failures), "sample": _sample(failures, FAILED_SAMPLE), "all": pointer.to_json()}


def _sample(entries: Sequence[Any], count: int) -> list[Any]:
    """The first entries, as many as may stand in a bag."""
    sample: list[Any] = []
    total = 0
    for entry in entries[:count]:
        total += size_of(entry)
        if total > SAMPLE_BYTES:
            break
        sample.append(entry)
    return sample


def _sum_tokens(items: Sequence[BranchResult], base: UserFields) -> dict[str, int]:
    """What the branches used together: each counts on from what was there at the fork."""
    sums: dict[str, int] = {}
    for name in _TOKENS:
        counts = [(item.changes or {}).get(name) for item in items if item.succeeded]
        used = [count for count in counts if isinstance(count, int) and not isinstance(count, bool)]
        before = base.get(name, 0)
        if used:
            sums[name] = sum(used) - len(used) * (before if isinstance(before, int) else 0)
    return sums


def _patterns(given: Any) -> tuple[str, ...]:
    if isinstance(given, list | tuple) and all(isinstance(pattern, str) for pattern in given):
        return tuple(given)
    problem = Problem(path="$.append_keys", code="RESULT_INVALID", message="must be a list of names or patterns")
    raise InputRefused([problem], what="branch_policy")


def _violated(total: int, failed: int, policy: Any) -> str | None:
    """Why the failure policy is violated, or None."""
    tolerated = _TOLERATE.fullmatch(policy) if isinstance(policy, str) else None
    if tolerated:
        violated = failed * 100 > float(tolerated.group(1)) * total
    elif policy in ("fail_on_any", "fail_on_majority", "fail_if_all"):
        violated = (
            failed > 0
            and {
                "fail_on_any": True,
                "fail_on_majority": failed * 2 > total,
                "fail_if_all": failed == total,
            }[policy]
        )
    else:
        text = (
            f"the policy {policy!r} does not exist. Use fail_if_all, fail_on_any, fail_on_majority or tolerate:PERCENT"
        )
        raise InputRefused([Problem(path="$.failure", code="RESULT_INVALID", message=text)], what="branch_policy")
    if total == 0:
        return "there are no results to join: the fork or the map ran nothing."
    return f"{failed} of {total} failed, and the policy is {policy}." if violated else None
