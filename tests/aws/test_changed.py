"""A deliberate change to one side is found by the comparison."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

import pytest

from tests.aws.differences import explained, unlike
from tests.aws.on_aws import make_stack, run_on_aws
from tests.aws.on_temporal import run_on_temporal
from tests.aws.scenarios import SCENARIOS
from tests.aws.served import ServedInterpreter
from tests.rig import Rig

pytestmark = [pytest.mark.aws, pytest.mark.timeout(120)]

Definition = dict[str, Any]


def counts_one_more(definition: Definition) -> None:
    rule = definition["States"]["CheckLoopLimit"]["Choices"][0]
    rule["NumericGreaterThanPath"] = rule.pop("NumericGreaterThanEqualsPath")


def tells_less(definition: Definition) -> None:
    entry = definition["States"]["NotifyWorkflowCompleted"]["Parameters"]["Entries"][0]
    del entry["Detail"]["loop_counter.$"]


def takes_another_way(definition: Definition) -> None:
    definition["States"]["NotifyWorkflowStarted"]["Next"] = "ExecuteSegment"


def joins_nothing(definition: Definition) -> None:
    selector = definition["States"]["ProcessParallelBranches"]["ResultSelector"]
    selector["branches.$"] = "$[0:1]"


def forgets_the_answer(definition: Definition) -> None:
    payload = definition["States"]["MergeCallbackResult"]["Parameters"]["Payload"]
    payload["callback_result"] = {"decision": "APPROVED"}
    del payload["callback_result.$"]


@pytest.mark.parametrize(
    ("scenario_name", "change", "part"),
    [
        ("loop_limit", counts_one_more, "trace"),
        ("straight", tells_less, "events"),
        ("straight", takes_another_way, "trace"),
        ("branches", joins_nothing, "bag"),
        ("pause_approved", forgets_the_answer, "bag"),
    ],
)
async def test_a_change_to_a_definition_is_found(
    scenario_name: str, change: Callable[[Definition], None], part: str, ministack: ServedInterpreter, rig: Rig
) -> None:
    (scenario,) = [one for one in SCENARIOS if one.name == scenario_name]
    name = f"{scenario_name}-{change.__name__}-{os.getpid()}"
    stack = make_stack(ministack, f"changed-{change.__name__.replace('_', '-')}")
    here = await run_on_temporal(rig, scenario, name)
    there = await asyncio.to_thread(run_on_aws, stack, scenario, name, change=change)
    found = unlike(*explained(scenario, ministack.name, here, there))
    assert any(text.startswith(f"{part}:") for text in found), found
