"""Look at runs: one, its history, or all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from temporalio.client import (
    Client,
    WorkflowExecution,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowFailureError,
)

from statebag.app.failures import ending_of, typed_rpc_errors
from statebag.app.outcome import place_of, root_of
from statebag.app.place import is_served
from statebag.app.progress import ask, read_progress
from statebag.app.start import MACHINES, Handle
from statebag.bag import BagEngine, Place, read_all
from statebag.errors import InputRefused, Problem, RunFailed

__all__ = ["STATUSES", "history_of", "list_runs", "require_run", "status_of"]

_QUICK_SECONDS = 3.0
STATUSES: Mapping[str, WorkflowExecutionStatus] = {
    "RUNNING": WorkflowExecutionStatus.RUNNING,
    "SUCCEEDED": WorkflowExecutionStatus.COMPLETED,
    "FAILED": WorkflowExecutionStatus.FAILED,
    "CANCELED": WorkflowExecutionStatus.CANCELED,
    "TERMINATED": WorkflowExecutionStatus.TERMINATED,
    "TIMED_OUT": WorkflowExecutionStatus.TIMED_OUT,
}
"""A run's status, and what Temporal calls it."""
_NAME_OF = {status: name for name, status in STATUSES.items()}
_QUERY_NAME_OF = {
    "RUNNING": "Running",
    "SUCCEEDED": "Completed",
    "FAILED": "Failed",
    "CANCELED": "Canceled",
    "TERMINATED": "Terminated",
    "TIMED_OUT": "TimedOut",
}
_OF_PROGRESS = ("current_state", "segment", "total_segments", "label", "loop_counter", "pauses")


async def status_of(client: Client, execution_id: str) -> dict[str, Any]:
    """One run now.

    What only a worker knows (``current_state``, ``segment``, ``pending`` …) is there where one answers soon.

    Raises:
        StateBagError: ``RUN_NOT_FOUND``, or the server does not answer.
    """
    handle = client.get_workflow_handle(execution_id)
    with typed_rpc_errors(execution_id):
        described = await handle.describe()
    require_run(described)
    body = await _summary(described)
    output, error = await _result_of(handle, described.status)
    if error is not None:
        body["error"] = error
    served = await is_served(client, described.task_queue)
    progress = await read_progress(handle, seconds=_QUICK_SECONDS) if served else None
    body["worker_answers"] = progress is not None
    if progress is not None:
        known = asdict(progress)
        body |= {name: known[name] for name in _OF_PROGRESS} | {"pending": list(progress.pending)}
        fanned = {"branches": progress.branches, "map": progress.map}
        body |= {name: found for name, found in fanned.items() if found}
    elif output:
        body |= {name: output[name] for name in ("total_segments", "loop_counter", "pauses")}
    return body


def require_run(described: WorkflowExecutionDescription) -> None:
    """Tell a run from other workflows.

    Raises:
        RunFailed: ``RUN_NOT_FOUND``: it is another workflow.
    """
    if described.workflow_type not in MACHINES:
        text = f"{described.id}: this is a workflow of type {described.workflow_type}, not a run of a document."
        raise RunFailed(text, code="RUN_NOT_FOUND", details={"execution_id": described.id})


async def list_runs(client: Client, *, status: str | None, limit: int) -> list[dict[str, Any]]:
    """The newest runs first.

    Args:
        client: Of the namespace that they are in.
        status: One of :data:`STATUSES`; None for all.
        limit: How many at most.

    Raises:
        InputRefused: there is no such status.
        StateBagError: the server does not answer.
    """
    machines = ", ".join(f"'{machine}'" for machine in MACHINES)
    query = f"WorkflowType IN ({machines})"
    if status is not None:
        if status not in STATUSES:
            message = f"There is no status {status!r}. Use one of {', '.join(STATUSES)}."
            raise InputRefused([Problem(path="$.status", code="FIELD_VALUE", message=message)])
        query += f" AND ExecutionStatus = '{_QUERY_NAME_OF[status]}'"
    with typed_rpc_errors():
        return [await _summary(found) async for found in client.list_workflows(query, limit=limit)]


async def history_of(client: Client, execution_id: str, engine: BagEngine) -> dict[str, Any]:
    """``{"execution_id", "entries", "trace"}``: the bag's entries, oldest first, and the machine's states.

    ``trace`` is None where no worker answers: it is asked for by Query.

    Raises:
        StateBagError: ``RUN_NOT_FOUND``; ``NO_WORKER``: the run goes on, and only a worker knows its bag; the store's.
    """
    handle = client.get_workflow_handle(execution_id)
    with typed_rpc_errors(execution_id):
        described = await handle.describe()
    output, error = await _result_of(handle, described.status)
    root = root_of(output, error)
    served = await is_served(client, described.task_queue)
    if root is None and served:
        progress = await read_progress(handle, seconds=_QUICK_SECONDS)
        root = progress.bag if progress is not None else None
        served = progress is not None
    if root is None and not served and described.status is WorkflowExecutionStatus.RUNNING:
        text = f"{execution_id}: no worker answers where the run's bag is. Start one: `python worker.py`."
        raise RunFailed(text, code="NO_WORKER", details={"execution_id": execution_id})
    entries: list[Mapping[str, Any]] = []
    if root is not None:
        place = await place_of(client, handle, root, output)
        entries = await asyncio.to_thread(_read_entries, engine, place)
    trace = await ask(handle, "trace", seconds=_QUICK_SECONDS) if served else None
    return {"execution_id": execution_id, "entries": entries, "trace": trace}


def _read_entries(engine: BagEngine, place: Place) -> list[Mapping[str, Any]]:
    blobs = engine.store.execution(place.owner_id, place.workflow_id, place.execution_id)
    return list(read_all(engine.read_bag(place).kernel.state_history, blobs))


async def _result_of(
    handle: Handle, status: WorkflowExecutionStatus | None
) -> tuple[Mapping[str, Any], Mapping[str, Any] | None]:
    """Result or error of a run that is over, which the server knows without a worker."""
    if status is WorkflowExecutionStatus.RUNNING:
        return {}, None
    with typed_rpc_errors(handle.id):
        try:
            return await handle.result(), None
        except WorkflowFailureError as failure:
            return {}, ending_of(failure)[1]


async def _summary(found: WorkflowExecution) -> dict[str, Any]:
    memo = await found.memo()
    body: dict[str, Any] = {
        "execution_id": found.id,
        "status": _NAME_OF.get(found.status, "RUNNING") if found.status is not None else "RUNNING",
        "machine": found.workflow_type,
        "started_at": _text(found.start_time),
        "closed_at": _text(found.close_time),
    }
    return body | ({"workflow_name": memo["workflow_name"]} if "workflow_name" in memo else {})


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds")
