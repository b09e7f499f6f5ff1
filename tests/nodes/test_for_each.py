from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statebag.canonical import canonical_bytes
from statebag.errors import NodeFailed, ProviderUnavailable, StateBagError, StoreUnavailable
from statebag.nodes import builtin_registry, reads_of
from tests.nodes.bodies import Memory, Outside, boom, call, echo, load, problems, run, sets


def for_each(*nodes: Any, id: str = "each", edges: Any = None, **config: Any) -> dict[str, Any]:
    body = {"nodes": list(nodes)} | ({"edges": edges} if edges is not None else {})
    return {"id": id, "type": "for_each", "config": {"input_list_key": "xs", "sub_workflow": body} | config}


def test_a_body_runs_once_for_each_item_and_gives_what_it_changed() -> None:
    node = for_each(echo("twice", ["{{item}}", "{{x}}"]), echo("at", "{{item_index}}"), item_key="x")
    ran = run(node, {"xs": ["a", "b"]})
    assert ran.error is None
    assert ran.changes == {
        "for_each_results": [{"twice": ["a", "a"], "at": 0}, {"twice": ["b", "b"], "at": 1}],
        "each_iteration_count": 2,
    }
    assert ran.steps == ("each:for_each:2",)


def test_items_do_not_see_each_other_and_leave_nothing_in_the_state() -> None:
    node = for_each(echo("last", "{{seen}}"), echo("seen", "{{item}}"))
    ran = run([node, echo("after", "{{item}}/{{seen}}")], {"xs": [1, 2], "seen": 0})
    assert ran.changes["for_each_results"] == [{"last": 0, "seen": 1}, {"last": 0, "seen": 2}]
    assert ran.changes["after"] == "/0"
    assert "seen" not in ran.changes


@pytest.mark.parametrize(
    ("config", "state"),
    [
        ({"input_list_key": "a.b"}, {"a": {"b": [1, 2]}}),
        ({"input_list_key": "$.a[0]"}, {"a": [[1, 2]]}),
        ({"input_list_key": None, "items_path": "$.b"}, {"b": [1, 2]}),
        ({"input_list_key": "{{ a.b }}"}, {"a": {"b": [1, 2]}}),
        ({"input_list_key": None, "items": "{{ xs }}"}, {"xs": [1, 2]}),
        ({"input_list_key": None, "items": [1, "{{ two }}"]}, {"two": 2}),
    ],
)
def test_where_the_list_can_be(config: dict[str, Any], state: dict[str, Any]) -> None:
    node = for_each(echo("o", "{{item}}"), output_key="out", **config)
    assert run(node, state).changes["out"] == [{"o": 1}, {"o": 2}]


@pytest.mark.parametrize(
    ("body", "members"),
    [
        ({"sub_workflow": {"nodes": [echo("o", "{{item}}")]}}, {}),
        ({"subgraph_inline": {"nodes": [echo("o", "{{item}}")], "edges": []}}, {}),
        ({"nodes": [echo("o", "{{item}}")]}, {}),
        ({"sub_node_config": {"nodes": [echo("o", "{{item}}")]}}, {}),
        ({"sub_node_config": echo("o", "{{item}}")}, {}),
        ({"sub_node_config": {"type": "operator", "sets": {"o": "{{item}}"}}}, {}),
        ({"subgraph_ref": "body"}, {"subgraphs": {"body": {"nodes": [echo("o", "{{item}}")], "edges": []}}}),
    ],
)
def test_where_the_body_can_be(body: dict[str, Any], members: dict[str, Any]) -> None:
    node = {"id": "each", "type": "map", "config": {"input_list_key": "xs", **body}}
    assert run(node, {"xs": [5]}, **members).changes["for_each_results"] == [{"o": 5}]


def test_an_empty_list_gives_an_empty_list() -> None:
    ran = run(for_each(boom(), output_key="out"), {"xs": []})
    assert ran.changes == {"out": [], "each_iteration_count": 0}


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({}, ["`xs` leads nowhere"]),
        ({"xs": None}, ["`xs` is null"]),
        ({"xs": {"a": 1}}, ["`xs` is an object"]),
        ({"xs": "text"}, ["`xs` is a text"]),
        ({"xs": True}, ["`xs` is a boolean"]),
    ],
)
def test_what_is_no_list_fails_the_node(state: dict[str, Any], words: list[str]) -> None:
    error = run(for_each(echo("o", 1)), state).error or {}
    assert (error["code"], error["node_id"]) == ("NODE_FAILED", "each")
    for word in ["node `each`", "must be a list", *words]:
        assert word in error["message"]


