from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from statebag.config import Node
from statebag.errors import NodeFailed, StoreUnavailable
from statebag.nodes import NodeContext, NodeOutput
from statebag.nodes.operator_official import OperatorOfficial

NOW = datetime(2024, 2, 29, tzinfo=UTC)


class State:
    """A scope that remembers what was fetched."""

    def __init__(self, **fields: Any) -> None:
        self.fields = fields
        self.fetched: list[str] = []

    def __contains__(self, name: object) -> bool:
        return name in self.fields

    def __getitem__(self, name: str) -> Any:
        self.fetched.append(name)
        return self.fields[name]

    def get(self, name: str, default: Any = None) -> Any:
        return self.fields.get(name, default)

    def names(self) -> Iterator[str]:
        return iter(self.fields)

    def whole(self) -> dict[str, Any]:
        self.fetched.append("*")
        return dict(self.fields)


def run(state: State, strategy: str, *, attempt: int = 1, visit: int = 0, **config: Any) -> NodeOutput:
    node = Node(id="n", type="operator_official", config={"strategy": strategy, **config})
    context = NodeContext(execution_id="run", segment_id="s0", attempt=attempt, visit=visit, now=lambda: NOW)
    return OperatorOfficial().run(node, state, context)


def result(state: State, strategy: str, **config: Any) -> Any:
    return run(state, strategy, output_key="out", **config).changes["out"]


def problems(**config: Any) -> list[tuple[str, str]]:
    node = Node(id="n", type="operator_official", config=config)
    return [(problem.path, problem.code) for problem in OperatorOfficial().check(node, "$.nodes[0]")]


def reads(**config: Any) -> frozenset[str] | None:
    return OperatorOfficial().reads(Node(id="n", type="operator_official", config=config))


def test_the_result_goes_to_the_output_key() -> None:
    output = run(State(a=1), " ECHO ", input_key="a", output_key="b")
    assert output.changes == {"b": 1}
    assert output.step == "operator_official:echo"
    assert run(State(a=1), "echo", input_key="a").changes == {"n_result": 1}


@pytest.mark.parametrize("value", [0, False, "", [], {}, "text", 1.5])
def test_a_falsy_input_is_a_value(value: Any) -> None:
    state = State(a=1)
    assert result(state, "echo", input=value, input_key="a") == value
    assert state.fetched == []


def test_a_lone_placeholder_as_input_keeps_its_type() -> None:
    assert result(State(xs=[3, 1]), "list_sort", input="{{xs}}") == [1, 3]
    assert result(State(xs=[3, 1], n=2), "echo", input={"a": "{{xs}}", "b": "n={{n}}"}) == {"a": [3, 1], "b": "n=2"}


def test_input_key_is_a_dotted_path() -> None:
    state = State(a={"b": [{"c": 5}]}, other=1)
    assert result(state, "echo", input_key="$.a.b[0].c") == 5
    assert result(state, "echo", input_key="a.missing") is None
    assert state.fetched == ["a", "a"]


def test_without_an_input_the_whole_state_is_the_input() -> None:
    assert result(State(a=1, b=2), "echo") == {"a": 1, "b": 2}
    assert result(State(a=1), "deep_set", params={"path": "r.done", "value": True}) == {"a": 1, "r": {"done": True}}


