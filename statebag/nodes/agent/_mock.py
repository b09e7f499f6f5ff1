"""A model that calls each tool once and then answers, for mock mode."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from statebag.canonical import canonical_bytes, size_of
from statebag.errors import NodeFailed
from statebag.nodes.llm import LlmAnswer, LlmRequest, Tool, ToolCall, example_of

__all__ = ["call_each"]

_BYTES_PER_TOKEN = 4


def call_each(request: LlmRequest, answer: LlmAnswer, tools: Sequence[Tool]) -> LlmAnswer:
    """``answer`` as the first turn of an agent: with a call of each of ``tools`` in place of its text.

    The arguments are made from the tools' schemas, the same for the same prompt on every machine.

    Raises:
        NodeFailed: ``LLM_FAILED``: nothing satisfies a schema.
    """
    calls = tuple(
        ToolCall(call_id=f"call_{number}", name=tool.name, arguments=_arguments(request, tool))
        for number, tool in enumerate(tools, start=1)
    )
    tokens = sum(-(-size_of(call.arguments) // _BYTES_PER_TOKEN) for call in calls)
    return replace(answer, text="", tool_calls=calls, usage=replace(answer.usage, output_tokens=tokens))


def _arguments(request: LlmRequest, tool: Tool) -> object:
    turns = [[message.role, message.content] for message in request.messages]
    question = [request.model, request.system_prompt, turns, tool.name, dict(tool.input_schema)]
    try:
        return example_of(dict(tool.input_schema), hashlib.sha256(canonical_bytes(question)).digest())
    except NodeFailed as cause:
        raise request.failed(f"mock mode has no arguments for the tool {tool.name!r}. {cause.message}") from cause
