"""From one call of a model to what its node writes and logs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from statebag.config import Node
from statebag.config.templates import render, template_fields
from statebag.nodes._base import NodeContext, NodeOutput, Scope
from statebag.nodes.llm._answer import read_answer
from statebag.nodes.llm._config import LlmConfig
from statebag.nodes.llm._mock import mock_answer
from statebag.nodes.llm._names import VisibleNames
from statebag.nodes.llm._provider import call_provider
from statebag.nodes.llm._values import LlmAnswer, LlmRequest

__all__ = ["answer_once", "ask", "prompt_fields", "tell"]

_LONGEST_TOLD: Final = 2000
"""Characters; of a longer text the log has the length."""


def prompt_fields(config: LlmConfig) -> frozenset[str] | None:
    """User fields that the templates of a call read; None for all of them."""
    fields: set[str] = set()
    for template in (config.prompt, config.system_prompt, config.messages, config.mock_response):
        found = template_fields(template)
        if found is None:
            return None
        fields |= found
    if config.prompt is None and config.messages is None:
        fields.add("messages")
    return frozenset(fields)


def ask(request: LlmRequest, config: LlmConfig, scope: Scope, context: NodeContext) -> LlmAnswer:
    """Ask the provider once, or its stand-in in mock mode.

    Raises:
        ProviderUnavailable: the provider refuses for now.
        NodeFailed: the call is refused for good.
    """
    if not context.mock:
        return call_provider(request, heartbeat=context.heartbeat)
    response = render(config.mock_response, VisibleNames(scope, context))
    return mock_answer(request, attempt=context.attempt, response=response, as_json=config.parse_json)


def answer_once(
    node: Node,
    config: LlmConfig,
    request: LlmRequest,
    scope: Scope,
    context: NodeContext,
    *,
    meta: Mapping[str, Any] | None = None,
) -> NodeOutput:
    """Ask once and write the answer: ``output_key``, ``{id}_meta``, ``usage``, ``{id}_thinking``.

    Args:
        node: The node.
        config: Its config.
        request: What to ask.
        scope: The state.
        context: The run.
        meta: What ``{id}_meta`` says besides the call's own facts.

    Raises:
        ProviderUnavailable: the provider refuses for now.
        NodeFailed: the call is refused for good, or its answer is not what was asked for.
    """
    answer = ask(request, config, scope, context)
    output = read_answer(request, answer, parse=config.parse_json)
    usage: dict[str, Any] = {**answer.usage.to_json(), "provider": request.provider}
    about: dict[str, Any] = {
        "model": request.model,
        "max_tokens": request.max_tokens,
        "provider": request.provider,
        **(meta or {}),
    }
    about |= {"mock": True} if context.mock else {}
    about |= {"finish_reason": answer.finish_reason} if answer.finish_reason else {}
    changes: dict[str, Any] = {config.output_key: output, f"{node.id}_meta": about, "usage": usage}
    changes |= {f"{node.id}_thinking": answer.thinking} if answer.thinking else {}
    told = tell("content", answer.text)
    thought: dict[str, Any] = {
        "type": "ai_thought",
        "name": node.label or node.id,
        "node_id": node.id,
        "status": "COMPLETED",
        "usage": usage,
        **told,
        **({} if "content" in told else {"output_key": config.output_key}),
    }
    return NodeOutput(changes=changes, logs=(thought,), step=f"{node.id}:llm_call")


def tell(name: str, text: str) -> dict[str, Any]:
    """``{name: text}`` for a log entry, or ``{name_chars: length}`` where the text is too long for one."""
    return {name: text} if len(text) <= _LONGEST_TOLD else {f"{name}_chars": len(text)}
