from typing import Any

import pytest

from statebag.errors import StateBagError


def inner(name: str, count: int) -> list[dict[str, Any]]:
    return [{"id": f"{name}{index}", "nodes": []} for index in range(count)]


def where(run: Any) -> tuple[str, int, int]:
    return run.answer["next_action"], run.state["segment_to_run"], run.state["total_segments"]


def hydrate(run: Any) -> str:
    answer = run.manager.handle({"action": "hydrate_segment", "state_data": run.state})
    assert answer["state_data"] == run.state
    assert answer["execution_order"] == run.state["segment_to_run"]
    return answer["segment_id"]


def test_an_inner_plan_returns_to_the_outer_successor(run: Any) -> None:
    run.init(segments=4)
    run.sync("CONTINUE", 1)
    run.sync("SEQUENTIAL_BRANCH", inner_partition_map=inner("i", 3))
    assert where(run) == ("SEQUENTIAL_BRANCH", 0, 3)
    assert hydrate(run) == "i0"
    run.sync("CONTINUE", 1)
    run.sync("CONTINUE", 2)
    assert where(run) == ("CONTINUE", 2, 3)
    assert hydrate(run) == "i2"
    answer = run.sync("COMPLETE")
    assert where(run) == ("CONTINUE", 2, 4)
    assert "warnings" not in answer
    assert hydrate(run) == "2"
    run.sync("CONTINUE", 3)
    run.sync("COMPLETE")
    assert where(run) == ("COMPLETE", 4, 4)
    assert "partition_stack" not in run.state


def test_a_named_successor_is_kept_and_an_index_past_the_end_returns_too(run: Any) -> None:
    run.init(segments=5)
    run.sync("SEQUENTIAL_BRANCH", 3, inner_partition_map=inner("i", 1))
    run.sync("CONTINUE", 1)
    assert where(run) == ("CONTINUE", 3, 5)


@pytest.mark.parametrize("at_end", [False, True])
def test_plans_nest_twice(run: Any, *, at_end: bool) -> None:
    run.init(segments=2)
    run.sync("SEQUENTIAL_BRANCH", inner_partition_map=inner("i", 2))
    if at_end:
        run.sync("CONTINUE", 1)
    run.sync("SEQUENTIAL_BRANCH", inner_partition_map=inner("j", 2))
    assert hydrate(run) == "j0"
    assert len(run.state["partition_stack"]) == 2
    run.sync("CONTINUE", 1)
    run.sync("COMPLETE")
    if at_end:
        assert where(run) == ("CONTINUE", 1, 2)
        assert hydrate(run) == "1"
    else:
        assert where(run) == ("CONTINUE", 1, 2)
        assert hydrate(run) == "i1"
        run.sync("COMPLETE")
        assert hydrate(run) == "1"
    run.sync("COMPLETE")
    assert where(run) == ("COMPLETE", 2, 2)


def test_an_inner_plan_of_the_last_segment_ends_the_run(run: Any) -> None:
    run.init(segments=1)
    run.sync("SEQUENTIAL_BRANCH", inner_partition_map=inner("i", 2))
    run.sync("CONTINUE", 1)
    run.sync("COMPLETE")
    assert where(run) == ("COMPLETE", 1, 1)


def test_a_failure_inside_is_final(run: Any) -> None:
    run.init(segments=3)
    run.sync("SEQUENTIAL_BRANCH", inner_partition_map=inner("i", 2))
    run.sync("FAILED", error_info="broken")
    assert run.answer["next_action"] == "FAILED"


def test_large_segments_are_stored_one_by_one(run: Any) -> None:
    run.init(segments=2)
    segments = [{"id": f"i{index}", "nodes": [], "config": "x" * 40_000} for index in range(3)]
    run.sync("SEQUENTIAL_BRANCH", inner_partition_map=segments)
    run.sync("CONTINUE", 1)
    answer = run.manager.handle({"action": "hydrate_segment", "state_data": run.state})
    assert answer["segment_config"] == {**segments[1], "next_segment": 2}
    with pytest.raises(StateBagError, match="segment 9: the plan has 3 segments"):
        run.manager.handle({"action": "hydrate_segment", "state_data": run.state, "segment_index": 9})
    with pytest.raises(StateBagError, match="not a whole number"):
        run.manager.handle({"action": "hydrate_segment", "state_data": run.state, "segment_index": "1"})
    pointer = run.blobs.put({"id": "p"}, kind="segment").to_json()
    answer = run.manager.handle({"action": "hydrate_segment", "state_data": run.state, "segment_pointer": pointer})
    assert answer["segment_config"] == {"id": "p"}


def test_a_pause_inside_leads_on_inside(run: Any) -> None:
    run.init(segments=2)
    run.sync("SEQUENTIAL_BRANCH", inner_partition_map=inner("i", 2))
    run.sync("PAUSED_FOR_HITP")
    run.act("merge_callback", callback_result={"decision": "APPROVED"})
    assert hydrate(run) == "i1"
