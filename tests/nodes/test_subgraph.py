from __future__ import annotations

from typing import Any

import pytest

from statebag.canonical import parse_json
from statebag.errors import ProviderUnavailable
from statebag.nodes import builtin_registry, reads_of
from tests.nodes.bodies import Memory, Outside, boom, call, echo, load, problems, refusals, run, sets


def subgraph(*nodes: Any, edges: Any = (), **members: Any) -> dict[str, Any]:
    return {"id": "sub", "type": "subgraph", "subgraph_inline": {"nodes": list(nodes), "edges": list(edges)}} | members


def test_its_nodes_see_and_change_the_state() -> None:
    ran = run([subgraph(echo("a", "{{x}}"), echo("b", "{{a}}{{a}}")), echo("after", "{{b}}!")], {"x": "1"})
    assert ran.changes == {"a": "1", "b": "11", "after": "11!"}
    assert ran.logs == (
        {
            "type": "subgraph_execution",
            "node_id": "sub",
            "subgraph_name": "sub",
            "status": "COMPLETED",
            "output_keys": ["a", "b"],
        },
    )


@pytest.mark.parametrize(
    "node",
    [
        {"id": "sub", "type": "group", "subgraph_inline": {"nodes": [echo("a", 1)]}},
        {"id": "sub", "type": "subgraph", "config": {"subgraph_inline": {"nodes": [echo("a", 1)]}}},
        {"id": "sub", "type": "subgraph", "config": {"nodes": [echo("a", 1)], "edges": []}},
        {"id": "sub", "type": "subgraph", "subgraph_ref": "one"},
        {"id": "sub", "type": "subgraph", "config": {"subgraph_ref": "one"}},
    ],
)
def test_where_its_nodes_can_be(node: dict[str, Any]) -> None:
    assert run(node, subgraphs={"one": {"nodes": [echo("a", 1)], "edges": []}}).changes == {"a": 1}


def test_with_an_input_mapping_it_sees_nothing_else() -> None:
    mapping = {"$.order.id": "key", "text": "<{{x}}>", "list": "{{xs}}", "fixed": 5, "absent": "gone"}
    node = subgraph(echo("seen", "{{__state_json}}"), input_mapping=mapping)
    ran = run(node, {"order": {"id": 7}, "x": 1, "xs": [1, 2]})
    assert parse_json(ran.changes["seen"]) == {"key": 7, "text": "<1>", "list": [1, 2], "fixed": 5}


def test_with_an_output_mapping_nothing_else_comes_back() -> None:
    node = subgraph(
        sets("s", a=1, b={"c": 2}), output_mapping={"a": "one", "b.c": "two", "x": "same", "absent": "none"}
    )
    assert run(node, {"x": 9}).changes == {"one": 1, "two": 2, "same": 9}


@pytest.mark.parametrize("key", ["on_error", "error_handling"])
@pytest.mark.parametrize("handling", ["skip", "isolate"])
def test_a_failure_may_be_left_behind(key: str, handling: str) -> None:
    ran = run([subgraph(echo("a", 1), boom("check"), **{key: handling}), echo("after", 1)])
    assert set(ran.changes) == {"sub_error", "after"} | ({"sub_skipped"} if handling == "skip" else set())
    assert "no way" in ran.changes["sub_error"]
    assert ran.changes.get("sub_skipped") is (True if handling == "skip" else None)
    assert (ran.logs[-1]["status"], ran.logs[-1]["error"]["code"]) == ("FAILED", "ASSERTION_FAILED")


def test_a_failure_names_the_nodes_around_it() -> None:
    inner = subgraph(boom("check")) | {"id": "inner"}
    error = run(subgraph(inner)).error or {}
    assert (error["code"], error["node_id"]) == ("ASSERTION_FAILED", "sub")
    assert error["message"].startswith("node `sub`: node `inner`: node `check`")


