"""Agents: the loop, its tools, its limits, and what a later try does again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from statebag.config import Node, load_document
from statebag.errors import InputRefused, NodeFailed, Problem, ProviderUnavailable, StateBagError
from statebag.nodes import NodeContext, NodeOutput, NodeRegistry, Scope, builtin_registry, load_registry
from statebag.nodes.react import NODE_TYPES, React
from tests.nodes.loopback import Fields, Provider, openai_answer, openai_call

START = datetime(2030, 1, 1, tzinfo=UTC)
ECHO = {
    "name": "look_up",
    "description": "Looks a word up.",
    "input_schema": {
        "type": "object",
        "properties": {"word": {"type": "string", "minLength": 2}},
        "required": ["word"],
        "additionalProperties": False,
    },
    "bridge_action": {"type": "operator_official", "config": {"strategy": "echo", "input": "{{lang}}:{{args.word}}"}},
}


class KeptSteps:
    """Steps that survive a try, as those of a run do; fails on demand as a store does."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.recalled: list[str] = []

    def recall(self, key: str) -> Any:
        self.recalled.append(key)
        return json.loads(self.kept[key]) if key in self.kept else None

    def keep(self, key: str, value: Any) -> None:
        assert value is not None
        assert key not in self.kept
        self.kept[key] = json.dumps(value)


class Clock:
    """A clock that goes on by ``step`` seconds each time it is read."""

    def __init__(self, step: float = 0.0) -> None:
        self.seconds = 0.0
        self.step = step

    def __call__(self) -> datetime:
        now = START + timedelta(seconds=self.seconds)
        self.seconds += self.step
        return now


class Does:
    """A node type of the test's own."""

    name = "acme"
    outside = True

    def __init__(self, work: Callable[[Node, Scope, NodeContext], NodeOutput]) -> None:
        self._work = work

    def check(self, *_: Any) -> Iterable[Problem]:
        return ()

    def reads(self, *_: Any) -> frozenset[str]:
        return frozenset()

    def run(self, node: Node, scope: Scope, context: NodeContext) -> NodeOutput:
        return self._work(node, scope, context)


ACME = {"name": "acme_tool", "bridge_action": {"type": "acme", "config": {"a": 1}}}


def run(
    state: Mapping[str, Any] | None = None,
    *,
    mock: bool = False,
    attempt: int = 1,
    steps: KeptSteps | None = None,
    now: Callable[[], datetime] = lambda: START,
    beats: list[Any] | None = None,
    types: NodeRegistry | None = None,
    **config: Any,
) -> NodeOutput:
    node = Node(id="agent", type="react", config={"provider": "openai", "model": "small-model"} | config)
    context = NodeContext(
        execution_id="run-1",
        segment_id="seg-1",
        mock=mock,
        attempt=attempt,
        steps=KeptSteps() if steps is None else steps,
        now=now,
        heartbeat=(lambda _: None) if beats is None else beats.append,
        types=types or builtin_registry(),
        inside=("each", "3"),
    )
    if types is None:
        assert list(React().check(node, "$.nodes[0]")) == []
    return React().run(node, Fields({"prompt": "Do it."} if state is None else state), context)


def result_of(output: NodeOutput) -> Any:
    return output.changes["react_result"]


def statuses(output: NodeOutput) -> list[tuple[int, str, str, str]]:
    return [(one["iteration"], one["kind"], one["name"], one["status"]) for one in result_of(output)["steps"]]


def returned(provider: Provider) -> list[tuple[str, str]]:
    """Id and text of each tool result in the last conversation sent; the text of a failure begins with ``error: ``."""
    messages = [message for message in provider.asked[-1]["messages"] if message["role"] == "tool"]
    return [(message["tool_call_id"], _failure_or_text(message["content"])) for message in messages]


def _failure_or_text(content: str) -> str:
    return f"error: {json.loads(content)['error']}" if content.startswith('{"error":') else content


