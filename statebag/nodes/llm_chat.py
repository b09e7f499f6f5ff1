"""The node type ``llm_chat``: one call of a language model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from statebag.config import Node
from statebag.errors import Problem
from statebag.nodes._base import NodeContext, NodeOutput, NodeType, Scope
from statebag.nodes.llm import (
    answer_once,
    answer_shown,
    build_request,
    check_config,
    check_media,
    names_media,
    prompt_fields,
    read_config,
    shown_fields,
)

__all__ = ["NODE_TYPES", "LlmChat"]


class LlmChat:
    """Sends a prompt, or a conversation from the state, and writes the answer.

    Where ``image_inputs`` or ``video_inputs`` are named, it is the call that
    ``vision`` is, unless ``vision_enabled`` is false.

    Writes ``output_key`` (by default ``{id}_output``), ``{id}_meta``, ``usage``
    and, where the model shows it, ``{id}_thinking``. The call is made once:
    repeating it is the engine's part.
    """

    name: ClassVar[str] = "llm_chat"
    outside: ClassVar[bool] = True

    def check(self, node: Node, path: str) -> Iterable[Problem]:
        """Everything wrong with the node's config."""
        yield from check_config(node, path, media=True)
        yield from check_media(node.config, f"{path}.config", needed=False)

    def reads(self, node: Node) -> frozenset[str] | None:
        """User fields that the node's templates and inputs read; None for all of them."""
        return shown_fields(node) if names_media(node.config) else prompt_fields(read_config(node))

    def run(self, node: Node, scope: Scope, context: NodeContext) -> NodeOutput:
        """Ask once.

        Raises:
            ProviderUnavailable: the provider, or the storage that the worker reads for it, refuses for now.
            NodeFailed: the call is refused for good, or its answer is not what was asked for; and what ``vision``
                refuses of images and videos.
        """
        if names_media(node.config):
            return answer_shown(node, scope, context)
        config = read_config(node)
        request = build_request(node.id, config, scope, context)
        return answer_once(node, config, request, scope, context)


NODE_TYPES: tuple[NodeType, ...] = (LlmChat(),)
