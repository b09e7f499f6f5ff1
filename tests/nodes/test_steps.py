"""Results of calls that later tries of a segment do not make again."""

from __future__ import annotations

from typing import Any

import pytest

from statebag.errors import NodeFailed, ProviderUnavailable
from statebag.nodes import NodeContext, NodeOutput, NodeRegistry, builtin_registry, calls_outside, run_nodes
from tests.nodes.bodies import Memory, Outside, State, boom, call, echo, load, run


def test_calls_of_a_segment_are_kept_each_as_soon_as_it_has_returned() -> None:
    steps = Memory()
    outside = Outside(fails=lambda value: ProviderUnavailable("busy") if value == 2 and len(steps.kept) == 1 else None)
    nodes = [call("a", 1), echo("between", "{{a}}!"), call("b", 2)]
    with pytest.raises(ProviderUnavailable) as raised:
        run(nodes, types=[outside], steps=steps)
    assert raised.value.details == {"progress": True}
    assert steps.kept == {
        "call_a": {"changes": {"a": "answer to 1"}, "logs": [{"type": "called", "node_id": "call_a"}]},
    }
    with pytest.raises(ProviderUnavailable) as raised:
        run(nodes, types=[outside], steps=steps)
    assert raised.value.details == {}
    outside.fails = lambda _: None
    assert run(nodes, types=[outside], steps=steps).changes == {
        "a": "answer to 1",
        "between": "answer to 1!",
        "b": "answer to 2",
    }
    assert outside.made == [1, 2, 2, 2]


def test_the_only_call_of_a_segment_is_covered_by_its_commit() -> None:
    steps = Memory()
    run(call("a", 1), types=[Outside()], steps=steps)
    assert steps.kept == {}


def test_pure_nodes_and_failures_are_not_kept() -> None:
    steps = Memory()
    outside = Outside(fails=lambda value: NodeFailed("no") if value == 2 else None)
    run([echo("a", 1), echo("b", 2), call("c", 2)], types=[outside], steps=steps)
    assert steps.kept == {}


def test_what_is_no_json_is_not_kept() -> None:
    class Broken(Outside):
        def run(self, *_: Any) -> NodeOutput:
            return NodeOutput(changes={"x": object()})

    steps = Memory()
    ran = run([call("a", 1), echo("b", 1)], types=[Broken()], steps=steps)
    assert ((ran.error or {})["code"], steps.kept) == ("UNSERIALISABLE_FIELD", {})


def test_names_with_slashes_are_told_apart() -> None:
    steps = Memory()
    inner = {"id": "a", "type": "subgraph", "subgraph_inline": {"nodes": [call("o", 1, id="b/c")]}}
    run([inner, call("p", 2, id="a/b~c"), echo("q", 1)], types=[Outside()], steps=steps)
    assert set(steps.kept) == {"a/b~1c", "a~1b~0c"}


def test_all_that_a_call_gave_is_kept() -> None:
    class Thorough(Outside):
        def run(self, *_: Any) -> NodeOutput:
            self.made.append(1)
            return NodeOutput(changes={"x": 1, "status": "lost"}, unset=("gone",), step="thorough", logs=({"a": 1},))

    steps, outside = Memory(), Thorough()
    nodes = [call("a", 1), echo("b", 1)]
    first = run(nodes, {"gone": 1}, types=[outside], steps=steps)
    second = run(nodes, {"gone": 1}, types=[outside], steps=steps)
    assert first == second
    assert outside.made == [1]
    assert first.unset == ("gone",)
    assert [warning.path for warning in first.warnings] == ["call_a.status"]


def unsets(*names: str, **changes: Any) -> Any:
    class Unsets(Outside):
        def run(self, *_: Any) -> NodeOutput:
            return NodeOutput(changes=changes, unset=names)

    return Unsets()


def test_a_field_that_a_node_removes_is_gone_for_the_next_ones() -> None:
    ran = run([call("a", 1), echo("seen", "<{{x}}>")], {"x": 5, "y": 6}, types=[unsets("x")])
    assert (ran.changes, ran.unset) == ({"seen": "<>"}, ("x",))
    again = run([call("a", 1), echo("x", 2)], {"x": 5}, types=[unsets("x")])
    assert (again.changes, again.unset) == ({"x": 2}, ())


def test_a_removed_field_is_not_in_the_state() -> None:
    looked: list[Any] = []

    class Looks(Outside):
        name = "look"

        def run(self, node: Any, scope: Any, context: Any) -> NodeOutput:
            looked.append((list(scope.names()), scope.whole(), "x" in scope, scope.get("x", "none")))
            with pytest.raises(KeyError):
                scope["x"]
            return NodeOutput()

    registry = NodeRegistry([unsets("x", z=1), Looks()])
    nodes = load(call("a", 1), {"id": "l", "type": "look"}, types=[unsets("x"), Looks()])
    run_nodes(nodes, State(x=5, y=6), NodeContext(execution_id="e", segment_id="s"), registry)
    assert looked == [(["y", "z"], {"y": 6, "z": 1}, False, "none")]


def test_reserved_fields_stay() -> None:
    ran = run([call("a", 1)], types=[unsets("status", "x")])
    assert ran.unset == ("x",)
    assert [(warning.path, warning.code) for warning in ran.warnings] == [("call_a.status", "RESERVED_KEY")]


def test_a_loop_and_a_subgraph_pass_removed_fields_on() -> None:
    for kind in ("loop", "subgraph"):
        node = {"id": "n", "type": kind, "config": {"nodes": [call("a", 1)]}}
        assert run(node, {"x": 1}, types=[unsets("x")]).unset == ("x",)
    assert (
        run([{"id": "n", "type": "loop", "config": {"nodes": [call("a", 1)]}}, boom()], types=[unsets("x")]).unset == ()
    )


def test_what_calls_the_outside_world() -> None:
    inner = {"id": "s", "type": "subgraph", "config": {"nodes": [call("a", 1)]}}
    registry = builtin_registry().extend([Outside()])
    nodes = load(
        echo("a", 1),
        call("b", 1),
        {"id": "l", "type": "loop", "config": {"nodes": [echo("c", 1), inner]}},
        {"id": "m", "type": "loop", "config": {"nodes": [echo("c", 1)]}},
        {"id": "k", "type": "skill_executor", "config": {"skill_ref": "x", "tool_call": "y"}},
        types=[Outside()],
    )
    assert [calls_outside(node, registry) for node in nodes] == [False, True, True, False, True]