def test_calls_tools_until_the_model_answers(provider: Provider) -> None:
    provider.calls(openai_call("c1", "look_up", {"word": "cat"}), text="Let me see.")
    provider.calls(
        openai_call("c2", "basic_query", {"a": 6, "b": 7, "operation": "multiply"}),
        openai_call("c3", "read_only", {"text": "Tom"}),
    )
    provider.says("42 cats.")
    beats: list[Any] = []
    output = run(
        {"lang": "en", "who": "Ann"},
        prompt="Help {{who}}.",
        system_prompt="Be brief, {{who}} is busy.",
        tools=[ECHO],
        beats=beats,
    )
    usage = {"input_tokens": 33, "output_tokens": 21, "total_tokens": 54, "cached_tokens": 9, "provider": "openai"}
    result = result_of(output)
    assert {key: value for key, value in result.items() if key != "steps"} == {
        "final_answer": "42 cats.",
        "iterations": 3,
        "stop_reason": "end_turn",
        "total_input_tokens": 33,
        "total_output_tokens": 21,
    }
    assert {key: value for key, value in output.changes.items() if key != "react_result"} == {
        "llm_raw_output": "42 cats.",
        "total_tokens": 54,
        "usage": usage,
    }
    assert output.step == "react:end_turn"
    one_turn = {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18, "cached_tokens": 3}
    model = {"type": "react_step", "node_id": "agent", "kind": "model", "name": "small-model", "status": "COMPLETED"}
    model |= {"usage": one_turn, "duration_seconds": 0.0}
    tool = {"type": "react_step", "node_id": "agent", "kind": "tool", "status": "COMPLETED", "duration_seconds": 0.0}
    query = '{"a":6,"b":7,"operation":"multiply"}'
    assert result["steps"] == [
        model | {"iteration": 1, "content": "Let me see.", "tool_calls": ["look_up"]},
        tool | {"iteration": 1, "name": "look_up", "arguments": '{"word":"cat"}', "result": "en:cat"},
        model | {"iteration": 2, "content": "", "tool_calls": ["basic_query", "read_only"]},
        tool | {"iteration": 2, "name": "basic_query", "arguments": query, "result": "42"},
        tool | {"iteration": 2, "name": "read_only", "arguments": '{"text":"Tom"}', "result": "Tom"},
        model | {"iteration": 3, "content": "42 cats."},
    ]
    assert list(output.logs) == result["steps"]
    assert [beat for beat in beats if "type" in beat] == result["steps"]


def test_conversation_on_the_wire(provider: Provider) -> None:
    provider.calls(openai_call("c1", "look_up", {"word": "cat"}), text="Let me see.")
    provider.calls(openai_call("c2", "basic_query", {"a": 1, "b": 2.5, "operation": "subtract"}))
    provider.says("done")
    run({"lang": "en"}, prompt="Help.", system_prompt="Be brief.", tools=[ECHO], temperature=0, max_tokens=77)
    first, second, third = provider.asked
    assert first["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Help."},
    ]
    offered = {tool["function"]["name"]: tool["function"] for tool in first["tools"]}
    assert offered.keys() == {"look_up", "read_only", "basic_query"}
    assert offered["look_up"]["description"] == "Looks a word up."
    assert offered["look_up"]["parameters"]["required"] == ["word"]
    assert (first["temperature"], first.get("max_completion_tokens", first.get("max_tokens"))) == (0, 77)
    called = second["messages"][2]
    assert (called["role"], called["content"]) == ("assistant", "Let me see.")
    [call] = called["tool_calls"]
    assert (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"])) == (
        "c1",
        "look_up",
        {"word": "cat"},
    )
    assert second["messages"][3] == {"role": "tool", "tool_call_id": "c1", "content": "en:cat"}
    assert third["messages"][:4] == second["messages"]
    assert third["messages"][5] == {"role": "tool", "tool_call_id": "c2", "content": "-1.5"}


def test_anthropic_conversation_gives_thoughts_back_and_marks_failures(anthropic: Provider) -> None:
    frame = {"id": "m", "type": "message", "role": "assistant", "model": "claude-haiku-4-5", "stop_sequence": None}
    frame |= {"usage": {"input_tokens": 5, "output_tokens": 2}}
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "signed"}
    uses = [
        {"type": "tool_use", "id": "t1", "name": "read_only", "input": {"text": "a"}},
        {"type": "tool_use", "id": "t2", "name": "no_such", "input": {}},
    ]
    anthropic.script = [{**frame, "stop_reason": "tool_use", "content": [thought, *uses]}]
    anthropic.body = {**frame, "stop_reason": "end_turn", "content": [{"type": "text", "text": "done"}]}
    steps = KeptSteps()
    config: dict[str, Any] = {"provider": "anthropic", "model": "claude-haiku-4-5", "enable_thinking": True}
    output = run(steps=steps, **config)
    assert output.changes["llm_raw_output"] == "done"
    _, said, results = anthropic.asked[1]["messages"]
    assert said["content"][0] == thought
    assert [(part["tool_use_id"], part.get("is_error", False)) for part in results["content"]] == [
        ("t1", False),
        ("t2", True),
    ]
    del steps.kept["each/3/agent/turn/2"]
    run(steps=steps, attempt=2, **config)
    assert anthropic.asked[2]["messages"] == anthropic.asked[1]["messages"]


