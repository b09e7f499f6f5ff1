"""What is refused in a node's config, and what it reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from statebag.config import Node
from statebag.nodes import NodeContext
from statebag.nodes.llm import DEFAULT_MODEL, read_config
from statebag.nodes.llm_chat import NODE_TYPES, LlmChat

Check = Callable[..., list[tuple[str, str]]]


def test_plain_prompt_is_enough(check: Check) -> None:
    assert check(prompt="Hi") == []
    assert check(provider="gemini", prompt_content="Hi", cost_policy={}, vision_enabled=False, image_inputs=[]) == []


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({}, ("prompt_content", "FIELD_MISSING")),
        ({"prompt": "  ", "prompt_template": ""}, ("prompt_content", "FIELD_MISSING")),
        ({"prompt": 5}, ("prompt", "FIELD_TYPE")),
        ({"prompt": "x", "system_prompt": ["y"]}, ("system_prompt", "FIELD_TYPE")),
        ({"prompt": "{{ x "}, ("prompt", "TEMPLATE_SYNTAX")),
        ({"prompt": "x", "system_prompt": "{% if %}"}, ("system_prompt", "TEMPLATE_SYNTAX")),
        ({"prompt": "x", "mock_response": {"a": ["{{"]}}, ("mock_response.a[0]", "TEMPLATE_SYNTAX")),
        ({"messages": 5}, ("messages", "FIELD_TYPE")),
        ({"messages": [{"role": "user", "content": "{{"}]}, ("messages[0].content", "TEMPLATE_SYNTAX")),
        ({"prompt": "x", "max_tokens": 0}, ("max_tokens", "FIELD_VALUE")),
        ({"prompt": "x", "max_tokens": 1.5}, ("max_tokens", "FIELD_TYPE")),
        ({"prompt": "x", "max_tokens": True}, ("max_tokens", "FIELD_TYPE")),
        ({"prompt": "x", "llm_config": {"max_tokens": "9"}}, ("llm_config.max_tokens", "FIELD_TYPE")),
        ({"prompt": "x", "temperature": 2.1}, ("temperature", "FIELD_VALUE")),
        ({"prompt": "x", "temperature": "0"}, ("temperature", "FIELD_TYPE")),
        ({"prompt": "x", "thinking_budget_tokens": 0}, ("thinking_budget_tokens", "FIELD_VALUE")),
        ({"prompt": "x", "enable_thinking": "yes"}, ("enable_thinking", "FIELD_TYPE")),
        ({"prompt": "x", "parse_json": 1}, ("parse_json", "FIELD_TYPE")),
        ({"prompt": "x", "output_key": " "}, ("output_key", "FIELD_TYPE")),
        ({"prompt": "x", "writes_state_key": 5}, ("writes_state_key", "FIELD_TYPE")),
        ({"prompt": "x", "response_schema": "object"}, ("response_schema", "FIELD_TYPE")),
        ({"prompt": "x", "response_schema": {"type": "objekt"}}, ("response_schema.type", "SCHEMA_INVALID")),
        ({"prompt": "x", "response_schema": {"$ref": "#/$defs/a"}}, ("response_schema['$ref']", "SCHEMA_INVALID")),
        (
            {"prompt": "x", "response_schema": {"$ref": "http://127.0.0.1/s"}},
            ("response_schema['$ref']", "SCHEMA_INVALID"),
        ),
        (
            {"prompt": "x", "llm_config": {"response_schema": {"type": 5}}},
            ("llm_config.response_schema.type", "SCHEMA_INVALID"),
        ),
        ({"prompt": "x", "llm_config": []}, ("llm_config", "FIELD_TYPE")),
        ({"prompt": "x", "model": 5}, ("model", "FIELD_TYPE")),
        ({"prompt": "x", "llm_config": {"model_id": 5}}, ("llm_config.model_id", "FIELD_TYPE")),
        ({"prompt": "x", "provider": "openai"}, ("model", "FIELD_MISSING")),
        ({"prompt": "x", "provider": "acme", "model": "acme-1"}, ("provider", "FIELD_VALUE")),
        ({"prompt": "x", "image_inputs": [None]}, ("image_inputs[0]", "FIELD_TYPE")),
        ({"prompt": "x", "image_inputs": "{{ a"}, ("image_inputs", "TEMPLATE_SYNTAX")),
        ({"prompt": "x", "video_inputs": ["$"]}, ("video_inputs[0]", "FIELD_VALUE")),
        ({"prompt": "x", "vision_enabled": "{{a}}"}, ("vision_enabled", "FIELD_TYPE")),
        ({"prompt": "x", "vision_enabled": True}, ("vision_enabled", "FIELD_UNKNOWN")),
        ({"prompt": "x", "vision_enabled": True, "image_inputs": []}, ("vision_enabled", "FIELD_UNKNOWN")),
        ({"prompt": "x", "vision_enabled": False, "image_inputs": [5]}, ("image_inputs", "FIELD_UNKNOWN")),
    ],
)
def test_refuses(check: Check, config: dict[str, Any], problem: tuple[str, str]) -> None:
    assert check(**config) == [(f"$.nodes[0].config.{problem[0]}", problem[1])]


def test_all_problems_are_told_at_once(check: Check) -> None:
    found = check(provider="openai", max_tokens=-1, temperature=9, vision_enabled=True)
    assert [path.rsplit(".", 1)[-1] for path, _ in found] == [
        "model",
        "prompt_content",
        "max_tokens",
        "temperature",
        "vision_enabled",
    ]


def test_addresses_are_taken_whoever_the_provider_is(check: Check) -> None:
    addresses = [
        "s3://a/b.png",
        "gs://a/b.png",
        "https://a.example/b.png",
        "data:image/png;base64,AAAA",
        "a.png",
        "{{b}}",
    ]
    for model in ("gpt-5", "claude-opus-4", "gemini-3-pro", "amazon.nova-lite-v1:0"):
        assert check(model=model, prompt="x", vision_enabled=True, image_inputs=addresses, video_inputs="clip") == []


@pytest.mark.parametrize(
    ("config", "provider", "model"),
    [
        ({}, "google", DEFAULT_MODEL),
        ({"provider": "Gemini "}, "google", DEFAULT_MODEL),
        ({"model": "gpt-5"}, "openai", "gpt-5"),
        ({"model": "o3-mini"}, "openai", "o3-mini"),
        ({"model": "claude-opus-4"}, "anthropic", "claude-opus-4"),
        ({"llm_config": {"model_id": "gemini-3-pro"}}, "google", "gemini-3-pro"),
        ({"model": "anthropic.claude-3-haiku-20240307-v1:0"}, "bedrock", "anthropic.claude-3-haiku-20240307-v1:0"),
        ({"model": "eu.amazon.nova-lite-v1:0"}, "bedrock", "eu.amazon.nova-lite-v1:0"),
        ({"provider": "acme", "model": "gpt-5"}, "openai", "gpt-5"),
        ({"provider": "openai", "model": "claude-opus-4"}, "openai", "claude-opus-4"),
        ({"model": "house-model"}, "google", "house-model"),
    ],
)
def test_provider_is_named_or_told_by_the_model(config: dict[str, Any], provider: str, model: str) -> None:
    read = read_config(Node(id="n", type="llm_chat", config=config))
    assert (read.provider, read.model) == (provider, model)


def test_first_prompt_that_is_not_blank_wins() -> None:
    config = {"prompt": "d", "prompt_template": "c", "user_prompt_template": " ", "prompt_content": None}
    assert read_config(Node(id="n", type="llm_chat", config=config)).prompt == "c"


def test_null_counts_as_absent_and_zero_does_not() -> None:
    config = {"temperature": None, "max_tokens": None, "llm_config": {"temperature": 0}, "output_key": None}
    read = read_config(Node(id="n", type="llm_chat", config=config))
    assert (read.temperature, read.max_tokens, read.output_key) == (0, 1024, "n_output")


@pytest.mark.parametrize(
    ("config", "fields"),
    [
        ({"prompt": "Hi"}, frozenset()),
        ({"prompt": "{{a.b}} {{c}}", "system_prompt": "{{d}}", "mock_response": {"x": "{{e}}"}}, frozenset("acde")),
        ({"messages": "{{talk}}"}, frozenset({"talk"})),
        ({}, frozenset({"messages"})),
        ({"prompt": "{{__state_json}}"}, None),
        ({"prompt": "{{a}}", "prompt_template": "{{b}}"}, frozenset("b")),
        (
            {"prompt": "{{a}}", "image_inputs": ["{{b.c}}", "d"], "video_inputs": "https://a.example/b"},
            frozenset("abd"),
        ),
        ({"prompt": "{{a}}", "image_inputs": "{{b}}", "vision_enabled": False}, frozenset("a")),
        ({"prompt": "x", "image_inputs": "{{__state_json}}"}, None),
    ],
)
def test_reads(config: dict[str, Any], fields: frozenset[str] | None) -> None:
    assert LlmChat().reads(Node(id="n", type="llm_chat", config=config)) == fields


def test_is_a_node_type_that_calls_outside() -> None:
    [node_type] = NODE_TYPES
    assert (node_type.name, node_type.outside) == ("llm_chat", True)


def test_messages_of_the_state_are_the_last_resort() -> None:
    class State(dict[str, Any]):
        names = dict[str, Any].__iter__

        def whole(self) -> dict[str, Any]:
            return dict(self)

    state = State(messages=[{"role": "user", "content": "Good day"}])
    context = NodeContext(execution_id="e", segment_id="s", mock=True)
    output = LlmChat().run(Node(id="n", type="llm_chat"), state, context)
    assert output.changes["n_output"].startswith("Mock answer to: Good day (")
