from typing import Any

import pytest

from statebag.bag import FAILED_SAMPLE, SUMMARY_SAMPLE, read_all
from statebag.blobs import Pointer, RetryPolicy
from statebag.canonical import size_of
from statebag.errors import InputRefused, StateBagError
from statebag.testing import FaultyBackend


def ok(index: int, **more: Any) -> dict[str, Any]:
    return {"chunk_id": f"chunk_{index:04}", "execution_order": index, "status": "COMPLETED", **more}


def failed(index: int) -> dict[str, Any]:
    return {"execution_order": index, "status": "FAILED", "error_info": {"code": "NODE_FAILED", "message": "broken"}}


def aggregate(run: Any, results: Any, failure: str | None = None, **policy: Any) -> dict[str, Any]:
    if run.state is None:
        run.init({"base": 0}, segments=5)
    policy |= {"failure": failure} if failure else {}
    answer = run.act("aggregate_distributed", execution_result=results, policy=policy)
    return answer["summary"]


def counts(summary: dict[str, Any]) -> tuple[int, int, int, int]:
    return summary["total"], summary["succeeded"], summary["failed"], summary["paused"]


def test_ten_that_completed(run: Any) -> None:
    summary = aggregate(run, [ok(index, final_state={f"r{index}": index}) for index in range(10)])
    assert counts(summary) == (10, 10, 0, 0)
    assert (run.answer["next_action"], run.answer["final_status"]) == ("CONTINUE", "COMPLETE")
    assert run.user == {"base": 0} | {f"r{index}": index for index in range(10)}
    assert "failed_segments" not in run.state


def test_five_that_completed_and_two_that_failed_when_none_may(run: Any) -> None:
    results = [ok(index) for index in range(5)] + [failed(5), failed(6)]
    summary = aggregate(run, results, "fail_on_any")
    assert counts(summary) == (7, 5, 2, 0)
    assert (run.answer["next_action"], run.answer["final_status"]) == ("FAILED", "FAILED")
    assert run.state["error"]["code"] == "AGGREGATION_FAILED"
    assert "2 of 7 failed" in run.state["error"]["message"]


def test_one_that_waits_for_a_person(run: Any) -> None:
    summary = aggregate(run, [ok(0, final_state={"a": 1}), {"execution_order": 1, "status": "PAUSED_FOR_HITP"}])
    assert counts(summary) == (2, 1, 0, 1)
    assert (run.answer["next_action"], run.answer["final_status"]) == ("PAUSED_FOR_HITP", "PAUSED_FOR_HITP")
    assert run.user == {"base": 0, "a": 1}


def test_a_violated_policy_wins_over_a_pause(run: Any) -> None:
    aggregate(run, [failed(0), {"execution_order": 1, "status": "PAUSE"}], "fail_on_any")
    assert run.answer["next_action"] == "FAILED"


@pytest.mark.parametrize("results", [[], {"segment_results": []}])
@pytest.mark.parametrize("failure", [None, "fail_if_all", "fail_on_any", "fail_on_majority", "tolerate:100"])
def test_nothing_to_join_is_a_failure(results: Any, failure: str | None, run: Any) -> None:
    assert counts(aggregate(run, results, failure)) == (0, 0, 0, 0)
    assert run.answer["next_action"] == "FAILED"
    assert "there are no results to join" in run.state["error"]["message"]


@pytest.mark.parametrize("results", [None, {}, "text", 3, {"segment_results": "x"}])
def test_what_is_no_list_is_refused(results: Any, run: Any) -> None:
    with pytest.raises(InputRefused) as refused:
        aggregate(run, results)
    assert refused.value.code == "RESULT_INVALID"


def test_a_hundred_results_with_three_kilobytes_of_logs_each(run: Any) -> None:
    entries = [{"log_id": f"l{index}", "text": "x" * 3_000} for index in range(100)]
    aggregate(run, [ok(index, new_history_logs=[entries[index]]) for index in range(100)])
    assert run.answer["next_action"] == "CONTINUE"
    assert size_of(run.state) < 200 * 1024
    assert list(read_all(run.bag.kernel.state_history, run.blobs)) == entries


def test_one_that_is_corrupted_counts_as_failed(run: Any, backend: FaultyBackend) -> None:
    run.init({"base": 0}, segments=5)
    pointers = [run.blobs.put({f"r{index}": "x" * 500}, kind="state") for index in range(10)]
    backend.corrupt(pointers[4].key, lambda data: data[:-1] + bytes([data[-1] ^ 1]))
    fresh = type(run)(type(run.manager)(type(run.store)(backend), run.manager._registry), run.store)
    fresh.state = run.state
    results = [ok(index, final_state_s3_path=pointer.to_json()) for index, pointer in enumerate(pointers)]
    summary = aggregate(fresh, results, "fail_on_any")
    assert counts(summary) == (10, 9, 1, 0)
    assert fresh.answer["next_action"] == "FAILED"
    assert summary["chunk_results"][4]["error"]["code"] == "POINTER_CORRUPT"


