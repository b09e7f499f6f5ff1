"""Items that wait for people: each for itself, also across histories."""

from __future__ import annotations

import asyncio
from typing import Any

from statebag.events import EventType
from tests.mapping import document_of, kernel_of, parts_of
from tests.rig import Rig, asks, probe, run_ids, sets


async def pauses_of(rig: Rig, handle: Any, count: int) -> list[dict[str, Any]]:
    """The pauses of a run, as soon as there are so many."""
    await rig.sink.wait_for(handle.id, EventType.PAUSED_FOR_HITP, times=count)
    found: list[dict[str, Any]] = await handle.query("pending")
    return found


async def test_a_waiting_item_holds_no_other_up_and_goes_on_where_it_was(rig: Rig) -> None:
    ran: list[tuple[str, int]] = []

    def before(node: Any, scope: Any, context: Any) -> dict[str, Any]:
        ran.append(("before", scope["item"]))
        return {"first": scope["item"]}

    def behind(node: Any, scope: Any, context: Any) -> dict[str, Any]:
        ran.append(("behind", scope["item"]))
        return {"second": [scope["first"], scope["answer"]]}

    rig.behaviours |= {"before": before, "behind": behind}
    document = document_of(
        probe("b", "before"),
        probe("c", "behind"),
        edges=[asks("b", "c", prompt="Is {{item}} right?", output_key="answer")],
        chunk_size=2,
        max_concurrency=1,
    )
    handle = await rig.start(document, initial_state={"xs": list(range(6))})
    # One chunk at a time, and still all of them get to their questions.
    pauses = await pauses_of(rig, handle, 6)
    assert sorted(pause["pause_id"] for pause in pauses) == [f"0/I{index}:1-1" for index in range(6)]
    for index in (5, 0, 3, 1, 4, 2):
        pause_id = f"0/I{index}:1-1"
        await rig.respond(handle, {"pause_id": pause_id, "response": f"yes {index}"})
        while ("behind", index) not in ran:
            await asyncio.sleep(0.01)
    output = await handle.result()
    out = rig.user_state(output)["out"]
    assert [result["second"] for result in out] == [[index, f"yes {index}"] for index in range(6)]
    assert sorted(ran) == sorted([(where, index) for where in ("before", "behind") for index in range(6)])
    assert output["pauses"] == 6


async def test_a_rejected_item_fails_alone(rig: Rig) -> None:
    document = document_of(
        sets("b", first="{{item}}"),
        sets("c", second=True),
        edges=[asks("b", "c")],
        tolerated_failure_count=1,
    )
    handle = await rig.start(document, initial_state={"xs": list("abc")})
    await pauses_of(rig, handle, 3)
    for index, decision in enumerate(("APPROVED", "REJECTED", "APPROVED")):
        await rig.respond(handle, {"pause_id": f"0/I{index}:1-1", "decision": decision})
    output = await handle.result()
    out = rig.user_state(output)["out"]
    assert [result.get("error", {}).get("code") for result in out] == [None, "HITP_REJECTED", None]
    assert (out[0]["second"], output["failed_items"]) == (True, 1)
    assert [entry["item_index"] for entry in parts_of(rig, kernel_of(rig, output), handle.id)["FAILED"]] == [1]


async def test_open_pauses_and_chunks_in_flight_come_along_into_a_new_history(short: Rig) -> None:
    document = document_of(
        sets("b", first="{{item}}"),
        sets("c", second="{{answer}}"),
        edges=[asks("b", "c", output_key="answer")],
        chunk_size=2,
        max_concurrency=4,
    )
    count = 16
    handle = await short.start(document, initial_state={"xs": list(range(count))})
    pauses = await pauses_of(short, handle, count)
    assert len(await run_ids(short, handle)) > 1
    assert len({pause["pause_id"] for pause in pauses}) == count
    current = short.client.get_workflow_handle(handle.id)
    for index in range(count):
        await short.respond(current, {"pause_id": f"0/I{index}:1-1", "response": index * 10})
    output = await handle.result()
    out = short.user_state(output)["out"]
    assert [result["second"] for result in out] == [index * 10 for index in range(count)]
    assert output["pauses"] == count
