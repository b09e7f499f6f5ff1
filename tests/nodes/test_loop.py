from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statebag.errors import NodeFailed, ProviderUnavailable
from tests.nodes.bodies import Memory, Outside, boom, call, echo, problems, run, sets


def loop(*nodes: Any, **config: Any) -> dict[str, Any]:
    return {"id": "again", "type": "loop", "config": {"nodes": list(nodes)} | config}


def add(output_key: str, more: str) -> dict[str, Any]:
    params = {"expression": f"{output_key} + {more}", "variables": {output_key: f"{{{{{output_key}}}}}", "i": "{{i}}"}}
    config = {"strategy": "math_expression", "params": params, "output_key": output_key}
    return {"id": "add", "type": "operator_official", "config": config}


@settings(deadline=None, max_examples=30)
@given(start=st.integers(-3, 12), most=st.integers(1, 8))
def test_passes_go_on_until_the_condition_holds(start: int, most: int) -> None:
    ran = run(loop(add("n", "1"), condition="$.n >= 10", max_iterations=most), {"n": start})
    passes = min(most, max(1, 10 - start))
    met = start + passes >= 10
    assert ran.error is None
    assert ran.changes["n"] == start + passes
    assert ran.changes["again_iterations"] == passes
    assert ran.changes["loop_exit_reason"] == ("condition_met" if met else "max_iterations")
    assert ("loop_max_reached" in ran.changes) == (not met)


def test_five_passes_where_nothing_ends_it() -> None:
    ran = run(loop(echo("last", "{{loop_index}}"), echo("first", "{{first_seen}}"), sets("s", first_seen="{{last}}")))
    assert ran.changes == {
        "last": 4,
        "first": 3,
        "first_seen": 4,
        "again_iterations": 5,
        "loop_exit_reason": "max_iterations",
        "loop_max_reached": True,
    }
    assert ran.steps == ("again:loop:5",)


def test_the_number_of_the_pass_is_visible_inside_only() -> None:
    ran = run([loop(echo("o", "{{i}}"), loop_var="i", condition="$.i == 2"), echo("after", "<{{i}}>")])
    assert (ran.changes["o"], ran.changes["after"]) == (2, "<>")
    assert "i" not in ran.changes


def test_an_earlier_loop_does_not_speak_for_a_later_one() -> None:
    first, second = loop(echo("o", 1)), loop(echo("o", 1), condition="true") | {"id": "second"}
    assert run([first, second]).changes["loop_max_reached"] is False


@pytest.mark.parametrize(
    ("config", "score", "passes"),
    [
        ({"convergence_key": "score"}, 0.9, 1),
        ({"convergence_key": "score"}, 0.89, 3),
        ({"convergence_key": "$.rating.score", "target_score": 5}, 5, 1),
        ({"convergence_key": "rating.score", "target_score": 0}, 0, 1),
        ({"convergence_key": "score"}, "1", 3),
        ({"convergence_key": "score"}, True, 3),
        ({"convergence_key": "nothing"}, 1, 3),
    ],
)
def test_a_score_that_is_reached_ends_it(config: dict[str, Any], score: Any, passes: int) -> None:
    ran = run(loop(sets("s", score=score, rating={"score": score}), max_iterations=3, **config))
    assert ran.changes["again_iterations"] == passes
    assert ran.changes["loop_exit_reason"] == ("convergence_reached" if passes == 1 else "max_iterations")


def test_a_failing_pass_fails_the_node() -> None:
    ran = run(loop(echo("o", "{{loop_index}}"), boom("check", "$.loop_index < 2")))
    error = ran.error or {}
    assert error["code"] == "ASSERTION_FAILED"
    assert error["message"].startswith("node `again`: pass 2: node `check`")
    assert ran.changes == {}


def test_a_failing_pass_may_end_the_loop_and_keep_what_there_is() -> None:
    body = (echo("o", "{{loop_index}}"), boom("check", "$.loop_index < 2"))
    ran = run([loop(*body, on_error="continue"), echo("after", 1)])
    assert ran.error is None
    assert (ran.changes["o"], ran.changes["after"]) == (2, 1)
    assert (ran.changes["again_iterations"], ran.changes["loop_exit_reason"]) == (3, "error")
    assert "no way" in ran.changes["again_error"]
    assert "loop_max_reached" not in ran.changes


def test_a_repeated_try_makes_no_call_again() -> None:
    busy = [ProviderUnavailable("busy")]
    outside = Outside(fails=lambda value: busy.pop() if value == "1: answer to 0: " and busy else None)
    node = loop(call("o", "{{loop_index}}: {{o}}"), max_iterations=3)
    steps = Memory()
    with pytest.raises(ProviderUnavailable, match="node `again`: pass 1: node call_o") as raised:
        run(node, {}, types=[outside], steps=steps)
    assert raised.value.details == {"progress": True}
    ran = run(node, {}, types=[outside], steps=steps)
    assert ran.changes["o"] == "answer to 2: answer to 1: answer to 0: "
    assert len(outside.made) == 4
    assert set(steps.kept) == {f"again/{index}/call_o" for index in range(3)}


def test_tokens_of_all_passes_are_counted_on() -> None:
    ran = run(loop(call("o", 1), max_iterations=2), {"total_tokens": 1}, types=[Outside(tokens=3)])
    assert ran.changes["total_tokens"] == 1 + 2 * 9
    assert [entry["iteration"] for entry in ran.changes["iteration_token_details"]] == [0, 1]


def test_each_pass_is_a_sign_of_life() -> None:
    beats: list[Any] = []
    run(loop(echo("o", 1), max_iterations=2), heartbeat=beats.append)
    assert beats == [{"done": 1, "total": 2}, {"done": 2, "total": 2}]


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({"nodes": []}, [("nodes", "FIELD_MISSING")]),
        ({"condition": "state.get('x') < 3"}, [("condition", "EXPRESSION_SYNTAX")]),
        ({"condition": ""}, [("condition", "EXPRESSION_SYNTAX")]),
        ({"condition": True}, [("condition", "FIELD_TYPE")]),
        ({"max_iterations": 0}, [("max_iterations", "FIELD_VALUE")]),
        ({"loop_var": 1}, [("loop_var", "FIELD_TYPE")]),
        ({"convergence_key": "a["}, [("convergence_key", "EXPRESSION_SYNTAX")]),
        ({"target_score": "high"}, [("target_score", "FIELD_TYPE")]),
        ({"on_error": "x"}, [("on_error", "FIELD_VALUE")]),
        ({"nodes": [{"id": "x", "type": "y"}]}, [("nodes[0].type", "NODE_TYPE_UNKNOWN")]),
        ({"nodes": None, "sub_workflow": {"nodes": [echo("o", 1)]}, "condition": "false"}, []),
    ],
)
def test_what_can_be_wrong(config: dict[str, Any], found: list[tuple[str, str]]) -> None:
    expected = [(f"$.nodes[0].config.{path}", code) for path, code in found]
    assert problems(loop(echo("o", 1), **config)) == expected


def test_a_call_that_fails_for_good_names_the_pass() -> None:
    outside = Outside(fails=lambda _: NodeFailed("no", details={"status": 400}))
    error = run(loop(call("o", 1)), types=[outside]).error or {}
    assert error["details"] == {"status": 400, "node_id": "call_o"}