def test_google_conversation_gives_signatures_back(google: Provider) -> None:
    part = {"functionCall": {"name": "read_only", "args": {"text": "a"}}, "thoughtSignature": "c2lnbmVk"}
    frame = {"usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7}}
    frame |= {"modelVersion": "gemini-3-flash", "responseId": "1"}

    def candidate(*parts: Any) -> Any:
        return {**frame, "candidates": [{"content": {"role": "model", "parts": list(parts)}, "finishReason": "STOP"}]}

    google.script = [candidate(part)]
    google.body = candidate({"text": "done"})
    output = run(provider="google", model="gemini-3-flash")
    assert output.changes["llm_raw_output"] == "done"
    _, said, results = google.asked[1]["contents"]
    assert said["parts"][0]["functionCall"]["args"] == {"text": "a"}
    assert said["parts"][0]["thoughtSignature"] == "c2lnbmVk"
    assert results["parts"][0]["functionResponse"]["name"] == "read_only"


# The prompt.


@pytest.mark.parametrize(
    ("state", "prompt"),
    [
        ({"task_prompt": "First", "prompt": "Second"}, "First"),
        ({"task_prompt": " ", "prompt": "Second"}, "Second"),
        ({"prompt": {"goal": 1}}, '{"goal":1}'),
        ({"prompt": "keep {{ task_prompt }} as it is"}, "keep {{ task_prompt }} as it is"),
    ],
)
def test_state_gives_the_prompt_where_the_config_does_not(provider: Provider, state: Any, prompt: str) -> None:
    provider.says("ok")
    run(state)
    assert provider.asked[0]["messages"] == [{"role": "user", "content": prompt}]


def test_no_prompt_is_an_error_that_names_the_fields(provider: Provider) -> None:
    with pytest.raises(NodeFailed, match="`task_prompt` or `prompt`") as failure:
        run({"other": 1})
    assert failure.value.code == "FIELD_MISSING"
    assert provider.asked == []


def test_disabled_agent_does_nothing(provider: Provider) -> None:
    output = run({}, enabled=False)
    assert (output.changes, output.step) == ({}, "react:disabled")
    assert provider.asked == []


# Tools.


def test_wrong_calls_are_answered_to_the_model_and_counted(provider: Provider) -> None:
    provider.calls(
        openai_call("c1", "look_up", {"word": "x"}),
        openai_call("c2", "look_up", '{"word": '),
        openai_call("c3", "no_such", {}),
        openai_call("c4", "look_up", {"word": "cat"}),
    )
    provider.says("done")
    output = run({"prompt": "x", "lang": "en"}, tools=[ECHO])
    assert [status for *_, status in statuses(output)] == [
        "COMPLETED",
        "REJECTED",
        "REJECTED",
        "REJECTED",
        "COMPLETED",
        "COMPLETED",
    ]
    assert returned(provider) == [
        ("c1", "error: The arguments of 'look_up' break its schema at $.word: 'x' is too short. Call it again."),
        ("c2", "error: The arguments of 'look_up' must be a JSON object."),
        ("c3", "error: There is no tool 'no_such'. Use one of basic_query, look_up, read_only."),
        ("c4", "en:cat"),
    ]
    assert result_of(output)["stop_reason"] == "end_turn"


def test_too_many_wrong_calls_end_the_loop(provider: Provider) -> None:
    for turn in range(3):
        provider.calls(*(openai_call(f"c{turn}{number}", "no_such", {}) for number in range(2)), text=f"Try {turn}.")
    output = run()
    assert result_of(output)["stop_reason"] == "max_rejections"
    assert result_of(output)["iterations"] == 3
    assert result_of(output)["final_answer"] == "Try 2."
    assert [status for _, kind, _, status in statuses(output) if kind == "tool"] == ["REJECTED"] * 5


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (NodeFailed("It is broken."), "NODE_FAILED: It is broken."),
        (ValueError("oh"), "ValueError: oh"),
        (KeyError("oh"), "KeyError: 'oh'"),
    ],
)
def test_final_failure_of_a_tool_is_told_to_the_model(provider: Provider, failure: Exception, told: str) -> None:
    def work(*_: Any) -> NodeOutput:
        raise failure

    provider.calls(openai_call("c1", "acme_tool", {}))
    provider.says("done")
    output = run(tools=[ACME], types=builtin_registry().extend([Does(work)]))
    assert returned(provider) == [("c1", f"error: {told}")]
    [step] = [step for step in result_of(output)["steps"] if step["kind"] == "tool"]
    assert (step["status"], step["error"]) == ("FAILED", told)
    assert result_of(output)["stop_reason"] == "end_turn"