def test_the_whole_state_by_key_is_an_input_that_is_given() -> None:
    assert result(State(a=1), "assert", input_key="$", params={"condition": "$.a == 1"}) == {"a": 1}
    assert result(State(a=1, b=2), "pick_fields", input_key="$", params={"fields": ["b"]}) == {"b": 2}
    assert result(State(a=1), "merge_objects", input_key="$", params={"objects": [{"b": 2}]}) == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("strategy", "params", "expected", "fetched"),
    [
        ("pick_fields", {"fields": ["a", "z"]}, {"a": 1}, ["a"]),
        ("deep_get", {"path": "b.c"}, 2, ["b"]),
        ("switch_case", {"field": "a", "cases": {"1": "one"}}, "one", ["a"]),
        ("math_expression", {"expression": "a + b.c"}, 3, ["a", "b"]),
        ("if_else", {"condition": "$.a == 1", "then": "{{b.c}}"}, 2, ["b", "a"]),
        ("string_template", {"template": "{{a}}"}, "1", ["a"]),
        ("merge_objects", {"objects": [{"k": 1}]}, {"k": 1}, []),
        ("timestamp", {}, "2024-02-29T00:00:00+00:00", []),
        ("assert", {"condition": "$.a"}, True, ["a"]),
        ("log", {"message": "x"}, None, []),
    ],
)
def test_only_what_is_needed_of_the_state_is_fetched(
    strategy: str, params: dict[str, Any], expected: Any, fetched: list[str]
) -> None:
    state = State(a=1, b={"c": 2}, huge="x")
    assert result(state, strategy, params=params) == expected
    assert state.fetched == fetched


@pytest.mark.parametrize(
    ("state", "config", "expected"),
    [
        (State(total_price=150.5), {"input_key": "total_price", "condition": "$.total_price > 100"}, "yes"),
        (State(total_price=150.5), {"input_key": "total_price", "condition": "$ > 100"}, "yes"),
        (State(s={"topic": "x"}), {"input_key": "s", "condition": "$.s.topic != 'x'"}, "no"),
        (State(s={"topic": "x"}), {"input_key": "s", "condition": "$.topic == 'x'"}, "yes"),
        (State(a={"s": 5}), {"input_key": "a.s", "condition": "$.s == 5"}, "yes"),
        (State(s={"s": 1}), {"input_key": "s", "condition": "$.s == 1"}, "yes"),
        (State(a=1, b=2), {"input_key": "a", "condition": "$.b == 2"}, "no"),
        (State(a=1, b=2), {"condition": "$.b == 2 and $.a == 1"}, "yes"),
        (State(a=1), {"input": {"b": "{{a}}"}, "condition": "$.b == 1"}, "yes"),
        (State(a=1), {"input": 0, "condition": "$ == 0"}, "yes"),
    ],
)
def test_what_a_condition_sees(state: State, config: dict[str, Any], expected: str) -> None:
    params = {"condition": config.pop("condition"), "then": "yes", "else": "no"}
    assert result(state, "if_else", params=params, **config) == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("$ > {{limit}}", [6]),
        ("$ in {{allowed}}", [4]),
        ("{{flag}}", []),
        ("'{{name}}' == 'it\\'s' and $ > 5", [6]),
        ("{{missing}} == null", [4, 6]),
    ],
)
def test_placeholders_in_conditions_are_values(condition: str, expected: list[int]) -> None:
    state = State(limit=5, allowed=[4], flag=False, name="it's")
    assert result(state, "list_filter", input=[4, 6], params={"condition": condition}) == expected


def test_data_never_becomes_grammar() -> None:
    state = State(name="' or true or '")
    for condition in ("$ == '{{name}}'", '$ == "{{name}}"', "$ == {{name}}"):
        assert result(state, "list_filter", input=["x", "' or true or '"], params={"condition": condition}) == [
            "' or true or '"
        ]


def test_a_template_sees_its_own_context() -> None:
    params = {"template": "{{who}} at {{place}}", "context": {"who": "{{user.name}}"}}
    assert result(State(user={"name": "Dee"}, place="서울"), "string_template", params=params) == "Dee at 서울"


def test_params_are_rendered() -> None:
    params = {"operation": "{{op}}", "field": "{{f}}"}
    assert result(State(op="max", f="a.b", xs=[{"a": {"b": 7}}]), "list_reduce", input_key="xs", params=params) == 7


def test_a_failure_names_the_node_and_strategy() -> None:
    with pytest.raises(NodeFailed, match=r"node `n` \(list_sort\): the input is a text") as failure:
        run(State(), "list_sort", input="x")
    assert failure.value.code == "NODE_FAILED"