def test_a_failure_that_may_pass_is_never_left_behind() -> None:
    busy = [ProviderUnavailable("busy")]
    outside = Outside(fails=lambda value: busy.pop() if value == 2 and busy else None)
    node = subgraph(call("a", 1), call("b", 2), on_error="skip")
    steps = Memory()
    with pytest.raises(ProviderUnavailable, match="node `sub`: node call_b") as raised:
        run(node, types=[outside], steps=steps)
    assert raised.value.details == {"progress": True}
    assert run(node, types=[outside], steps=steps).changes["b"] == "answer to 2"
    assert outside.made == [1, 2, 2]


def test_totals_of_a_view_of_its_own_are_added_to_the_parents() -> None:
    each = {"id": "each", "type": "for_each", "config": {"items": [1, 2], "sub_workflow": {"nodes": [call("o", 1)]}}}
    ran = run(subgraph(each, input_mapping={}), {"total_tokens": 100}, types=[Outside(tokens=1)])
    assert ran.changes["total_tokens"] == 106


def test_ten_deep_and_no_deeper() -> None:
    node: dict[str, Any] = echo("a", 1)
    for depth in range(10):
        node = subgraph(node) | {"id": f"s{depth}"}
    assert run(node).changes == {"a": 1}
    assert [code for _, code in problems(subgraph(node))] == ["GRAPH_SHAPE"]
    loops = {"one": {"nodes": [{"id": "s", "type": "subgraph", "subgraph_ref": "one"}], "edges": []}}
    assert [code for _, code in problems({"id": "s", "type": "subgraph", "subgraph_ref": "one"}, subgraphs=loops)] == [
        "GRAPH_SHAPE"
    ]


@pytest.mark.parametrize(
    ("node", "found"),
    [
        ({"id": "s", "type": "subgraph"}, [("config.subgraph_ref", "FIELD_MISSING")]),
        ({"id": "s", "type": "subgraph", "subgraph_ref": "no"}, [("subgraph_ref", "FIELD_VALUE")]),
        ({"id": "s", "type": "subgraph", "config": {"subgraph_ref": 5}}, [("config.subgraph_ref", "FIELD_VALUE")]),
        ({"id": "s", "type": "subgraph", "skill_ref": "x"}, [("config.skill_ref", "FIELD_VALUE")]),
        (subgraph({"id": "x", "type": "y"}), [("subgraph_inline.nodes[0].type", "NODE_TYPE_UNKNOWN")]),
        (subgraph(echo("a", 1), input_mapping=[]), [("config.input_mapping", "FIELD_TYPE")]),
        (subgraph(echo("a", 1), input_mapping={"a[": "b"}), [("config.input_mapping.a[", "EXPRESSION_SYNTAX")]),
        (subgraph(echo("a", 1), input_mapping={"a": "{{b"}), [("config.input_mapping.a", "TEMPLATE_SYNTAX")]),
        (subgraph(echo("a", 1), output_mapping={"a": 1}), [("config.output_mapping.a", "FIELD_TYPE")]),
        (subgraph(echo("a", 1), on_error="fallback"), [("config.on_error", "FIELD_VALUE")]),
    ],
)
def test_what_can_be_wrong(node: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert problems(node) == [(f"$.nodes[0].{path}", code) for path, code in found]


def test_an_unknown_subgraph_is_told_the_known_ones() -> None:
    members: dict[str, Any] = {"subgraphs": {"first": {"nodes": [], "edges": []}, "second": {}}}
    (problem,) = refusals({"id": "s", "type": "subgraph", "subgraph_ref": "frist"}, **members)
    assert "`first`, `second`" in problem.message
    (problem,) = refusals({"id": "s", "type": "subgraph", "subgraph_ref": "frist"})
    assert "It has none" in problem.message


def test_what_it_reads() -> None:
    node = subgraph(echo("a", "{{inner}}"), input_mapping={"order.id": "x", "y": "{{z}}"})
    assert reads_of(load(node), builtin_registry()) == {"inner", "order", "z"}