@pytest.mark.parametrize(
    ("changes", "content"),
    [
        ({"acme_tool_result": [1, {"b": None}]}, '[1,{"b":null}]'),
        ({"acme_tool_output": "text", "acme_tool_meta": {"x": 1}, "usage": {"input_tokens": 4}}, "text"),
        ({"a": 1, "b": "two"}, '{"a":1,"b":"two"}'),
        ({"a": None}, "null"),
        ({}, "{}"),
        (
            {"a": "x" * 1_000_001},
            "error: NODE_FAILED: The tool 'acme_tool' gave 1000003 bytes, and 1000000 are the most.",
        ),
        ({"a": float("nan")}, "error: UNSERIALISABLE_FIELD"),
    ],
)
def test_what_a_node_writes_is_the_result_of_its_tool(provider: Provider, changes: Any, content: str) -> None:
    provider.calls(openai_call("c1", "acme_tool", {}))
    provider.says("done")
    output = run(tools=[ACME], types=builtin_registry().extend([Does(lambda *_: NodeOutput(changes=changes))]))
    assert returned(provider)[0][1].startswith(content)
    assert output.changes.keys() == {"react_result", "llm_raw_output", "total_tokens", "usage"}


def test_node_of_a_tool_sees_arguments_before_the_state_and_its_own_place(provider: Provider) -> None:
    seen: list[Any] = []

    def work(node: Node, scope: Scope, context: NodeContext) -> NodeOutput:
        seen.append((node.id, node.config, scope["args"], scope["other"], context.inside, context.seed("x")))
        return NodeOutput(
            changes={"answer": "ok", "usage": {"input_tokens": 100, "output_tokens": 5}},
            logs=({"type": "ai_thought", "node_id": node.id},),
        )

    provider.calls(openai_call("c1", "acme_tool", {"q": 1}), openai_call("c2", "acme_tool", {"q": 2}))
    provider.says("done")
    output = run(
        {"prompt": "x", "args": "the state's", "other": 5},
        tools=[ACME],
        tool_timeout=9,
        types=builtin_registry().extend([Does(work)]),
    )
    assert [one[:5] for one in seen] == [
        ("acme_tool", {"a": 1, "timeout_seconds": 9.0}, {"q": number}, 5, ("each", "3", "agent", "tool", str(number)))
        for number in (1, 2)
    ]
    assert seen[0][5] != seen[1][5]
    assert output.logs[1] == {"type": "ai_thought", "node_id": "acme_tool", "inside": "each/3/agent/tool/1"}
    assert result_of(output)["total_input_tokens"] == 2 * 11 + 2 * 100
    assert output.changes["total_tokens"] == 2 * 18 + 2 * 105
    assert len(result_of(output)["steps"]) == 4


def test_texts_of_the_model_are_not_taken_for_templates(provider: Provider) -> None:
    provider.calls(openai_call("c1", "look_up", {"word": "{{ secret }}"}))
    provider.says("done")
    run({"prompt": "x", "lang": "en", "secret": "hidden"}, tools=[ECHO])
    assert returned(provider) == [("c1", "en:{{ secret }}")]


def test_type_that_this_worker_lacks_is_told_to_the_model(provider: Provider) -> None:
    provider.calls(openai_call("c1", "acme_tool", {}))
    provider.says("done")
    output = run(tools=[ACME], types=builtin_registry())
    assert "needs the node type 'acme'" in returned(provider)[0][1]
    assert result_of(output)["steps"][1]["status"] == "FAILED"


def test_tool_for_mock_mode_alone_is_none_elsewhere(provider: Provider) -> None:
    provider.calls(openai_call("c1", "later", {}))
    provider.says("done")
    run(tools=[{"name": "later", "mock_result": 1}])
    assert "works in mock mode alone" in returned(provider)[0][1]


def test_slow_tool_is_stopped_at_its_heartbeat(provider: Provider) -> None:
    clock = Clock()

    def work(_node: Node, _scope: Scope, context: NodeContext) -> NodeOutput:
        for _ in range(100):
            clock.seconds += 4
            try:
                context.heartbeat("alive")
            except Exception:  # noqa: BLE001
                continue
        raise AssertionError("it was not stopped")

    provider.calls(openai_call("c1", "acme_tool", {}))
    provider.says("done")
    output = run(tools=[ACME], tool_timeout=10, now=clock, types=builtin_registry().extend([Does(work)]))
    [(_, told)] = returned(provider)
    assert told == "error: NODE_FAILED: The tool 'acme_tool' took longer than its 10 seconds (`tool_timeout`)."
    assert result_of(output)["steps"][1]["duration_seconds"] == 12