def test_skipping_says_so_in_state_and_history() -> None:
    output = run(State(), "list_sort", input="x", output_key="out", error_handling="skip")
    assert output.changes["n_skipped"] is True
    assert output.changes["n_error"].startswith("the input is a text, not a list")
    assert set(output.changes) == {"n_skipped", "n_error"}
    assert [(log["type"], log["handled_by"], log["code"]) for log in output.logs] == [
        ("operator_error", "skip", "NODE_FAILED")
    ]


def test_a_fallback_takes_the_result_s_place() -> None:
    output = run(State(a=[1]), "to_int", input="x", output_key="out", error_handling="fallback", fallback=["{{a}}"])
    assert output.changes == {"out": [[1]]}
    assert len(output.logs) == 1
    with pytest.raises(NodeFailed, match="can't be made a number"):
        run(State(), "to_int", input="x", error_handling="fallback")


@pytest.mark.parametrize("handling", ["fail", "skip", "fallback"])
def test_a_failed_assertion_always_raises(handling: str) -> None:
    with pytest.raises(NodeFailed, match="six is wanted") as failure:
        run(
            State(a=5),
            "assert",
            params={"condition": "$.a == 6", "message": "{{a}} is not six; six is wanted"},
            error_handling=handling,
            fallback=1,
        )
    assert failure.value.code == "ASSERTION_FAILED"
    assert "5 is not six" in failure.value.message


def test_a_store_that_does_not_answer_is_never_skipped() -> None:
    class Broken(State):
        def __getitem__(self, name: str) -> Any:
            raise StoreUnavailable(f"{name} can't be fetched")

    with pytest.raises(StoreUnavailable):
        run(Broken(a=1), "echo", input_key="a", error_handling="skip")


def test_a_uuid_is_stable_over_attempts_and_new_at_every_visit() -> None:
    first = run(State(), "uuid_generate", attempt=1).changes["n_result"]
    assert UUID(first).version == 4
    assert run(State(), "uuid_generate", attempt=2).changes["n_result"] == first
    assert run(State(), "uuid_generate", visit=1).changes["n_result"] != first


