from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from statebag.config import Node
from statebag.nodes import NodeContext
from statebag.nodes.marker import EndMarker, InputMarker, OutputMarker, StartMarker, TriggerMarker
from statebag.nodes.operator import Operator, OperatorCustom

CONTEXT = NodeContext(execution_id="run", segment_id="s0")


class State(dict[str, Any]):
    def names(self) -> Iterator[str]:
        return iter(self)

    def whole(self) -> dict[str, Any]:
        return dict(self)


def node(config: dict[str, Any], kind: str = "operator") -> Node:
    return Node(id="n", type=kind, config=config)


@pytest.mark.parametrize("node_type", [Operator(), OperatorCustom()])
def test_sets_are_put_into_the_state_with_their_templates_rendered(node_type: Operator) -> None:
    config = {"sets": {"a": 1, "b.c": "{{xs}}", "d": ["n={{n}}"], "e": None, "f": "{{missing}}"}, "unknown": 1}
    output = node_type.run(node(config), State(xs=[1, 2], n=5), CONTEXT)
    assert output.changes == {"a": 1, "b.c": [1, 2], "d": ["n=5"], "e": None, "f": None}
    assert output.step == node_type.name
    assert list(node_type.check(node(config), "$")) == []
    assert node_type.reads(node(config)) == {"xs", "n", "missing"}


@pytest.mark.parametrize("config", [{}, {"sets": {}}, {"sets": None}, {"code": ""}])
def test_without_sets_nothing_changes(config: dict[str, Any]) -> None:
    assert Operator().run(node(config), State(a=1), CONTEXT).changes == {}
    assert list(Operator().check(node(config), "$")) == []


def test_malformed_sets_are_problems() -> None:
    (wrong,) = Operator().check(node({"sets": [1]}), "$.nodes[0]")
    assert (wrong.path, wrong.code) == ("$.nodes[0].config.sets", "FIELD_TYPE")
    (malformed,) = Operator().check(node({"sets": {"a": ["{{"]}}), "$.nodes[0]")
    assert (malformed.path, malformed.code) == ("$.nodes[0].config.sets.a[0]", "TEMPLATE_SYNTAX")


@pytest.mark.parametrize("marker", [StartMarker(), EndMarker(), InputMarker(), OutputMarker(), TriggerMarker()])
def test_markers_do_nothing(marker: StartMarker | TriggerMarker) -> None:
    config = {"sets": {"a": 1}, "code": "x", "anything": "{{"}
    assert marker.run(node(config, marker.name), State(), CONTEXT).changes == {}
    assert list(marker.check(node(config, marker.name), "$")) == []
    assert marker.reads(node(config, marker.name)) == frozenset()


@pytest.mark.parametrize("kind", ["request", "api_request", None])
def test_a_trigger_for_requests_is_a_marker(kind: str | None) -> None:
    config = {"trigger_type": kind, "sets": {"a": 1}}
    assert TriggerMarker().run(node(config, "trigger"), State(), CONTEXT).changes == {}


def test_any_other_trigger_is_an_operator() -> None:
    config = {"trigger_type": "schedule", "sets": {"at": "{{now}}"}}
    assert TriggerMarker().run(node(config, "trigger"), State(now=9), CONTEXT).changes == {"at": 9}
    assert TriggerMarker().reads(node(config, "trigger")) == {"now"}
    (problem,) = TriggerMarker().check(node({"trigger_type": "time", "code": "x = = 1"}, "trigger"), "$")
    assert problem.code == "CODE_SYNTAX"
