"""Nodes that choose the next one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.nodes.bodies import echo, load, problems, run

TARGETS = [echo("x", 1, id="a"), echo("y", 2, id="b"), echo("z", 3, id="c")]


def route(*branches: Any, **config: Any) -> dict[str, Any]:
    return {"id": "r", "type": "route_condition", "config": {"branches": list(branches)} | config}


def way(condition: str, target: str, **members: Any) -> dict[str, Any]:
    return {"condition": condition, "target": target} | members


def choose(node: dict[str, Any], state: dict[str, Any]) -> Any:
    """What a node alone in its segment chooses."""
    ran = run([node, *TARGETS], state)
    return ran.error["code"] if ran.error else sorted(set(ran.changes) & {"x", "y", "z"})


def test_the_first_true_condition_counts() -> None:
    node = route(way("$.n > 10", "c", label="big"), way("$.n > 5", "b"), way("$.n > 5 or true", "c"))
    assert choose(node, {"n": 11}) == ["z"]
    assert choose(node, {"n": 6}) == ["y", "z"]
    assert choose(node, {"n": 0}) == ["z"]


def test_the_choice_changes_nothing_and_is_in_the_log() -> None:
    node = route(way("false", "a"), way("true", "c", label="all"))
    ran = run([node, *TARGETS], {})
    assert ran.changes == {"z": 3}
    assert ran.steps == ("r:route:c", "c:operator_official:echo")
    assert ran.logs == ({"type": "route", "node_id": "r", "condition": 1, "label": "all", "target": "c"},)
    assert ran.next_node is None


def test_a_target_that_is_elsewhere_ends_the_segment() -> None:
    nodes = load(route(way("true", "c")), *TARGETS)
    assert nodes[0].targets == ("c",)
    ran = run([route(way("true", "r2")), echo("x", 1, id="a"), route(way("true", "a")) | {"id": "r2"}])
    assert ran.next_node == "a"
    assert ran.changes == {}


def test_the_default_counts_where_no_condition_holds() -> None:
    node = route(way("$.missing", "a"), default_target="c")
    assert choose(node, {}) == ["z"]
    assert run([node, *TARGETS], {}).logs[0] == {"type": "route", "node_id": "r", "default": True, "target": "c"}


def test_without_a_default_it_fails() -> None:
    error = run([route(way("$.missing", "a")), *TARGETS], {}).error or {}
    assert error["code"] == "ROUTE_UNMATCHED"
    assert "`default_target`" in error["message"]


def test_where_they_may_lead() -> None:
    branches = [way("true", "b"), way("true", "a"), way("true", "b")]
    assert load(route(*branches, default_target="c"), *TARGETS)[0].targets == ("b", "a", "c")
    assert load(route(*branches, default_target="a"), *TARGETS)[0].targets == ("b", "a")
    assert load(dynamic(default_target="a"), *TARGETS)[0].targets == ("b", "c", "a")
    assert load(dynamic(default_target="c"), *TARGETS)[0].targets == ("b", "c")


def dynamic(**config: Any) -> dict[str, Any]:
    return {"id": "r", "type": "dynamic_router", "config": {"allowed_targets": ["b", "c"]} | config}


@pytest.mark.parametrize(
    ("config", "state", "found"),
    [
        ({}, {"__router_result": {"selected_branch": "c"}}, ["z"]),
        ({"route_key": "$.choice.id"}, {"choice": {"id": "b"}}, ["y", "z"]),
        ({"route_key": "choice"}, {"choice": "a"}, "ROUTE_UNMATCHED"),
        ({"route_key": "choice"}, {}, "ROUTE_UNMATCHED"),
        ({"route_key": "choice"}, {"choice": ["b"]}, "ROUTE_UNMATCHED"),
        ({"route_key": "choice", "default_target": "c"}, {"choice": "a"}, ["z"]),
        ({"route_key": "choice", "default_target": "a"}, {"choice": "a"}, ["x", "y", "z"]),
    ],
)
def test_a_value_of_the_state_chooses(config: dict[str, Any], state: dict[str, Any], found: Any) -> None:
    assert choose(dynamic(**config), state) == found


def test_an_unmatched_value_is_told_with_what_it_may_be() -> None:
    error = run([dynamic(), *TARGETS], {"__router_result": {"selected_branch": "nowhere"}}).error or {}
    assert "is 'nowhere'; it may be b, c" in error["message"]
    assert "leads nowhere" in (run([dynamic(), *TARGETS], {}).error or {})["message"]


@pytest.mark.parametrize(
    ("node", "found"),
    [
        (route(), [("branches", "FIELD_MISSING")]),
        (route() | {"config": {"branches": {"a": 1}}}, [("branches", "FIELD_TYPE")]),
        (route("x"), [("branches[0]", "FIELD_TYPE")]),
        (route({}), [("branches[0].condition", "FIELD_MISSING"), ("branches[0].target", "FIELD_MISSING")]),
        (route(way("score > 1", "a")), [("branches[0].condition", "EXPRESSION_SYNTAX")]),
        (route(way("true", "a"), way("nonsense", "b")), [("branches[1].condition", "EXPRESSION_SYNTAX")]),
        (route({"condition": 1, "target": "a"}), [("branches[0].condition", "FIELD_TYPE")]),
        (route({"condition": "true", "target": 1}), [("branches[0].target", "FIELD_TYPE")]),
        (route(way("true", "a"), allowed_targets=["b"]), [("branches[0].target", "FIELD_VALUE")]),
        (route(way("true", "a"), allowed_targets="b"), [("allowed_targets", "FIELD_TYPE")]),
        (route(way("true", "a"), default_target=1), [("default_target", "FIELD_TYPE")]),
        (route(way("true", "a"), way("true", "b"), allowed_targets=["a"], default_target="b"), []),
        (dynamic(allowed_targets=None), [("allowed_targets", "FIELD_MISSING")]),
        (dynamic(allowed_targets=[1, "a"]), [("allowed_targets[0]", "FIELD_TYPE")]),
        (dynamic(route_key="a["), [("route_key", "EXPRESSION_SYNTAX")]),
    ],
)
def test_what_can_be_wrong(node: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert problems(node, *TARGETS) == [(f"$.nodes[0].config.{path}", code) for path, code in found]
