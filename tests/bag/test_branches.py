from typing import Any

import pytest

from statebag.bag import Bag, read_all
from statebag.errors import BagConflict, InputRefused


class BranchRun:
    """A branch at the Lambda-shaped door."""

    def __init__(self, run: Any, branch_id: str, segments: int, **more: Any) -> None:
        self.run = run
        plan = [{"id": f"{branch_id}{index}", "nodes": []} for index in range(segments)]
        self.state: dict[str, Any] = {"branch_id": branch_id, "partition_map": plan, "state_data": run.state, **more}

    def sync(self, status: str = "CONTINUE", following: int | None = None, **result: Any) -> str:
        result = {"status": status, "next_segment_to_run": following, **result}
        event = {"action": "sync_branch", "branch_state": self.state, "execution_result": result}
        answer = self.run.manager.handle(event)
        self.state = answer["branch_state"]
        return answer["next_action"]

    @property
    def bag(self) -> Bag:
        return Bag.from_json(self.state["state_data"], self.run.blobs)


def fork(run: Any, count: int, state: dict[str, Any] | None = None, **result: Any) -> list[BranchRun]:
    run.init(state or {}, segments=4)
    run.sync("CONTINUE", 1, new_history_logs=["before"])
    branches = [{"branch_id": f"b{index}"} for index in range(count)]
    run.sync("PARALLEL_GROUP", branches=branches, **result)
    return [BranchRun(run, f"b{index}", 2) for index in range(count)]


def test_a_branch_counts_for_itself_and_the_parent_s_counters_stay(run: Any) -> None:
    branch = fork(run, 2)[0]
    parent = {name: run.state[name] for name in ("segment_to_run", "loop_counter", "total_segments", "bag_version")}
    assert branch.sync("CONTINUE", 1, state_delta={"set": {"a": 1}}) == "CONTINUE"
    assert branch.state["loop_counter"] == branch.state["segment_to_run"] == 1
    assert branch.sync("COMPLETE", state_delta={"set": {"b": 2}}) == "COMPLETE"
    assert (branch.state["loop_counter"], branch.state["total_segments"], branch.state["bag_version"]) == (2, 2, 2)
    assert {name: branch.state["state_data"][name] for name in parent} == parent
    assert branch.bag.user.whole() == {"a": 1, "b": 2}
    assert branch.bag.kernel.plan == run.bag.kernel.plan


def test_a_branch_reaches_its_own_limit_however_far_the_main_loop_is(run: Any) -> None:
    run.init(segments=4)
    for _ in range(30):
        run.sync("CONTINUE", 1)
    run.sync("PARALLEL_GROUP", branches=[{"branch_id": "b"}])
    branch = BranchRun(run, "b", 3)
    spent: list[bool] = []
    for _ in range(50):
        branch.sync("CONTINUE", 0)
        spent.append(branch.state["loop_counter"] >= branch.state["max_branch_iterations"])
    assert branch.state["max_branch_iterations"] in range(1, 100)
    assert spent.count(False) == min(50, branch.state["max_branch_iterations"] - 1)
    assert branch.state["state_data"]["loop_counter"] == 31


@pytest.mark.parametrize(
    ("status", "expected"),
    [("COMPLETED", "COMPLETE"), ("FAILED", "FAILED"), ("PAUSE", "PAUSED_FOR_HITP"), ("HALTED", "HALTED")],
)
def test_a_branch_ends_by_its_own_status(status: str, expected: str, run: Any) -> None:
    assert fork(run, 1)[0].sync(status) == expected


def test_an_inner_plan_of_a_branch_returns_into_the_branch(run: Any) -> None:
    branch = fork(run, 1)[0]
    inner = [{"id": "i0", "nodes": []}, {"id": "i1", "nodes": []}, {"id": "i2", "nodes": []}]
    assert branch.sync("SEQUENTIAL_BRANCH", inner_partition_map=inner) == "SEQUENTIAL_BRANCH"
    assert (branch.state["segment_to_run"], branch.state["total_segments"]) == (0, 3)
    assert branch.sync("CONTINUE", 1) == "CONTINUE"
    assert branch.sync("CONTINUE", 2) == "CONTINUE"
    assert branch.sync("COMPLETE") == "CONTINUE"
    assert (branch.state["segment_to_run"], branch.state["total_segments"]) == (1, 2)
    assert "partition_stack" not in branch.state
    assert branch.sync("COMPLETE") == "COMPLETE"


