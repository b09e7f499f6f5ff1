"""PrepareDistributedExecution: put what the bag has left to be run into a list of chunks that a map can read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asl_compat.lambdas._answer import answer, require
from asl_compat.lambdas._document import document
from asl_compat.lambdas._fan_outs import begin_map
from asl_compat.lambdas._legacy import fold, refuse_beyond_limit, unfold
from asl_compat.lambdas._stretches import begin_stretch, chunks_of_fork
from asl_compat.lambdas._surroundings import Surroundings, surroundings
from statebag.bag import NextAction, Place
from statebag.canonical import canonical_bytes

__all__ = ["handle", "handler"]

_OF_WORK = ("max_concurrency", "total_items", "strategy", "left")
"""Members of ``next`` that the chunks' states read; the chunks themselves are in the list."""


def handler(event: Any, context: Any) -> Any:  # noqa: ARG001 - the signature that Lambda calls
    """``{"state_data", "next_action", "next", "state_bucket"}`` to the document, whose ``next.chunks`` names the list.

    Legacy machines give ``state_s3_path``, ``status``, ``branches`` and ``partition_map``, and get an execution result.
    """
    return answer(lambda: handle(event, surroundings()))


def handle(event: Any, around: Surroundings) -> dict[str, Any]:
    """As :func:`handler`.

    Raises:
        StateBagError: a retryable one, where the store fails for now; InputRefused.
    """
    given = require(event)
    if "state_s3_path" in given:
        require(given, "state_bucket")
        whole = {**unfold(around, given), "state_bucket": given["state_bucket"]}
        if whole["next_action"] == NextAction.CONTINUE:
            refuse_beyond_limit(whole)
        return fold(_prepare(around, whole))
    return _prepare(around, require(given, "state_data", "next_action", "next", "state_bucket"))


def _prepare(around: Surroundings, given: Mapping[str, Any]) -> dict[str, Any]:
    state, action, following = given["state_data"], given["next_action"], given["next"]
    place = around.adopt(state)
    if action == NextAction.DISTRIBUTED_MAP:
        if following["left"]:
            work = {**following, "items": [_with_kind(item, following) for item in following["items"]]}
        else:
            found = begin_map(around, place, in_children=True)
            state, action, work = found["state_data"], found["next_action"], found["next"]
            work = {**work, "items": [_with_kind(item, work) for item in work["items"]]}
    elif action == NextAction.PARALLEL_GROUP:
        work = chunks_of_fork(following["left"])
    else:
        work = begin_stretch(given)
    found = document(around, state, action)
    laid_out = {name: work[name] for name in _OF_WORK if name in work}
    chunks = _write(around, given["state_bucket"], around.adopt(state), work)
    return found | {"next": {**found["next"], **laid_out, "chunks": chunks}}


def _with_kind(item: Mapping[str, Any], work: Mapping[str, Any]) -> dict[str, Any]:
    return {**item, "kind": work["left"]["map"]["kind"]}


def _write(around: Surroundings, bucket: str, place: Place, work: Mapping[str, Any]) -> dict[str, Any]:
    """The list as a plain JSON array, which is what an ItemReader reads; its name is that of the bag and the round."""
    prefix = around.blobs(place.owner_id, place.workflow_id, place.execution_id).prefix
    first = work["left"].get("units", [0, 0])[0] if work.get("left") else 0
    key = f"{prefix}distributed-chunks/{place.version}-{first}.json"
    around.s3.put_object(
        Bucket=bucket, Key=key, Body=canonical_bytes(list(work["items"])), ContentType="application/json"
    )
    return {"bucket": bucket, "key": key}
