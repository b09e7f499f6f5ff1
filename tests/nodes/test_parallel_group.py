from __future__ import annotations

import threading
from typing import Any

import pytest

from statebag.errors import NodeFailed, ProviderUnavailable
from statebag.nodes import builtin_registry, calls_outside
from tests.nodes.bodies import Memory, Outside, boom, call, echo, load, problems, refusals, run, sets


def group(*branches: Any, id: str = "all", **config: Any) -> dict[str, Any]:
    return {"id": id, "type": "parallel_group", "config": {"branches": list(branches)} | config}


def branch(name: str, *nodes: Any, **members: Any) -> dict[str, Any]:
    return {"branch_id": name, "nodes": list(nodes)} | members


def test_each_branch_runs_on_the_state_as_it_was() -> None:
    node = group(
        branch("one", echo("x", "1{{x}}"), echo("x", "1{{x}}", id="again")),
        branch("two", echo("x", "2{{x}}"), echo("y", "{{x}}")),
    )
    ran = run(node, {"x": "0"})
    assert ran.changes == {
        "one": {"x": "110"},
        "one_executed": True,
        "two": {"x": "20", "y": "20"},
        "two_executed": True,
        "all_branches": ["one", "two"],
        "all_aggregated": False,
    }
    assert ran.steps == ("all:parallel_group:2",)


@pytest.mark.parametrize(
    ("branches", "names"),
    [
        ([{"branch_id": "a", "id": "x", "nodes": []}, {"id": "b", "nodes": []}, {"nodes": []}], ["a", "b", "branch_2"]),
        ([{"sub_workflow": {"nodes": [echo("o", 1)]}}, None, {}], ["branch_0", "branch_2"]),
    ],
)
def test_what_branches_are_called(branches: list[Any], names: list[str]) -> None:
    ran = run(group(*branches))
    assert ran.changes["all_branches"] == names
    assert all(ran.changes[f"{name}_executed"] is True for name in names)


def test_a_branch_may_be_a_subgraph_of_the_document() -> None:
    subgraphs = {"shared one": {"nodes": [echo("o", "{{x}}")], "edges": []}}
    node = group({"id": "a", "subgraph_ref": "shared one"}, {"id": "b", "subgraph_ref": "shared one"})
    assert run(node, {"x": 1}, subgraphs=subgraphs).changes["b"] == {"o": 1}
    unknown = group({"id": "a", "subgraph_ref": "share"})
    (problem,) = refusals(unknown, subgraphs=subgraphs)
    assert (problem.path, problem.code) == ("$.nodes[0].config.branches[0].subgraph_ref", "FIELD_VALUE")
    assert "`shared one`" in problem.message


def test_calls_of_branches_run_at_the_same_time() -> None:
    together = threading.Barrier(3)
    outside = Outside(before=lambda _: together.wait(), tokens=1)
    ran = run(group(*(branch(name, call("o", name)) for name in "abc")), {"total_tokens": 1}, types=[outside])
    assert [ran.changes[name]["o"] for name in "abc"] == ["answer to a", "answer to b", "answer to c"]
    assert ran.changes["total_tokens"] == 10
    assert [entry["branch_id"] for entry in ran.changes["branch_token_details"]] == ["a", "b", "c"]


def test_a_branch_that_fails_fails_the_node() -> None:
    error = run(group(branch("one", echo("x", 1)), branch("two", boom("check")))).error or {}
    assert error["code"] == "ASSERTION_FAILED"
    assert error["message"].startswith("node `all`: branch two: node `check`")


def test_a_branch_that_fails_may_leave_its_error() -> None:
    ran = run(group(branch("one", echo("x", 1), boom("check")), branch("two", echo("x", 2)), on_error="continue"))
    assert (ran.changes["one"], ran.changes["one_executed"]) == ({"x": 1}, False)
    assert "no way" in ran.changes["one_error"]
    assert (ran.changes["two"], ran.changes["two_executed"]) == ({"x": 2}, True)
    assert "two_error" not in ran.changes