def test_branches_of_one_fork_and_of_a_later_one_do_not_meet(run: Any) -> None:
    first, second = fork(run, 2)
    assert [first.sync("CONTINUE", 1), second.sync("CONTINUE", 1)] == ["CONTINUE", "CONTINUE"]
    run.act("aggregate_branches", parallel_results=[{"branch_id": "b0", "status": "COMPLETE"}])
    again = BranchRun(run, "b0", 2)
    assert again.sync("COMPLETE") == "COMPLETE"


def test_a_branch_s_version_can_be_made_once(run: Any) -> None:
    branch = fork(run, 1)[0]
    before = branch.state
    branch.sync("CONTINUE", 1, state_delta={"set": {"a": 1}})
    after, branch.state = branch.state, before
    branch.sync("CONTINUE", 1, state_delta={"set": {"a": 1}})
    assert branch.state == after
    branch.state = before
    with pytest.raises(BagConflict):
        branch.sync("CONTINUE", 1, state_delta={"set": {"a": 2}})


@pytest.mark.parametrize(
    "change",
    [
        {"branch_id": None},
        {"partition_map": 3},
        {"loop_counter": "1"},
        {"segment_to_run": -1},
        {"total_segments": True},
    ],
)
def test_a_malformed_branch_is_refused(change: dict[str, Any], run: Any) -> None:
    branch = fork(run, 1)[0]
    branch.state = branch.state | change
    with pytest.raises(InputRefused, match="branch_state"):
        branch.sync("COMPLETE")
    with pytest.raises(InputRefused):
        run.manager.handle({"action": "sync_branch", "branch_state": None, "execution_result": {}})


def test_branches_are_joined_from_their_own_bags_with_all_they_did(run: Any) -> None:
    branches = fork(run, 3, {"collected_items": ["base"], "shared": 0})
    for index, branch in enumerate(branches):
        branch.sync("CONTINUE", 1, new_history_logs=[{"node_id": f"b{index}", "step": 0}])
        added = {"collected_items": ["base", index], "shared": index, f"own_{index}": "x" * 40_000}
        branch.sync("COMPLETE", state_delta={"set": added}, new_history_logs=[{"node_id": f"b{index}", "step": 1}])
    results = [
        {"branch_id": b.state["branch_id"], "branch_index": i, "status": "COMPLETE"} for i, b in enumerate(branches)
    ]
    results = [result | {"state_data": b.state["state_data"]} for result, b in zip(results, branches, strict=True)]
    answer = run.act("aggregate_branches", parallel_results=results[::-1])
    assert (answer["next_action"], run.state["segment_to_run"]) == ("CONTINUE", 2)
    assert run.user == {
        "collected_items": ["base", 0, 1, 2],
        "shared": 2,
        **{f"own_{index}": "x" * 40_000 for index in range(3)},
    }
    history = list(read_all(run.bag.kernel.state_history, run.blobs))
    assert history == [{"message": "before"}] + [
        {"node_id": f"b{index}", "step": step} for index in range(3) for step in range(2)
    ]


def test_large_branches_wait_in_the_store_and_come_back_one_by_one(run: Any) -> None:
    run.init(segments=3)
    branches = [{"branch_id": f"b{index}", "partition_map": ["x" * 30_000]} for index in range(10)]
    run.sync("PARALLEL_GROUP", branches=branches)
    pending = run.state["pending_branches"]
    assert len(run.state["current_state"]) == 0
    for index, pointer in enumerate(pending):
        answer = run.manager.handle(
            {"action": "hydrate_branch", "branch_pointer": pointer, "branch_index": index, "state_data": run.state}
        )
        assert (answer["branch_config"], answer["branch_index"]) == (branches[index], index)
        assert answer["state_data"] == run.state


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"branch_index": 10}, "$.branch_index"),
        ({"branch_index": -1}, "$.branch_index"),
        ({"branch_index": "0"}, "$.branch_index"),
        ({"total_branches": None}, "$.branch_index"),
        ({"branch_id": "other"}, "$.branch_pointer.branch"),
    ],
)
def test_the_branch_fetched_is_the_one_asked_for(change: dict[str, Any], path: str, run: Any) -> None:
    run.init(segments=3)
    run.sync("PARALLEL_GROUP", branches=[{"branch_id": f"b{index}", "x": "x" * 3_000} for index in range(10)])
    pointer = run.state["pending_branches"][0] | change
    with pytest.raises(InputRefused) as refused:
        run.manager.handle({"action": "hydrate_branch", "branch_pointer": pointer, "state_data": run.state})
    assert refused.value.problems[0].path == path


