"""The node type ``vision``: one call of a model that is shown images and videos."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from statebag.config import Node
from statebag.errors import Problem
from statebag.nodes._base import NodeContext, NodeOutput, NodeType, Scope
from statebag.nodes.llm import (
    VisibleNames,
    answer_once,
    build_request,
    check_config,
    check_media,
    media_fields,
    prompt_fields,
    provider_of,
    read_config,
    read_media,
    show_media,
)

__all__ = ["NODE_TYPES", "Vision"]


class Vision:
    """Sends images and videos with a prompt, and writes the answer.

    Addresses are fetched by the provider, never by the worker. Writes what
    ``llm_chat`` writes; ``{id}_meta`` has ``image_count`` and
    ``video_count``, too.
    """

    name: ClassVar[str] = "vision"
    outside: ClassVar[bool] = True

    def check(self, node: Node, path: str) -> Iterable[Problem]:
        """Everything wrong with the node's config."""
        problems = [*check_config(node, path, media=True)]
        known = not any(problem.path.endswith((".model", ".provider", "_id", ".llm_config")) for problem in problems)
        provider = provider_of(node.config) if known else None
        return [*problems, *check_media(node.config, f"{path}.config", provider)]

    def reads(self, node: Node) -> frozenset[str] | None:
        """User fields that the node's templates and inputs read; None for all of them."""
        prompts, media = prompt_fields(read_config(node)), media_fields(node.config)
        return None if prompts is None or media is None else prompts | media

    def run(self, node: Node, scope: Scope, context: NodeContext) -> NodeOutput:
        """Ask once.

        Raises:
            ProviderUnavailable: the provider refuses for now.
            NodeFailed: ``VISION_NO_MEDIA``, ``VISION_MEDIA_REFUSED``; or the call is refused for good, or its answer is
                not what was asked for.
        """
        config = read_config(node)
        media = read_media(node.id, node.config, VisibleNames(scope, context), config.provider)
        request = show_media(build_request(node.id, config, scope, context), media)
        counts = {f"{kind}_count": sum(one.kind == kind for one in media) for kind in ("image", "video")}
        return answer_once(node, config, request, scope, context, meta=counts)


NODE_TYPES: tuple[NodeType, ...] = (Vision(),)
