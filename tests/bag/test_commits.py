import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from statebag.bag import Bag, BagEngine, Place, Step, list_commits
from statebag.blobs import ExecutionBlobs, Pointer
from statebag.canonical import canonical_bytes, sha256_hex
from statebag.errors import BagConflict

WORKERS = 50


def prepare(run: Any, action: str) -> dict[str, Any]:
    """A payload of the action, for a run that is ready for it."""
    if action == "merge_callback":
        run.sync("PAUSED_FOR_HITP", 1)
    if action == "aggregate_branches":
        run.sync("PARALLEL_GROUP", 1, branches=[{"branch_id": "b"}])
    if action == "restore_snapshot":
        run.act("create_snapshot")
    result = {
        "status": "CONTINUE",
        "next_segment_to_run": 2,
        "state_delta": {"set": {"a": 2}},
        "new_history_logs": ["x"],
    }
    joined = [{"branch_id": "b", "branch_index": 0, "status": "COMPLETE", "final_state": {"c": 3}}]
    return {
        "sync": {"execution_result": result},
        "merge_async": {"async_result": result},
        "merge_callback": {"callback_result": {"decision": "ANSWER", "user_response": "yes", "token_id": "t"}},
        "aggregate_branches": {"parallel_results": joined},
        "aggregate_distributed": {"execution_result": joined},
        "create_snapshot": {"snapshot_type": "post"},
        "restore_snapshot": {"snapshot_id": next(iter(run.state.get("snapshots", {"": 0})))},
        "update_and_compress": {"execution_result": result},
    }[action]


MUTATING = (
    "sync",
    "merge_async",
    "merge_callback",
    "aggregate_branches",
    "aggregate_distributed",
    "create_snapshot",
    "restore_snapshot",
    "update_and_compress",
)


@pytest.mark.parametrize("action", MUTATING)
def test_an_action_applied_twice_gives_the_stored_answer(action: str, run: Any) -> None:
    run.init({"a": 1, "messages": []})
    event = {"action": action, **prepare(run, action)}
    event["state_data"] = run.state
    event["expected_bag_version"] = run.state["bag_version"]
    first = run.manager.handle(event)
    assert run.manager.handle(event) == first
    version = (first if action == "update_and_compress" else first["state_data"])["bag_version"]
    assert version == run.state["bag_version"] + 1
    with pytest.raises(BagConflict) as refused:
        run.manager.handle({**event, "result_id": "another"})
    assert refused.value.code == "BAG_VERSION_CONFLICT"
    assert refused.value.details == {"bag_version": version, "made_by": action}


def test_a_birth_repeated_gives_the_stored_bag_and_another_one_is_refused(run: Any) -> None:
    first = run.init({"a": 1})
    assert run.init({"a": 1}) == first
    with pytest.raises(BagConflict):
        run.init({"a": 2})


@pytest.mark.parametrize("action", MUTATING)
def test_an_engine_s_action_applied_twice_gives_the_stored_step(
    action: str, run: Any, engine: Any, store: Any, registry: Any, clock: Any, chain: Any
) -> None:
    engine.init({"a": 1, "messages": []}, document=chain(*[{}] * 5))
    run.state = engine.bag.to_json()
    run.act = lambda name, **payload: _sync_state(run, engine, name, payload)
    payload = prepare(run, action)
    place = engine.place
    first = engine.engine.act(action, place, payload)
    assert first.version == place.version + 1
    other = BagEngine(type(store)(store.backend), registry, now=clock)
    for again in (engine.engine, other):
        assert again.act(action, place, payload).to_json() == first.to_json()
        with pytest.raises(BagConflict):
            again.act(action, place, payload, result_id="another")


def _sync_state(run: Any, engine: Any, action: str, payload: dict[str, Any]) -> None:
    engine.act(action, **payload)
    run.state = engine.bag.to_json()


def test_a_bag_that_has_moved_on_is_refused(run: Any) -> None:
    run.init({"a": 1})
    old = run.state
    run.sync(following=1, state_delta={"set": {"a": 2}})
    event = {"action": "sync", "execution_result": {"status": "CONTINUE", "next_segment_to_run": 1}}
    with pytest.raises(BagConflict, match="expected bag version 1, the bag is at 2"):
        run.manager.handle(event | {"state_data": run.state, "expected_bag_version": 1})
    with pytest.raises(BagConflict, match="already made by sync"):
        run.manager.handle(event | {"state_data": old, "expected_bag_version": 1})
    assert run.state["bag_version"] == 2


