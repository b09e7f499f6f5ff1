"""Calls over HTTP to a provider on the loopback interface."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from statebag.errors import NodeFailed, ProviderUnavailable
from statebag.nodes import NodeOutput

Run = Callable[..., NodeOutput]
SCHEMA = {
    "type": "object",
    "properties": {"topic": {"type": "string"}, "score": {"type": "number"}},
    "required": ["topic"],
    "additionalProperties": False,
}


def test_writes_text_meta_and_usage(provider: Any, run: Run) -> None:
    provider.says("Lisbon")
    output = run({"land": "Portugal"}, prompt_content="Capital of {{land}}?", output_key="city", label="Ask it")
    usage = {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18, "cached_tokens": 3, "provider": "openai"}
    assert output.changes == {
        "city": "Lisbon",
        "ask_meta": {"model": "small-model", "max_tokens": 1024, "provider": "openai"},
        "usage": usage,
    }
    assert output.logs == (
        {
            "type": "ai_thought",
            "name": "Ask it",
            "node_id": "ask",
            "status": "COMPLETED",
            "usage": usage,
            "content": "Lisbon",
        },
    )
    assert output.step == "ask:llm_call"


def test_sends_what_the_config_says(provider: Any, run: Run) -> None:
    provider.says("ok")
    run(
        {"who": "a pirate"},
        system_prompt="You are {{who}}.",
        prompt="Attempt {{context.attempt}} of {{attempt_count}}",
        temperature=0,
        llm_config={"max_tokens": 33},
        attempt=2,
    )
    [asked] = provider.asked
    assert provider.paths == ["/v1/chat/completions"]
    assert asked["model"] == "small-model"
    assert asked["messages"] == [
        {"role": "system", "content": "You are a pirate."},
        {"role": "user", "content": "Attempt 2 of 2"},
    ]
    assert asked["temperature"] == 0
    assert asked.get("max_completion_tokens", asked.get("max_tokens")) == 33


def test_default_temperature_and_limit_are_sent(provider: Any, run: Run) -> None:
    provider.says("ok")
    run(prompt="hello")
    [asked] = provider.asked
    assert asked["temperature"] == 0.7
    assert asked.get("max_completion_tokens", asked.get("max_tokens")) == 1024


@pytest.mark.parametrize("config", [{"messages": "{{talk}}"}, {"messages": [{"role": "user", "content": "{{n}}"}]}])
def test_sends_a_conversation(provider: Any, run: Run, config: dict[str, Any]) -> None:
    provider.says("ok")
    talk = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": {"a": 1}},
    ]
    run({"talk": talk, "n": 5}, **config)
    sent = [(message["role"], message["content"]) for message in provider.asked[0]["messages"]]
    whole = [("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello."), ("user", '{"a":1}')]
    assert sent == (whole if config["messages"] == "{{talk}}" else [("user", "5")])


def test_structured_answer_is_asked_for_and_kept_as_text(provider: Any, run: Run) -> None:
    provider.says('{"topic": "rivers", "score": 0.5}')
    output = run(prompt="Topic?", response_schema=SCHEMA)
    asked = provider.asked[0]["response_format"]
    assert asked["type"] == "json_schema"
    assert asked["json_schema"]["schema"]["properties"].keys() == {"topic", "score"}
    assert output.changes["ask_output"] == '{"topic": "rivers", "score": 0.5}'


def test_schema_that_providers_do_not_enforce_goes_into_the_instructions(provider: Any, run: Run) -> None:
    provider.says("```json\n[1, 2]\n```")
    schema = {"type": "array", "items": {"type": "integer"}}
    output = run(prompt="Numbers", response_schema=schema, parse_json=True)
    assert provider.asked[0].get("response_format", {}).get("type") != "json_schema"
    assert '"array"' in json.dumps(provider.asked[0]["messages"]).replace("\\", "")
    assert output.changes["ask_output"] == [1, 2]


def test_parsed_json_is_the_output(provider: Any, run: Run) -> None:
    provider.says('{"n": 12345678901234567890}')
    assert run(prompt="x", parse_json=True, writes_state_key="n").changes["n"] == {"n": 12345678901234567890}


def test_broken_json_fails_for_good(provider: Any, run: Run) -> None:
    provider.says('{"n": ')
    with pytest.raises(NodeFailed, match=r"node 'ask' \(openai, model 'small-model'\).*must be JSON") as failure:
        run(prompt="x", parse_json=True)
    assert failure.value.code == "LLM_FAILED"
    assert failure.value.retryable is False


def test_cut_json_names_the_limit(provider: Any, run: Run) -> None:
    provider.says('{"topic": "riv', finish_reason="length")
    with pytest.raises(NodeFailed, match="raise `max_tokens`"):
        run(prompt="x", response_schema=SCHEMA)


def test_answer_against_the_schema_fails_for_good(provider: Any, run: Run) -> None:
    provider.says('{"topic": 5}')
    with pytest.raises(
        NodeFailed, match=r"breaks `response_schema` at \$\.topic: 5 is not of type 'string'"
    ) as failure:
        run(prompt="x", response_schema=SCHEMA)
    assert failure.value.code == "LLM_FAILED"


def test_cut_text_is_kept_and_marked(provider: Any, run: Run) -> None:
    provider.says("Once upon", finish_reason="length")
    output = run(prompt="x")
    assert output.changes["ask_output"] == "Once upon"
    assert output.changes["ask_meta"]["finish_reason"] == "length"


def test_withheld_answer_fails_for_good(provider: Any, run: Run) -> None:
    provider.says(None, finish_reason="content_filter")
    with pytest.raises(NodeFailed, match="content_filter") as failure:
        run(prompt="x")
    assert failure.value.code == "LLM_FAILED"


def test_thinking_is_kept_apart(provider: Any, run: Run) -> None:
    provider.says("42", reasoning_content="Six times seven.")
    output = run(prompt="x", enable_thinking=True, thinking_budget_tokens=100)
    assert output.changes["ask_output"] == "42"
    assert output.changes["ask_thinking"] == "Six times seven."
    asked = provider.asked[0]
    assert asked.get("max_completion_tokens", asked.get("max_tokens")) == 1124


def test_long_answer_is_whole_in_the_state_and_counted_in_the_log(provider: Any, run: Run) -> None:
    provider.says("a" * 2001)
    output = run(prompt="x")
    assert output.changes["ask_output"] == "a" * 2001
    assert "content" not in output.logs[0]
    assert output.logs[0]["content_chars"] == 2001
    assert output.logs[0]["output_key"] == "ask_output"


def test_rate_limit_is_for_now_and_is_asked_once(provider: Any, run: Run) -> None:
    provider.refuses(429, "slow down", code="rate_limit_exceeded", Retry_After="17")
    with pytest.raises(ProviderUnavailable, match=r"node 'ask' \(openai.*slow down") as failure:
        run(prompt="x")
    assert failure.value.code == "LLM_UNAVAILABLE"
    assert failure.value.retryable is True
    assert failure.value.details == {
        "node_id": "ask",
        "provider": "openai",
        "model": "small-model",
        "retry_after_seconds": 17.0,
    }
    assert len(provider.asked) == 1


def test_retry_after_may_be_a_date(provider: Any, run: Run) -> None:
    later = datetime.now(UTC) + timedelta(seconds=90)
    provider.refuses(503, "busy", Retry_After=format_datetime(later, usegmt=True))
    with pytest.raises(ProviderUnavailable) as failure:
        run(prompt="x")
    assert 60 < failure.value.details["retry_after_seconds"] <= 90


@pytest.mark.parametrize("status", [408, 409, 500, 502, 503, 529])
def test_server_errors_are_for_now(provider: Any, run: Run, status: int) -> None:
    provider.refuses(status, "broken")
    with pytest.raises(ProviderUnavailable) as failure:
        run(prompt="x")
    assert "retry_after_seconds" not in failure.value.details
    assert len(provider.asked) == 1


@pytest.mark.parametrize(
    ("status", "code", "remedy"),
    [
        (401, "invalid_api_key", "OPENAI_API_KEY"),
        (400, None, "Change the node's config"),
        (404, "model_not_found", "Check `model` and `provider`"),
        (429, "insufficient_quota", "quota is used up"),
        (400, "context_length_exceeded", "Shorten the prompt"),
    ],
)
def test_refusals_are_final_and_say_what_to_do(
    provider: Any, run: Run, status: int, code: str | None, remedy: str
) -> None:
    provider.refuses(status, "refused by the test", code=code)
    with pytest.raises(NodeFailed, match="refused by the test") as failure:
        run(prompt="x")
    assert failure.value.code == "LLM_FAILED"
    assert remedy in failure.value.message
    assert failure.value.details == {"node_id": "ask", "provider": "openai", "model": "small-model"}
    assert len(provider.asked) == 1


def test_nobody_listening_is_for_now(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-the-test")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    with pytest.raises(ProviderUnavailable):
        run(prompt="x")


def test_unreadable_body_is_final(provider: Any, run: Run) -> None:
    provider.body = b"<html>a proxy's greeting</html>"
    with pytest.raises(NodeFailed) as failure:
        run(prompt="x")
    assert failure.value.code == "LLM_FAILED"


def test_slow_answer_hits_the_limit_with_heartbeats(provider: Any, run: Run) -> None:
    provider.silent = True
    beats: list[Any] = []
    with pytest.raises(ProviderUnavailable, match="timed out"):
        run(prompt="x", timeout_seconds=0.4, heartbeat=beats.append)
    assert len(beats) >= 3
    waited = [beat["waited_seconds"] for beat in beats]
    assert waited == sorted(waited)
    assert {beat["node_id"] for beat in beats} == {"ask"}


def test_what_a_heartbeat_raises_ends_the_call(provider: Any, run: Run) -> None:
    provider.silent = True

    class CanceledError(Exception):
        pass

    beats: list[object] = []

    def beat(detail: object) -> None:
        beats.append(detail)
        if len(beats) == 2:
            raise CanceledError

    with pytest.raises(CanceledError):
        run(prompt="x", timeout_seconds=1, heartbeat=beat)


def test_missing_key_is_final(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(NodeFailed, match="Check the worker's environment: OPENAI_API_KEY") as failure:
        run(prompt="x")
    assert failure.value.code == "LLM_FAILED"


def test_without_the_libraries_the_remedy_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydantic_ai.direct", None)
    with pytest.raises(NodeFailed, match=r"statebag\[llm\]") as failure:
        run(prompt="x")
    assert failure.value.code == "LLM_NOT_INSTALLED"
    assert run(prompt="x", mock=True).changes["ask_output"]


def test_anthropic(anthropic: Any, run: Run) -> None:
    anthropic.body = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-4-5",
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": "s"},
            {"type": "text", "text": "Lisbon"},
        ],
        "usage": {"input_tokens": 5, "output_tokens": 2},
    }
    output = run(
        provider=None,
        model="claude-haiku-4-5",
        prompt="x",
        system_prompt="Be brief.",
        enable_thinking=True,
        thinking_budget_tokens=2000,
    )
    assert output.changes["ask_output"] == "Lisbon"
    assert output.changes["ask_thinking"] == "Hm."
    assert output.changes["ask_meta"]["provider"] == "anthropic"
    [asked] = anthropic.asked
    assert asked["max_tokens"] == 3024
    assert asked["thinking"] == {"type": "enabled", "budget_tokens": 2000}


def test_google(google: Any, run: Run) -> None:
    google.body = {
        "candidates": [
            {
                "content": {"role": "model", "parts": [{"text": '{"topic": "rivers"}'}]},
                "finishReason": "STOP",
                "index": 0,
            }
        ],
        "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7},
        "modelVersion": "gemini-2.0-flash",
        "responseId": "1",
    }
    output = run(provider="gemini", model=None, prompt="x", temperature=0, response_schema=SCHEMA)
    assert output.changes["ask_output"] == '{"topic": "rivers"}'
    assert output.changes["ask_meta"]["model"] == "gemini-2.0-flash"
    [asked] = google.asked
    assert "gemini-2.0-flash" in google.paths[0]
    assert asked["generationConfig"]["temperature"] == 0
    assert asked["generationConfig"]["maxOutputTokens"] == 1024
    assert asked["generationConfig"]["responseMimeType"] == "application/json"


def test_bedrock(bedrock: Any, run: Run) -> None:
    bedrock.body = {
        "output": {"message": {"role": "assistant", "content": [{"text": "COMPLETE"}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 5, "outputTokens": 2, "totalTokens": 7},
        "metrics": {"latencyMs": 1},
    }
    output = run(
        provider=None, model="anthropic.claude-3-haiku-20240307-v1:0", prompt="x", max_tokens=100, temperature=0.0
    )
    assert output.changes["ask_output"] == "COMPLETE"
    assert output.changes["usage"]["provider"] == "bedrock"
    assert bedrock.asked[0]["inferenceConfig"] == {"maxTokens": 100, "temperature": 0.0}


def test_bedrock_throttling_is_asked_once(bedrock: Any, run: Run) -> None:
    bedrock.refuses(429, "too many", x_amzn_errortype="ThrottlingException", Retry_After="3")
    with pytest.raises(ProviderUnavailable) as failure:
        run(provider="bedrock", model="anthropic.claude-3-haiku-20240307-v1:0", prompt="x")
    assert failure.value.details["retry_after_seconds"] == 3
    assert len(bedrock.asked) == 1
