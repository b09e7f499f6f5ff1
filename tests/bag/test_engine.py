from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest

from statebag.bag import BagEngine, Place, Step, read_all
from statebag.blobs import BlobStore, Pointer
from statebag.canonical import size_of
from statebag.errors import BagConflict, StateBagError, StoreUnavailable

Chain = Callable[..., dict[str, Any]]


def history(engine: Any) -> list[Any]:
    return list(read_all(engine.bag.kernel.state_history, engine.engine.store.execution("owner", "workflow", "run")))


def test_a_chain_runs_to_its_end(engine: Any, chain: Chain) -> None:
    step = engine.init({"x": 1}, document=chain({"set": {"a": 1}}, {"copy": {"b": "a"}}, {"set": {"x": None}}))
    assert (step.next_action, step.version, step.segment_to_run) == ("STARTED", 1, 0)
    assert step.extra["total_segments"] == 3
    actions = [engine.execute().next_action for _ in range(3)]
    assert actions == ["CONTINUE", "CONTINUE", "COMPLETE"]
    assert (engine.step.segment_to_run, engine.step.loop_counter, engine.step.version) == (3, 3, 4)
    assert engine.user == {"x": None, "a": 1, "b": 1}
    assert [(entry["segment_id"], entry["status"], entry["steps"]) for entry in history(engine)] == [
        ("0", "COMPLETED", ["n0:web"]),
        ("1", "COMPLETED", ["n1:web"]),
        ("2", "COMPLETED", ["n2:web"]),
    ]


def test_a_step_says_how_to_run_the_next_segment(engine: Any) -> None:
    nodes = [
        {"id": "a", "type": "set", "config": {"set": {"x": 1}}, "label": "First"},
        {"id": "b", "type": "set"},
        {"id": "c", "type": "web", "config": {"timeout_seconds": 7}},
    ]
    edges = [{"source": "a", "target": "b"}, {"source": "b", "target": "c"}]
    step = engine.init(document={"nodes": nodes, "edges": edges})
    assert step.next == {"mode": "local", "label": "First +1"}
    step = engine.execute()
    assert step.next["mode"] == "activity"
    assert step.next["label"] == "c"
    assert engine.execute().next == {}


def test_a_step_reads_as_it_was_written(engine: Any, chain: Chain) -> None:
    engine.init(document=chain({}, {}, pauses={1: {"prompt": "ok?"}}))
    step = engine.execute()
    assert step.next_action == "PAUSED_FOR_HITP"
    assert step.pause == {"prompt": "ok?"}
    assert Step.from_json(step.to_json()) == step
    assert step.to_json().keys() == {"bag", "next_action", "segment_to_run", "loop_counter", "next", "pause"}


def test_a_pause_is_answered_and_the_run_goes_on_behind_it(engine: Any, chain: Chain) -> None:
    engine.init(document=chain({}, {"copy": {"b": "answer"}}, {}, pauses={1: {"output_key": "answer"}}))
    engine.execute()
    step = engine.act(
        "merge_callback", callback_result={"decision": "ANSWER", "user_response": False, "token_id": "1-1"}
    )
    assert (step.next_action, step.segment_to_run) == ("CONTINUE", 1)
    engine.execute()
    assert engine.user["b"] is False


def test_a_node_that_fails_fails_the_run_and_changes_nothing(engine: Any, chain: Chain) -> None:
    engine.init({"x": 1}, document=chain({"set": {"a": 1}}, {"fail": "no way"}, {}))
    engine.execute()
    step = engine.execute()
    assert step.next_action == "FAILED"
    assert step.error == {
        "code": "NODE_FAILED",
        "message": "node n1 (web): no way",
        "node_id": "n1",
        "segment_id": "1",
    }
    assert step.next == {}
    assert engine.user == {"x": 1, "a": 1}
    assert history(engine)[-1]["error"] == {"code": "NODE_FAILED", "message": "node n1 (web): no way"}


def test_a_node_that_fails_for_now_is_tried_again_and_leaves_one_entry(engine: Any, chain: Chain) -> None:
    engine.init(document=chain({"busy": 1, "set": {"a": 1}}, {}))
    with pytest.raises(StoreUnavailable):
        engine.execute()
    assert engine.execute(attempt=2).version == 2
    assert len(history(engine)) == 1


def test_a_segment_that_was_merged_calls_nothing_again(
    engine: Any, chain: Chain, web: Any, store: BlobStore, registry: Any, clock: Callable[[], datetime]
) -> None:
    engine.init(document=chain({"set": {"a": 1}}, {}))
    place = engine.place
    first = engine.engine.execute_segment(place, 0)
    assert web.calls == ["n0:0:1"]
    other = BagEngine(BlobStore(store.backend), registry, now=clock)
    for again in (engine.engine, other):
        assert again.execute_segment(place, 0, attempt=2).to_json() == first.to_json()
    assert web.calls == ["n0:0:1"]
    with pytest.raises(BagConflict):
        engine.engine.execute_segment(place, 1)


def test_a_local_segment_repeated_gives_the_stored_step(engine: Any) -> None:
    nodes = [{"id": "a", "type": "set", "config": {"set": {"x": "x" * 5_000}}}, {"id": "b", "type": "web"}]
    engine.init(document={"nodes": nodes, "edges": [{"source": "a", "target": "b"}]})
    place = engine.place
    first = engine.engine.execute_segment(place, 0)
    assert engine.engine.execute_segment(place, 0).to_json() == first.to_json()


