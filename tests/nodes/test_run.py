from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statebag.config import RESERVED_KEYS, Node
from statebag.errors import NodeFailed, Problem, ProviderUnavailable, StoreUnavailable
from statebag.nodes import NodeContext, NodeOutput, NodeRegistry, Scope, reads_of, run_nodes


class State(dict[str, Any]):
    """A scope that is a dict."""

    def names(self) -> Iterator[str]:
        yield from sorted(self)

    def whole(self) -> dict[str, Any]:
        return dict(self)


Work = Callable[[Node, Scope, NodeContext], NodeOutput]


class Does:
    outside = False

    def __init__(self, name: str, work: Work, reads: Iterable[str] | None = ()) -> None:
        self.name = name
        self._work = work
        self._reads = None if reads is None else frozenset(reads)

    def check(self, *_: Any) -> Iterable[Problem]:
        return ()

    def reads(self, *_: Any) -> frozenset[str] | None:
        return self._reads

    def run(self, node: Node, scope: Scope, context: NodeContext) -> NodeOutput:
        return self._work(node, scope, context)


CONTEXT = NodeContext(execution_id="run", segment_id="7")


def run(state: Mapping[str, Any], *works: Work) -> Any:
    types = [Does(f"t{index}", work) for index, work in enumerate(works)]
    nodes = [Node(id=f"n{index}", type=f"t{index}") for index in range(len(works))]
    return run_nodes(nodes, State(state), CONTEXT, NodeRegistry(types))


def sets(**changes: Any) -> Work:
    return lambda *_: NodeOutput(changes=changes)


def raises(error: Exception) -> Work:
    def work(*_: Any) -> NodeOutput:
        raise error

    return work


def test_nodes_see_what_earlier_ones_changed_and_the_state_does_not() -> None:
    seen: list[Any] = []

    def look(_: Node, scope: Scope, __: NodeContext) -> NodeOutput:
        seen.extend([scope["a"], scope["b"], scope.get("c", 0), "c" in scope, list(scope.names()), scope.whole()])
        with pytest.raises(KeyError):
            scope["c"]
        return NodeOutput(changes={"b": 3})

    state = State(a=1, b=1)
    ran = run(state, sets(b=2), look)
    assert seen == [1, 2, 0, False, ["a", "b"], {"a": 1, "b": 2}]
    assert ran.changes == {"b": 3}
    assert state == {"a": 1, "b": 1}
    assert (ran.error, ran.warnings, ran.steps) == (None, (), ("n0:t0", "n1:t1"))


def test_a_field_that_a_node_set_to_null_is_there() -> None:
    seen: list[Any] = []

    def look(_: Node, scope: Scope, __: NodeContext) -> NodeOutput:
        seen.extend(["a" in scope, scope["a"], scope.get("a", 1)])
        return NodeOutput()

    assert run({"a": 1}, sets(a=None), look).changes == {"a": None}
    assert seen == [True, None, None]


def test_logs_and_steps_come_in_running_order() -> None:
    outputs = [NodeOutput(logs=({"n": 1}, {"n": 2}), step="first"), NodeOutput(logs=({"n": 3},))]
    ran = run({}, *[lambda *_, output=output: output for output in outputs])
    assert ran.logs == ({"n": 1}, {"n": 2}, {"n": 3})
    assert ran.steps == ("n0:first", "n1:t1")


def test_a_failure_ends_the_segment_without_any_change() -> None:
    later: list[int] = []

    def never(*_: Any) -> NodeOutput:
        later.append(1)
        return NodeOutput()

    ran = run({}, sets(a=1), raises(NodeFailed("no way", details={"x": 1})), never)
    assert ran.changes == {}
    assert ran.steps == ("n0:t0",)
    assert later == []
    assert ran.error == {
        "code": "NODE_FAILED",
        "message": "node n1 (t1): no way",
        "node_id": "n1",
        "segment_id": "7",
        "details": {"x": 1},
    }


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ValueError("wrong"), "NODE_FAILED", "node n0 (t0): ValueError: wrong"),
        (NodeFailed("an n0 of its own"), "NODE_FAILED", "node n0 (t0): an n0 of its own"),
        (NodeFailed("node `n0`: broken"), "NODE_FAILED", "node `n0`: broken"),
        (NodeFailed("false", code="ASSERTION_FAILED"), "ASSERTION_FAILED", "node n0 (t0): false"),
        (RecursionError("deep"), "NODE_FAILED", "node n0 (t0): RecursionError: deep"),
    ],
)
def test_an_error_names_its_node_once(error: Exception, code: str, message: str) -> None:
    found = run({}, raises(error)).error
    assert (found["code"], found["message"]) == (code, message)


@pytest.mark.parametrize("error", [StoreUnavailable("away"), ProviderUnavailable("busy")])
def test_a_failure_that_may_pass_is_raised(error: Exception) -> None:
    with pytest.raises(type(error)):
        run({}, sets(a=1), raises(error))


@pytest.mark.parametrize("value", [float("nan"), b"x", {1, 2}, {1: 2}, object()])
def test_a_value_that_is_no_json_fails_the_node_that_made_it(value: Any) -> None:
    ran = run({}, sets(a=1), sets(b={"c": value}), sets(c=1))
    assert (ran.error["code"], ran.error["node_id"], ran.changes) == ("UNSERIALISABLE_FIELD", "n1", {})
    assert "b.c" in ran.error["message"]


@settings(deadline=None, max_examples=30)
@given(st.dictionaries(st.sampled_from([*sorted(RESERVED_KEYS), "mine", "yours"]), st.integers(), max_size=12))
def test_reserved_keys_are_dropped_each_with_a_warning(changes: dict[str, int]) -> None:
    ran = run({}, lambda *_: NodeOutput(changes=changes))
    assert ran.changes == {name: value for name, value in changes.items() if name not in RESERVED_KEYS}
    assert [warning.path for warning in ran.warnings] == [f"n0.{name}" for name in changes if name in RESERVED_KEYS]
    assert {warning.code for warning in ran.warnings} <= {"RESERVED_KEY"}


def test_a_reserved_key_is_not_visible_to_later_nodes() -> None:
    seen: list[bool] = []

    def look(_: Node, scope: Scope, __: NodeContext) -> NodeOutput:
        seen.append("status" in scope)
        return NodeOutput()

    assert run({}, sets(status="FAILED"), look).error is None
    assert seen == [False]


def test_a_segment_without_nodes_does_nothing() -> None:
    ran = run({"a": 1})
    assert (ran.changes, ran.logs, ran.steps, ran.error) == ({}, (), (), None)


def test_the_fields_that_nodes_will_ask_for() -> None:
    types = [Does("a", sets(), ["x", "y"]), Does("b", sets(), ["y", "z"]), Does("all", sets(), None)]
    registry = NodeRegistry(types)
    a, b, everything = (Node(id=name, type=name) for name in ("a", "b", "all"))
    assert reads_of([a, b], registry) == {"x", "y", "z"}
    assert reads_of([], registry) == frozenset()
    assert reads_of([a, everything, b], registry) is None
