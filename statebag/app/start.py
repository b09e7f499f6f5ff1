"""Start a run, or join the one that the same id and input have started before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from statebag.app.failures import typed_rpc_errors
from statebag.app.inputs import RunRequest
from statebag.app.lineage import lineage_of
from statebag.bag import TEMPORAL, upload_state
from statebag.blobs import BlobStore
from statebag.canonical import canonical_bytes, sha256_hex, size_of
from statebag.errors import RunConflict

__all__ = ["DISTRIBUTED_MACHINE", "MACHINE", "MACHINES", "Handle", "Started", "start_run"]

MACHINE = "WorkflowOrchestrator"
"""Workflow type of the standard machine."""
DISTRIBUTED_MACHINE = "WorkflowDistributedOrchestrator"
"""Workflow type of the machine for documents with many segments."""
MACHINES = (MACHINE, DISTRIBUTED_MACHINE)
_INLINE_BYTES = 64 * 1024
"""A document or an initial state above it goes to the store, and a pointer to it into the input."""

Handle = WorkflowHandle[Any, Any]


@dataclass(frozen=True, kw_only=True)
class Started:
    """A run that goes on or is over."""

    handle: Handle
    machine: str
    """Its workflow type."""
    joined: bool
    """Whether it had been started before."""


async def start_run(client: Client, request: RunRequest, store: BlobStore, *, task_queue: str) -> Started:
    """Start the run.

    The execution id is the idempotency key: with the same input it leads to the same run while that goes
    on and after it has succeeded. After any other end a new run is made.

    Raises:
        RunConflict: ``IDEMPOTENCY_CONFLICT``; nothing was started, and nothing stored.
        StateBagError: from the server or the store.
    """
    execution_id = request.execution_id
    machine = DISTRIBUTED_MACHINE if request.distributed else MACHINE
    with typed_rpc_errors(execution_id):
        if request.named and (there := await _find(client, execution_id)) is not None and _counts(there):
            return await _join(client, request, there)
        body = _stored(request, store)
        try:
            handle: Handle = await client.start_workflow(
                machine,
                body,
                id=execution_id,
                task_queue=task_queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                memo={"input_hash": request.input_hash, "workflow_name": request.workflow_name},
                static_summary=request.workflow_name,
            )
        except WorkflowAlreadyStartedError:
            # It was started, and has succeeded, since we looked.
            return await _join(client, request, await client.get_workflow_handle(execution_id).describe())
        if request.named:
            described = await client.get_workflow_handle(execution_id, run_id=handle.result_run_id).describe()
            await _require_same_input(client, request, described)
        return Started(handle=handle, machine=machine, joined=False)


async def _find(client: Client, execution_id: str) -> WorkflowExecutionDescription | None:
    try:
        return await client.get_workflow_handle(execution_id).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND and "namespace" not in error.message.lower():
            return None
        raise


def _counts(there: WorkflowExecutionDescription) -> bool:
    return there.status in (WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.COMPLETED)


async def _join(client: Client, request: RunRequest, there: WorkflowExecutionDescription) -> Started:
    await _require_same_input(client, request, there)
    return Started(handle=client.get_workflow_handle(there.id), machine=there.workflow_type, joined=True)


async def _require_same_input(client: Client, request: RunRequest, there: WorkflowExecutionDescription) -> None:
    known = await there.memo_value("input_hash", None)
    if known is None:
        known = await _hash_of_input(client, there)
    if known != request.input_hash:
        state = there.status.name.lower() if there.status is not None else "there"
        text = f"{request.execution_id}: a run with this id and another input is {state}. Choose a new id."
        raise RunConflict(text, details={"execution_id": there.id})


async def _hash_of_input(client: Client, there: WorkflowExecutionDescription) -> str:
    """For runs that another client has started, without our memo."""
    lineage = await lineage_of(client, there.id, there.run_id)
    return sha256_hex(canonical_bytes(lineage.given))


def _stored(request: RunRequest, store: BlobStore) -> dict[str, Any]:
    """The execution input, its large parts as pointers below the execution's own prefix."""
    body = request.execution_input()
    blobs = store.execution(request.owner_id, request.workflow_id, request.execution_id)
    if size_of(request.document) > _INLINE_BYTES:
        del body["workflow_config"]
        body["workflow_config_s3_path"] = blobs.put(request.document, kind="document").to_json()
    if request.state is not None and size_of(request.state) > _INLINE_BYTES:
        del body["initial_state"]
        body["initial_state_s3_path"] = upload_state(request.state, blobs, TEMPORAL).to_json()
    return body
