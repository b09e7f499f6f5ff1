"""A worker that forgets every run after each step: what happens then is what happens after a crash."""

from __future__ import annotations

import logging
import secrets
from datetime import timedelta
from pathlib import Path

import pytest

from tests.rig import asks, chain, llm, sets, start_rig
from tests.workflows.states import END, KEYED_BORN, NEXT, PAUSE, STEP


async def test_a_run_is_rebuilt_from_its_history_at_each_step(
    dev_server: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    document = chain(
        sets("a", x=1),
        llm("b", "hi"),
        sets("c", y=1),
        sets("d", z=1),
        edges=[asks("c", "d", output_key="said")],
    )
    with caplog.at_level(logging.WARNING):
        async with start_rig(dev_server, tmp_path, max_cached_workflows=0) as rig:
            # A run that is dropped while it works in the worker itself is taken up again after that time.
            rig.task_timeout = timedelta(seconds=1)
            handle = await rig.start(document, idempotency_key=secrets.token_hex(6))
            await rig.pause(handle)
            assert [pause["pause_id"] for pause in await handle.query("pending")] == ["3-1"]
            assert (await rig.refusal(handle, {"pause_id": "1-1"})).type == "PAUSE_UNKNOWN"
            await rig.respond(handle, {"response": "yes"})
            output = await handle.result()
            assert rig.user_state(output)["said"] == "yes"
            assert await rig.trace(handle) == [*KEYED_BORN, *STEP, *NEXT, *NEXT, *PAUSE, *NEXT, *END]
            second = await rig.start(document)
            await rig.pause(second)
            await second.cancel()
            with pytest.raises(Exception, match="Workflow execution failed"):
                await second.result()
            assert rig.types_of(second.id) == ["STARTED", "PAUSED_FOR_HITP", "ABORTED"]
    assert [record.getMessage() for record in caplog.records] == []


async def test_runs_that_wait_when_the_worker_stops_wait_on(dev_server: str, tmp_path: Path) -> None:
    """Dropping a run from memory is no end of it: no event, and the claim stays."""
    document = chain(sets("a", x=1), sets("b", y=1), edges=[asks("a", "b")])
    order = secrets.token_hex(6)
    async with start_rig(dev_server, tmp_path, task_queue=f"queue-{order}") as rig:
        handle = await rig.start(document, idempotency_key=order)
        await rig.pause(handle)
    assert rig.types_of(handle.id) == ["STARTED", "PAUSED_FOR_HITP"]
    async with start_rig(dev_server, tmp_path, task_queue=f"queue-{order}") as rig:
        again = rig.client.get_workflow_handle(handle.id)
        assert len(await again.query("pending")) == 1
        duplicate = await rig.start(document, idempotency_key=order)
        assert (await rig.failure(duplicate)).details[0]["code"] == "DUPLICATE_EXECUTION"
        await rig.respond(again, {})
        assert (await again.result())["status"] == "SUCCEEDED"