def test_a_list_that_is_too_long_fails_the_node_and_nothing_runs() -> None:
    outside = Outside()
    ran = run(for_each(call("o", "{{item}}"), max_iterations=2), {"xs": [1, 2, 3]}, types=[outside])
    error = ran.error or {}
    assert (error["code"], error["details"]) == ("ITEMS_LIMIT", {"items": 3, "limit": 2})
    assert "has 3 items, and 2 are allowed" in error["message"]
    assert outside.made == []
    assert run(for_each(echo("o", 1), max_iterations=3), {"xs": [1, 2, 3]}).error is None


def test_all_items_run_where_no_limit_is_given() -> None:
    assert run(for_each(echo("o", "{{item}}")), {"xs": list(range(321))}).changes["each_iteration_count"] == 321


def test_a_failure_names_the_item_and_the_nodes_around_it() -> None:
    inner = for_each(boom("check", "$.y > 2"), id="inner", input_list_key="item", item_key="y")
    error = run(for_each(inner), {"xs": [[3, 4], [5, 1]]}).error or {}
    assert (error["code"], error["node_id"]) == ("ASSERTION_FAILED", "each")
    assert error["message"].startswith("node `each`: item 1: node `inner`: item 1: node `check`")
    assert error["message"].endswith("no way")
    assert error["details"]["node_id"] == "check"


@pytest.mark.parametrize("threads", [1, 4])
def test_the_lowest_failing_item_decides_and_no_more_are_started(threads: int) -> None:
    first_ones_over = threading.Event()

    def beat(detail: Any) -> None:
        if detail["done"] == threads:
            first_ones_over.set()

    outside = Outside(
        fails=lambda value: NodeFailed(f"no {value}") if value in (1, 2) else None,
        before=lambda value: first_ones_over.wait() if value >= threads > 1 else None,
    )
    node = for_each(call("o", "{{item}}"), max_concurrency=threads)
    error = run(node, {"xs": list(range(50))}, types=[outside], heartbeat=beat).error or {}
    assert error["message"] == "node `each`: item 1: node call_o (call): no 1"
    assert len(outside.made) <= (6 if threads == 4 else 2)


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_can_be_an_entry_of_the_result(threads: int) -> None:
    node = for_each(sets("first", a="{{item}}"), boom("check", "$.item != 2"), on_error="continue")
    node["config"]["max_concurrency"] = threads
    first, second, third = run(node, {"xs": [1, 2, 3]}).changes["for_each_results"]
    assert (first["a"], third["a"]) == (1, 3)
    assert second["a"] == 2
    assert second["error"]["code"] == "ASSERTION_FAILED"
    assert "no way" in second["error"]["message"]
    assert "error" not in first


@pytest.mark.parametrize("on_error", ["fail", "continue"])
@pytest.mark.parametrize(
    "failure", [ProviderUnavailable("busy", details={"retry_after_seconds": 3}), StoreUnavailable("away")]
)
def test_a_failure_that_may_pass_ends_the_try(on_error: str, failure: StateBagError) -> None:
    outside = Outside(fails=lambda value: failure if value == 2 else None)
    node = for_each(call("o", "{{item}}"), on_error=on_error, max_concurrency=1)
    with pytest.raises(type(failure)) as raised:
        run(node, {"xs": [0, 1, 2, 3]}, types=[outside], steps=Memory())
    assert outside.made == [0, 1, 2]
    assert raised.value.message == f"node `each`: item 2: node call_o (call): {failure.message}"
    assert raised.value.details == {**failure.details, "progress": True}
    assert "progress" not in failure.details


def test_a_try_without_progress_does_not_claim_any() -> None:
    outside = Outside(fails=lambda _: ProviderUnavailable("busy"))
    with pytest.raises(ProviderUnavailable) as raised:
        run(for_each(call("o", "{{item}}")), {"xs": [0, 1]}, types=[outside], steps=Memory())
    assert raised.value.details == {}


