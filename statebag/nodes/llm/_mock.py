"""Answers without a model: the same for the same question, on every machine."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from statebag.canonical import canonical_bytes
from statebag.config.templates import text_of
from statebag.errors import NodeFailed, ProviderUnavailable
from statebag.nodes.llm._example import example_of
from statebag.nodes.llm._text import plain_words
from statebag.nodes.llm._values import LlmAnswer, LlmRequest, Usage

__all__ = ["RATE_LIMIT_TEXT", "mock_answer"]

RATE_LIMIT_TEXT: Final = "SIMULATE_RATE_LIMIT_ERROR"
"""A prompt with this text meets a rate limit in mock mode, at the first attempt only, so that a retry can be watched."""

_SHOWN_WORDS = 12
_CHARACTERS_PER_TOKEN = 4


def mock_answer(request: LlmRequest, *, attempt: int, response: Any = None, as_json: bool = False) -> LlmAnswer:
    """Answer ``request`` locally.

    Args:
        request: The call.
        attempt: 1-based try.
        response: What to answer, where the document says so: text, or any JSON.
        as_json: Whether the answer must be JSON even without a schema.

    Raises:
        ProviderUnavailable: the prompt asks for it, see :data:`RATE_LIMIT_TEXT`.
        NodeFailed: nothing satisfies the request's schema.
    """
    prompts = [request.system_prompt, *(message.content for message in request.messages)]
    if attempt == 1 and any(RATE_LIMIT_TEXT in prompt for prompt in prompts):
        raise ProviderUnavailable(
            f"LLM call of {request.where}: simulated rate limit, since the prompt contains {RATE_LIMIT_TEXT}. "
            "The next attempt succeeds."
        )
    text = _made_up(request, as_json=as_json) if response is None else text_of(response)
    usage = Usage(input_tokens=sum(map(_tokens, prompts)), output_tokens=_tokens(text))
    return LlmAnswer(text=text, usage=usage)


def _made_up(request: LlmRequest, *, as_json: bool) -> str:
    turns = [[message.role, message.content] for message in request.messages]
    question: list[Any] = [request.model, request.system_prompt, turns, request.response_schema]
    if media := [one.url for message in request.messages for one in message.media]:
        question.append(media)
    seed = hashlib.sha256(canonical_bytes(question)).digest()
    if request.response_schema is not None:
        try:
            return _json(example_of(request.response_schema, seed))
        except NodeFailed as cause:
            raise request.failed(f"mock mode has no answer for `response_schema`. {cause.message}") from cause
    asked = request.messages[-1].content.split()
    shown = " ".join(asked[:_SHOWN_WORDS]) + (" …" if len(asked) > _SHOWN_WORDS else "")
    code = plain_words(lambda place, count: _number(seed, place) % count, "word", 3)
    text = f"Mock answer to: {shown} ({code})"
    return _json({"mock_answer": text}) if as_json else text


def _json(value: Any) -> str:
    return canonical_bytes(value).decode()


def _number(seed: bytes, place: str) -> int:
    return int.from_bytes(hashlib.sha256(seed + place.encode()).digest()[:8], "big")


def _tokens(text: str) -> int:
    return -(-len(text) // _CHARACTERS_PER_TOKEN)
