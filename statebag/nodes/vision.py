"""The node type ``vision``: one call of a model that is shown images and videos."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from statebag.config import Node
from statebag.errors import Problem
from statebag.nodes._base import NodeContext, NodeOutput, NodeType, Scope
from statebag.nodes.llm import answer_shown, check_config, check_media, shown_fields

__all__ = ["NODE_TYPES", "Vision"]


class Vision:
    """Sends images and videos with a prompt, and writes the answer.

    Writes what ``llm_chat`` writes; ``{id}_meta`` has ``image_count`` and
    ``video_count``, too.
    """

    name: ClassVar[str] = "vision"
    outside: ClassVar[bool] = True

    def check(self, node: Node, path: str) -> Iterable[Problem]:
        """Everything wrong with the node's config."""
        yield from check_config(node, path, media=True)
        yield from check_media(node.config, f"{path}.config", needed=True)

    def reads(self, node: Node) -> frozenset[str] | None:
        """User fields that the node's templates and inputs read; None for all of them."""
        return shown_fields(node)

    def run(self, node: Node, scope: Scope, context: NodeContext) -> NodeOutput:
        """Ask once.

        Raises:
            ProviderUnavailable: the provider, or the storage that the worker reads for it, refuses for now.
            NodeFailed: ``VISION_NO_MEDIA``, ``VISION_MEDIA_REFUSED``; or the call is refused for good, or its answer is
                not what was asked for.
        """
        return answer_shown(node, scope, context)


NODE_TYPES: tuple[NodeType, ...] = (Vision(),)
