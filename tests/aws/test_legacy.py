"""The legacy machines end every run as those of v3 do: with the same variables, history and counters."""

from __future__ import annotations

import asyncio
import os

import pytest

from statebag.events import EventType
from tests.aws.interpreters import Interpreter
from tests.aws.on_aws import Stack, make_stack, run_on_aws
from tests.aws.on_temporal import run_on_temporal
from tests.aws.ran import Ran
from tests.aws.scenarios import SCENARIOS, Scenario
from tests.rig import DISTRIBUTED, Rig

pytestmark = [pytest.mark.aws, pytest.mark.timeout(120)]

LARGEST_BYTES = 256 * 1024


@pytest.fixture(scope="session")
def legacy_stack(moto: Interpreter) -> Stack:
    return make_stack(moto, "legacy")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
async def test_a_legacy_machine_comes_to_the_same(
    scenario: Scenario, legacy_stack: Stack, rig: Rig, on_temporal: dict[str, Ran]
) -> None:
    name = f"{scenario.name}-legacy-{os.getpid()}"
    if scenario.name not in on_temporal:
        on_temporal[scenario.name] = await run_on_temporal(rig, scenario, name)
    now = on_temporal[scenario.name]
    before = await asyncio.to_thread(run_on_aws, legacy_stack, scenario, name, legacy=True)
    # The legacy distributed machine has no state that ends a run at its limit: the function does, with the same code.
    renamed = {"LoopLimitExceeded": "WorkflowExecutionFailed"} if scenario.machine == DISTRIBUTED else {}
    assert (before.status, before.error) == (now.status, renamed.get(scenario.error, scenario.error))
    if before.error == "WorkflowExecutionFailed":
        assert before.code == scenario.code
    assert before.bag == now.bag
    assert before.largest_bytes < LARGEST_BYTES
    if not scenario.without_bus:
        assert _kinds(before) == _kinds(now)


def _kinds(ran: Ran) -> set[str]:
    """Types of its events. Branches that may wait for people run in chunks on the legacy distributed machine."""
    return {event.event_type for event in ran.events} - {EventType.DISTRIBUTED_STARTED}