@pytest.mark.parametrize("pointer", [{"$ptr": 1}, "s3://bucket/key", 3])
def test_a_state_that_can_t_be_found_counts_as_failed(pointer: Any, run: Any) -> None:
    summary = aggregate(run, [ok(0), ok(1, final_state_s3_path=pointer)])
    assert counts(summary) == (2, 1, 1, 0)
    assert summary["chunk_results"][1]["error"]["code"] == "POINTER_MALFORMED"


def test_a_state_that_can_t_be_read_for_now_is_waited_for(run: Any, backend: FaultyBackend) -> None:
    run.init({"base": 0}, segments=5)
    pointer = run.blobs.put({"late": "x" * 500}, kind="state").to_json()
    fresh = type(run)(type(run.manager)(_patient(run, backend), run.manager._registry), run.store)
    fresh.state = run.state
    backend.fail_next_reads(2)
    summary = aggregate(fresh, [ok(0, final_state_s3_path=pointer)])
    assert counts(summary) == (1, 1, 0, 0)
    assert fresh.user["late"] == "x" * 500


def _patient(run: Any, backend: FaultyBackend) -> Any:
    return type(run.store)(backend, retry=RetryPolicy(sleep=lambda _: None))


def test_what_is_no_result_counts_as_failed(run: Any) -> None:
    garbage = ["text", None, 3, [], {}, {"status": "WHATEVER"}, {"status": None}]
    summary = aggregate(run, [ok(0), *garbage, ok(1)], "tolerate:90")
    assert counts(summary) == (9, 2, 7, 0)
    assert [line["branch_id"] for line in summary["chunk_results"][:2]] == ["chunk_0000", "chunk_0001"]
    assert {line["error"]["code"] for line in summary["chunk_results"][2:]} == {"RESULT_INVALID", "UNKNOWN_STATUS"}


@pytest.mark.parametrize(
    "broken",
    [
        {"new_history_logs": "text"},
        {"new_history_logs": [3]},
        {"final_state": [1]},
        {"state_delta": {"set": [1]}},
        {"state_data": {"schema_version": 99}},
    ],
)
def test_a_result_that_breaks_the_contract_counts_as_failed(broken: dict[str, Any], run: Any) -> None:
    assert counts(aggregate(run, [ok(0), ok(1) | broken], "fail_if_all")) == (2, 1, 1, 0)


def test_a_hundred_and_five_chunks_go_by_number(run: Any) -> None:
    results = [
        {
            "chunk_id": f"chunk_{index}",
            "status": "COMPLETED",
            "state_delta": {"set": {"last": index, "n_items": [index] * 10}},
        }
        for index in range(105)
    ]
    summary = aggregate(run, {"segment_results": results[::-1]})
    assert counts(summary) == (105, 105, 0, 0)
    assert run.user["last"] == 104
    assert run.user["n_items"] == [index for index in range(105) for _ in range(10)]
    assert [line["branch_index"] for line in summary["chunk_results"]] == list(range(SUMMARY_SAMPLE))
    everything = run.blobs.get(Pointer.from_json(summary["all_results"]))
    assert [line["branch_index"] for line in everything] == list(range(105))


def test_the_twelfth_is_last(run: Any) -> None:
    results = [ok(index, state_delta={"set": {"last": index}}) for index in range(12)]
    aggregate(run, results[6:] + results[:6])
    assert run.user["last"] == 11


@pytest.mark.parametrize(
    "results",
    [
        [ok(0), {"status": "COMPLETED"}],
        [{"status": "COMPLETED", "execution_order": "1"}],
        [{"status": "COMPLETED", "execution_order": 1.5}],
        [{"status": "COMPLETED", "branch_index": True}],
    ],
)
def test_an_order_that_is_no_order_is_refused(results: Any, run: Any) -> None:
    with pytest.raises(StateBagError) as refused:
        aggregate(run, results)
    assert refused.value.code == "INVALID_EXECUTION_ORDER"


def test_without_numbers_the_given_order_counts(run: Any) -> None:
    aggregate(run, [{"status": "COMPLETE", "final_state": {"last": index}} for index in range(3)])
    assert run.user["last"] == 2


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        ("fail_if_all", "CONTINUE"),
        ("fail_on_any", "FAILED"),
        ("fail_on_majority", "CONTINUE"),
        ("tolerate:33", "FAILED"),
        ("tolerate:33.3", "FAILED"),
        ("tolerate:34", "CONTINUE"),
        ("tolerate:0", "FAILED"),
        (None, "FAILED"),
    ],
)
def test_one_of_three_failed(failure: str | None, expected: str, run: Any) -> None:
    aggregate(run, [ok(0), failed(1), ok(2)], failure)
    assert run.answer["next_action"] == expected


