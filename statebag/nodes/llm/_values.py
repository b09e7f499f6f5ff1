"""One call of a model as values: what is asked, what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from statebag.errors import NodeFailed
from statebag.nodes.llm._config import Provider
from statebag.nodes.llm._media import Media

__all__ = ["Exchange", "LlmAnswer", "LlmRequest", "Message", "Role", "Tool", "ToolCall", "ToolReturn", "Usage"]

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, kw_only=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str
    media: tuple[Media, ...] = ()
    """What a user shows besides the text, in this order."""


@dataclass(frozen=True, kw_only=True)
class Tool:
    """What a model may call."""

    name: str
    description: str
    input_schema: Mapping[str, Any]
    """JSON Schema of the arguments, of type ``object``."""


@dataclass(frozen=True, kw_only=True)
class ToolCall:
    """A model's wish to call a tool."""

    call_id: str
    name: str
    arguments: Any
    """A JSON value; the text as it came where that is not JSON."""


@dataclass(frozen=True, kw_only=True)
class ToolReturn:
    """What a tool call gave."""

    call_id: str
    name: str
    content: Any
    """A JSON value; for a call that failed, a text that says how."""
    failed: bool = False


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Tokens of one call, or of several together, as the provider counts them."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    """Part of ``input_tokens`` that came from the provider's cache."""

    @property
    def total_tokens(self) -> int:
        """Both directions together."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
        )

    def to_json(self) -> dict[str, int]:
        """The counts, with their total."""
        return {
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "total_tokens": self.total_tokens,
            "cached_tokens": self.cached_tokens,
        }


@dataclass(frozen=True, kw_only=True)
class LlmAnswer:
    """What a model said."""

    text: str
    usage: Usage
    thinking: str | None = None
    finish_reason: str | None = None
    """Why it ended, where that isn't the usual ``stop``."""
    tool_calls: tuple[ToolCall, ...] = ()
    raw: Any = None
    """The answer in the provider library's JSON form: what goes back when the conversation goes on."""

    def to_json(self) -> dict[str, Any]:
        """The stored form."""
        return {
            "text": self.text,
            "usage": self.usage.to_json(),
            "thinking": self.thinking,
            "finish_reason": self.finish_reason,
            "tool_calls": [
                {"call_id": call.call_id, "name": call.name, "arguments": call.arguments} for call in self.tool_calls
            ],
            "raw": self.raw,
        }

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> LlmAnswer:
        """Read the stored form."""
        usage: Mapping[str, int] = body["usage"]
        return LlmAnswer(
            text=body["text"],
            usage=Usage(
                input_tokens=usage["input_tokens"],
                output_tokens=usage["output_tokens"],
                cached_tokens=usage["cached_tokens"],
            ),
            thinking=body["thinking"],
            finish_reason=body["finish_reason"],
            tool_calls=tuple(ToolCall(**call) for call in body["tool_calls"]),
            raw=body["raw"],
        )


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """A turn of the model that called tools, and what they gave."""

    answer: LlmAnswer
    returns: tuple[ToolReturn, ...]
    """One for each call, in their order."""


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
    tools: tuple[Tool, ...] = ()
    """What the model may call."""
    exchanges: tuple[Exchange, ...] = ()
    """What has followed on ``messages`` so far."""

    @property
    def where(self) -> str:
        """The call as error messages name it."""
        return f"node {self.node_id!r} ({self.provider}, model {self.model!r})"

    def failed(self, message: str) -> NodeFailed:
        """The error for a call that can't succeed."""
        details = {"node_id": self.node_id, "provider": self.provider, "model": self.model}
        return NodeFailed(f"LLM call of {self.where}: {message}", code="LLM_FAILED", details=details)
