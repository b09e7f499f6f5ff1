from __future__ import annotations

from typing import Any

import pytest

from statebag.errors import ProviderUnavailable
from tests.nodes.bodies import Memory, Outside, echo, problems, run


def skill(**config: Any) -> dict[str, Any]:
    given = {"skill_ref": "math", "tool_call": "double", **config}
    return {"id": "use", "type": "skill_executor", "config": {key: value for key, value in given.items() if value}}


def active(handler_type: Any = "operator_official", name: str = "math", **handler_config: Any) -> dict[str, Any]:
    tool = {"name": "double", "handler_type": handler_type, "handler_config": handler_config}
    return {"active_skills": {name: {"tool_definitions": [{"name": "other"}, tool]}}}


def test_a_tool_runs_the_node_type_that_it_names() -> None:
    state = active(strategy="echo", input="{{n}}{{n}}") | {"order": {"number": "7"}}
    ran = run(skill(input_mapping={"n": "{{order.number}}"}), state)
    assert ran.changes == {"use_result": "77"}
    assert ran.logs[-1] == {
        "type": "skill_execution",
        "node_id": "use",
        "status": "COMPLETED",
        "skill_id": "math",
        "tool_name": "double",
        "inputs": ["n"],
    }
    assert ran.steps == ("use:skill_executor:double",)


def test_inputs_are_members_of_the_tools_config_with_their_type() -> None:
    mapping = {"input": "{{xs}}", "params": {"separator": "{{sep}}"}}
    state = active(strategy="string_join", params={"delimiter": "-"}) | {"xs": ["a", "b"], "sep": "+"}
    assert run(skill(input_mapping={"input": "{{xs}}"}, output_key="out"), state).changes == {"out": "a-b"}
    assert run(skill(input_mapping=mapping), active(strategy="list_count") | {"xs": [1, 2]}).changes == {
        "use_result": 2
    }


def test_data_is_not_taken_for_a_template() -> None:
    state = active(strategy="echo") | {"text": "{{secret}}", "secret": "s"}
    assert run(skill(input_mapping={"input": "{{text}}"}), state).changes == {"use_result": "{{secret}}"}
    listed = active(strategy="echo") | {"texts": ["{% if x %}", {"a": "{{secret}}"}], "secret": "s"}
    assert run(skill(input_mapping={"input": "{{texts}}"}), listed).changes["use_result"] == listed["texts"]


def test_a_tool_that_writes_several_fields_gives_them_together() -> None:
    assert run(skill(), active(None, sets={"a": 1, "b": "{{x}}"}) | {"x": 2}).changes == {
        "use_result": {"a": 1, "b": 2}
    }


def test_the_skills_instructions_come_before_the_system_prompt() -> None:
    state = active("llm_chat", model="gemini-2.0-flash", prompt="p", system_prompt="second", mock_response="m")
    state["active_skills"]["math"]["system_instructions"] = "first"
    ran = run(skill(), state, mock=True)
    assert ran.changes["use_result"] == "m"
    assert ran.tokens
    shorter = active("llm_chat", model="gemini-2.0-flash", prompt="p", system_prompt="second", mock_response="m")
    assert run(skill(), shorter, mock=True).changes["usage"]["input_tokens"] < ran.changes["usage"]["input_tokens"]


@pytest.mark.parametrize(
    ("state", "code", "words"),
    [
        ({}, "NODE_FAILED", "skill `math` is not active. Active are none."),
        (active(name="art", strategy="echo"), "NODE_FAILED", "Active are `art`."),
        ({"active_skills": {"math": {"tool_definitions": [{"name": "half"}]}}}, "NODE_FAILED", "Its tools are `half`."),
        (active("nonsense"), "NODE_TYPE_UNKNOWN", "handled by `nonsense`"),
        (active("for_each"), "NODE_FAILED", "runs or chooses other nodes"),
        (active("route_condition"), "NODE_FAILED", "runs or chooses other nodes"),
        (active("skill_executor"), "NODE_FAILED", "runs or chooses other nodes"),
        (active(strategy="nonsense"), "STRATEGY_UNKNOWN", "there is no strategy"),
        (active(strategy="json_parse", input="{"), "NODE_FAILED", "tool `double` of skill `math` (operator_official)"),
    ],
)
def test_what_can_fail(state: dict[str, Any], code: str, words: str) -> None:
    for handling in (None, "fail", "retry"):
        error = run(skill(error_handling=handling), state).error or {}
        assert error["code"] == code
        assert "node `use`" in error["message"]
        assert words in error["message"]
    ran = run([skill(error_handling="skip"), echo("after", 1)], state)
    assert (ran.changes["use_result"], ran.changes["use_skipped"], ran.changes["after"]) == (None, True, 1)
    assert words in ran.changes["use_error"]


def test_a_failure_that_may_pass_is_raised_and_the_call_is_kept() -> None:
    busy = [ProviderUnavailable("busy")]
    outside = Outside(fails=lambda _: busy.pop() if busy else None)
    state = active("call", value="{{n}}") | {"n": 3}
    steps = Memory()
    nodes = [skill(error_handling="skip"), echo("after", 1)]
    with pytest.raises(ProviderUnavailable):
        run(nodes, state, types=[outside], steps=steps)
    assert run(nodes, state, types=[outside], steps=steps).changes["use_result"] == "answer to 3"
    again = run(nodes, state, types=[outside], steps=steps)
    assert outside.made == [3, 3]
    assert set(steps.kept) == {"use"}
    assert again.changes["use_result"] == "answer to 3"


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({"skill_ref": None}, [("skill_ref", "FIELD_MISSING")]),
        ({"tool_call": None}, [("tool_call", "FIELD_MISSING")]),
        ({"tool_call": 5}, [("tool_call", "FIELD_TYPE")]),
        ({"skill_ref": "{{x"}, [("skill_ref", "TEMPLATE_SYNTAX")]),
        ({"input_mapping": [1]}, [("input_mapping", "FIELD_TYPE")]),
        ({"input_mapping": {"a": "{{x"}}, [("input_mapping.a", "TEMPLATE_SYNTAX")]),
        ({"error_handling": "ignore"}, [("error_handling", "FIELD_VALUE")]),
    ],
)
def test_what_can_be_wrong(config: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert problems(skill(**config)) == [(f"$.nodes[0].config.{path}", code) for path, code in found]
