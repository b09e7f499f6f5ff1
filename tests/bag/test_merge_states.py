from typing import Any

import pytest

from statebag.bag import BranchChange, UserFields, merge_states
from statebag.blobs import ExecutionBlobs, Pointer
from statebag.errors import StateBagError


def merge(blobs: ExecutionBlobs, base: dict[str, Any], *branches: dict[str, Any], **options: Any) -> Any:
    changes = [
        BranchChange(name=f"b{index}", state=branch, unset=tuple(branch.pop("UNSET", ())))
        for index, branch in enumerate(branches)
    ]
    return merge_states(UserFields.of(base, blobs), changes, **options)


BASE: dict[str, Any] = {"same": 1, "x_results": [0], "own": "base"}


@pytest.mark.parametrize(
    ("branches", "policy", "changes", "conflicts"),
    [
        ([{"a": 1}, {"b": 2}], "last_wins", {"a": 1, "b": 2}, []),
        ([{"same": 1, "own": "base"}], "last_wins", {}, []),
        ([{"same": 2}, {"same": 1}], "last_wins", {"same": 2}, []),
        ([{"a": 1}, {"a": 1}], "error", {"a": 1}, []),
        ([{"a": {"x": 1, "y": 2}}, {"a": {"y": 2, "x": 1}}], "error", {"a": {"x": 1, "y": 2}}, []),
        ([{"a": 1}, {"a": 2}], "last_wins", {"a": 2}, [("a", ["b0", "b1"], "b1")]),
        ([{"a": 1}, {"a": 2}], "keep_first", {"a": 1}, [("a", ["b0", "b1"], "b0")]),
        ([{"a": 1}, {"a": 2}, {"a": 1}], "last_wins", {"a": 1}, [("a", ["b0", "b1", "b2"], "b2")]),
        ([{"a": True}, {"a": 1}], "last_wins", {"a": 1}, [("a", ["b0", "b1"], "b1")]),
        ([{"a": None}, {"a": 0}], "keep_first", {"a": None}, [("a", ["b0", "b1"], "b0")]),
        ([{"x_results": [0, 1]}, {"x_results": [0, 2, 3]}], "error", {"x_results": [0, 1, 2, 3]}, []),
        ([{"x_results": [0, 1]}, {"x_results": [0, 1]}], "error", {"x_results": [0, 1, 1]}, []),
        ([{"x_results": [0]}, {"x_results": [0, 2]}], "error", {"x_results": [0, 2]}, []),
        ([{"aggregated_x": [1]}, {"aggregated_x": [2]}], "error", {"aggregated_x": [1, 2]}, []),
        (
            [{"x_results": [9]}, {"x_results": [0, 1]}],
            "last_wins",
            {"x_results": [0, 1]},
            [("x_results", ["b0", "b1"], "b1")],
        ),
        ([{"x_items": "no list"}, {"x_items": [1]}], "last_wins", {"x_items": [1]}, [("x_items", ["b0", "b1"], "b1")]),
        ([{"mine": [1]}, {"mine": [2]}], "last_wins", {"mine": [2]}, [("mine", ["b0", "b1"], "b1")]),
    ],
)
def test_the_merge_by_policy(
    branches: list[dict[str, Any]],
    policy: str,
    changes: dict[str, Any],
    conflicts: list[tuple[str, list[str], str]],
    blobs: ExecutionBlobs,
) -> None:
    merged = merge(blobs, BASE, *branches, on_conflict=policy)
    assert merged.changes == changes
    assert merged.conflicts == tuple({"field": f, "branches": b, "kept": k} for f, b, k in conflicts)


def test_all_conflicts_are_named_where_none_is_allowed(blobs: ExecutionBlobs) -> None:
    with pytest.raises(StateBagError, match=r"a \(by b0, b1\), own \(by b0, b1\)") as refused:
        merge(blobs, BASE, {"a": 1, "own": 1}, {"a": 2, "own": 2}, on_conflict="error")
    assert refused.value.code == "AGGREGATION_FAILED"
    assert [conflict["field"] for conflict in refused.value.details["conflicts"]] == ["a", "own"]


def test_further_lists_can_be_joined(blobs: ExecutionBlobs) -> None:
    branches = ({"mine": [1], "log_x": ["a"]}, {"mine": [2], "log_x": ["b"]})
    merged = merge(blobs, {"mine": [], "log_x": None}, *branches, append_keys=["mine", "log_*"])
    assert merged.changes == {"mine": [1, 2], "log_x": ["a", "b"]}
    assert merged.conflicts == ()


def test_what_a_branch_unsets_goes_and_what_it_leaves_out_stays(blobs: ExecutionBlobs) -> None:
    merged = merge(blobs, BASE, {"UNSET": ["own", "never"]}, {"a": 1})
    assert (merged.unset, merged.changes, merged.conflicts) == (("own",), {"a": 1}, ())
    merged = merge(blobs, BASE, {"UNSET": ["own"]}, {"own": 2})
    assert (merged.unset, merged.changes) == ((), {"own": 2})
    assert [conflict["field"] for conflict in merged.conflicts] == ["own"]
    merged = merge(blobs, BASE, {"UNSET": ["own"]}, {"own": 2}, on_conflict="keep_first")
    assert (merged.unset, merged.changes) == (("own",), {})


def test_a_shared_list_of_six_branches_holds_six_elements(run: Any) -> None:
    run.init({"aggregated_reports": []}, segments=5)
    results = [
        {"branch_index": index, "status": "COMPLETE", "final_state": {f"r{index}": 1, "aggregated_reports": [index]}}
        for index in range(6)
    ]
    run.act("aggregate_branches", parallel_results=results)
    assert run.user == {"aggregated_reports": [0, 1, 2, 3, 4, 5], **{f"r{index}": 1 for index in range(6)}}
    assert run.answer["summary"]["conflicts"] == []


def test_five_writers_of_one_counter_are_reported(run: Any) -> None:
    run.init({"counter": 0}, segments=5)
    results = [
        {
            "branch_id": f"w{index}",
            "branch_index": index,
            "status": "COMPLETE",
            "final_state": {"counter": index + 1, f"flag_{index}": True},
        }
        for index in range(5)
    ]
    run.act("aggregate_branches", parallel_results=results)
    assert run.user == {"counter": 5, **{f"flag_{index}": True for index in range(5)}}
    assert run.answer["summary"]["conflicts"] == [
        {"field": "counter", "branches": [f"w{index}" for index in range(5)], "kept": "w4"}
    ]


def test_many_conflicts_leave_a_sample_and_a_pointer_to_all(run: Any) -> None:
    run.init(segments=5)
    results = [
        {"branch_index": index, "status": "COMPLETE", "final_state": {f"f{i:02}": index for i in range(30)}}
        for index in range(2)
    ]
    run.act("aggregate_branches", parallel_results=results)
    summary = run.answer["summary"]
    assert (len(summary["conflicts"]), summary["conflict_count"]) == (10, 30)
    assert len(run.blobs.get(Pointer.from_json(summary["all_conflicts"]))) == 30