def test_node_that_gives_up_in_time_is_a_slow_tool_too(provider: Provider) -> None:
    clock = Clock()

    def work(*_: Any) -> NodeOutput:
        clock.seconds += 30
        raise ProviderUnavailable("timed out")

    provider.calls(openai_call("c1", "acme_tool", {}))
    provider.says("done")
    run(tools=[ACME], now=clock, types=builtin_registry().extend([Does(work)]))
    assert "took longer than its 30 seconds" in returned(provider)[0][1]


def test_own_limit_of_a_node_holds_if_it_is_lower(provider: Provider) -> None:
    seen: list[Any] = []

    def work(node: Node, *_: Any) -> NodeOutput:
        seen.append(node.config["timeout_seconds"])
        return NodeOutput()

    tools = [
        {"name": f"t{seconds}", "bridge_action": {"type": "acme", "config": {"timeout_seconds": seconds}}}
        for seconds in (5, 50)
    ]
    provider.calls(openai_call("c1", "t5", {}), openai_call("c2", "t50", {}))
    provider.says("done")
    run(tools=tools, types=builtin_registry().extend([Does(work)]))
    assert seen == [5, 30.0]


def test_long_texts_are_counted_in_the_log_and_whole_for_the_model(provider: Provider) -> None:
    text = "y" * 2001
    provider.calls(openai_call("c1", "read_only", {"text": text}))
    provider.says(text)
    output = run()
    _, tool, last = result_of(output)["steps"]
    assert (tool["result_chars"], tool["arguments_chars"]) == (2001, 2012)
    assert last["content_chars"] == 2001
    assert returned(provider) == [("c1", text)]
    assert result_of(output)["final_answer"] == text


# Limits.


def looping(provider: Provider, turns: int) -> None:
    for turn in range(turns):
        provider.calls(openai_call(f"c{turn}", "read_only", {"text": "again"}), text=f"Turn {turn}.")


def test_most_turns_end_the_loop_without_their_calls(provider: Provider) -> None:
    looping(provider, 20)
    output = run()
    assert result_of(output)["stop_reason"] == "max_iterations"
    assert (result_of(output)["iterations"], len(provider.asked)) == (10, 10)
    assert result_of(output)["final_answer"] == "Turn 9."
    assert [kind for _, kind, *_ in statuses(output)].count("tool") == 9
    assert output.step == "react:max_iterations"


def test_answer_in_the_last_turn_is_an_answer(provider: Provider) -> None:
    looping(provider, 1)
    provider.says("done")
    assert result_of(run(max_iterations=2))["stop_reason"] == "end_turn"


def test_budget_ends_the_loop_after_the_turn_that_passes_it(provider: Provider) -> None:
    looping(provider, 20)
    output = run(token_budget=36)
    assert result_of(output)["stop_reason"] == "budget_exceeded"
    assert (result_of(output)["iterations"], output.changes["total_tokens"]) == (2, 36)


def test_answer_over_the_budget_is_an_answer(provider: Provider) -> None:
    provider.says("done")
    assert result_of(run(token_budget=1))["stop_reason"] == "end_turn"


def test_wall_clock_ends_the_loop_before_the_next_call(provider: Provider) -> None:
    looping(provider, 20)
    output = run(wall_clock_timeout=20, now=Clock(step=1))
    assert result_of(output)["stop_reason"] == "wall_clock_timeout"
    assert 1 < result_of(output)["iterations"] == len(provider.asked) < 10


def test_call_that_outlasts_the_wall_clock_ends_the_loop(provider: Provider) -> None:
    provider.silent = True
    output = run(wall_clock_timeout=3, now=lambda: datetime.now(UTC))
    assert result_of(output)["stop_reason"] == "wall_clock_timeout"
    assert (result_of(output)["final_answer"], result_of(output)["iterations"]) == ("", 0)
    [step] = result_of(output)["steps"]
    assert step["status"] == "FAILED"
    assert "timed out" in step["error"]


@pytest.mark.parametrize(
    ("config", "reason", "remedy"),
    [
        ({"max_iterations": 1}, "max_iterations", "Raise `max_iterations`"),
        ({"token_budget": 5}, "budget_exceeded", "Raise `token_budget`"),
        ({"wall_clock_timeout": 1.5}, "wall_clock_timeout", "Raise `wall_clock_timeout`"),
    ],
)
def test_limit_may_fail_the_node(provider: Provider, config: dict[str, Any], reason: str, remedy: str) -> None:
    looping(provider, 3)
    with pytest.raises(NodeFailed) as failure:
        run(on_limit="fail", now=Clock(step=0.25), **config)
    assert failure.value.code == "REACT_LIMIT"
    assert failure.value.details["stop_reason"] == reason
    assert remedy in failure.value.message


