"""The node type ``llm_chat``: one call of a language model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from statebag.config import Node
from statebag.config.templates import render, template_fields
from statebag.errors import Problem
from statebag.nodes._base import NodeContext, NodeOutput, NodeType, Scope
from statebag.nodes.llm import (
    LlmAnswer,
    LlmConfig,
    LlmRequest,
    VisibleNames,
    build_request,
    call_provider,
    check_config,
    mock_answer,
    read_answer,
    read_config,
)

__all__ = ["NODE_TYPES", "LlmChat"]

_LONGEST_LOG = 2000
"""Characters; a longer answer is named in the log, not repeated."""


class LlmChat:
    """Sends a prompt, or a conversation from the state, and writes the answer.

    Writes ``output_key`` (by default ``{id}_output``), ``{id}_meta``, ``usage``
    and, where the model shows it, ``{id}_thinking``. The call is made once:
    repeating it is the engine's part.
    """

    name: ClassVar[str] = "llm_chat"
    outside: ClassVar[bool] = True

    def check(self, node: Node, path: str) -> Iterable[Problem]:
        """Everything wrong with the node's config."""
        return check_config(node, path)

    def reads(self, node: Node) -> frozenset[str] | None:
        """User fields that the node's templates read; None for all of them."""
        config = read_config(node)
        fields: set[str] = set()
        for template in (config.prompt, config.system_prompt, config.messages, config.mock_response):
            found = template_fields(template)
            if found is None:
                return None
            fields |= found
        if config.prompt is None and config.messages is None:
            fields.add("messages")
        return frozenset(fields)

    def run(self, node: Node, scope: Scope, context: NodeContext) -> NodeOutput:
        """Ask once.

        Raises:
            ProviderUnavailable: the provider refuses for now.
            NodeFailed: the call is refused for good, or its answer is not what was asked for.
        """
        config = read_config(node)
        request = build_request(node.id, config, scope, context)
        if context.mock:
            response = render(config.mock_response, VisibleNames(scope, context))
            as_json = config.parse_json
            answer = mock_answer(request, attempt=context.attempt, response=response, as_json=as_json)
        else:
            answer = call_provider(request, heartbeat=context.heartbeat)
        output = read_answer(request, answer, parse=config.parse_json)
        usage = _usage(request, answer)
        meta: dict[str, Any] = {
            "model": request.model,
            "max_tokens": request.max_tokens,
            "provider": request.provider,
        }
        meta |= {"mock": True} if context.mock else {}
        meta |= {"finish_reason": answer.finish_reason} if answer.finish_reason else {}
        changes: dict[str, Any] = {config.output_key: output, f"{node.id}_meta": meta, "usage": usage}
        changes |= {f"{node.id}_thinking": answer.thinking} if answer.thinking else {}
        return NodeOutput(
            changes=changes,
            logs=(_thought(node, config, answer, usage),),
            step=f"{node.id}:llm_call",
        )


def _usage(request: LlmRequest, answer: LlmAnswer) -> dict[str, Any]:
    tokens = answer.usage
    return {
        "input_tokens": tokens.input_tokens,
        "output_tokens": tokens.output_tokens,
        "total_tokens": tokens.input_tokens + tokens.output_tokens,
        "cached_tokens": tokens.cached_tokens,
        "provider": request.provider,
    }


def _thought(node: Node, config: LlmConfig, answer: LlmAnswer, usage: dict[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "type": "ai_thought",
        "name": node.label or node.id,
        "node_id": node.id,
        "status": "COMPLETED",
        "usage": usage,
    }
    if len(answer.text) <= _LONGEST_LOG:
        return entry | {"content": answer.text}
    return entry | {"content_chars": len(answer.text), "output_key": config.output_key}


NODE_TYPES: tuple[NodeType, ...] = (LlmChat(),)
