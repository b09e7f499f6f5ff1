"""Calls to language models, and their local stand-in."""

from statebag.nodes.llm._allow import MediaAllow, parse_media_allow, read_media_allow
from statebag.nodes.llm._answer import read_answer
from statebag.nodes.llm._config import DEFAULT_MODEL, LlmConfig, Provider, check_config, provider_of, read_config
from statebag.nodes.llm._example import example_of
from statebag.nodes.llm._media import MAX_INLINE_BYTES, MAX_MEDIA, Media, check_media, names_media
from statebag.nodes.llm._mock import RATE_LIMIT_TEXT, mock_answer
from statebag.nodes.llm._names import VisibleNames
from statebag.nodes.llm._output import answer_once, ask, prompt_fields, tell
from statebag.nodes.llm._provider import call_provider
from statebag.nodes.llm._request import build_request
from statebag.nodes.llm._shown import answer_shown, shown_fields
from statebag.nodes.llm._values import (
    Exchange,
    LlmAnswer,
    LlmRequest,
    Message,
    Tool,
    ToolCall,
    ToolReturn,
    Usage,
)

__all__ = [
    "DEFAULT_MODEL",
    "MAX_INLINE_BYTES",
    "MAX_MEDIA",
    "RATE_LIMIT_TEXT",
    "Exchange",
    "LlmAnswer",
    "LlmConfig",
    "LlmRequest",
    "Media",
    "MediaAllow",
    "Message",
    "Provider",
    "Tool",
    "ToolCall",
    "ToolReturn",
    "Usage",
    "VisibleNames",
    "answer_once",
    "answer_shown",
    "ask",
    "build_request",
    "call_provider",
    "check_config",
    "check_media",
    "example_of",
    "mock_answer",
    "names_media",
    "parse_media_allow",
    "prompt_fields",
    "provider_of",
    "read_answer",
    "read_config",
    "read_media_allow",
    "shown_fields",
    "tell",
]