def test_cut_answer_is_marked(provider: Provider) -> None:
    provider.says("Once upon", finish_reason="length")
    assert result_of(run())["finish_reason"] == "length"


# What a later try does again.


def test_later_try_repeats_only_the_call_that_was_going_on(provider: Provider) -> None:
    made: list[str] = []

    def work(_node: Node, scope: Scope, _context: NodeContext) -> NodeOutput:
        word = scope["args"]["word"]
        made.append(word)
        if made.count("b") == 1 and word == "b":
            raise ProviderUnavailable("Not now.")
        return NodeOutput(changes={"found": word.upper()}, logs=({"type": "acme", "node_id": word},))

    turns = [
        [
            openai_call("c1", "acme_tool", {"word": "a"}),
            openai_call("c2", "no_such", {}),
            openai_call("c3", "acme_tool", {"word": "b"}),
        ],
        [openai_call("c4", "acme_tool", {"word": "c"})],
    ]
    config: dict[str, Any] = {"tools": [ACME], "types": builtin_registry().extend([Does(work)])}
    steps, clock = KeptSteps(), Clock(step=1)
    provider.calls(*turns[0])
    with pytest.raises(ProviderUnavailable, match="Not now"):
        run(steps=steps, now=clock, **config)
    assert (made, len(provider.asked)) == (["a", "b"], 1)

    provider.calls(*turns[1])
    provider.refuses(500, "broken")
    provider.status = 500
    with pytest.raises(ProviderUnavailable, match="not available"):
        run(steps=steps, now=clock, attempt=2, **config)
    assert made == ["a", "b", "b"]

    provider.status, provider.script = 200, [openai_answer(None, finish_reason="tool_calls", tool_calls=turns[1])]
    provider.says("done")
    output = run(steps=steps, now=clock, attempt=3, **config)
    assert made == ["a", "b", "b", "c"]
    assert len(provider.asked) == 4
    assert returned(provider)[0] == ("c1", "A")
    assert returned(provider)[2:] == [("c3", "B"), ("c4", "C")]
    assert steps.kept.keys() == {
        f"each/3/agent/{place}" for place in ("start", "turn/1", "tool/1", "tool/3", "turn/2", "tool/4", "turn/3")
    }

    asked = len(provider.asked)
    again = run(steps=steps, now=clock, attempt=4, **config)
    assert again == output
    assert (len(provider.asked), len(made)) == (asked, 4)


def test_conversation_goes_on_with_what_was_kept(provider: Provider) -> None:
    def conversation(*, crash: bool) -> Any:
        steps = KeptSteps()
        provider.calls(openai_call("c1", "read_only", {"text": "a"}), text="First.")
        if crash:
            provider.script.append(b"{}")
            with pytest.raises(StateBagError):
                run(steps=steps)
        provider.says("done")
        run(steps=steps, attempt=2)
        return provider.asked[-1]

    assert conversation(crash=True) == conversation(crash=False)


def test_tokens_and_clock_count_over_all_tries(provider: Provider) -> None:
    steps = KeptSteps()
    looping(provider, 2)
    provider.script.append(b"{}")
    with pytest.raises(StateBagError):
        run(steps=steps, now=Clock())
    looping(provider, 5)
    assert result_of(run(steps=steps, token_budget=54, now=Clock()))["stop_reason"] == "budget_exceeded"
    assert len(provider.asked) == 4
    later = Clock()
    later.seconds = 241
    output = run(steps=steps, now=later)
    assert result_of(output)["stop_reason"] == "wall_clock_timeout"
    assert result_of(output)["iterations"] == 3
    assert len(provider.asked) == 4


def test_answer_that_was_kept_is_not_lost_to_the_clock(provider: Provider) -> None:
    steps, later = KeptSteps(), Clock()
    provider.says("done")
    first = run(steps=steps)
    later.seconds = 10_000
    assert run(steps=steps, now=later, attempt=2) == first


def test_rate_limit_is_for_now_with_the_time_to_wait(provider: Provider) -> None:
    provider.refuses(429, "slow down", code="rate_limit_exceeded", x_ratelimit_reset_tokens="6m0s")
    steps = KeptSteps()
    with pytest.raises(ProviderUnavailable) as failure:
        run(steps=steps)
    assert failure.value.details["retry_after_seconds"] == 360
    assert len(provider.asked) == 1
    assert steps.kept == {}


def test_refused_call_is_final(provider: Provider) -> None:
    provider.refuses(401, "who are you", code="invalid_api_key")
    with pytest.raises(NodeFailed, match="OPENAI_API_KEY") as failure:
        run()
    assert failure.value.code == "LLM_FAILED"


