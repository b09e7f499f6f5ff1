"""The ``config`` of an ``llm_chat`` node."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from statebag.config import Node
from statebag.config.schemas import check_schema
from statebag.config.templates import check_templates
from statebag.errors import Problem

__all__ = ["DEFAULT_MODEL", "LlmConfig", "Provider", "check_config", "provider_of", "read_config"]

Provider = Literal["google", "bedrock", "openai", "anthropic"]

DEFAULT_MODEL: Final = "gemini-2.0-flash"
"""The model of a node that names none, or none but the provider ``google``. Part of the format: no setting of a worker
changes what a document means."""

_DEFAULT_THINKING_TOKENS: Final = 4096
_PROMPT_KEYS: Final = ("prompt_content", "user_prompt_template", "prompt_template", "prompt")
_OUTPUT_KEYS: Final = ("output_key", "writes_state_key")
_PROVIDERS: Final[Mapping[str, Provider]] = {
    "gemini": "google",
    "google": "google",
    "bedrock": "bedrock",
    "openai": "openai",
    "anthropic": "anthropic",
}
_MODEL_NAMES: Final[tuple[tuple[str, Provider], ...]] = (
    (
        r"arn:aws[\w-]*:bedrock:|([\w-]+\.)?(anthropic|amazon|meta|mistral|cohere|ai21|deepseek|qwen|openai)\.",
        "bedrock",
    ),
    (r"(models/)?(gemini|gemma)", "google"),
    (r"gpt|chatgpt|o\d", "openai"),
    (r"claude", "anthropic"),
)
_MEDIA_KEYS: Final = ("image_inputs", "video_inputs", "vision_enabled")


@dataclass(frozen=True, kw_only=True)
class LlmConfig:
    """A node's ``config`` with its defaults; what are templates in it is not rendered yet."""

    provider: Provider
    model: str
    prompt: str | None
    """The first of the prompt keys that is there and not blank."""
    messages: Any
    """A conversation in place of a prompt: a list, or a template of one."""
    system_prompt: str
    max_tokens: int
    """Most tokens of the answer; what the model thinks is not counted."""
    temperature: float
    response_schema: Mapping[str, Any] | None
    thinking_tokens: int
    """Most tokens of thinking; 0 for a model's own way."""
    parse_json: bool
    output_key: str
    timeout_seconds: float
    mock_response: Any
    """What mock mode answers; None to have something made up."""


def read_config(node: Node, *, output_key: str | None = None, max_tokens: int = 1024) -> LlmConfig:
    """The config of a node that :func:`check_config` finds nothing wrong with.

    Args:
        node: The node.
        output_key: Default of ``output_key``; ``{id}_output`` where omitted.
        max_tokens: Default of ``max_tokens``.
    """
    config = node.config
    provider = provider_of(config)
    return LlmConfig(
        provider=provider or "google",
        model=_model_of(config) or DEFAULT_MODEL,
        prompt=next((config[key] for key in _PROMPT_KEYS if _is_text(config.get(key))), None),
        messages=config.get("messages"),
        system_prompt=config.get("system_prompt") or "",
        max_tokens=_given(config, "max_tokens", max_tokens),
        temperature=_given(config, "temperature", 0.7),
        response_schema=_given(config, "response_schema", None),
        thinking_tokens=_thinking_tokens(config),
        parse_json=bool(config.get("parse_json")),
        output_key=next(
            (config[key] for key in _OUTPUT_KEYS if _is_text(config.get(key))), output_key or f"{node.id}_output"
        ),
        timeout_seconds=_or_default(config.get("timeout_seconds"), 240.0),
        mock_response=config.get("mock_response"),
    )


def check_config(node: Node, path: str, *, media: bool = False, own_prompt: bool = True) -> Iterator[Problem]:
    """Everything wrong with the config of ``node``, whose JSON path is ``path``.

    Args:
        node: The node.
        path: Its JSON path.
        media: Whether its type sends images and videos, and checks them by itself.
        own_prompt: Whether there must be a prompt.

    ``timeout_seconds`` and ``retry_config`` are not among it: all node types have them, and the document's validation
    checks them for all.
    """
    config = node.config
    base = f"{path}.config"
    yield from _check_model(config, base)
    yield from _check_prompt(config, base, needed=own_prompt)
    yield from _check_number(config, base, "max_tokens", low=1, high=10_000_000, whole=True)
    yield from _check_number(config, base, "temperature", low=0, high=2, whole=False)
    yield from _check_number(config, base, "thinking_budget_tokens", low=1, high=10_000_000, whole=True)
    for key in ("enable_thinking", "parse_json"):
        if not isinstance(_or_default(config.get(key), False), bool):
            yield _problem(f"{base}.{key}", "FIELD_TYPE", "must be true or false")
    for key in _OUTPUT_KEYS:
        if config.get(key) is not None and not _is_text(config[key]):
            yield _problem(f"{base}.{key}", "FIELD_TYPE", "must be text that is not blank: the user field to write")
    if (schema := _given(config, "response_schema", None)) is not None:
        at = base if config.get("response_schema") is not None else f"{base}.llm_config"
        if isinstance(schema, dict):
            yield from check_schema(schema, f"{at}.response_schema")
        else:
            yield _problem(f"{at}.response_schema", "FIELD_TYPE", "must be an object: a JSON Schema")
    for key in () if media else _MEDIA_KEYS:
        if config.get(key):
            message = "this node type sends text only. Remove it, or use the type `vision`"
            yield _problem(f"{base}.{key}", "FIELD_VALUE", message)
    yield from check_templates(config.get("mock_response"), f"{base}.mock_response")


