"""From what a model said to what a node writes."""

from __future__ import annotations

import re
from typing import Any

from statebag.canonical import parse_json
from statebag.config.schemas import violation
from statebag.nodes.llm._values import LlmAnswer, LlmRequest

__all__ = ["read_answer"]

_FENCED = re.compile(r"\s*```(?:json)?[^\S\n]*\n(?P<inside>.*?)\n?[^\S\n]*```\s*", re.DOTALL | re.IGNORECASE)


def read_answer(request: LlmRequest, answer: LlmAnswer, *, parse: bool) -> Any:
    """The output of a call: its text, or the value of its JSON.

    Text that must be JSON (``response_schema``, ``parse``) may stand between Markdown fences, which are taken off.

    Args:
        request: What was asked.
        answer: What was said.
        parse: Whether to give the value that the text stands for.

    Raises:
        NodeFailed: the text is not JSON, or not of the schema asked for.
    """
    schema = request.response_schema
    if not parse and schema is None:
        return answer.text
    fenced = _FENCED.fullmatch(answer.text)
    text = fenced["inside"] if fenced else answer.text
    cut = f" It ended early ({answer.finish_reason}): raise `max_tokens`." if answer.finish_reason == "length" else ""
    try:
        value = parse_json(text)
    except ValueError as cause:
        raise request.failed(
            f"the answer must be JSON and is not: {cause}.{cut} "
            f"It begins {text[:80]!r} and has {len(text)} characters. Ask for JSON in the prompt."
        ) from cause
    if schema is not None and (broken := violation(value, schema)):
        raise request.failed(f"the answer breaks `response_schema` {broken}.{cut} Relax the schema or the prompt.")
    return value if parse else text