# Mock mode.


def test_mock_calls_each_tool_once_and_answers() -> None:
    second = ECHO | {"name": "count", "bridge_action": {"type": "llm_chat", "config": {"prompt": "{{args.word}}"}}}
    output = run({"prompt": "Find cats.", "lang": "en"}, mock=True, tools=[ECHO, second])
    assert statuses(output) == [
        (1, "model", "small-model", "COMPLETED"),
        (1, "tool", "look_up", "COMPLETED"),
        (1, "tool", "count", "COMPLETED"),
        (2, "model", "small-model", "COMPLETED"),
    ]
    looked, counted = result_of(output)["steps"][1:3]
    word = json.loads(looked["arguments"])["word"]
    assert looked["result"] == f"en:{word}"
    assert counted["result"].startswith(f"Mock answer to: {json.loads(counted['arguments'])['word']} (")
    assert result_of(output)["final_answer"].startswith("Mock answer to: Find cats. (")
    assert output.changes["total_tokens"] > 0


def test_mock_is_the_same_in_every_run() -> None:
    def outcome(prompt: str, attempt: int) -> Any:
        return run({"prompt": prompt, "lang": "en"}, mock=True, attempt=attempt, tools=[ECHO]).changes

    assert outcome("a", 1) == outcome("a", 2)
    assert outcome("a", 1) != outcome("b", 1)


def test_mock_without_tools_tries_the_built_in_ones() -> None:
    output = run(mock=True)
    assert [name for _, kind, name, status in statuses(output) if (kind, status) == ("tool", "COMPLETED")] == [
        "read_only",
        "basic_query",
    ]


def test_mock_results_and_answers_can_be_given() -> None:
    tool = ECHO | {"bridge_action": None, "mock_result": {"found": "{{args.word}}", "in": "{{lang}}"}}
    output = run({"prompt": "x", "lang": "en"}, mock=True, tools=[tool], mock_response="Found it in {{lang}}.")
    called = result_of(output)["steps"][1]
    word = json.loads(called["arguments"])["word"]
    assert json.loads(called["result"]) == {"found": word, "in": "en"}
    assert result_of(output)["final_answer"] == "Found it in en."


def test_mock_meets_a_simulated_rate_limit_once() -> None:
    steps = KeptSteps()
    with pytest.raises(ProviderUnavailable):
        run({"prompt": "SIMULATE_RATE_LIMIT_ERROR"}, mock=True, steps=steps)
    output = run({"prompt": "SIMULATE_RATE_LIMIT_ERROR"}, mock=True, steps=steps, attempt=2)
    assert result_of(output)["stop_reason"] == "end_turn"


def test_mock_needs_a_schema_that_something_satisfies() -> None:
    schema = {"type": "object", "properties": {"a": False}, "required": ["a"]}
    with pytest.raises(NodeFailed, match="no arguments for the tool 'look_up'"):
        run({"prompt": "x", "lang": "en"}, mock=True, tools=[ECHO | {"input_schema": schema}])


# The config.


def check(**config: Any) -> list[tuple[str, str]]:
    problems = React().check(Node(id="agent", type="react", config=config), "$.nodes[0]")
    return [(problem.path.removeprefix("$.nodes[0].config."), problem.code) for problem in problems]


def tool(**fields: Any) -> list[dict[str, Any]]:
    return [ECHO | fields]


