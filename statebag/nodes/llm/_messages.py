"""Between this package's values and pydantic-ai's messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from statebag.canonical import parse_json
from statebag.errors import NodeFailed
from statebag.nodes.llm._media import Media
from statebag.nodes.llm._values import Exchange, LlmAnswer, LlmRequest, Message, Tool, ToolCall, Usage

if TYPE_CHECKING:
    from pydantic_ai.messages import (
        ModelMessage,
        ModelRequestPart,
        ModelResponse,
        ToolCallPart,
        UserContent,
    )
    from pydantic_ai.models import Model, ModelRequestParameters
    from pydantic_ai.tools import ToolDefinition

__all__ = ["answer_of", "conversation_of", "parameters_of"]


def conversation_of(request: LlmRequest, model: Model[Any]) -> list[ModelMessage]:
    """The messages to send.

    Raises:
        NodeFailed: ``VISION_MEDIA_REFUSED``: the provider, as this worker reaches it, doesn't fetch such an address.
    """
    from pydantic_ai.messages import (  # noqa: PLC0415
        ModelRequest,
        ModelResponse,
        SystemPromptPart,
        TextPart,
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
                turns.append(ModelRequest(parts=[_said_by_user(request, message, model)]))
    for exchange in request.exchanges:
        turns += _exchanged(exchange)
    return turns


def parameters_of(request: LlmRequest, model: Model[Any]) -> ModelRequestParameters:
    """Tools, and the form of the answer."""
    from pydantic_ai.models import ModelRequestParameters  # noqa: PLC0415
    from pydantic_ai.output import OutputObjectDefinition  # noqa: PLC0415

    tools = [_definition(tool) for tool in request.tools]
    schema = request.response_schema
    if schema is None:
        return ModelRequestParameters(function_tools=tools)
    # Providers enforce objects only; any other schema goes into the instructions.
    native = model.profile.get("supports_json_schema_output", False) and schema.get("type") == "object"
    return ModelRequestParameters(
        function_tools=tools,
        output_mode="native" if native else "prompted",
        output_object=OutputObjectDefinition(json_schema=dict(schema), name="answer"),
    )


def answer_of(request: LlmRequest, response: ModelResponse) -> LlmAnswer:
    """What the model said.

    Raises:
        NodeFailed: ``LLM_FAILED``: nothing that can be used.
    """
    from pydantic_ai.messages import ModelMessagesTypeAdapter  # noqa: PLC0415

    text = response.text
    calls = tuple(_call(part) for part in response.tool_calls)
    reason = response.finish_reason
    if reason in ("content_filter", "error") or (text is None and not calls and reason != "stop"):
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
        finish_reason=None if reason in ("stop", "tool_call") else reason,
        tool_calls=calls,
        # Only a conversation with tools goes on: there the provider wants its own words back, signatures included.
        raw=ModelMessagesTypeAdapter.dump_python([response], mode="json")[0] if calls else None,
    )


def _said_by_user(request: LlmRequest, message: Message, model: Model[Any]) -> ModelRequestPart:
    from pydantic_ai.messages import UserPromptPart  # noqa: PLC0415

    if not message.media:
        return UserPromptPart(message.content)
    # Models read better what stands before the question about it.
    return UserPromptPart([*(_shown(request, media, model) for media in message.media), message.content])


def _shown(request: LlmRequest, media: Media, model: Model[Any]) -> UserContent:
    from pydantic_ai.messages import BinaryContent, ImageUrl, UploadedFile, VideoUrl  # noqa: PLC0415

    if media.content is not None:
        return BinaryContent(data=media.content, media_type=media.media_type)
    by_url = ImageUrl if media.kind == "image" else VideoUrl
    if request.provider != "google" or model.system != "google":
        return by_url(media.url, media_type=media.media_type)
    if not media.url.lower().startswith("https:"):
        raise NodeFailed(
            f"LLM call of {request.where}: the Gemini API doesn't fetch {media.url!r}. Give a signed https address; or "
            "let the worker use Google Cloud: GOOGLE_GENAI_USE_VERTEXAI=true and GOOGLE_CLOUD_PROJECT in its "
            "environment.",
            code="VISION_MEDIA_REFUSED",
        )
    # As an address, the library would fetch it itself; the Gemini API does that, too.
    return UploadedFile(media.url, provider_name="google", media_type=media.media_type)


def _exchanged(exchange: Exchange) -> list[ModelMessage]:
    from pydantic_ai.messages import (  # noqa: PLC0415
        ModelMessagesTypeAdapter,
        ModelRequest,
        ToolReturnPart,
    )

    returns: list[ModelRequestPart] = [
        ToolReturnPart(
            tool_name=one.name,
            # The library would make an empty text of null.
            content="null" if one.content is None else one.content,
            tool_call_id=one.call_id,
            outcome="failed" if one.failed else "success",
        )
        for one in exchange.returns
    ]
    return [*ModelMessagesTypeAdapter.validate_python([exchange.answer.raw]), ModelRequest(parts=returns)]


def _definition(tool: Tool) -> ToolDefinition:
    from pydantic_ai.tools import ToolDefinition  # noqa: PLC0415

    return ToolDefinition(
        name=tool.name, description=tool.description or None, parameters_json_schema=dict(tool.input_schema)
    )


def _call(part: ToolCallPart) -> ToolCall:
    given = part.args
    arguments: Any = {} if given is None or given == "" else given
    if isinstance(arguments, str):
        try:
            arguments = parse_json(arguments)
        except ValueError:
            arguments = part.args
    return ToolCall(call_id=part.tool_call_id, name=part.tool_name, arguments=arguments)