def test_warnings_of_nodes_are_told(engine: Any, chain: Chain) -> None:
    engine.init(document=chain({"set": {"segment_to_run": 9, "a": 1}}, {}))
    step = engine.execute()
    assert [warning["code"] for warning in step.warnings] == ["RESERVED_KEY"]
    assert (step.segment_to_run, engine.user) == (1, {"a": 1})


def test_what_nodes_call_their_entries_does_not_lose_any(engine: Any, chain: Chain) -> None:
    logs = [{"log_id": "same", "segment_id": "mine", "type": "t"}, {"log_id": "same", "type": "u"}]
    engine.init(document=chain({"logs": logs}, {"logs": logs}))
    engine.execute()
    engine.execute()
    entries = history(engine)
    assert [entry["type"] for entry in entries] == ["t", "u", "segment"] * 2
    assert [entry["segment_id"] for entry in entries] == ["0"] * 3 + ["1"] * 3
    assert len({entry["log_id"] for entry in entries}) == 6


def _asynchronous() -> dict[str, Any]:
    config = {"prompt_content": "{{ topic }}", "async": True}
    nodes = [{"id": "a", "type": "llm_chat", "config": config}, {"id": "b", "type": "web"}]
    return {"nodes": nodes, "edges": [{"source": "a", "target": "b"}]}


def test_an_asynchronous_call_waits_and_is_merged_with_its_link(engine: Any) -> None:
    engine.init({"topic": "bees", "other": "x"}, document=_asynchronous(), MOCK_MODE="true")
    step = engine.execute()
    assert (step.next_action, step.segment_to_run, step.loop_counter) == ("PAUSED_FOR_ASYNC_LLM", 0, 0)
    body, wanted = engine.engine.describe_call(engine.place)
    assert body["nodes"][0]["id"] == "a"
    assert wanted == {"topic": "bees"}
    step = engine.act("merge_async", async_result={"status": "completed", "state_delta": {"set": {"said": "hum"}}})
    assert (step.next_action, step.segment_to_run, step.loop_counter) == ("CONTINUE", 1, 1)
    assert engine.user["said"] == "hum"


def test_an_asynchronous_call_answered_by_the_worker_itself(engine: Any) -> None:
    engine.init({"topic": "bees"}, document=_asynchronous(), MOCK_MODE="true")
    engine.execute()
    result = engine.engine.run_async_segment(engine.place)
    assert (result["status"], result["next_segment_to_run"]) == ("CONTINUE", 1)
    step = engine.act("merge_async", async_result=result)
    assert (step.next_action, step.loop_counter) == ("CONTINUE", 1)
    assert engine.user["a_output"].startswith("Mock answer")


def test_a_failed_asynchronous_call_fails_the_run(engine: Any) -> None:
    engine.init({"topic": "bees"}, document=_asynchronous(), MOCK_MODE="true")
    engine.execute()
    step = engine.act(
        "merge_async", async_result={"status": "FAILED", "error_info": {"code": "LLM_FAILED", "message": "m"}}
    )
    assert (step.next_action, step.error) == ("FAILED", {"code": "LLM_FAILED", "message": "m"})


def test_configuration_is_fetched_without_change(engine: Any, chain: Chain) -> None:
    engine.init(document=chain({"set": {"a": 1}}, {}))
    answer = engine.engine.hydrate("hydrate_segment", engine.place, {"segment_index": 1})
    assert (answer["segment_id"], answer["execution_order"]) == ("1", 1)
    answer = engine.engine.hydrate("hydrate_branch", engine.place, {"branch_pointer": {"branch_id": "b"}})
    assert answer == {"branch_config": {"branch_id": "b"}, "branch_index": 0}


def test_an_action_that_does_not_exist_is_refused(engine: Any, chain: Chain) -> None:
    engine.init(document=chain({}))
    with pytest.raises(StateBagError, match="action 'seal': does not exist"):
        engine.act("seal")


def test_reading_values_leaves_nothing_behind_in_the_kept_bag(engine: Any, chain: Chain) -> None:
    engine.init({"large": "x" * 50_000}, document=chain({"copy": {"b": "large"}}, {}))
    place = engine.place
    assert engine.engine.read_bag(place).user["large"] == "x" * 50_000
    engine.engine.execute_segment(place, 0)
    kept = engine.engine._open(place)[1].user
    assert kept._values == {}


def test_one_worker_runs_many_executions_at_once(engine: Any, chain: Chain) -> None:
    document = chain({"copy": {"b": "a"}}, {"set": {"c": 1}})

    def one(index: int) -> dict[str, Any]:
        name = f"run-{index}"
        raw = {"ownerId": "owner", "workflowId": "workflow", "workflow_config": document, "initial_state": {"a": index}}
        step = engine.engine.init(raw, name)
        while step.next_action != "COMPLETE":
            at = Place(
                owner_id="owner", workflow_id="workflow", execution_id=name, version=step.version, root=step.root
            )
            step = engine.engine.execute_segment(at, step.segment_to_run)
        at = Place(owner_id="owner", workflow_id="workflow", execution_id=name, version=step.version, root=step.root)
        return engine.engine.read_bag(at).user.whole()

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(one, range(24)))
    assert found == [{"a": index, "b": index, "c": 1} for index in range(24)]


def test_a_long_error_does_not_make_the_history_long(engine: Any, chain: Chain) -> None:
    engine.init(document=chain({"fail": "🙂" * 100_000}, {}))
    step = engine.execute()
    assert step.error is not None
    assert size_of(step.to_json()) < 8_000
    blobs = engine.engine.store.execution("owner", "workflow", "run")
    assert blobs.get(Pointer.from_json(step.error["stored"]))["message"] == "node n0 (web): " + "🙂" * 100_000
    engine.act("create_snapshot")
    assert engine.bag.kernel.error == step.error
