"""The same run on Temporal and on interpreters of Step Functions: the same states, the same bag, the same events."""

from __future__ import annotations

import asyncio
import os

import pytest

from tests.aws.differences import explained, unlike
from tests.aws.on_aws import Stack, run_on_aws
from tests.aws.on_temporal import run_on_temporal
from tests.aws.ran import Ran
from tests.aws.scenarios import SCENARIOS, Scenario
from tests.rig import Rig

pytestmark = [pytest.mark.aws, pytest.mark.timeout(120)]

LARGEST_BYTES = 256 * 1024
"""That Step Functions takes from state to state."""


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
async def test_both_engines_do_the_same(
    scenario: Scenario, stack: Stack, rig: Rig, on_temporal: dict[str, Ran]
) -> None:
    name = f"{scenario.name}-{os.getpid()}"
    if scenario.name not in on_temporal:
        on_temporal[scenario.name] = await run_on_temporal(rig, scenario, name)
    here = on_temporal[scenario.name]
    assert (here.error, here.code if scenario.code else "") == (scenario.error, scenario.code)
    there = await asyncio.to_thread(run_on_aws, stack, scenario, name)
    if parts := unlike(*explained(scenario, stack.interpreter.name, here, there)):
        pytest.fail("\n".join(parts), pytrace=False)
    assert there.largest_bytes < LARGEST_BYTES
