"""Runs from start to end with nobody asked: traces, output, queries, what a person sees."""

from __future__ import annotations

import time

from statebag.bag import Place
from tests.rig import Rig, chain, events_of, llm, sets
from tests.workflows.states import BORN, END, INIT, NEXT, STEP


async def test_segments_run_one_after_another(rig: Rig) -> None:
    document = chain(sets("a", word="hi"), llm("b"), sets("c", said="{{b_output}}"))
    handle = await rig.start(document, initial_state={"kept": [1, 2]})
    output = await handle.result()
    assert await rig.trace(handle) == [*BORN, *STEP, *NEXT, *NEXT, *END]
    state = rig.user_state(output)
    assert state["word"] == "hi"
    assert state["kept"] == [1, 2]
    assert state["said"] == state["b_output"]


async def test_the_output_has_the_counts_and_a_pointer_to_the_final_bag(rig: Rig) -> None:
    before = int(time.time())
    handle = await rig.start(chain(sets("a", x=1), llm("b", "hi"), sets("c", y=2)))
    output = await handle.result()
    root = output.pop("final_state_s3_path")
    assert before <= output.pop("start_time") <= time.time()
    assert output == {
        "status": "SUCCEEDED",
        "execution_id": handle.id,
        "ownerId": "acme",
        "workflowId": "review",
        "loop_counter": 3,
        "pauses": 0,
        "total_segments": 3,
        "llm_segments": 1,
        "hitp_segments": 0,
    }
    place = Place(owner_id="acme", workflow_id="review", execution_id=handle.id, version=0, root=root)
    bag = rig.plugin.engine.read_bag(place)
    assert bag.control.loop_counter == 3
    assert bag.control.bag_version == 4
    assert root["key"].startswith(rig.plugin.store.execution("acme", "review", handle.id).prefix)


async def test_a_test_document_in_mock_mode_skips_the_idempotency_check(rig: Rig) -> None:
    document = chain(sets("a", x=1))
    handle = await rig.start(document, workflow_config=..., test_workflow_config=document, idempotency_key="same")
    again = await rig.start(document, workflow_config=..., test_workflow_config=document, idempotency_key="same")
    for one in (handle, again):
        assert (await one.result())["execution_id"] == one.id
        assert await rig.trace(one) == ["CheckIdempotency", *INIT, *STEP, *END]


async def test_queries_answer_after_the_end_too(rig: Rig) -> None:
    handle = await rig.start(chain(sets("a", x=1)))
    output = await handle.result()
    assert await handle.query("current_state") == "WorkflowSucceeded"
    assert await handle.query("pending") == []
    progress = await handle.query("progress")
    assert progress | {"start_time": 0} == {
        "status": "SUCCEEDED",
        "current_state": "WorkflowSucceeded",
        "segment_to_run": 1,
        "loop_counter": 1,
        "label": "",
        "pauses": 0,
        "bag": output["final_state_s3_path"],
        "bag_version": 2,
        "total_segments": 1,
        "llm_segments": 0,
        "hitp_segments": 0,
        "max_loop_iterations": 125,
        "max_branch_iterations": 62,
        "distributed_strategy": "SAFE",
        "max_concurrency": 1,
        "distributed_mode": False,
        "start_time": 0,
        "workflow_name": "",
    }


async def test_what_runs_shows_in_progress_and_as_the_summary_of_its_step(rig: Rig) -> None:
    seen: list[dict[str, object]] = []
    document = chain(
        sets("first", x=1),
        {"id": "slow", "type": "probe", "label": "Ask the archive", "config": {"does": "look-around"}},
    )
    rig.behaviours["look-around"] = lambda *_: seen.append({}) or {"looked": True}
    handle = await rig.start(document, workflow_name="unused")
    await handle.result()
    assert seen == [{}]
    (scheduled,) = [
        e for e in await events_of(handle, "ACTIVITY_TASK_SCHEDULED") if e.user_metadata.HasField("summary")
    ]
    assert scheduled.user_metadata.summary.data == b'"Ask the archive"'
    assert scheduled.activity_task_scheduled_event_attributes.activity_type.name == "execute_segment"
