from typing import Any

import pytest

from statebag.bag import NextAction, parse_status
from statebag.errors import InputRefused, StateBagError

BRANCHES = [{"branch_id": "x"}, {"branch_id": "y"}]
SEGMENTS = [{"id": "i0", "nodes": []}, {"id": "i1", "nodes": []}]


@pytest.mark.parametrize(
    ("status", "following", "more", "expected", "segment"),
    [
        ("CONTINUE", 1, {}, "CONTINUE", 1),
        ("continue", 2, {}, "CONTINUE", 2),
        ("SKIPPED", 1, {}, "CONTINUE", 1),
        ("CONTINUE", 0, {}, "CONTINUE", 0),
        ("CONTINUE", 3, {}, "COMPLETE", 3),
        ("CONTINUE", 7, {}, "COMPLETE", 7),
        ("COMPLETE", None, {}, "COMPLETE", 3),
        ("COMPLETED", None, {}, "COMPLETE", 3),
        ("SUCCESS", None, {}, "COMPLETE", 3),
        ("SUCCEEDED", None, {}, "COMPLETE", 3),
        ("COMPLETE", 3, {}, "COMPLETE", 3),
        ("FAILED", None, {}, "FAILED", 0),
        ("FAILED", 1, {}, "FAILED", 1),
        ("HALTED", None, {}, "HALTED", 0),
        ("SIGKILL", None, {}, "SIGKILL", 0),
        ("TIMEOUT", None, {}, "FAILED", 0),
        ("LOOP_LIMIT_EXCEEDED", None, {}, "FAILED", 0),
        ("PARTIAL_FAILURE", None, {}, "FAILED", 0),
        ("PAUSE", 1, {}, "PAUSED_FOR_HITP", 1),
        ("PAUSED_FOR_HITP", None, {}, "PAUSED_FOR_HITP", 1),
        ("PAUSED_FOR_ASYNC_LLM", None, {}, "PAUSED_FOR_ASYNC_LLM", 0),
        ("ASYNC_CHILD_WORKFLOW_STARTED", 1, {}, "CONTINUE", 1),
        ("PARALLEL_GROUP", None, {"branches": BRANCHES}, "PARALLEL_GROUP", 1),
        ("PARALLEL_GROUP", 2, {"branches": BRANCHES}, "PARALLEL_GROUP", 2),
        ("SCHEDULED_PARALLEL", None, {"execution_batches": [BRANCHES]}, "PARALLEL_GROUP", 1),
        ("SEQUENTIAL_BRANCH", None, {"inner_partition_map": SEGMENTS}, "SEQUENTIAL_BRANCH", 0),
    ],
)
def test_the_decision_by_status(
    status: str, following: int | None, more: dict[str, Any], expected: str, segment: int, run: Any
) -> None:
    run.init(segments=3)
    answer = run.sync(status, following, **more)
    assert (answer["next_action"], run.state["segment_to_run"]) == (expected, segment)
    assert "warnings" not in answer
    assert expected in NextAction.__members__


def test_complete_with_a_next_segment_goes_on_with_a_warning(run: Any) -> None:
    run.init(segments=3)
    answer = run.sync("COMPLETE", 1)
    assert answer["next_action"] == "CONTINUE"
    assert [warning["code"] for warning in answer["warnings"]] == ["COMPLETE_WITH_NEXT"]


@pytest.mark.parametrize(
    ("status", "code"),
    [("CONTINUE", "CONTINUE_WITHOUT_NEXT"), ("SKIPPED", "CONTINUE_WITHOUT_NEXT"), ("WHATEVER", "UNKNOWN_STATUS")],
)
def test_a_status_that_leads_nowhere_fails_with_its_code(status: str, code: str, run: Any) -> None:
    run.init(segments=3)
    assert run.sync(status)["next_action"] == "FAILED"
    assert run.state["error"]["code"] == code


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        ({"code": "NODE_FAILED", "message": "m", "node_id": "n"}, "NODE_FAILED", "m"),
        ({"error_type": "NODE_FAILED", "error_message": "m"}, "NODE_FAILED", "m"),
        ({"Error": "States.Timeout", "Cause": "slow"}, "RUN_FAILED", "slow"),
        ({"code": "MADE_UP", "message": "m"}, "RUN_FAILED", "m"),
        ("text", "RUN_FAILED", "text"),
        ([1], "RUN_FAILED", "[1]"),
        (None, "RUN_FAILED", "segment 0 of 3 reported FAILED without saying why (`error_info`)."),
    ],
)
def test_the_cause_of_a_failure_has_a_code_and_a_message(given: Any, code: str, message: str, run: Any) -> None:
    run.init(segments=3)
    run.sync("FAILED", error_info=given)
    assert (run.state["error"]["code"], run.state["error"]["message"]) == (code, message)


