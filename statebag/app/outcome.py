"""What a run has come to: the object that ``--json`` prints."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from temporalio.client import Client, WorkflowFailureError

from statebag.app.failures import ending_of, typed_rpc_errors
from statebag.app.lineage import identity_of, lineage_of
from statebag.app.output import error_body
from statebag.app.progress import ask
from statebag.app.start import Handle
from statebag.bag import BagEngine, Place
from statebag.errors import StateBagError

__all__ = ["Outcome", "outcome_of", "place_of", "root_of"]

Outcome = dict[str, Any]
"""``status``, ``execution_id``, ``final_state``, counts, ``trace``, and ``error`` where there is one."""

_COUNTS = ("total_segments", "llm_segments", "hitp_segments", "pauses", "loop_counter")
_TRY_SECONDS = 2.0
_TRIES = 8


async def outcome_of(
    client: Client, handle: Handle, engine: BagEngine, *, ensure_worker: Callable[[], Awaitable[None]]
) -> Outcome:
    """Wait for the end of the run, and describe it.

    The state is that of the final bag; of a run that did not succeed, that of the last bag there was.

    Args:
        client: Of the run's namespace.
        handle: The run.
        engine: Reads its bag.
        ensure_worker: Called where no worker answers what the run's trace is.

    Raises:
        StateBagError: the server does not answer, or the run is unknown.
    """
    with typed_rpc_errors(handle.id):
        try:
            output: Mapping[str, Any] = await handle.result()
        except WorkflowFailureError as failure:
            status, error = ending_of(failure)
            output = {}
        else:
            status, error = "SUCCEEDED", None
    trace, tries = None, 0
    while trace is None and tries < _TRIES:
        if tries:
            await ensure_worker()
        trace, tries = await ask(handle, "trace", seconds=_TRY_SECONDS), tries + 1
    facts = output or await ask(handle, "progress") or {}
    body: Outcome = {"status": status, "execution_id": handle.id}
    if output.get("duplicate_of"):
        body["duplicate_of"] = output["duplicate_of"]
    root = root_of(output, error) or facts.get("bag")
    try:
        if root is not None:
            place = await place_of(client, handle, root, output)
            body["final_state"] = await asyncio.to_thread(_read_state, engine, place)
    except StateBagError as unreadable:
        # The run is over all the same; only its state can't be shown.
        error = error or error_body(unreadable)
    body |= {name: facts.get(name, 0) for name in _COUNTS}
    body |= {name: output[name] for name in ("failed_branches", "failed_items") if output.get(name)}
    body["trace"] = trace
    if error is not None:
        shown = {name: value for name, value in error.items() if name not in ("final_state_s3_path", "loop_counter")}
        body["error"] = {"code": error["code"], "message": error["message"], **shown}
    return body


def root_of(output: Mapping[str, Any], error: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Pointer to the bag in a run's result or failure."""
    return output.get("final_state_s3_path") or (error or {}).get("final_state_s3_path")


async def place_of(
    client: Client, handle: Handle, root: Mapping[str, Any], output: Mapping[str, Any] | None = None
) -> Place:
    """Where the bag behind a pointer of the run is.

    Args:
        client: Of the run's namespace.
        handle: The run.
        root: The pointer.
        output: The run's result, where it has one: it may be another run's, with the same idempotency key.
    """
    owner_id, workflow_id = (output["ownerId"], output["workflowId"]) if output else await _owner_of(client, handle.id)
    execution_id = output["execution_id"] if output else handle.id
    return Place(owner_id=owner_id, workflow_id=workflow_id, execution_id=execution_id, version=0, root=root)


def _read_state(engine: BagEngine, place: Place) -> dict[str, Any]:
    return engine.read_bag(place).user.whole()


async def _owner_of(client: Client, execution_id: str) -> tuple[str, str]:
    """Owner and workflow of a run, from the input in its history: that is there without a worker, and for ever."""
    with typed_rpc_errors(execution_id):
        described = await client.get_workflow_handle(execution_id).describe()
    lineage = await lineage_of(client, execution_id, described.run_id)
    return identity_of(lineage.given)
