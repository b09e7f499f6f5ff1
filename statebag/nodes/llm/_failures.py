"""What a provider's refusal means: for now, or for good; and how long to wait."""

from __future__ import annotations

from typing import Any, Final

from statebag.errors import ProviderUnavailable, StateBagError
from statebag.nodes.llm._rate_limits import wait_of
from statebag.nodes.llm._values import LlmRequest

__all__ = ["explain"]

_CREDENTIALS: Final = {
    "openai": "OPENAI_API_KEY (and OPENAI_BASE_URL for a server of your own)",
    "anthropic": "ANTHROPIC_API_KEY",
    "google": "GOOGLE_API_KEY (or GOOGLE_GENAI_USE_VERTEXAI and Google Cloud's own variables)",
    "bedrock": "AWS_REGION and AWS credentials, or AWS_BEARER_TOKEN_BEDROCK",
}


def explain(request: LlmRequest, error: Exception) -> StateBagError:
    """The error with a code for one that a provider's library raised."""
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
        if (wait := wait_of(error)) is not None:
            details["retry_after_seconds"] = wait
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
