"""Parts of a map that come to an end of their own, and runs that are ended and taken up: each item is paid once."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import CancelledError

from statebag.canonical import canonical_bytes
from tests.faults.ledger import AT_A_TIME, IN_FLIGHT, Ledger, Payments, paying, recorded, state_of
from tests.faults.site import OWNER, WORKFLOW, Site, open_site, query

pytestmark = pytest.mark.slow

ITEMS = 600
CHUNK = 20
LOST = 7
"""A chunk with something wrong."""


@dataclass(frozen=True, kw_only=True)
class Till:
    """A site, and what its runs pay."""

    site: Site
    worker: int
    """Its process."""
    payments: Payments
    calm: dict[str, Any]
    """The user's variables after an undisturbed run."""


@pytest.fixture(scope="module")
async def till(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Till]:
    folder = tmp_path_factory.mktemp("endings")
    payments = Payments.below(folder / "package")
    ledger = payments.ledger("calm")
    async with open_site(folder / "site") as site, site.worker(**payments.environment) as worker:
        calm = state_of(site, await (await site.start(paying(ITEMS, chunk_size=CHUNK), "calm")).result())
        assert Counter(ledger.calls()) == Counter(range(ITEMS))
        assert [one["paid"] for one in calm["out"]] == list(range(ITEMS))
        yield Till(site=site, worker=worker.pid, payments=payments, calm=calm)


def without_chunk(calm: dict[str, Any], message: str) -> dict[str, Any]:
    """What a run leaves one of whose chunks was lost."""
    lost = range(LOST * CHUNK, (LOST + 1) * CHUNK)
    error = {"error": {"code": "CHUNK_LOST", "message": message}}
    return calm | {"out": [error if at in lost else one for at, one in enumerate(calm["out"])]}


def assert_all_but_one_chunk(ledger: Ledger, held: int) -> None:
    """Each item was called once, and those of the lost chunk at most once."""
    lost = set(range(LOST * CHUNK, (LOST + 1) * CHUNK))
    assert ledger.repeated() == 0
    assert set(range(ITEMS)) - set(ledger.calls()) <= lost
    assert set(ledger.applied().values()) == {1}
    assert set(range(ITEMS)) - lost <= set(ledger.applied()) <= set(range(ITEMS)) - {held}


async def chunk_of(handle: WorkflowHandle[Any, Any]) -> str:
    """Workflow id of the chunk with something wrong."""
    return f"{handle.id}/{(await query(handle, 'progress'))['bag_version']}/{LOST}"


async def redrive(site: Site, handle: WorkflowHandle[Any, Any]) -> WorkflowHandle[Any, Any]:
    """Take up the run, as the command does."""
    described = await site.client.get_workflow_handle(handle.id).describe()
    body = {"ownerId": OWNER, "workflowId": WORKFLOW, "lineages": [described.run_id]}
    return await site.client.start_workflow(
        described.workflow_type,
        {"$redrive": body},
        id=handle.id,
        task_queue="statebag",
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )


async def test_a_chunk_that_is_terminated_in_the_middle(till: Till) -> None:
    site, ledger = till.site, till.payments.ledger("terminated")
    held = LOST * CHUNK + CHUNK // 2
    ledger.hold("before", held)
    handle = await site.start(paying(ITEMS, chunk_size=CHUNK, tolerated_failure_count=CHUNK), "terminated")
    await ledger.until(lambda: held in ledger.calls())
    child = await chunk_of(handle)
    await site.client.get_workflow_handle(child).terminate("somebody's mistake")
    result = await handle.result()
    assert result["failed_items"] == CHUNK
    expected = without_chunk(till.calm, f"the workflow {child} was terminated from outside.")
    assert canonical_bytes(state_of(site, result)) == canonical_bytes(expected)
    assert_all_but_one_chunk(ledger, held)