def test_a_small_branch_is_its_own_configuration(run: Any) -> None:
    run.init(segments=3)
    run.sync("PARALLEL_GROUP", branches=[{"branch_id": "b", "a": 1}])
    event = {"action": "hydrate_branch", "branch_pointer": run.state["pending_branches"][0], "state_data": run.state}
    assert run.manager.handle(event)["branch_config"] == {"branch_id": "b", "a": 1}
    with pytest.raises(InputRefused, match="must be an object"):
        run.manager.handle(event | {"branch_pointer": None})


def test_batches_of_a_fork_keep_their_order(run: Any) -> None:
    run.init(segments=3)
    batches = [[{"branch_id": "a"}, {"branch_id": "b"}], [], [{"branch_id": "c"}]]
    run.sync("SCHEDULED_PARALLEL", execution_batches=batches)
    assert [branch["branch_id"] for branch in run.state["pending_branches"]] == ["a", "b", "c"]
    assert run.state["execution_batches"] == [[0, 1], [2]]
    run.act("aggregate_branches", parallel_results=[{"branch_id": "a", "status": "COMPLETE"}])
    assert not run.state.keys() & {"pending_branches", "execution_batches", "convergence_segment", "branch_policy"}


def test_a_map_that_could_not_run_fails_with_the_bag_preserved(run: Any) -> None:
    fork(run, 2, {"a": 1})
    before = run.state
    answer = run.act("aggregate_branches", parallel_results=[], map_error={"Error": "States.ItemReaderFailed"})
    assert answer["next_action"] == answer["final_status"] == "FAILED"
    assert run.user == {"a": 1}
    assert run.state["pending_branches"] == before["pending_branches"]
    assert run.state["error"]["code"] == "AGGREGATION_FAILED"
    assert "States.ItemReaderFailed" in run.state["error"]["message"]


def test_a_join_goes_on_at_the_convergence_segment(run: Any) -> None:
    fork(run, 2, convergence_segment=3)
    run.act("aggregate_branches", parallel_results=[{"branch_id": "b0", "status": "COMPLETE"}])
    assert (run.answer["next_action"], run.state["segment_to_run"]) == ("CONTINUE", 3)


def test_a_join_at_the_end_completes(run: Any) -> None:
    run.init(segments=2)
    run.sync("CONTINUE", 1)
    run.sync("PARALLEL_GROUP", branches=[{"branch_id": "b"}])
    run.act("aggregate_branches", parallel_results=[{"branch_id": "b", "status": "COMPLETE"}])
    assert (run.answer["next_action"], run.state["segment_to_run"]) == ("COMPLETE", 2)


def test_a_join_then_a_pause(run: Any) -> None:
    fork(run, 2)
    results = [{"branch_index": i, "status": "COMPLETE", "final_state": {f"data_{i + 1}": i}} for i in range(2)]
    run.act("aggregate_branches", parallel_results=results)
    run.sync("PAUSED_FOR_HITP", 3)
    assert run.answer["next_action"] == "PAUSED_FOR_HITP"
    assert run.user == {"data_1": 0, "data_2": 1}


def test_what_happened_before_a_fork_is_not_told_again_by_each_branch(run: Any) -> None:
    run.init(segments=4)
    before = [{"n": index} for index in range(200)]
    for start in range(0, 200, 40):
        run.sync("CONTINUE", 1, new_history_logs=before[start : start + 40])
    run.sync("PARALLEL_GROUP", branches=[{"branch_id": "b0"}, {"branch_id": "b1"}])
    results: list[dict[str, Any]] = []
    for index in range(2):
        branch = BranchRun(run, f"b{index}", 1)
        branch.sync("COMPLETE", new_history_logs=[{"branch": index}])
        results.append({"branch_index": index, "status": "COMPLETE", "state_data": branch.state["state_data"]})
    run.act("aggregate_branches", parallel_results=results)
    history = list(read_all(run.bag.kernel.state_history, run.blobs))
    assert history == [*before, {"branch": 0}, {"branch": 1}]


def test_a_fork_at_the_end_of_the_chain_does_not_run_into_what_only_a_pause_leads_to(run: Any, chain: Any) -> None:
    document = chain({}, {}, pauses={1: {"on_reject": "aside"}})
    document["nodes"].append({"id": "aside", "type": "web"})
    run.init(document=document)
    run.sync("PAUSED_FOR_HITP", 1)
    run.act("merge_callback", callback_result={"decision": "APPROVED"})
    run.sync("PARALLEL_GROUP", branches=[{"branch_id": "b"}])
    run.act("aggregate_branches", parallel_results=[{"branch_id": "b", "status": "COMPLETE"}])
    assert run.state["total_segments"] == 3
    assert run.answer["next_action"] == "COMPLETE"
