"""Answers of mock mode."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from statebag.errors import NodeFailed, ProviderUnavailable
from statebag.nodes import NodeOutput

Run = Callable[..., NodeOutput]
SUMMARY = {
    "type": "object",
    "properties": {
        "topic": {"type": "string"},
        "points": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
        "mood": {"enum": ["good", "neutral", "bad"]},
        "words": {"type": "integer", "minimum": 0},
    },
    "required": ["topic", "points"],
}


@pytest.fixture(autouse=True)
def no_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")


def test_text_is_the_same_on_every_machine(run: Run) -> None:
    output = run({"land": "Portugal"}, mock=True, prompt="Capital of {{land}}?", system_prompt="Be brief.")
    assert output.changes == {
        "ask_output": "Mock answer to: Capital of Portugal? (ridge pebble moss)",
        "ask_meta": {"model": "small-model", "max_tokens": 1024, "provider": "openai", "mock": True},
        "usage": {
            "input_tokens": 8,
            "output_tokens": 14,
            "total_tokens": 22,
            "cached_tokens": 0,
            "provider": "openai",
        },
    }


def test_text_depends_on_model_and_prompts_alone(run: Run) -> None:
    def answer(**config: Any) -> str:
        return run(mock=True, **({"prompt": "Hello"} | config)).changes["ask_output"]

    first = answer()
    assert answer(temperature=0, max_tokens=5, attempt=3) == first
    assert len({first, answer(model="other"), answer(system_prompt="S"), answer(prompt="Hello!")}) == 4


def test_schema_gets_an_instance_with_optional_members(run: Run) -> None:
    text = run(mock=True, prompt="Summarise", response_schema=SUMMARY).changes["ask_output"]
    value = json.loads(text)
    Draft202012Validator(SUMMARY).validate(value)
    assert value.keys() == {"topic", "points", "mood", "words"}
    assert value["topic"]
    again = run(mock=True, prompt="Summarise", response_schema=SUMMARY, parse_json=True, attempt=2)
    assert again.changes["ask_output"] == value


def test_schema_that_nothing_satisfies_fails(run: Run) -> None:
    schema = {"type": "object", "properties": {"a": False}, "required": ["a"]}
    with pytest.raises(NodeFailed, match=r"node 'ask'.*No example of the JSON Schema can be made") as failure:
        run(mock=True, prompt="x", response_schema=schema)
    assert failure.value.code == "LLM_FAILED"


def test_json_is_answered_where_json_is_parsed(run: Run) -> None:
    value = run(mock=True, prompt="Hello", parse_json=True).changes["ask_output"]
    assert value.keys() == {"mock_answer"}
    assert value["mock_answer"].startswith("Mock answer to: Hello (")


@pytest.mark.parametrize(
    ("response", "config", "output"),
    [
        ("Hi {{name}}", {}, "Hi Ann"),
        ("{{order}}", {}, '{"n":1}'),
        ({"who": "{{name}}", "order": "{{order}}"}, {"parse_json": True}, {"who": "Ann", "order": {"n": 1}}),
        ('```json\n{"a": 1}\n```', {"parse_json": True}, {"a": 1}),
        (0, {}, "0"),
        (False, {"parse_json": True}, False),
    ],
)
def test_mock_response_is_taken(run: Run, response: Any, config: dict[str, Any], output: Any) -> None:
    state = {"name": "Ann", "order": {"n": 1}}
    assert run(state, mock=True, prompt="x", mock_response=response, **config).changes["ask_output"] == output


def test_mock_response_is_held_to_the_schema(run: Run) -> None:
    with pytest.raises(NodeFailed, match="'points' is a required property"):
        run(mock=True, prompt="x", response_schema=SUMMARY, mock_response={"topic": "t"})


def test_rate_limit_is_simulated_at_the_first_attempt(run: Run) -> None:
    prompt = "Please {{what}}"
    state = {"what": "SIMULATE_RATE_LIMIT_ERROR"}
    with pytest.raises(ProviderUnavailable, match="simulated rate limit") as failure:
        run(state, mock=True, prompt=prompt)
    assert failure.value.code == "LLM_UNAVAILABLE"
    output = run(state, mock=True, prompt=prompt, attempt=2)
    assert output.changes["ask_output"].startswith("Mock answer to: Please SIMULATE_RATE_LIMIT_ERROR (")


def test_state_of_the_user_hides_the_attempt(run: Run) -> None:
    state = {"context": {"attempt": "mine"}, "attempt_count": "too"}
    output = run(state, mock=True, prompt="x", mock_response="{{context.attempt}} {{attempt_count}}")
    assert output.changes["ask_output"] == "mine too"


def test_whole_state_can_be_sent(run: Run) -> None:
    output = run({"a": [1]}, mock=True, prompt="{{__state_json}}")
    assert output.changes["ask_output"].startswith('Mock answer to: {"a":[1]} (')


@pytest.mark.parametrize("state", [{}, {"text": None}, {"text": "  "}])
def test_prompt_that_comes_out_blank_fails(run: Run, state: dict[str, Any]) -> None:
    with pytest.raises(NodeFailed, match="Node 'ask': the prompt is blank") as failure:
        run(state, mock=True, prompt="{{text}}")
    assert failure.value.code == "FIELD_MISSING"


@pytest.mark.parametrize("talk", [None, [], "hello", {"role": "user"}])
def test_conversation_that_is_none_fails(run: Run, talk: Any) -> None:
    with pytest.raises(NodeFailed, match="Give the node a `prompt_content`") as failure:
        run({"talk": talk}, mock=True, messages="{{talk}}")
    assert failure.value.code == "FIELD_MISSING"


@pytest.mark.parametrize("turn", [5, {"role": "robot", "content": "x"}, {"role": "user"}, {"content": "x"}])
def test_malformed_turn_fails_with_its_place(run: Run, turn: Any) -> None:
    with pytest.raises(NodeFailed, match=r"messages\[1\]") as failure:
        run({"talk": [{"role": "user", "content": "a"}, turn]}, mock=True, messages="{{talk}}")
    assert failure.value.code == "FIELD_VALUE"
