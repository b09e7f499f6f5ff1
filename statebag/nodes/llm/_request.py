"""One call of a model: what is asked, what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from statebag.config.templates import render, render_text, text_of
from statebag.errors import NodeFailed
from statebag.nodes._base import NodeContext, Scope
from statebag.nodes.llm._config import LlmConfig, Provider

__all__ = ["LlmAnswer", "LlmRequest", "Message", "Role", "Usage", "VisibleNames", "build_request"]

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, kw_only=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, kw_only=True)
class LlmRequest:
    """A call with everything rendered."""

    node_id: str
    provider: Provider
    model: str
    system_prompt: str
    messages: tuple[Message, ...]
    max_tokens: int
    """Most tokens of the answer itself."""
    temperature: float
    response_schema: Mapping[str, Any] | None = None
    thinking_tokens: int = 0
    """Most tokens of thinking, on top of ``max_tokens``; 0 where none was asked for."""
    timeout_seconds: float = 240.0

    @property
    def where(self) -> str:
        """The call as error messages name it."""
        return f"node {self.node_id!r} ({self.provider}, model {self.model!r})"

    def failed(self, message: str) -> NodeFailed:
        """The error for a call that can't succeed."""
        details = {"node_id": self.node_id, "provider": self.provider, "model": self.model}
        return NodeFailed(f"LLM call of {self.where}: {message}", code="LLM_FAILED", details=details)


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Tokens of one call, as the provider counts them."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    """Part of ``input_tokens`` that came from the provider's cache."""


@dataclass(frozen=True, kw_only=True)
class LlmAnswer:
    """What a model said."""

    text: str
    usage: Usage
    thinking: str | None = None
    finish_reason: str | None = None
    """Why it ended, where that isn't the usual ``stop``."""


class VisibleNames:
    """What the templates of a node see: the user's fields, then ``attempt_count`` and ``context.attempt``."""

    def __init__(self, scope: Scope, context: NodeContext) -> None:
        self._scope = scope
        self._own: Mapping[str, Any] = {"attempt_count": context.attempt, "context": {"attempt": context.attempt}}

    def __contains__(self, name: object) -> bool:
        return name in self._scope or name in self._own

    def __getitem__(self, name: str) -> Any:
        return self._scope[name] if name in self._scope else self._own[name]

    def get(self, name: str) -> Any:
        """The value, or None."""
        try:
            return self[name]
        except KeyError:
            return None

    def whole(self) -> dict[str, Any]:
        return self._scope.whole()


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