def test_log_adds_to_the_history() -> None:
    params = {"level": "warn", "message": "got {{a}}"}
    output = run(State(a=1), "log", input_key="a", params=params, output_key="out")
    assert output.changes == {"out": 1}
    assert output.logs == ({"type": "log", "level": "warning", "message": "got 1", "node_id": "n"},)
    assert run(State(), "log", input={"k": "가"}).logs[0]["message"] == '{"k":"가"}'
    assert run(State(), "log", input="x" * 5000).logs[0]["message"] == "a text of 5002 bytes"


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"strategy": "echo", "unknown": 1, "params": {"unknown": 1}}, []),
        ({}, [("$.nodes[0].config.strategy", "FIELD_MISSING")]),
        ({"strategy": "eco"}, [("$.nodes[0].config.strategy", "STRATEGY_UNKNOWN")]),
        ({"strategy": 5}, [("$.nodes[0].config.strategy", "STRATEGY_UNKNOWN")]),
        ({"strategy": "echo", "error_handling": "ignore"}, [("$.nodes[0].config.error_handling", "FIELD_VALUE")]),
        ({"strategy": "echo", "input_key": "a..b"}, [("$.nodes[0].config.input_key", "EXPRESSION_SYNTAX")]),
        ({"strategy": "echo", "input_key": 5}, [("$.nodes[0].config.input_key", "FIELD_TYPE")]),
        ({"strategy": "echo", "output_key": ["a"]}, [("$.nodes[0].config.output_key", "FIELD_TYPE")]),
        ({"strategy": "echo", "input": {"a": "{{"}}, [("$.nodes[0].config.input.a", "TEMPLATE_SYNTAX")]),
        ({"strategy": "echo", "params": []}, [("$.nodes[0].config.params", "FIELD_TYPE")]),
        ({"strategy": "echo", "fallback": "{% if %}"}, [("$.nodes[0].config.fallback", "TEMPLATE_SYNTAX")]),
        (
            {"strategy": "if_else", "params": {"condition": "score > 0.9"}},
            [("$.nodes[0].config.params.condition", "EXPRESSION_SYNTAX")],
        ),
        ({"strategy": "if_else"}, [("$.nodes[0].config.params.condition", "FIELD_MISSING")]),
        ({"strategy": "if_else", "params": {"condition": "$.a > {{b}}"}}, []),
        (
            {"strategy": "if_else", "params": {"condition": "a > {{b}}"}},
            [("$.nodes[0].config.params.condition", "EXPRESSION_SYNTAX")],
        ),
        (
            {"strategy": "list_filter", "params": {"condition": "$.a > {{"}},
            [("$.nodes[0].config.params.condition", "TEMPLATE_SYNTAX")],
        ),
        (
            {"strategy": "list_filter", "params": {"condition": "{% if x %}$.a{% endif %}"}},
            [("$.nodes[0].config.params.condition", "TEMPLATE_SYNTAX")],
        ),
        ({"strategy": "list_map"}, [("$.nodes[0].config.params", "FIELD_VALUE")]),
        (
            {"strategy": "list_reduce", "params": {"operation": "median"}},
            [("$.nodes[0].config.params.operation", "FIELD_VALUE")],
        ),
        ({"strategy": "list_reduce", "params": {"operation": "{{op}}"}}, []),
        (
            {"strategy": "regex_match", "params": {"pattern": "("}},
            [("$.nodes[0].config.params.pattern", "FIELD_VALUE")],
        ),
        (
            {"strategy": "string_template", "params": {"template": "{{x"}},
            [("$.nodes[0].config.params.template", "TEMPLATE_SYNTAX")],
        ),
        (
            {"strategy": "math_clamp", "params": {"min": "a"}},
            [("$.nodes[0].config.params.min", "FIELD_TYPE")],
        ),
    ],
)
def test_validation(config: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert problems(**config) == expected


def test_an_unknown_strategy_names_near_ones() -> None:
    node = Node(id="n", type="operator_official", config={"strategy": "list_fliter"})
    (problem,) = OperatorOfficial().check(node, "$")
    assert "`list_filter`" in problem.message


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"strategy": "echo"}, None),
        ({"strategy": "echo", "input_key": "a.b"}, {"a"}),
        ({"strategy": "echo", "input_key": "$"}, None),
        ({"strategy": "echo", "input": ["{{a.b}}", "{{c}}"]}, {"a", "c"}),
        ({"strategy": "echo", "input": 0}, set()),
        ({"strategy": "echo", "input": "{{__state_json}}"}, None),
        ({"strategy": "pick_fields", "params": {"fields": ["a", "b"]}}, {"a", "b"}),
        ({"strategy": "pick_fields", "params": {"fields": ["{{x}}"]}}, None),
        ({"strategy": "if_else", "params": {"condition": "$.a.b > $.c", "then": "{{d}}"}}, {"a", "c", "d"}),
        ({"strategy": "if_else", "input_key": "a", "params": {"condition": "$.x > {{lim}}"}}, {"a", "lim"}),
        ({"strategy": "if_else", "params": {"condition": "$.a > {{lim}}"}}, None),
        ({"strategy": "string_template", "params": {"template": "{{a}}{{b}}", "context": {"b": "{{c}}"}}}, {"a", "c"}),
        ({"strategy": "timestamp"}, set()),
        ({"strategy": "merge_objects", "params": {"objects": [{"x": "{{y}}"}]}}, {"y"}),
        ({"strategy": "to_int", "input_key": "a", "error_handling": "fallback", "fallback": "{{f}}"}, {"a", "f"}),
        ({"strategy": "to_int", "input_key": "a", "fallback": "{{f}}"}, {"a"}),
        ({"strategy": "math_expression", "params": {"expression": "a * b.c"}}, {"a", "b"}),
    ],
)
def test_the_fields_that_will_be_read_are_known(config: dict[str, Any], expected: set[str] | None) -> None:
    assert reads(**config) == (None if expected is None else frozenset(expected))
