"""From a node's config and the state to a call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast, get_args

from statebag.config.templates import render, render_text, text_of
from statebag.errors import NodeFailed
from statebag.nodes._base import NodeContext, Scope
from statebag.nodes.llm._config import LlmConfig
from statebag.nodes.llm._media import Media
from statebag.nodes.llm._names import VisibleNames
from statebag.nodes.llm._values import LlmRequest, Message, Role

__all__ = ["build_request", "show_media"]


def build_request(node_id: str, config: LlmConfig, scope: Scope, context: NodeContext) -> LlmRequest:
    """Render the templates of ``config``.

    Raises:
        NodeFailed: ``FIELD_MISSING``: nothing is left to ask.
    """
    names = VisibleNames(scope, context)
    return LlmRequest(
        node_id=node_id,
        provider=config.provider,
        model=config.model,
        system_prompt=render_text(config.system_prompt, names),
        messages=_messages(node_id, config, names),
        max_tokens=config.max_tokens,
        temperature=config.temperature,
        response_schema=config.response_schema,
        thinking_tokens=config.thinking_tokens,
        timeout_seconds=config.timeout_seconds,
    )


def show_media(request: LlmRequest, media: Sequence[Media]) -> LlmRequest:
    """``request`` with ``media`` beside the last thing that the user says.

    Raises:
        NodeFailed: ``FIELD_VALUE``: the conversation does not end with the user.
    """
    *before, last = request.messages
    if last.role != "user":
        raise NodeFailed(
            f"Node {request.node_id!r}: `messages` must end with the user, who shows the images and videos. "
            "Give the node a `prompt_content`.",
            code="FIELD_VALUE",
        )
    return replace(request, messages=(*before, replace(last, media=tuple(media))))


def _messages(node_id: str, config: LlmConfig, names: VisibleNames) -> tuple[Message, ...]:
    if config.prompt is not None:
        text = render_text(config.prompt, names)
        if not text.strip():
            raise NodeFailed(
                f"Node {node_id!r}: the prompt is blank once its templates are filled in. "
                "Check that the fields it names are in the state.",
                code="FIELD_MISSING",
            )
        return (Message(role="user", content=text),)
    turns = names.get("messages") if config.messages is None else render(config.messages, names)
    if not isinstance(turns, list) or not turns:
        raise NodeFailed(
            f"Node {node_id!r}: there is neither a prompt nor a list `messages` of {{role, content}}. "
            "Give the node a `prompt_content`.",
            code="FIELD_MISSING",
        )
    return tuple(_message(node_id, index, turn) for index, turn in enumerate(cast("list[Any]", turns)))


def _message(node_id: str, index: int, turn: Any) -> Message:
    fields: Mapping[str, Any] = turn if isinstance(turn, dict) else {}
    role = fields.get("role")
    content = fields.get("content")
    if role not in get_args(Role) or content is None:
        raise NodeFailed(
            f"Node {node_id!r}: messages[{index}] must have a `role` ({', '.join(get_args(Role))}) and a `content`.",
            code="FIELD_VALUE",
        )
    return Message(role=cast("Role", role), content=text_of(content))
