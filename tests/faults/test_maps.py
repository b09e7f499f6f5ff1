"""A map whose worker, server or store goes away in the middle ends as if nothing had been, and pays each item once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from statebag.canonical import canonical_bytes
from tests.faults.ledger import AT_A_TIME, IN_FLIGHT, Ledger, Payments, paying, recorded, state_of
from tests.faults.site import open_site, query

pytestmark = pytest.mark.slow

ITEMS = 800
CHUNK = 100
KILLS_AT = (80, 160, 480, 560)
"""Payments that have been made by then; two kills hit the same chunks."""
OUTAGE_SECONDS = 10.0
CALM_SECONDS = 6.0
"""Longer than the heartbeat time-out of a chunk and the wait before its next try."""


@pytest.fixture
def payments(tmp_path: Path) -> Payments:
    return Payments.below(tmp_path / "package")


@pytest.fixture(scope="module")
async def calm(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The user's variables after an undisturbed run."""
    folder = tmp_path_factory.mktemp("calm")
    payments = Payments.below(folder / "package")
    ledger = payments.ledger("run")
    async with open_site(folder / "site") as site, site.worker(**payments.environment):
        result = await (await site.start(paying(ITEMS, chunk_size=CHUNK), "run")).result()
        state = state_of(site, result)
    assert [one["paid"] for one in state["out"]] == list(range(ITEMS))
    assert Counter(ledger.calls()) == each_once()
    return canonical_bytes(state)


def each_once() -> Counter[int]:
    return Counter(range(ITEMS))


async def until_all_wait(ledger: Ledger, process: int, moment: str) -> None:
    """Hold the calls, and wait until nothing else is going on: as many chunks wait as may be in flight.

    Towards the end there may be fewer: then the same calls wait for as long as a lost try takes to begin again.
    """
    ledger.hold(moment)
    waiting, since = ledger.under_way(process), time.monotonic()
    while len({item // CHUNK for item in waiting}) < IN_FLIGHT:
        await asyncio.sleep(0.02)
        now = ledger.under_way(process)
        if now != waiting:
            waiting, since = now, time.monotonic()
        elif waiting and time.monotonic() - since > CALM_SECONDS:
            return


@pytest.mark.parametrize(
    ("machine", "windows"),
    [("WorkflowOrchestrator", 1), ("WorkflowDistributedOrchestrator", 2)],
    ids=["one", "windows"],
)
@pytest.mark.timeout(180)
async def test_a_map_whose_worker_is_killed_again_and_again(
    tmp_path: Path, payments: Payments, calm: bytes, machine: str, windows: int
) -> None:
    document = paying(ITEMS, chunk_size=CHUNK, windows=windows)
    ledger = payments.ledger("run")
    kept: list[tuple[int, set[int]]] = []
    hit: list[set[int]] = []
    async with open_site(tmp_path / "site") as site:
        handle = await site.start(document, "run", machine=machine)
        for kill, paid in enumerate(KILLS_AT):
            async with site.worker(**payments.environment) as worker:
                await ledger.until(lambda paid=paid: len(ledger.applied()) >= paid)
                await until_all_wait(ledger, worker.pid, "after" if kill % 2 else "before")
                progress: Any = (await query(handle, "progress"))["map"]
                assert progress["in_flight"] > 0
                worker.kill()
            hit.append(ledger.under_way(worker.pid))
            kept.append((len(ledger.calls()), recorded(site, "run")))
            ledger.release()
        async with site.worker(**payments.environment):
            state = state_of(site, await handle.result())
    calls = ledger.calls()
    assert all(hit)
    assert 0 < ledger.repeated() <= len(KILLS_AT) * AT_A_TIME * IN_FLIGHT
    for before, items in kept:
        assert items
        assert not items & set(calls[before:])
    for before, items in zip((before for before, _ in kept), hit, strict=True):
        assert items <= set(calls[before:])
    assert ledger.applied() == each_once()
    assert canonical_bytes(state) == calm


@pytest.mark.timeout(120)
async def test_a_map_whose_server_is_stopped_and_started(tmp_path: Path, payments: Payments, calm: bytes) -> None:
    ledger = payments.ledger("run")
    async with AsyncExitStack() as outlives_the_server:
        async with open_site(tmp_path / "site") as site:
            port = int(site.address.rpartition(":")[2])
            handle = await site.start(paying(ITEMS, chunk_size=CHUNK), "run")
            worker = await outlives_the_server.enter_async_context(site.worker(**payments.environment))
            await ledger.until(lambda: len(ledger.applied()) >= ITEMS // 4)
            await until_all_wait(ledger, worker.pid, "after")
            kept = recorded(site, "run")
            before = len(ledger.calls())
        ledger.release()
        await ledger.until(lambda: len(ledger.calls()) > before)
        async with open_site(tmp_path / "site", port=port) as site:
            handle = site.client.get_workflow_handle("run")
            state = state_of(site, await handle.result())
            await outlives_the_server.aclose()
    assert kept
    assert not kept & set(ledger.calls()[before:])
    # A try goes on until it is told that the server has taken it for dead.
    assert ledger.repeated() <= CHUNK * IN_FLIGHT
    assert ledger.applied() == each_once()
    assert canonical_bytes(state) == calm


@pytest.mark.timeout(120)
async def test_a_map_whose_store_is_away_for_a_while(tmp_path: Path, payments: Payments, calm: bytes) -> None:
    ledger = payments.ledger("run")
    away, refused = tmp_path / "away", tmp_path / "refused"
    environment = {**payments.environment, "STORE_AWAY": str(away), "STORE_REFUSED": str(refused)}
    environment["PYTHONPATH"] = f"{payments.folder}:{Path(__file__).parent.parent.parent}"
    command = ["-m", "tests.faults.away"]
    async with open_site(tmp_path / "site") as site, site.worker(command=command, **environment) as worker:
        handle = await site.start(paying(ITEMS, chunk_size=CHUNK), "run")
        await ledger.until(lambda: len(ledger.applied()) >= ITEMS // 4)
        await until_all_wait(ledger, worker.pid, "after")
        away.touch()
        since = time.monotonic()
        ledger.release()
        await ledger.until(lambda: refused.exists() and len(refused.read_text()) >= 3 * IN_FLIGHT)
        before, kept = len(ledger.calls()), recorded(site, "run")
        await ledger.until(lambda: time.monotonic() > since + OUTAGE_SECONDS)
        assert (await query(handle, "progress"))["map"]["in_flight"] == IN_FLIGHT
        during = ledger.calls()[before:]
        away.unlink()
        state = state_of(site, await handle.result())
    assert kept
    assert not kept & set(ledger.calls()[before:])
    assert len(during) <= AT_A_TIME * IN_FLIGHT
    assert IN_FLIGHT <= ledger.repeated() <= AT_A_TIME * IN_FLIGHT
    assert ledger.applied() == each_once()
    assert canonical_bytes(state) == calm
