"""Calls to the providers, through pydantic-ai.

Keys and addresses are the provider libraries' own environment variables
(``OPENAI_API_KEY``, ``OPENAI_BASE_URL``, ``ANTHROPIC_API_KEY``,
``GOOGLE_API_KEY``, ``AWS_REGION``, …). One call is one attempt: who runs the
node repeats it.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from statebag.errors import NodeFailed, StateBagError
from statebag.nodes.llm._failures import explain
from statebag.nodes.llm._messages import answer_of, conversation_of, parameters_of
from statebag.nodes.llm._values import LlmAnswer, LlmRequest

if TYPE_CHECKING:
    from pydantic_ai.models import Model
    from pydantic_ai.providers import Provider
    from pydantic_ai.settings import ModelSettings

__all__ = ["call_provider"]

_HEARTBEAT_SECONDS: Final = 5.0


def call_provider(request: LlmRequest, *, heartbeat: Callable[[object], None]) -> LlmAnswer:
    """Ask the model once and wait for its answer; to be called from a thread without an event loop.

    Args:
        request: The call.
        heartbeat: Called at the start and every five seconds of the wait, more often under short time limits. What
            it raises ends the call.

    Raises:
        ProviderUnavailable: rate limit, overload, server error, time-out, no connection. ``details`` has
            ``retry_after_seconds`` where the provider says it.
        NodeFailed: ``LLM_FAILED``: the call is refused for good. ``LLM_NOT_INSTALLED``. ``VISION_MEDIA_REFUSED``: the
            provider, as this worker reaches it, doesn't fetch such an address.
    """
    try:
        import pydantic_ai.direct  # noqa: PLC0415, F401 # pyright: ignore[reportUnusedImport]
    except ImportError as cause:
        raise NodeFailed(
            f"LLM call of {request.where}: the provider libraries are not installed. "
            "Install `statebag[llm]`, or run in mock mode.",
            code="LLM_NOT_INSTALLED",
        ) from cause
    return asyncio.run(_ask_and_beat(request, heartbeat))


async def _ask_and_beat(request: LlmRequest, heartbeat: Callable[[object], None]) -> LlmAnswer:
    call = asyncio.ensure_future(_ask(request))
    started = time.monotonic()
    pause = min(_HEARTBEAT_SECONDS, request.timeout_seconds / 4)
    try:
        while not call.done():
            heartbeat({"node_id": request.node_id, "waited_seconds": round(time.monotonic() - started, 1)})
            await asyncio.wait({call}, timeout=pause)
        return call.result()
    finally:
        call.cancel()
        await asyncio.wait({call}, timeout=pause)


async def _ask(request: LlmRequest) -> LlmAnswer:
    from pydantic_ai.direct import model_request  # noqa: PLC0415

    try:
        async with _model(request) as model:
            response = await model_request(
                model,
                conversation_of(request, model),
                model_settings=_settings(request, model),
                model_request_parameters=parameters_of(request, model),
            )
    except StateBagError:
        raise
    except Exception as error:
        # The provider libraries raise many classes, also of other libraries: each one gets a code here.
        raise explain(request, error) from error
    return answer_of(request, response)


def _model(request: LlmRequest) -> Model[Any]:
    # Each provider's library is heavy: only the one asked for is loaded.
    match request.provider:
        case "openai":
            from pydantic_ai.models.openai import OpenAIChatModel  # noqa: PLC0415
            from pydantic_ai.providers.openai import OpenAIProvider  # noqa: PLC0415

            # The chat API rather than OpenAI's newer one, since it is what compatible servers speak.
            return OpenAIChatModel(request.model, provider=OpenAIProvider())
        case "anthropic":
            from pydantic_ai.models.anthropic import AnthropicModel  # noqa: PLC0415
            from pydantic_ai.providers.anthropic import AnthropicProvider  # noqa: PLC0415

            return AnthropicModel(request.model, provider=AnthropicProvider())
        case "google":
            from pydantic_ai.models.google import GoogleModel  # noqa: PLC0415

            return GoogleModel(request.model, provider=_google())
        case "bedrock":
            from pydantic_ai.models.bedrock import BedrockConverseModel  # noqa: PLC0415
            from pydantic_ai.providers.bedrock import BedrockProvider  # noqa: PLC0415

            return BedrockConverseModel(request.model, provider=BedrockProvider(bedrock_client=_bedrock(request)))


def _google() -> Provider[Any]:
    # Google's own library reads these, too.
    for name in ("GOOGLE_GENAI_USE_ENTERPRISE", "GOOGLE_GENAI_USE_VERTEXAI"):
        if os.environ.get(name, "").lower() in ("true", "1"):
            from pydantic_ai.providers.google_cloud import GoogleCloudProvider  # noqa: PLC0415

            return GoogleCloudProvider()
    from pydantic_ai.providers.google import GoogleProvider  # noqa: PLC0415

    return GoogleProvider()


def _bedrock(request: LlmRequest) -> Any:
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    config = Config(read_timeout=request.timeout_seconds, connect_timeout=10, retries={"total_max_attempts": 1})
    make: Any = boto3.client
    return make("bedrock-runtime", config=config)


def _settings(request: LlmRequest, model: Model[Any]) -> ModelSettings:
    settings: dict[str, Any] = {
        # Providers count thinking into their limit.
        "max_tokens": request.max_tokens + request.thinking_tokens,
        "temperature": request.temperature,
        "request_timeout": request.timeout_seconds,
    }
    if request.provider != "bedrock":
        settings |= {"timeout": request.timeout_seconds, "max_retries": 0}
    if request.thinking_tokens:
        settings |= _thinking(request, model)
    result: Any = settings
    return result


def _thinking(request: LlmRequest, model: Model[Any]) -> dict[str, Any]:
    budget = request.thinking_tokens
    profile: Any = model.profile
    if request.provider == "google":
        return {"google_thinking_config": {"include_thoughts": True, "thinking_budget": budget}}
    if request.provider == "anthropic" and not profile.get("anthropic_disallows_budget_thinking", False):
        # Anthropic refuses any temperature but 1 while the model thinks.
        return {"anthropic_thinking": {"type": "enabled", "budget_tokens": budget}, "temperature": 1.0}
    if request.provider == "bedrock" and "anthropic." in request.model:
        thinking = {"type": "enabled", "budget_tokens": budget}
        return {"bedrock_additional_model_requests_fields": {"thinking": thinking}, "temperature": 1.0}
    return {"thinking": True}
