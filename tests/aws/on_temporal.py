"""A scenario on Temporal."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError

from statebag.bag import Place
from statebag.events import EventType
from tests.aws.nested import inner_of, states_there
from tests.aws.ran import OWNER, WORKFLOW, Ran, bag_of, state_of, told_of, top_of
from tests.aws.scenarios import NO, YES, Scenario
from tests.rig import DISTRIBUTED, Rig

__all__ = ["run_on_temporal"]


async def run_on_temporal(rig: Rig, scenario: Scenario, name: str) -> Ran:
    """Run it under the id ``name``."""
    given = dict(scenario.given)
    if "idempotency_key" in given:
        given["idempotency_key"] = f"{given['idempotency_key']}-{secrets.token_hex(4)}"
    if scenario.earlier:
        await _run_before(rig, scenario, given)
    given |= state_of(scenario, rig.plugin.store.execution(OWNER, WORKFLOW, name))
    handle = await rig.start(scenario.document, id=name, machine=scenario.machine, **given)
    people = asyncio.create_task(_answer_all(rig, handle, scenario))
    error, code, output = "", "", None
    try:
        ends = asyncio.create_task(handle.result())
        # Where nobody can answer, the run would wait for ever.
        await asyncio.wait({ends, people}, return_when=asyncio.FIRST_COMPLETED)
        if people.done():
            people.result()
        output = await ends
    except WorkflowFailureError as failed:
        cause = failed.cause
        assert isinstance(cause, ApplicationError), cause
        error, code, output = cause.type or "", cause.details[0]["code"], cause.details[0]
    finally:
        people.cancel()
        await asyncio.gather(people, return_exceptions=True)
    root = output.get("final_state_s3_path") if "duplicate_of" not in output else None
    trace = await rig.trace(handle)
    inner = await inner_of(rig.client, handle)
    return Ran(
        status="FAILED" if error else "SUCCEEDED",
        error=error,
        code=code,
        trace=top_of(trace),
        nested=states_there(trace, inner, distributed=scenario.machine == DISTRIBUTED),
        events=tuple(told_of(event.to_json()) for event in rig.sink.of(name)),
        bag=None if root is None else _bag(rig, name, root),
    )


async def _run_before(rig: Rig, scenario: Scenario, given: dict[str, Any]) -> None:
    """Have a run with the same key and input that has got as far as the scenario says."""
    first = await rig.start(scenario.document, machine=scenario.machine, initial_state=dict(scenario.state), **given)
    await rig.pause(first)
    if scenario.earlier == "SUCCEEDED":
        await rig.respond(first, YES)
        await first.result()
    if scenario.earlier == "FAILED":
        await rig.respond(first, NO)
        await rig.failure(first)


async def _answer_all(rig: Rig, handle: WorkflowHandle[Any, Any], scenario: Scenario) -> None:
    """Answer what the scenario has an answer for, one after another, as the events tell of it."""
    answered = 0
    while any(scenario.answers.values()):
        asked = await rig.sink.wait_for(handle.id, EventType.PAUSED_FOR_HITP, times=answered + 1)
        wanted = scenario.answers[asked.detail["prompt"]]
        await rig.respond(handle, {"pause_id": asked.detail["pause_id"], **wanted})
        answered += 1
        await rig.sink.wait_for(handle.id, EventType.RESUMED, times=answered)


def _bag(rig: Rig, name: str, root: Any) -> dict[str, Any]:
    place = Place(owner_id=OWNER, workflow_id=WORKFLOW, execution_id=name, version=0, root=root)
    blobs = rig.plugin.store.execution(OWNER, WORKFLOW, name)
    return bag_of(rig.plugin.engine.read_bag(place), blobs)
