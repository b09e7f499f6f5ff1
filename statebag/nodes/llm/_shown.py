"""One call of a model that is shown images and videos."""

from __future__ import annotations

from statebag.config import Node
from statebag.nodes._base import NodeContext, NodeOutput, Scope
from statebag.nodes.llm._config import read_config
from statebag.nodes.llm._media import media_fields, read_media
from statebag.nodes.llm._names import VisibleNames
from statebag.nodes.llm._output import answer_once, prompt_fields
from statebag.nodes.llm._request import build_request, show_media

__all__ = ["answer_shown", "shown_fields"]


def shown_fields(node: Node) -> frozenset[str] | None:
    """User fields that the templates and inputs of ``node`` read; None for all of them."""
    prompts, media = prompt_fields(read_config(node)), media_fields(node.config)
    return None if prompts is None or media is None else prompts | media


def answer_shown(node: Node, scope: Scope, context: NodeContext) -> NodeOutput:
    """Show what the inputs of ``node`` name, ask once, and write the answer.

    ``{id}_meta`` has ``image_count`` and ``video_count``. In mock mode nothing is fetched, and nobody asks whether the
    provider takes such media.

    Raises:
        ProviderUnavailable: the provider, or the storage that the worker reads for it, refuses for now.
        NodeFailed: ``VISION_NO_MEDIA``, ``VISION_MEDIA_REFUSED``; or the call is refused for good, or its answer is
            not what was asked for.
        InputRefused: ``SETTING_INVALID``: the worker's environment doesn't say what may be fetched.
    """
    config = read_config(node)
    provider = None if context.mock else config.provider
    media = read_media(node.id, node.config, VisibleNames(scope, context), provider)
    request = show_media(build_request(node.id, config, scope, context), media)
    if provider is not None:
        # Only here, behind all that may be wrong with the rest of the call; and with it a part of the AWS SDK.
        from statebag.nodes.llm._fetch import fetch_media  # noqa: PLC0415

        request = show_media(request, fetch_media(node.id, media, provider, heartbeat=context.heartbeat))
    counts = {f"{kind}_count": sum(one.kind == kind for one in media) for kind in ("image", "video")}
    return answer_once(node, config, request, scope, context, meta=counts)
