from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from statebag.config import load_document
from statebag.nodes import builtin_registry
from tests.nodes.bodies import Outside, boom, call, echo, run, sets
from tests.nodes.test_parallel_group import branch, group

AGGREGATE = {"id": "agg", "type": "aggregator"}


def test_what_branches_changed_comes_to_the_top() -> None:
    ran = run([group(branch("one", echo("a", 1)), branch("two", sets("s", b=2, c=3))), AGGREGATE])
    assert {name: ran.changes[name] for name in "abc"} == {"a": 1, "b": 2, "c": 3}
    assert ran.changes["one"] == {"a": 1}
    assert ran.changes["aggregation_sources"] == [
        {"source": "parallel_branch", "group_id": "all", "branch_id": "one"},
        {"source": "parallel_branch", "group_id": "all", "branch_id": "two"},
    ]
    assert ran.logs[-1] == {"type": "aggregation", "node_id": "agg", "branches": ["one", "two"], "conflicts": []}


def test_a_later_aggregator_does_not_bring_old_results_back() -> None:
    first = group(branch("one", echo("a", 1)))
    second = group(branch("two", echo("b", 2)), id="more")
    changed = echo("a", "changed", id="change")
    ran = run([first, AGGREGATE, changed, second, AGGREGATE | {"id": "agg2"}])
    assert (ran.changes["a"], ran.changes["b"]) == ("changed", 2)


def test_a_group_that_runs_again_is_taken_again() -> None:
    before = run([group(branch("one", echo("a", "{{n}}"))), AGGREGATE], {"n": 1}).changes
    again = run([group(branch("one", echo("a", "{{n}}"))), AGGREGATE], {**before, "n": 2}).changes
    assert again["a"] == 2


def test_behind_anything_else_it_finds_nothing() -> None:
    state = {"one": {"a": 1}, "one_executed": True, "all_branches": ["one"]}
    assert run(AGGREGATE, state).changes == {}


def test_a_branch_that_failed_is_left_out() -> None:
    node = group(branch("one", echo("a", 1), boom()), branch("two", echo("b", 2)), on_error="continue")
    ran = run([node, AGGREGATE])
    assert "a" not in ran.changes
    assert ran.changes["b"] == 2


def add_to(field: str, *items: Any) -> dict[str, Any]:
    params = {"arrays": [f"{{{{{field}}}}}", list(items)]}
    return {"id": "add", "type": "operator_official", "config": {"strategy": "list_concat", "params": params, "input": [], "output_key": field}}  # fmt: skip


@settings(deadline=None, max_examples=30)
@given(
    field=st.sampled_from(["aggregated_x", "collected_x", "x_results", "x_items", "x_outputs"]),
    base=st.lists(st.integers(), max_size=3),
    added=st.lists(st.lists(st.integers(), max_size=3), min_size=1, max_size=4),
)
def test_lists_get_what_each_branch_added(field: str, base: list[int], added: list[list[int]]) -> None:
    branches = [branch(f"b{index}", add_to(field, *items)) for index, items in enumerate(added)]
    ran = run([group(*branches), AGGREGATE], {field: base})
    assert ran.changes.get(field, base) == [*base, *(item for items in added for item in items)]
    assert ran.logs[-1]["conflicts"] == []


def test_a_list_that_a_branch_replaced_is_a_conflict() -> None:
    node = group(branch("one", add_to("x_items", 2)), branch("two", echo("x_items", [9])))
    ran = run([node, AGGREGATE], {"x_items": [1]})
    assert ran.changes["x_items"] == [9]
    assert ran.logs[-1]["conflicts"] == [{"field": "x_items", "branches": ["one", "two"], "kept": "two"}]


def test_the_last_of_different_values_counts_and_is_told() -> None:
    branches = [branch("one", sets("s", a=1, b=1, c=0)), branch("two", sets("s", a=2, b=1)), branch("three")]
    ran = run([group(*branches), AGGREGATE], {"c": 0})
    assert (ran.changes["a"], ran.changes["b"]) == (2, 1)
    assert "c" not in ran.changes
    assert ran.logs[-1]["conflicts"] == [{"field": "a", "branches": ["one", "two"], "kept": "two"}]


def test_tokens_are_summed_once() -> None:
    each = {
        "id": "each",
        "type": "for_each",
        "config": {"input_list_key": "xs", "sub_workflow": {"nodes": [call("o", "{{item}}")]}},
    }
    node = group(branch("one", each), branch("two", call("p", 1)))
    ran = run([node, AGGREGATE], {"xs": [1, 2], "total_tokens": 100}, types=[Outside(tokens=1)])
    assert ran.changes["total_tokens"] == 100 + 3 * 3
    assert "usage" not in ran.changes
    assert [(source["branch_id"], source["total_tokens"]) for source in ran.changes["aggregation_sources"]] == [
        ("one", 6),
        ("two", 3),
    ]


def test_code_is_told_of_and_has_no_effect() -> None:
    node = AGGREGATE | {"config": {"code": "print(1)", "merge_policy": "concat"}}
    loaded = load_document({"nodes": [node], "edges": []}, builtin_registry())
    assert [(warning.path, warning.code) for warning in loaded.warnings] == [
        ("$.nodes[0].config.code", "FIELD_UNKNOWN")
    ]
