"""How runs end that did not succeed."""

from __future__ import annotations

import asyncio
import secrets
from datetime import timedelta

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle

from statebag.app.failures import Ending, ending_of


async def ending(handle: WorkflowHandle[object, object]) -> Ending:
    with pytest.raises(WorkflowFailureError) as failed:
        await asyncio.wait_for(handle.result(), 30)
    return ending_of(failed.value)


async def start(client: Client, **options: timedelta) -> WorkflowHandle[object, object]:
    name = f"ending-{secrets.token_hex(4)}"
    return await client.start_workflow("WorkflowOrchestrator", {}, id=name, task_queue="nobody-polls", **options)


async def test_a_run_that_somebody_terminates_has_failed_and_gives_the_reason(client: Client) -> None:
    handle = await start(client)
    await handle.terminate(reason="maintenance")
    assert await ending(handle) == ("FAILED", {"code": "RUN_FAILED", "message": "the run was terminated: maintenance"})


async def test_a_run_whose_time_is_over_has_timed_out(client: Client) -> None:
    handle = await start(client, execution_timeout=timedelta(milliseconds=50))
    status, error = await ending(handle)
    assert (status, error["code"]) == ("TIMED_OUT", "RUN_FAILED")
