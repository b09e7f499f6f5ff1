"""Calls to the providers, through pydantic-ai.

Keys and addresses are the provider libraries' own environment variables
(``OPENAI_API_KEY``, ``OPENAI_BASE_URL``, ``ANTHROPIC_API_KEY``,
``GOOGLE_API_KEY``, ``AWS_REGION``, …). One call is one attempt: who runs the
node repeats it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from statebag.errors import NodeFailed, ProviderUnavailable, StateBagError
from statebag.nodes.llm._request import LlmAnswer, LlmRequest, Usage

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models import Model, ModelRequestParameters
    from pydantic_ai.settings import ModelSettings

__all__ = ["call_provider"]

_HEARTBEAT_SECONDS: Final = 5.0
_CREDENTIALS: Final = {
    "openai": "OPENAI_API_KEY (and OPENAI_BASE_URL for a server of your own)",
    "anthropic": "ANTHROPIC_API_KEY",
    "google": "GOOGLE_API_KEY",
    "bedrock": "AWS_REGION and AWS credentials, or AWS_BEARER_TOKEN_BEDROCK",
}


def call_provider(request: LlmRequest, *, heartbeat: Callable[[object], None]) -> LlmAnswer:
    """Ask the model once and wait for its answer; to be called from a thread without an event loop.

    Args:
        request: The call.
        heartbeat: Called at the start and every five seconds of the wait, more often under short time limits. What
            it raises ends the call.

    Raises:
        ProviderUnavailable: rate limit, overload, server error, time-out, no connection. ``details`` has
            ``retry_after_seconds`` where the provider says it.
        NodeFailed: ``LLM_FAILED``: the call is refused for good. ``LLM_NOT_INSTALLED``.
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
                _conversation(request),
                model_settings=_settings(request, model),
                model_request_parameters=_parameters(request, model),
            )
    except Exception as error:
        # The provider libraries raise many classes, also of other libraries: each one gets a code here.
        raise _explain(request, error) from error
    return _answer(request, response)


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
            from pydantic_ai.providers.google import GoogleProvider  # noqa: PLC0415

            return GoogleModel(request.model, provider=GoogleProvider())
        case "bedrock":
            from pydantic_ai.models.bedrock import BedrockConverseModel  # noqa: PLC0415
            from pydantic_ai.providers.bedrock import BedrockProvider  # noqa: PLC0415

            return BedrockConverseModel(request.model, provider=BedrockProvider(bedrock_client=_bedrock(request)))


def _bedrock(request: LlmRequest) -> Any:
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    config = Config(read_timeout=request.timeout_seconds, connect_timeout=10, retries={"total_max_attempts": 1})
    make: Any = boto3.client
    return make("bedrock-runtime", config=config)


def _conversation(request: LlmRequest) -> list[ModelMessage]:
    from pydantic_ai.messages import (  # noqa: PLC0415
        ModelRequest,
        ModelResponse,
        SystemPromptPart,
        TextPart,
        UserPromptPart,
    )

    turns: list[ModelMessage] = []
    if request.system_prompt.strip():
        turns.append(ModelRequest(parts=[SystemPromptPart(request.system_prompt)]))
    for message in request.messages:
        match message.role:
            case "assistant":
                turns.append(ModelResponse(parts=[TextPart(message.content)]))
            case "system":
                turns.append(ModelRequest(parts=[SystemPromptPart(message.content)]))
            case "user":
                turns.append(ModelRequest(parts=[UserPromptPart(message.content)]))
    return turns


def _parameters(request: LlmRequest, model: Model[Any]) -> ModelRequestParameters:
    from pydantic_ai.models import ModelRequestParameters  # noqa: PLC0415
    from pydantic_ai.output import OutputObjectDefinition  # noqa: PLC0415

    schema = request.response_schema
    if schema is None:
        return ModelRequestParameters()
    # Providers enforce objects only; any other schema goes into the instructions.
    native = model.profile.get("supports_json_schema_output", False) and schema.get("type") == "object"
    return ModelRequestParameters(
        output_mode="native" if native else "prompted",
        output_object=OutputObjectDefinition(json_schema=dict(schema), name="answer"),
    )


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


def _answer(request: LlmRequest, response: ModelResponse) -> LlmAnswer:
    text = response.text
    reason = response.finish_reason
    if reason in ("content_filter", "error") or (text is None and reason != "stop"):
        remedy = "Raise `max_tokens`." if reason == "length" else "Change the prompt."
        raise request.failed(f"the model gave no usable answer ({reason or 'no reason given'}). {remedy}")
    usage = response.usage
    return LlmAnswer(
        text=text or "",
        usage=Usage(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cached_tokens=usage.cache_read_tokens,
        ),
        thinking=response.thinking,
        finish_reason=None if reason == "stop" else reason,
    )


def _explain(request: LlmRequest, error: Exception) -> StateBagError:
    from pydantic_ai import exceptions  # noqa: PLC0415

    said = (str(error) or type(error).__name__).rstrip(".")
    if isinstance(
        error,
        exceptions.ModelRateLimitError
        | exceptions.ModelUnavailableError
        | exceptions.ModelServerError
        | exceptions.ModelConnectionError
        | exceptions.ModelRequestTimeout,
    ) or (isinstance(error, exceptions.ModelHTTPError) and error.status_code in (408, 409, 425)):
        details: dict[str, Any] = {"node_id": request.node_id, "provider": request.provider, "model": request.model}
        if error.retry_after is not None:
            details["retry_after_seconds"] = error.retry_after
        return ProviderUnavailable(
            f"LLM call of {request.where}: the provider is not available for now: {said}. "
            "The call is repeated as `retry_config` says.",
            details=details,
        )
    match error:
        case exceptions.ModelAuthenticationError() | exceptions.UserError():
            remedy = f"Check the worker's environment: {_CREDENTIALS[request.provider]}."
        case exceptions.ModelNotFoundError():
            remedy = "Check `model` and `provider`."
        case exceptions.ModelQuotaExceededError():
            remedy = "The account's quota is used up: raise it with the provider."
        case exceptions.ModelContextWindowExceededError():
            remedy = "Shorten the prompt or take a model with a larger context."
        case exceptions.ModelRequestRejectedError():
            remedy = "Change the node's config as the provider says."
        case _:
            remedy = f"Check `model`, and the worker's environment: {_CREDENTIALS[request.provider]}."
    return request.failed(f"{said}. {remedy}")