def _check_model(config: Mapping[str, Any], base: str) -> Iterator[Problem]:
    if not isinstance(_or_default(config.get("llm_config"), {}), dict):
        yield _problem(f"{base}.llm_config", "FIELD_TYPE", "must be an object")
        return
    for key in ("provider", "model"):
        if config.get(key) is not None and not isinstance(config[key], str):
            yield _problem(f"{base}.{key}", "FIELD_TYPE", "must be text")
            return
    for at, model_id in ((base, config.get("model_id")), (f"{base}.llm_config", _inner(config).get("model_id"))):
        if model_id is not None and not isinstance(model_id, str):
            yield _problem(f"{at}.model_id", "FIELD_TYPE", "must be text")
            return
    provider = provider_of(config)
    if provider is None:
        named = ", ".join(sorted(_PROVIDERS))
        message = f"{config['provider']!r} is not served, and the model's name tells no other. Use one of {named}"
        yield _problem(f"{base}.provider", "FIELD_VALUE", message)
    elif provider != "google" and not _model_of(config):
        yield _problem(f"{base}.model", "FIELD_MISSING", f"the provider {provider} has no default. Name a model")


def _check_prompt(config: Mapping[str, Any], base: str, *, needed: bool) -> Iterator[Problem]:
    for key in (*_PROMPT_KEYS, "system_prompt"):
        if config.get(key) is None:
            continue
        if isinstance(config[key], str):
            yield from check_templates(config[key], f"{base}.{key}")
        else:
            yield _problem(f"{base}.{key}", "FIELD_TYPE", "must be text, with {{ name }} where a field goes in")
    messages = config.get("messages")
    if messages is not None and not isinstance(messages, list | str):
        yield _problem(f"{base}.messages", "FIELD_TYPE", "must be a list of {role, content}, or a template of one")
    yield from check_templates(messages, f"{base}.messages")
    if needed and messages is None and all(not config.get(key) or _is_blank(config[key]) for key in _PROMPT_KEYS):
        message = (
            'there is no prompt. Give one here, or `messages: "{{ messages }}"` to send a conversation from the state'
        )
        yield _problem(f"{base}.prompt_content", "FIELD_MISSING", message)


def _check_number(
    config: Mapping[str, Any], base: str, key: str, *, low: int, high: int, whole: bool
) -> Iterator[Problem]:
    value = _given(config, key, None)
    at = f"{base}.{key}" if config.get(key) is not None else f"{base}.llm_config.{key}"
    wanted = f"must be a {'whole ' if whole else ''}number from {low} to {high}"
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        yield _problem(at, "FIELD_TYPE", wanted)
    elif not low <= value <= high:
        yield _problem(at, "FIELD_VALUE", f"is {value}; {wanted}")


def _problem(path: str, code: str, message: str) -> Problem:
    return Problem(path=path, code=code, message=f"`{path.rsplit('.', 1)[-1]}`: {message}.")


def provider_of(config: Mapping[str, Any]) -> Provider | None:
    """The provider that ``config`` asks for; None where one is named that isn't known and the model's name doesn't tell either."""
    named = str(config.get("provider") or "").strip().lower()
    if named in _PROVIDERS:
        return _PROVIDERS[named]
    model = _model_of(config).lower()
    for pattern, provider in _MODEL_NAMES:
        if re.match(pattern, model):
            return provider
    return None if named else "google"


def _model_of(config: Mapping[str, Any]) -> str:
    return str(config.get("model") or config.get("model_id") or _inner(config).get("model_id") or "").strip()


def _thinking_tokens(config: Mapping[str, Any]) -> int:
    return _given(config, "thinking_budget_tokens", _DEFAULT_THINKING_TOKENS) if config.get("enable_thinking") else 0


def _given(config: Mapping[str, Any], key: str, default: Any) -> Any:
    value = config.get(key)
    return _or_default(_inner(config).get(key) if value is None else value, default)


def _inner(config: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = config.get("llm_config")
    return inner if isinstance(inner, dict) else {}


def _or_default(value: Any, default: Any) -> Any:
    return default if value is None else value


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not _is_blank(value)


def _is_blank(value: Any) -> bool:
    return isinstance(value, str) and not value.strip()