async def test_a_chunk_that_runs_out_of_time_since_an_item_hangs(till: Till) -> None:
    site, ledger = till.site, till.payments.ledger("hanging")
    held = LOST * CHUNK + CHUNK // 2
    ledger.hold("before", held)
    document = paying(ITEMS, chunk_size=CHUNK, tolerated_failure_count=CHUNK, chunk_timeout_seconds=6)
    handle = await site.start(document, "hanging")
    await ledger.until(lambda: held in ledger.calls())
    child = await chunk_of(handle)
    result = await handle.result()
    assert result["failed_items"] == CHUNK
    expected = without_chunk(till.calm, f"the workflow {child} ran out of its time.")
    assert canonical_bytes(state_of(site, result)) == canonical_bytes(expected)
    assert_all_but_one_chunk(ledger, held)


async def hold_some(ledger: Ledger, paid: int, process: int) -> set[int]:
    """Items whose calls wait, once so many are paid and each chunk in flight has such an item."""
    await ledger.until(lambda: len(ledger.applied()) >= paid)
    ledger.hold("before")
    await ledger.until(lambda: len({item // CHUNK for item in ledger.held(process)}) >= IN_FLIGHT)
    return ledger.held(process)


async def test_a_run_that_is_cancelled_in_the_middle_and_redriven(till: Till) -> None:
    site, ledger = till.site, till.payments.ledger("cancelled")
    handle = await site.start(paying(ITEMS, chunk_size=CHUNK), "cancelled")
    await hold_some(ledger, ITEMS // 3, till.worker)
    await handle.cancel()
    with pytest.raises(WorkflowFailureError) as failed:
        await handle.result()
    assert isinstance(failed.value.cause, CancelledError)
    await ledger.until(lambda: not ledger.under_way(till.worker))
    await ledger.until(lambda: recorded(site, handle.id) == set(ledger.applied()))
    kept, called = recorded(site, handle.id), ledger.calls()
    assert kept
    ledger.release()
    result = await (await redrive(site, handle)).result()
    assert Counter(ledger.calls()[len(called) :]) == Counter(set(range(ITEMS)) - kept)
    assert 0 < ledger.repeated() <= AT_A_TIME * IN_FLIGHT
    assert ledger.applied() == Counter(range(ITEMS))
    assert canonical_bytes(state_of(site, result)) == canonical_bytes(till.calm)


async def test_a_run_that_is_terminated_in_the_middle_and_redriven(till: Till) -> None:
    """Its chunks in flight are not told, and go on; the redrive ends them before it begins."""
    site, ledger = till.site, till.payments.ledger("run-terminated")
    handle = await site.start(paying(ITEMS, chunk_size=CHUNK), "run-terminated")
    held = await hold_some(ledger, ITEMS // 3, till.worker)
    await handle.terminate("somebody's mistake")
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    kept, called = recorded(site, handle.id), ledger.calls()
    assert kept
    assert not kept & held
    again = await redrive(site, handle)
    await ledger.until(lambda: len(ledger.calls()) > len(called))
    ledger.release()
    result = await again.result()
    assert not kept & set(ledger.calls()[len(called) :])
    assert 0 < ledger.repeated() <= AT_A_TIME * IN_FLIGHT
    assert ledger.applied() == Counter(range(ITEMS))
    assert canonical_bytes(state_of(site, result)) == canonical_bytes(till.calm)


async def test_a_redrive_of_a_run_that_is_going_on(till: Till) -> None:
    site, ledger = till.site, till.payments.ledger("going-on")
    handle = await site.start(paying(ITEMS, chunk_size=CHUNK), "going-on")
    for share in (4, 3, 2):
        await hold_some(ledger, ITEMS // share, till.worker)
        assert (await query(handle, "progress"))["map"]["in_flight"] > 0
        again = await redrive(site, handle)
        assert again.first_execution_run_id == handle.first_execution_run_id
        ledger.release()
    result = await handle.result()
    assert Counter(ledger.calls()) == Counter(range(ITEMS))
    assert ledger.applied() == Counter(range(ITEMS))
    assert canonical_bytes(state_of(site, result)) == canonical_bytes(till.calm)
