"""Calls to language models, and their local stand-in."""

from statebag.nodes.llm._answer import read_answer
from statebag.nodes.llm._config import DEFAULT_MODEL, LlmConfig, check_config, read_config
from statebag.nodes.llm._example import example_of
from statebag.nodes.llm._mock import RATE_LIMIT_TEXT, mock_answer
from statebag.nodes.llm._provider import call_provider
from statebag.nodes.llm._request import LlmAnswer, LlmRequest, Message, Usage, VisibleNames, build_request

__all__ = [
    "DEFAULT_MODEL",
    "RATE_LIMIT_TEXT",
    "LlmAnswer",
    "LlmConfig",
    "LlmRequest",
    "Message",
    "Usage",
    "VisibleNames",
    "build_request",
    "call_provider",
    "check_config",
    "example_of",
    "mock_answer",
    "read_answer",
    "read_config",
]