@settings(deadline=None, max_examples=40)
@given(
    size=st.integers(0, 12),
    threads=st.integers(1, 5),
    away=st.lists(st.integers(0, 11), max_size=4, unique=True),
    refused=st.sets(st.integers(0, 11), max_size=3),
)
def test_a_repeated_try_makes_only_the_calls_that_are_missing(
    size: int, threads: int, away: list[int], refused: set[int]
) -> None:
    """Whatever fails for now, however often: each item is answered once, and the result is the undisturbed one."""
    undisturbed = Outside(fails=lambda value: NodeFailed("never") if value in refused else None)
    node = for_each(call("o", "{{item}}"), echo("twice", "{{o}}{{o}}"), on_error="continue", max_concurrency=threads)
    state = {"xs": list(range(size))}
    expected = run(node, state, types=[undisturbed])
    left = list(away)
    answered: list[int] = []

    def fails(value: int) -> Exception | None:
        if value in left:
            left.remove(value)
            return ProviderUnavailable("busy")
        if value in refused:
            return NodeFailed("never")
        answered.append(value)
        return None

    steps, outside = Memory(), Outside(fails=fails)
    ran = None
    for attempt in range(1, len(away) + 2):
        before = set(steps.kept)
        try:
            ran = run(node, state, types=[outside], steps=steps, attempt=attempt)
        except ProviderUnavailable as error:
            assert error.details.get("progress", False) == (set(steps.kept) != before)
    assert ran is not None
    assert canonical_bytes(ran.changes) == canonical_bytes(expected.changes)
    assert ran.logs == expected.logs
    assert sorted(answered) == [value for value in range(size) if value not in refused]
    assert set(steps.kept) == {f"each/{value}/call_o" for value in answered}


def test_a_later_try_takes_what_an_earlier_one_was_told() -> None:
    first, second = Outside(), Outside(fails=lambda value: NodeFailed(f"called for {value}") if value != "c" else None)
    steps = Memory()
    node = for_each(call("o", "{{item}}"))
    run(node, {"xs": ["a", "b"]}, types=[first], steps=steps)
    ran = run(node, {"xs": ["a", "b", "c"]}, types=[second], steps=steps)
    assert second.made == ["c"]
    assert [row["o"] for row in ran.changes["for_each_results"]] == ["answer to a", "answer to b", "answer to c"]
    assert [log["node_id"] for log in ran.logs] == ["call_o"] * 3


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@settings(deadline=None, max_examples=40)
@given(xs=st.lists(JSON, max_size=10), threads=st.integers(2, 9))
def test_any_concurrency_gives_the_bytes_of_one_after_the_other(xs: list[Any], threads: int) -> None:
    body = (echo("o", {"is": "{{item}}", "at": "{{item_index}}"}), sets("s", copy="{{o.is}}", text="<{{o}}>"))
    alone = run(for_each(*body, max_concurrency=1), {"xs": xs})
    beside = run(for_each(*body, max_concurrency=threads), {"xs": xs})
    assert canonical_bytes(alone.changes) == canonical_bytes(beside.changes)
    one_by_one = [run([*body], {"item": x, "item_index": index}).changes for index, x in enumerate(xs)]
    assert alone.changes["for_each_results"] == one_by_one


def test_calls_run_at_the_same_time_up_to_a_limit() -> None:
    together = threading.Barrier(8)
    outside = Outside(before=lambda _: together.wait())
    ran = run(for_each(call("o", "{{item}}")), {"xs": list(range(16))}, types=[outside])
    assert ran.error is None
    assert together.n_waiting == 0
    assert len(outside.made) == 16


@pytest.mark.parametrize("threads", [1, 3])
def test_each_call_is_a_sign_of_life(threads: int) -> None:
    beats: list[Any] = []
    node = for_each(call("o", "{{item}}"), max_concurrency=threads)
    run(node, {"xs": [1, 2, 3]}, types=[Outside()], heartbeat=beats.append)
    assert beats == [{"done": done, "total": 3} for done in (1, 2, 3)]


class Stop(BaseException):
    """Raised by a heartbeat, as a cancellation is."""


@pytest.mark.parametrize("threads", [1, 2])
def test_a_heartbeat_that_raises_ends_everything_at_once(threads: int) -> None:
    hang = threading.Event()
    outside = Outside(before=lambda value: hang.wait() if value == 1 and threads == 2 else None)

    def beat(_: object) -> None:
        raise Stop

    try:
        with pytest.raises(Stop):
            run(
                for_each(call("o", "{{item}}"), max_concurrency=threads),
                {"xs": list(range(20))},
                types=[outside],
                heartbeat=beat,
            )
        assert len(outside.made) <= threads
    finally:
        hang.set()


def test_tokens_are_counted_on() -> None:
    node = for_each(call("o", 1), call("p", 2, id="second"))
    ran = run(node, {"xs": [0, 0], "total_tokens": 100, "total_input_tokens": "?"}, types=[Outside(tokens=5)])
    assert {name: ran.changes[name] for name in ("total_input_tokens", "total_output_tokens", "total_tokens")} == {
        "total_input_tokens": 20,
        "total_output_tokens": 40,
        "total_tokens": 160,
    }
    assert ran.changes["iteration_token_details"] == [
        {"iteration": index, "input_tokens": 10, "output_tokens": 20, "total_tokens": 30} for index in range(2)
    ]


