"""Where a run comes from: the histories that it consists of, and what it was started with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from statebag.app.failures import typed_rpc_errors
from statebag.config import parse_execution_input

__all__ = ["REDRIVE", "Lineage", "identity_of", "lineage_of"]

REDRIVE = "$redrive"
"""Member of the input of a run that takes up an ended one."""
_CONTINUED = "$continued"
"""Member of the input of a run that goes on with an earlier history's state."""


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """The histories of a run, and of the ended runs that it has taken up."""

    run_ids: tuple[str, ...]
    """Temporal's run ids, newest first."""
    given: Any
    """The input of the oldest history of the run itself that is still there."""

    @property
    def is_redrive(self) -> bool:
        """Whether the run has taken up an ended one."""
        return isinstance(self.given, Mapping) and REDRIVE in self.given


async def lineage_of(client: Client, execution_id: str, run_id: str) -> Lineage:
    """Follow a run back through its histories to its first one.

    Args:
        client: Of the run's namespace; its data converter reads the inputs.
        execution_id: The run.
        run_id: Of its last history.

    Raises:
        StateBagError: ``RUN_NOT_FOUND``, or the server does not answer.
    """
    run_ids: list[str] = []
    given: Any = None
    with typed_rpc_errors(execution_id):
        while run_id:
            try:
                before, value = await _origin_of(client, execution_id, run_id)
            except RPCError as error:
                # The server keeps closed histories for a while only; what is behind one that is gone can't be known.
                if error.status is not RPCStatusCode.NOT_FOUND or not run_ids:
                    raise
                break
            run_ids.append(run_id)
            run_id, given = before, value
    redrive = given.get(REDRIVE) if isinstance(given, Mapping) else None
    earlier = redrive["lineages"] if isinstance(redrive, Mapping) else ()
    return Lineage(run_ids=(*run_ids, *earlier), given=given)


def identity_of(given: Any) -> tuple[str, str]:
    """Owner and workflow in a run's input, whichever of the three kinds it is.

    Raises:
        InputRefused: it is none of them: the run ended before it began.
    """
    body = given if isinstance(given, Mapping) else {}
    if isinstance(state := body.get(_CONTINUED), Mapping):
        return state["owner_id"], state["workflow_id"]
    if isinstance(redrive := body.get(REDRIVE), Mapping):
        return redrive["ownerId"], redrive["workflowId"]
    parsed = parse_execution_input(given)
    return parsed.owner_id, parsed.workflow_id


async def _origin_of(client: Client, execution_id: str, run_id: str) -> tuple[str, Any]:
    """Run id of the history before, empty for the first one, and the input."""
    handle = client.get_workflow_handle(execution_id, run_id=run_id)
    async for event in handle.fetch_history_events(page_size=1):
        started = event.workflow_execution_started_event_attributes
        values = await client.data_converter.decode(started.input.payloads)
        return started.continued_execution_run_id, values[0] if values else None
    return "", None