def test_a_failure_is_not_blamed_on_an_error_that_the_run_survived(run: Any) -> None:
    run.init(segments=3)
    run.sync("CONTINUE", 1, error_info={"code": "NODE_FAILED", "message": "handled"})
    run.sync("HALTED")
    assert run.state["error"]["message"].startswith("segment 1 of 3 reported HALTED")


def test_a_terminal_status_wins_over_everything_else(run: Any) -> None:
    run.init(segments=3)
    assert run.sync("FAILED", 7, branches=BRANCHES, inner_partition_map=SEGMENTS)["next_action"] == "FAILED"
    assert "pending_branches" not in run.state


def test_only_segments_that_ran_are_counted(run: Any) -> None:
    run.init(segments=6)
    counts: list[int] = []

    def note() -> None:
        counts.append(run.state["loop_counter"])

    run.sync("CONTINUE", 1)
    note()
    run.sync("PARALLEL_GROUP", 2, branches=BRANCHES)
    note()
    run.act("aggregate_branches", parallel_results=[{"branch_id": "x", "status": "COMPLETE"}])
    note()
    run.act("create_snapshot")
    note()
    run.sync("PAUSED_FOR_HITP", 3)
    note()
    run.act("merge_callback", callback_result={"decision": "APPROVED"})
    note()
    run.sync("PAUSED_FOR_ASYNC_LLM", 3)
    note()
    run.act("merge_async", async_result={"status": "COMPLETE", "next_segment_to_run": 4})
    note()
    run.act("aggregate_distributed", execution_result=[{"status": "COMPLETED"}])
    note()
    assert counts == [1, 2, 2, 2, 3, 3, 3, 4, 4]
    assert run.state["bag_version"] == 10


def test_an_async_failure_reaches_the_failure_path(run: Any) -> None:
    run.init(segments=3)
    run.sync("PAUSED_FOR_ASYNC_LLM", 0)
    answer = run.act(
        "merge_async", async_result={"status": "FAILED", "error_info": {"code": "LLM_FAILED", "message": "m"}}
    )
    assert answer["next_action"] == "FAILED"
    assert run.state["error"] == {"code": "LLM_FAILED", "message": "m"}


def test_an_async_result_is_checked_and_merged_as_any_other(run: Any) -> None:
    run.init(segments=3)
    run.sync("PAUSED_FOR_ASYNC_LLM", 0)
    with pytest.raises(InputRefused):
        run.act("merge_async", async_result={"final_state": {}})
    answer = run.act(
        "merge_async", async_result={"status": "CONTINUE", "next_segment_to_run": 1, "final_state": {"a": 1}}
    )
    assert (answer["next_action"], run.user, run.state["segment_to_run"]) == ("CONTINUE", {"a": 1}, 1)


def test_statuses_are_read_in_any_case() -> None:
    assert parse_status(" completed ") == parse_status("COMPLETE") == "COMPLETE"
    assert [parse_status(text) for text in (None, 3, "", "RUNNING")] == [None] * 4


def test_an_action_that_does_not_exist_is_refused_with_those_that_do(run: Any) -> None:
    run.init()
    with pytest.raises(StateBagError, match="aggregate_branches, merge_callback") as refused:
        run.act("seal")
    assert refused.value.code == "ACTION_UNKNOWN"
    with pytest.raises(StateBagError, match="must be an object"):
        run.manager.handle([])