def test_tokens_of_a_list_inside_of_a_list_are_counted_once() -> None:
    inner = for_each(call("o", 1), id="inner", input_list_key="item")
    ran = run(for_each(inner), {"xs": [[1, 2], [3]]}, types=[Outside(tokens=1)])
    assert ran.changes["total_tokens"] == 9
    assert [entry["total_tokens"] for entry in ran.changes["iteration_token_details"]] == [6, 3]
    assert ran.tokens.to_json()["total_tokens"] == 9


def test_reserved_keys_are_dropped_with_one_warning() -> None:
    ran = run(for_each(sets("s", status="x", a=1)), {"xs": [1, 2, 3]})
    assert ran.changes["for_each_results"] == [{"a": 1}] * 3
    assert [(warning.path, warning.code) for warning in ran.warnings] == [("s.status", "RESERVED_KEY")]


def test_logs_say_where_they_were_written() -> None:
    ran = run(for_each(call("o", 1)), {"xs": [1, 2]}, types=[Outside()])
    assert ran.logs == tuple({"inside": f"each/{index}", "type": "called", "node_id": "call_o"} for index in (0, 1))


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({"sub_workflow": None}, [("sub_workflow", "FIELD_MISSING")]),
        ({"sub_workflow": {"nodes": []}}, [("sub_workflow", "FIELD_MISSING")]),
        ({"sub_workflow": {}}, [("sub_workflow", "FIELD_MISSING")]),
        ({"sub_workflow": 5}, [("sub_workflow", "FIELD_VALUE")]),
        ({"sub_workflow": {"edges": []}}, [("sub_workflow.nodes", "FIELD_TYPE")]),
        ({"subgraph_ref": "nobody"}, [("subgraph_ref", "FIELD_VALUE")]),
        ({"input_list_key": None}, [("input_list_key", "FIELD_MISSING")]),
        ({"input_list_key": 5}, [("input_list_key", "FIELD_TYPE")]),
        ({"input_list_key": "a[b"}, [("input_list_key", "EXPRESSION_SYNTAX")]),
        ({"items": "{{ x"}, [("items", "TEMPLATE_SYNTAX")]),
        ({"item_key": ""}, [("item_key", "FIELD_VALUE")]),
        ({"output_key": 1}, [("output_key", "FIELD_TYPE")]),
        ({"max_iterations": 0}, [("max_iterations", "FIELD_VALUE")]),
        ({"max_iterations": True}, [("max_iterations", "FIELD_TYPE")]),
        ({"max_concurrency": 101}, [("max_concurrency", "FIELD_VALUE")]),
        ({"max_concurrency": "8"}, [("max_concurrency", "FIELD_TYPE")]),
        ({"on_error": "ignore"}, [("on_error", "FIELD_VALUE")]),
        ({"input_list_key": "a b", "unknown": 1, "cost_policy": {}, "max_iterations": None}, []),
    ],
)
def test_what_can_be_wrong(config: dict[str, Any], found: list[tuple[str, str]]) -> None:
    expected = [(f"$.nodes[0].config.{path}", code) for path, code in found]
    assert sorted(problems(for_each(echo("o", 1), **config))) == sorted(expected)


def test_nodes_inside_are_checked_at_any_depth() -> None:
    inner = for_each({"id": "bad", "type": "operator_official", "config": {"strategy": "nonsense"}}, id="inner")
    unknown = {"id": "u", "type": "nonsense"}
    assert sorted(problems(for_each(inner, unknown))) == [
        (
            "$.nodes[0].config.sub_workflow.nodes[0].config.sub_workflow.nodes[0].config.strategy",
            "STRATEGY_UNKNOWN",
        ),
        ("$.nodes[0].config.sub_workflow.nodes[1].type", "NODE_TYPE_UNKNOWN"),
    ]


def test_what_it_reads() -> None:
    nodes = load(for_each(echo("o", "{{item.a}} {{b}}"), call("p", 1), input_list_key="order.lines"), types=[Outside()])
    registry = builtin_registry().extend([Outside()])
    assert reads_of(nodes, registry) == {"order", "item", "b", "read_by_call"}
    everything = load(for_each(echo("o", "{{__state_json}}")))
    assert reads_of(everything, registry) is None