def test_the_records_form_a_chain_from_the_first_bag_to_the_last(run: Any, cold: Callable[[], ExecutionBlobs]) -> None:
    run.init({"a": 1})
    states = [run.state]
    for following in (1, 2, 3):
        run.sync(following=following, state_delta={"set": {"a": following}})
        states.append(run.state)
    records = list(list_commits(cold()))
    assert [record["bag_version"] for record in records] == [1, 2, 3, 4]
    assert [record["action"] for record in records] == ["init", "sync", "sync", "sync"]
    assert [record["parent"] for record in records] == [None, *(record["root"] for record in records[:-1])]
    assert [record["root"] for record in records] == [sha256_hex(canonical_bytes(state)) for state in states]
    old = cold().get(Pointer.from_json(records[1]["answer"]["stored"]))["state_data"]
    assert Bag.from_json(old, cold()).user.whole() == {"a": 1}


def test_lineages_count_for_themselves(engine: Any, chain: Any, blobs: ExecutionBlobs) -> None:
    raw = {"ownerId": "owner", "workflowId": "workflow", "workflow_config": chain({}, {})}
    one = engine.engine.init(raw, "run", lineage="run-1")
    other = engine.engine.init(raw | {"initial_state": {"a": 1}}, "run", lineage="run-2")
    assert one.root != other.root
    assert [len(list(list_commits(blobs, lineage=name))) for name in ("run-1", "run-2", "main")] == [1, 1, 0]


def test_fifty_workers_at_the_door_lose_no_update(run: Any) -> None:
    run.init({"done": []})
    newest = [run.state]
    moved = threading.Condition()

    def work(worker: int) -> None:
        while True:
            state = newest[0]
            done = Bag.from_json(state, run.blobs).user["done"]
            result = {"status": "CONTINUE", "next_segment_to_run": 1, "state_delta": {"set": {"done": [*done, worker]}}}
            event = {"action": "sync", "state_data": state, "execution_result": result}
            try:
                answer = run.manager.handle(event | {"expected_bag_version": state["bag_version"]})
            except BagConflict:
                # The winner of this version may not have said so yet; asking it again would only be refused again.
                with moved:
                    assert moved.wait_for(lambda seen=state: newest[0]["bag_version"] > seen["bag_version"], 60)
                continue
            with moved:
                newest[0] = max(newest[0], answer["state_data"], key=lambda state: state["bag_version"])
                moved.notify_all()
            return

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(work, range(WORKERS)))
    run.state = newest[0]
    assert run.state["bag_version"] == WORKERS + 1
    assert run.state["loop_counter"] == WORKERS
    assert sorted(run.user["done"]) == list(range(WORKERS))


def test_fifty_workers_at_the_engine_lose_no_update(
    engine: Any, chain: Any, cold: Callable[[], ExecutionBlobs]
) -> None:
    step = engine.init({"done": []}, document=chain({}, {}))

    def work(worker: int) -> None:
        blobs = cold()
        while True:
            *_, record = list_commits(blobs)
            at = place(Step.from_json(record["answer"]))
            done = engine.engine.read_bag(at).user["done"]
            delta = {"set": {"done": [*done, worker]}}
            result = {"status": "CONTINUE", "next_segment_to_run": 1, "state_delta": delta}
            try:
                engine.engine.act("sync", at, {"execution_result": result})
            except BagConflict:
                continue
            return

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(WORKERS)))
    *_, last = list_commits(cold())
    engine.step = Step.from_json(last["answer"])
    assert engine.step.version == step.version + WORKERS
    assert sorted(engine.user["done"]) == list(range(WORKERS))


def place(step: Step) -> Place:
    return Place(owner_id="owner", workflow_id="workflow", execution_id="run", version=step.version, root=step.root)


def test_a_transfer_between_two_fields_is_never_seen_half(run: Any) -> None:
    run.init({"one": 1_000, "two": 500, "ballast": "x" * 40_000})
    for state in _versions(run):
        user = Bag.from_json(state, run.blobs).user
        assert user["one"] + user["two"] == 1_500
    assert (run.user["one"], run.user["two"]) == (800, 700)


def _versions(run: Any) -> list[Any]:
    run.sync(following=1, state_delta={"set": {"one": 800, "two": 700}})
    return [
        run.blobs.get(Pointer.from_json(record["answer"]["stored"]))["state_data"] for record in list_commits(run.blobs)
    ]


def test_five_runs_at_once_do_not_meet(manager: Any, store: Any, run: Any) -> None:
    def one(name: str) -> tuple[Any, Any]:
        mine = type(run)(manager, store)
        mine.init({"who": name, "large": name * 10_000}, execution_id=name)
        mine.sync(following=1, state_delta={"set": {"more": name}})
        return mine.state, mine.user

    names = [f"run-{index}" for index in range(5)]
    with ThreadPoolExecutor(5) as pool:
        found = list(pool.map(one, names))
    for name, (state, user) in zip(names, found, strict=True):
        assert user == {"who": name, "large": name * 10_000, "more": name}
        assert f"/{name}/" in state["current_state"]["large"]["key"]