def test_a_repeated_try_makes_only_the_calls_that_are_missing() -> None:
    busy = {"b": ProviderUnavailable("busy")}
    outside = Outside(fails=lambda value: busy.pop(value, None))
    node = group(*(branch(name, call("o", name)) for name in "abc"))
    steps = Memory()
    with pytest.raises(ProviderUnavailable, match="node `all`: branch b: node call_o"):
        run(node, types=[outside], steps=steps)
    assert set(steps.kept) == {"all/a/call_o", "all/c/call_o"}
    assert run(node, types=[outside], steps=steps).error is None
    assert sorted(outside.made) == ["a", "b", "b", "c"]


@pytest.mark.parametrize("on_error", ["fail", "continue"])
def test_a_failure_for_good_before_one_for_now_decides(on_error: str) -> None:
    failures: dict[str, Exception] = {"a": NodeFailed("no"), "b": ProviderUnavailable("busy")}
    together = threading.Barrier(2)
    outside = Outside(fails=failures.get, before=lambda _: together.wait())
    node = group(*(branch(name, call("o", name)) for name in "ab"), on_error=on_error)
    if on_error == "continue":
        with pytest.raises(ProviderUnavailable):
            run(node, types=[outside])
    else:
        assert "branch a" in (run(node, types=[outside]).error or {})["message"]


def test_branches_beside_the_config_are_planned_and_not_run_in_place() -> None:
    outside = Outside()
    node = {"id": "all", "type": "parallel_group", "branches": [{"id": "a", "nodes": [call("o", 1)]}]}
    (loaded,) = load(node, types=[outside])
    assert (loaded.fork, [body.name for body in loaded.bodies]) == (True, ["a"])
    assert not calls_outside(loaded, builtin_registry().extend([outside]))
    assert run(node, types=[outside]).changes == {}
    assert outside.made == []


def test_branches_beside_the_config_of_a_node_inside_of_another_run_in_place() -> None:
    inner = {"id": "all", "type": "parallel_group", "branches": [{"id": "a", "nodes": [call("o", 1)]}]}
    outer = {"id": "sub", "type": "subgraph", "subgraph_inline": {"nodes": [inner], "edges": []}}
    outside = Outside()
    (loaded,) = load(outer, types=[outside])
    assert calls_outside(loaded, builtin_registry().extend([outside]))
    assert run(outer, types=[outside]).changes["a"] == {"o": "answer to 1"}


def test_a_group_without_branches_does_nothing() -> None:
    assert run({"id": "all", "type": "parallel"}).changes == {}


@pytest.mark.parametrize(
    ("node", "found"),
    [
        (group(branch("a"), branch("b"), {"id": "a", "nodes": []}), [("config.branches", "FIELD_VALUE")]),
        (
            {"id": "p", "type": "parallel", "branches": [{"id": "a", "nodes": []}, {"id": "a", "nodes": []}]},
            [("branches", "FIELD_VALUE")],
        ),
        (group("a"), [("config.branches[0]", "FIELD_VALUE")]),
        ({"id": "p", "type": "parallel", "config": {"branches": 5}}, [("config.branches", "FIELD_VALUE")]),
        ({"id": "p", "type": "parallel", "branches": {"a": 1}}, [("branches", "FIELD_VALUE")]),
        (group(branch("a", nodes=5)), [("config.branches[0].nodes", "FIELD_TYPE")]),
        (group(branch("a", {"id": "x", "type": "y"})), [("config.branches[0].nodes[0].type", "NODE_TYPE_UNKNOWN")]),
        (group(branch("a"), on_error="x"), [("config.on_error", "FIELD_VALUE")]),
        (group(branch("a"), max_concurrency=500), [("config.max_concurrency", "FIELD_VALUE")]),
        (group(branch("a", sets("s", a=1), partition_map={}, total_segments=3)), []),
    ],
)
def test_what_can_be_wrong(node: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert problems(node) == [(f"$.nodes[0].{path}", code) for path, code in found]
