"""``statebag redrive``: take up a run that has ended without success, with what it has done so far."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from typing import Any

import click
from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from statebag.app.connect import connect
from statebag.app.failures import typed_rpc_errors
from statebag.app.lineage import REDRIVE, Lineage, identity_of, lineage_of
from statebag.app.logs import set_up_logging
from statebag.app.outcome import Outcome
from statebag.app.output import print_json, print_note
from statebag.app.place import open_place
from statebag.app.plugin import StateBagPlugin
from statebag.app.run import Detached, stop_signals, watch
from statebag.app.runs import require_run
from statebag.app.settings import Settings
from statebag.app.verdict import tell_detached, tell_outcome
from statebag.canonical import canonical_bytes, sha256_hex
from statebag.errors import InputRefused, RunFailed
from statebag.nodes import load_registry

__all__ = ["TakenUp", "redrive", "take_up"]

NEWEST_BEFORE_FAN_OUT = "pre"


@dataclass(frozen=True, kw_only=True)
class TakenUp:
    """A run after an attempt to take it up."""

    execution_id: str
    machine: str
    task_queue: str
    how: str
    """``started``: it goes on now. ``running``: it goes on anyway. ``over``: an earlier redrive has succeeded."""


@click.command()
@click.argument("execution_id", metavar="ID")
@click.option(
    "--restore",
    is_flag=False,
    flag_value=NEWEST_BEFORE_FAN_OUT,
    metavar="[SNAPSHOT]",
    help="Go back to that snapshot; without a value, to the newest one taken before a map or a fork.",
)
@click.option("--wait/--no-wait", default=True, show_default=True, help="Watch it to its end, or only start it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout, nothing else.")
def redrive(execution_id: str, *, restore: str | None, wait: bool, as_json: bool) -> int:
    """Take up the run ID, which has ended without success.

    A map goes on with the items that failed or never ran; what has succeeded is kept. Any other step that
    failed is done again. A run that goes on is not disturbed; done twice, it is the same as done once.

    The exit status is that of `run`; 0, too, for a run that was going on anyway.
    """
    settings = Settings.from_environment()
    set_up_logging(logging.ERROR)
    try:
        taken, outcome = asyncio.run(_redrive(execution_id, settings, restore=restore, wait=wait))
    except Detached as left:
        return tell_detached(left, as_json=as_json)
    if outcome is not None:
        return tell_outcome(outcome, as_json=as_json)
    goes_on = "is going on: it was left alone" if taken.how == "running" else "goes on"
    print_note(f"run {execution_id} {goes_on}. Look with: statebag status {execution_id}")
    if as_json:
        print_json({"status": "RUNNING", "execution_id": execution_id, "machine": taken.machine})
    return 0


async def take_up(client: Client, execution_id: str, *, restore: str | None = None) -> TakenUp:
    """Start the run again where it stood, unless it goes on.

    Args:
        client: Of the run's namespace.
        execution_id: The run.
        restore: Id of a snapshot to go back to, or ``pre``.

    Raises:
        StateBagError: ``REDRIVE_REFUSED``: it has succeeded at the first go, or never began; ``RUN_NOT_FOUND``; the
            server does not answer.
    """
    there = await _describe(client, execution_id)
    taken = await _start(client, there, restore) if _has_failed(there) else None
    if taken is None:
        # Somebody else may have taken it up since we looked.
        there = await _describe(client, execution_id)
        taken = await _as_it_is(client, there)
    return taken


async def _redrive(
    execution_id: str, settings: Settings, *, restore: str | None, wait: bool
) -> tuple[TakenUp, Outcome | None]:
    client = await connect(StateBagPlugin(settings))
    taken = await take_up(client, execution_id, restore=restore)
    if taken.how == "running" or (taken.how == "started" and not wait):
        return taken, None
    settings = replace(settings, task_queue=taken.task_queue)
    async with stop_signals() as stop, open_place(settings, load_registry(), may_embed=False) as place:
        handle = place.client.get_workflow_handle(execution_id)
        said = f"run {execution_id} {'goes on' if taken.how == 'started' else 'was redriven before, and is over'}"
        outcome = await watch(handle, place, stop, said=said, auto_approve=False)
        return taken, {**outcome, "machine": taken.machine}


async def _start(client: Client, there: WorkflowExecutionDescription, restore: str | None) -> TakenUp | None:
    """Take up a run that has ended; None where it has succeeded since we looked."""
    lineage = await lineage_of(client, there.id, there.run_id)
    try:
        owner_id, workflow_id = identity_of(lineage.given)
    except InputRefused as cause:
        text = f"{there.id}: the run has ended before it had a bag: its input was refused. Start it anew."
        raise RunFailed(text, code="REDRIVE_REFUSED", details={"execution_id": there.id}) from cause
    body: dict[str, Any] = {"ownerId": owner_id, "workflowId": workflow_id, "lineages": list(lineage.run_ids)}
    body |= {"restore": restore} if restore is not None else {}
    memo = await _memo_of(there, lineage)
    with typed_rpc_errors(there.id):
        try:
            await client.start_workflow(
                there.workflow_type,
                {REDRIVE: body},
                id=there.id,
                task_queue=there.task_queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                memo=memo,
                static_summary=memo.get("workflow_name"),
            )
        except WorkflowAlreadyStartedError:
            return None
    return _taken(there, "started")


async def _as_it_is(client: Client, there: WorkflowExecutionDescription) -> TakenUp:
    if there.status is WorkflowExecutionStatus.RUNNING:
        return _taken(there, "running")
    if there.status is not WorkflowExecutionStatus.COMPLETED:
        text = f"{there.id}: the run is being taken up elsewhere, and has ended again. Try once more."
        raise RunFailed(text, code="REDRIVE_REFUSED", details={"execution_id": there.id})
    if (await lineage_of(client, there.id, there.run_id)).is_redrive:
        return _taken(there, "over")
    text = f"{there.id}: the run has succeeded: there is nothing to redrive. `statebag status {there.id}` shows it."
    raise RunFailed(text, code="REDRIVE_REFUSED", details={"execution_id": there.id})


async def _describe(client: Client, execution_id: str) -> WorkflowExecutionDescription:
    with typed_rpc_errors(execution_id):
        described = await client.get_workflow_handle(execution_id).describe()
    require_run(described)
    return described


async def _memo_of(there: WorkflowExecutionDescription, lineage: Lineage) -> dict[str, Any]:
    """What lets ``statebag run`` with the same id and input join the run, as before."""
    memo = dict(await there.memo())
    if not lineage.is_redrive:
        memo.setdefault("input_hash", sha256_hex(canonical_bytes(lineage.given)))
    return memo


def _has_failed(there: WorkflowExecutionDescription) -> bool:
    return there.status not in (WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.COMPLETED)


def _taken(there: WorkflowExecutionDescription, how: str) -> TakenUp:
    return TakenUp(execution_id=there.id, machine=there.workflow_type, task_queue=there.task_queue or "", how=how)
