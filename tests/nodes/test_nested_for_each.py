from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statebag.canonical import canonical_bytes
from statebag.errors import NodeFailed, ProviderUnavailable
from tests.nodes.bodies import Memory, Outside, boom, call, echo, problems, run


def nested(*nodes: Any, inner: Any = "lines", **config: Any) -> dict[str, Any]:
    inside = {"input_list_key": inner, "nodes": list(nodes)}
    return {"id": "map", "type": "map_in_map", "config": {"input_list_key": "orders", "nested_config": inside} | config}


ORDERS = {"orders": [{"id": "a", "lines": [1, 2]}, {"lines": []}, {"id": "c", "lines": [3]}]}


def test_rows_come_in_the_order_of_the_outer_items() -> None:
    ran = run(nested(echo("seen", ["{{item}}", "{{inner_item}}", "{{outer_item.id}}", "{{parent.id}}"])), ORDERS)
    assert ran.error is None
    assert ran.changes == {
        "nested_results": [
            {
                "outer_id": "a",
                "outer_item": ORDERS["orders"][0],
                "inner_count": 2,
                "inner_results": [{"seen": [1, 1, "a", "a"]}, {"seen": [2, 2, "a", "a"]}],
            },
            {"outer_id": 1, "outer_item": ORDERS["orders"][1], "inner_count": 0, "inner_results": []},
            {
                "outer_id": "c",
                "outer_item": ORDERS["orders"][2],
                "inner_count": 1,
                "inner_results": [{"seen": [3, 3, "c", "c"]}],
            },
        ],
        "nested_results_summary": {"outer_count": 3, "total_inner_count": 3, "node_id": "map"},
    }


@pytest.mark.parametrize(
    ("inner", "state"),
    [
        ("lines", {"orders": [{"lines": [1]}]}),
        ("$.deep.lines", {"orders": [{"deep": {"lines": [1]}}]}),
        ("outer_item.lines", {"orders": [{"lines": [1]}]}),
        ("{{ parent.lines }}", {"orders": [{"lines": [1]}]}),
        ("$", {"orders": [[1]]}),
        ("shared", {"orders": [5], "shared": [1]}),
    ],
)
def test_where_the_inner_list_can_be(inner: str, state: dict[str, Any]) -> None:
    rows = run(nested(echo("o", "{{item}}"), inner=inner, output_key="out"), state).changes["out"]
    assert [row["inner_results"] for row in rows] == [[{"o": 1}]]


def test_one_node_can_be_the_body() -> None:
    inside = {"input_list_key": "lines", "sub_node_config": {"type": "operator", "config": {"sets": {"o": "{{item}}"}}}}
    node = {"id": "n", "type": "nested_for_each", "config": {"input_list_key": "orders", "nested_config": inside}}
    assert run(node, ORDERS).changes["nested_results"][0]["inner_results"] == [{"o": 1}, {"o": 2}]


@pytest.mark.parametrize(
    ("config", "state", "code", "words"),
    [
        ({}, {"orders": 5}, "NODE_FAILED", "node `map`: `orders` is a number"),
        ({}, {"orders": [{"lines": [1]}, {"lines": None}]}, "NODE_FAILED", "outer item 1: `lines` is null"),
        ({}, {"orders": [{"id": 1}]}, "NODE_FAILED", "outer item 0: `lines` leads nowhere"),
        ({"max_outer_iterations": 2}, ORDERS, "ITEMS_LIMIT", "has 3 items, and 2 are allowed"),
        ({"max_inner_iterations": 1}, ORDERS, "ITEMS_LIMIT", "outer item 0: the list has 2 items, and 1 are allowed"),
    ],
)
def test_what_fails_before_anything_runs(config: dict[str, Any], state: Any, code: str, words: str) -> None:
    outside = Outside()
    error = run(nested(call("o", 1), **config), state, types=[outside]).error or {}
    assert error["code"] == code
    assert words in error["message"]
    assert outside.made == []


def test_a_failure_names_both_items() -> None:
    error = run(nested(boom("check", "$.item < 2")), ORDERS).error or {}
    assert error["message"].startswith("node `map`: outer item 0, inner item 1: node `check`")
    rows = run(nested(boom("check", "$.item < 2"), on_error="continue"), ORDERS).changes["nested_results"]
    assert ["error" in entry for entry in rows[0]["inner_results"]] == [False, True]


@settings(deadline=None, max_examples=20)
@given(st.lists(st.lists(st.integers(), max_size=4), max_size=4), st.integers(2, 6), st.integers(0, 5))
def test_concurrency_and_repeated_tries_change_nothing(lists: list[list[int]], threads: int, away: int) -> None:
    node = nested(call("o", "{{outer_index}}.{{item_index}}:{{item}}"), inner="$", max_concurrency=threads)
    state = {"orders": lists}
    expected = run(node, state, types=[Outside(tokens=1)])
    total = sum(map(len, lists))
    fails = iter([*[ProviderUnavailable("busy")] * min(away, total), *[None] * 100])
    steps, outside = Memory(), Outside(fails=lambda _: next(fails), tokens=1)
    ran = None
    while ran is None:
        with contextlib.suppress(ProviderUnavailable):
            ran = run(node, state, types=[outside], steps=steps)
    assert canonical_bytes(ran.changes) == canonical_bytes(expected.changes)
    assert len(outside.made) == total + min(away, total)
    assert ran.changes.get("total_tokens", 0) == 3 * total


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({"input_list_key": None}, [("input_list_key", "FIELD_MISSING")]),
        ({"nested_config": None}, [("nested_config", "FIELD_MISSING")]),
        ({"nested_config": []}, [("nested_config", "FIELD_TYPE")]),
        ({"nested_config": {}}, [("nested_config.input_list_key", "FIELD_MISSING"), ("nested_config.nodes", "FIELD_MISSING")]),
        ({"nested_config": {"input_list_key": "a[", "nodes": [echo("o", 1)]}}, [("nested_config.input_list_key", "EXPRESSION_SYNTAX")]),
        ({"nested_config": {"input_list_key": "a", "nodes": [{"id": "x", "type": "y"}]}}, [("nested_config.nodes[0].type", "NODE_TYPE_UNKNOWN")]),
        ({"max_outer_iterations": 0, "max_inner_iterations": "1"}, [("max_inner_iterations", "FIELD_TYPE"), ("max_outer_iterations", "FIELD_VALUE")]),
        ({"on_error": "skip"}, [("on_error", "FIELD_VALUE")]),
    ],
)  # fmt: skip
def test_what_can_be_wrong(config: dict[str, Any], found: list[tuple[str, str]]) -> None:
    expected = [(f"$.nodes[0].config.{path}", code) for path, code in found]
    assert sorted(problems(nested(echo("o", 1)) | {"config": nested(echo("o", 1), **config)["config"]})) == expected


def test_a_failure_for_good_of_a_call() -> None:
    outside = Outside(fails=lambda value: NodeFailed("no", code="LLM_FAILED") if value == 2 else None)
    error = run(nested(call("o", "{{item}}")), ORDERS, types=[outside]).error or {}
    assert (error["code"], error["node_id"]) == ("LLM_FAILED", "map")