def test_a_map_tolerates_ten_percent_and_fails_above(run: Any) -> None:
    aggregate(run, [failed(0), *(ok(index) for index in range(1, 10))])
    assert run.answer["next_action"] == "CONTINUE"
    aggregate(run, [failed(0), *(ok(index) for index in range(1, 9))])
    assert run.answer["next_action"] == "FAILED"


def test_a_fork_s_own_policy_is_used_and_only_all_failures_fail_it_by_default(run: Any) -> None:
    run.init(segments=5)
    branches = [{"branch_id": "a"}, {"branch_id": "b"}]
    results = [failed(0), ok(1)]
    run.sync("PARALLEL_GROUP", 1, branches=branches, branch_policy={"failure": "fail_on_any"})
    run.act("aggregate_branches", parallel_results=results)
    assert run.answer["next_action"] == "FAILED"
    run.sync("PARALLEL_GROUP", 2, branches=branches)
    run.act("aggregate_branches", parallel_results=results)
    assert run.answer["next_action"] == "CONTINUE"
    run.sync("PARALLEL_GROUP", 3, branches=branches)
    run.act("aggregate_branches", parallel_results=[failed(0), failed(1)])
    assert run.answer["next_action"] == "FAILED"


@pytest.mark.parametrize("policy", [{"failure": "never"}, {"failure": "tolerate:x"}, {"failure": 3}])
def test_a_policy_that_does_not_exist_is_refused(policy: dict[str, Any], run: Any) -> None:
    with pytest.raises(InputRefused, match="does not exist"):
        aggregate(run, [ok(0)], **policy)


@pytest.mark.parametrize("policy", [{"on_conflict": "random"}, {"append_keys": "abc"}, {"append_keys": [1]}])
def test_a_merge_policy_that_does_not_exist_is_refused(policy: dict[str, Any], run: Any) -> None:
    with pytest.raises(InputRefused, match="branch_policy"):
        aggregate(run, [ok(0)], **policy)


def test_many_failures_leave_a_sample_and_a_pointer_to_all(run: Any) -> None:
    aggregate(run, [failed(index) for index in range(12)])
    failures = run.state["failed_segments"]
    assert (failures["count"], len(failures["sample"])) == (12, FAILED_SAMPLE)
    everything = run.blobs.get(Pointer.from_json(failures["all"]))
    assert [line["branch_index"] for line in everything] == list(range(12))
    assert everything[:FAILED_SAMPLE] == failures["sample"]


def test_long_errors_do_not_make_the_bag_long(run: Any) -> None:
    error = {"code": "NODE_FAILED", "message": "x" * 50_000}
    aggregate(run, [{"execution_order": index, "status": "FAILED", "error": error} for index in range(9)])
    assert size_of(run.state) < 20_000
    everything = run.blobs.get(Pointer.from_json(run.state["failed_segments"]["all"]))
    assert [line["error"] for line in everything] == [error] * 9


def test_statuses_of_all_producers_count_as_success(run: Any) -> None:
    words = ["COMPLETE", "COMPLETED", "SUCCESS", "SUCCEEDED", "CONTINUE", "SKIPPED", "ASYNC_CHILD_WORKFLOW_STARTED"]
    summary = aggregate(run, [{"status": word} for word in words], "fail_on_any")
    assert counts(summary) == (7, 7, 0, 0)
    assert summary["skipped"] == 1


def test_tokens_are_summed_from_where_the_fork_was(run: Any) -> None:
    run.init({"total_tokens": 100}, segments=5)
    results = [ok(index, final_state={"total_tokens": 100 + index, "total_input_tokens": index}) for index in range(4)]
    assert aggregate(run, results)["tokens"] == {"total_tokens": 6, "total_input_tokens": 6}


def test_results_may_lie_behind_a_pointer(run: Any) -> None:
    run.init(segments=5)
    pointer = run.blobs.put([ok(index) for index in range(3)], kind="results").to_json()
    assert counts(aggregate(run, pointer)) == (3, 3, 0, 0)


def test_a_branch_can_t_write_reserved_keys(run: Any) -> None:
    aggregate(run, [ok(0, final_state={"segment_to_run": 9, "mine": 1, "loop_counter": -1})])
    assert run.user == {"base": 0, "mine": 1}
    assert (run.state["segment_to_run"], run.state["loop_counter"]) == (0, 0)
    assert [warning["code"] for warning in run.answer["warnings"]] == ["RESERVED_KEY"] * 2


def test_failures_of_a_later_map_join_those_of_an_earlier_one(run: Any) -> None:
    aggregate(run, [ok(0), *(failed(index) for index in range(1, 5))], "tolerate:100")
    aggregate(run, [ok(0)], "tolerate:100")
    aggregate(run, [ok(0), *(failed(index) for index in range(11, 15))], "tolerate:100")
    failures = run.state["failed_segments"]
    assert (failures["count"], len(failures["sample"])) == (8, FAILED_SAMPLE)
    everything = run.blobs.get(Pointer.from_json(failures["all"]))
    assert [line["branch_index"] for line in everything] == [1, 2, 3, 4, 11, 12, 13, 14]