@pytest.mark.parametrize(
    ("config", "problems"),
    [
        ({}, []),
        (
            {
                "enabled": True,
                "max_iterations": 50,
                "token_budget": 500000,
                "ring_level": 2,
                "wall_clock_timeout": 240,
                "tool_timeout": 0.5,
                "model_id": "gpt-5",
                "tools": [ECHO],
            },
            [],
        ),
        ({"enabled": "no"}, [("enabled", "FIELD_TYPE")]),
        ({"max_iterations": 51}, [("max_iterations", "FIELD_VALUE")]),
        ({"max_iterations": 0}, [("max_iterations", "FIELD_VALUE")]),
        ({"max_iterations": True}, [("max_iterations", "FIELD_TYPE")]),
        ({"token_budget": 1.5}, [("token_budget", "FIELD_TYPE")]),
        ({"ring_level": 4}, [("ring_level", "FIELD_VALUE")]),
        ({"max_rejections": 0}, [("max_rejections", "FIELD_VALUE")]),
        ({"wall_clock_timeout": 0}, [("wall_clock_timeout", "FIELD_VALUE")]),
        ({"tool_timeout": "30"}, [("tool_timeout", "FIELD_TYPE")]),
        ({"on_limit": "ignore"}, [("on_limit", "FIELD_VALUE")]),
        ({"prompt": "{{ x"}, [("prompt", "TEMPLATE_SYNTAX")]),
        ({"model_id": 5}, [("model_id", "FIELD_TYPE")]),
        ({"provider": "acme", "model": "acme-1"}, [("provider", "FIELD_VALUE")]),
        ({"image_inputs": ["x"]}, [("image_inputs", "FIELD_VALUE")]),
        ({"parse_json": True}, [("parse_json", "FIELD_VALUE")]),
        ({"tools": {}}, [("tools", "FIELD_TYPE")]),
        ({"tools": ["look_up"]}, [("tools[0]", "FIELD_TYPE")]),
        ({"tools": tool(name="look up")}, [("tools[0].name", "FIELD_VALUE")]),
        ({"tools": tool(name="read_only")}, [("tools[0].name", "FIELD_VALUE")]),
        ({"tools": [ECHO, ECHO]}, [("tools[1].name", "FIELD_VALUE")]),
        ({"tools": tool(description=5)}, [("tools[0].description", "FIELD_TYPE")]),
        ({"tools": tool(input_schema=[])}, [("tools[0].input_schema", "FIELD_TYPE")]),
        ({"tools": tool(input_schema={"type": "string"})}, [("tools[0].input_schema.type", "FIELD_VALUE")]),
        ({"tools": tool(input_schema={"type": "objekt"})}, [("tools[0].input_schema.type", "SCHEMA_INVALID")]),
        ({"tools": tool(input_schema=None)}, []),
        ({"tools": tool(bridge_action=None)}, [("tools[0].bridge_action", "FIELD_MISSING")]),
        ({"tools": tool(bridge_action=None, mock_result="x")}, []),
        ({"tools": tool(mock_result="{{ x")}, [("tools[0].mock_result", "TEMPLATE_SYNTAX")]),
        ({"tools": tool(bridge_action="echo")}, [("tools[0].bridge_action", "FIELD_TYPE")]),
        (
            {"tools": tool(bridge_action={"type": "operator", "config": 5})},
            [("tools[0].bridge_action.config", "FIELD_TYPE")],
        ),
        ({"tools": tool(bridge_action={"type": "acme"})}, [("tools[0].bridge_action.type", "NODE_TYPE_UNKNOWN")]),
        ({"tools": tool(bridge_action={"type": "Code", "config": {"sets": {"a": 1}}})}, []),
        (
            {"tools": tool(bridge_action={"type": "operator_official", "config": {"strategy": "no_such"}})},
            [("tools[0].bridge_action.config.strategy", "STRATEGY_UNKNOWN")],
        ),
    ],
)
def test_check(config: dict[str, Any], problems: list[tuple[str, str]]) -> None:
    assert check(**config) == problems


def test_nodes_that_hold_or_choose_others_are_no_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    class Holds(Does):
        body_keys = frozenset[str]()

        def find_bodies(self, *_: Any) -> Any:
            return (), False

    class Chooses(Does):
        def targets(self, *_: Any) -> list[str]:
            return []

    for kind in (Holds, Chooses):
        registry = builtin_registry().extend([kind(lambda *_: NodeOutput())])
        monkeypatch.setattr("statebag.nodes.agent._tools.load_registry", lambda registry=registry: registry)
        assert check(tools=[ACME]) == [("tools[0].bridge_action.type", "FIELD_VALUE")]


@pytest.mark.parametrize(
    ("config", "fields"),
    [
        ({}, frozenset({"task_prompt", "prompt"})),
        ({"prompt": "{{a}}", "system_prompt": "{{b}}"}, frozenset("ab")),
        ({"tools": [{"name": "x", "mock_result": "{{c}}"}], "prompt": "x"}, frozenset("c")),
        ({"tools": [ECHO]}, None),
        ({"prompt": "{{__state_json}}"}, None),
    ],
)
def test_reads(config: dict[str, Any], fields: frozenset[str] | None) -> None:
    assert React().reads(Node(id="agent", type="react", config=config)) == fields


@pytest.mark.parametrize("name", ["react", "Agent", "react_executor"])
def test_is_a_node_type_of_documents(name: str) -> None:
    [node_type] = NODE_TYPES
    assert (node_type.name, node_type.outside) == ("react", True)
    document = {"nodes": [{"id": "a", "type": name, "config": {"tools": [ECHO]}}], "edges": []}
    assert load_document(document, load_registry()).document.nodes[0].type == "react"
    document["nodes"] = [{"id": "a", "type": name, "config": {"max_iterations": 99}}]
    with pytest.raises(InputRefused, match="max_iterations"):
        load_document(document, load_registry())
