"""Whatever dies on the way, the bag at the end is the one of an undisturbed run."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from temporalio.client import WorkflowExecutionStatus

from statebag.canonical import canonical_bytes
from tests.faults.site import make_document, open_site, query, run_undisturbed, until_paused

pytestmark = pytest.mark.slow

KILLS = 20
ANSWER = {"decision": "APPROVED", "response": "yes, go on", "responder": "ann"}


@pytest.mark.timeout(420)
async def test_a_worker_killed_at_twenty_random_moments_changes_nothing(tmp_path: Path) -> None:
    draw = random.Random(20)
    document = make_document(170, ask_after=60)
    calm = await run_undisturbed(tmp_path / "calm", document, "killed", ANSWER)
    kills, answered, seen = 0, False, set[int]()
    async with open_site(tmp_path / "rough") as site:
        handle = await site.start(document, "killed")
        while kills < KILLS:
            async with site.worker() as worker:
                await asyncio.sleep(draw.uniform(0.05, 0.6))
                if not answered and await query(handle, "pending"):
                    await handle.execute_update("respond", ANSWER)
                    answered = True
                    await asyncio.sleep(draw.uniform(0.0, 0.2))
                progress = await query(handle, "progress")
                assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
                seen.add(progress["loop_counter"])
                worker.kill()
                kills += 1
        async with site.worker():
            if not answered:
                await until_paused(handle)
                await handle.execute_update("respond", ANSWER)
            rough = site.outcome(await handle.result())
    assert len(seen) > KILLS / 2
    assert canonical_bytes(rough) == canonical_bytes(calm)


@pytest.mark.timeout(180)
async def test_a_server_stopped_and_started_on_its_file_changes_nothing(tmp_path: Path) -> None:
    document = make_document(60)
    calm = await run_undisturbed(tmp_path / "calm", document, "stopped")
    async with AsyncExitStack() as outlives_the_server:
        async with open_site(tmp_path / "rough") as site:
            port = int(site.address.rpartition(":")[2])
            handle = await site.start(document, "stopped")
            await outlives_the_server.enter_async_context(site.worker())
            while (before := (await query(handle, "progress"))["loop_counter"]) < 15:
                await asyncio.sleep(0.02)
        await asyncio.sleep(1)
        async with open_site(tmp_path / "rough", port=port) as site:
            handle = site.client.get_workflow_handle("stopped")
            rough = site.outcome(await handle.result())
            await outlives_the_server.aclose()
    assert before < rough["loop_counter"]
    assert canonical_bytes(rough) == canonical_bytes(calm)


@pytest.mark.timeout(120)
async def test_a_decision_given_while_no_worker_runs_is_not_lost(tmp_path: Path) -> None:
    document = make_document(4, ask_after=1)
    calm = await run_undisturbed(tmp_path / "calm", document, "decided", ANSWER)
    async with open_site(tmp_path / "rough") as site:
        handle = await site.start(document, "decided")
        async with site.worker() as worker:
            await until_paused(handle)
            worker.kill()
        command = [Path(sys.executable).parent / "statebag", "respond", "decided", "--by", "ann"]
        responding = subprocess.Popen([*command, "--response", "yes, go on"], env=site.environment)
        await asyncio.sleep(3)
        assert responding.poll() is None
        async with site.worker():
            assert await asyncio.to_thread(responding.wait, 60) == 0
            rough = site.outcome(await handle.result())
    assert rough["state"]["decided"] == "yes, go on"
    assert canonical_bytes(rough) == canonical_bytes(calm)
