"""The node type ``llm_chat``: one call of a language model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from statebag.config import Node
from statebag.errors import Problem
from statebag.nodes._base import NodeContext, NodeOutput, NodeType, Scope
from statebag.nodes.llm import answer_once, build_request, check_config, prompt_fields, read_config

__all__ = ["NODE_TYPES", "LlmChat"]


class LlmChat:
    """Sends a prompt, or a conversation from the state, and writes the answer.

    Writes ``output_key`` (by default ``{id}_output``), ``{id}_meta``, ``usage``
    and, where the model shows it, ``{id}_thinking``. The call is made once:
    repeating it is the engine's part.
    """

    name: ClassVar[str] = "llm_chat"
    outside: ClassVar[bool] = True

    def check(self, node: Node, path: str) -> Iterable[Problem]:
        """Everything wrong with the node's config."""
        return check_config(node, path)

    def reads(self, node: Node) -> frozenset[str] | None:
        """User fields that the node's templates read; None for all of them."""
        return prompt_fields(read_config(node))

    def run(self, node: Node, scope: Scope, context: NodeContext) -> NodeOutput:
        """Ask once.

        Raises:
            ProviderUnavailable: the provider refuses for now.
            NodeFailed: the call is refused for good, or its answer is not what was asked for.
        """
        config = read_config(node)
        request = build_request(node.id, config, scope, context)
        return answer_once(node, config, request, scope, context)


NODE_TYPES: tuple[NodeType, ...] = (LlmChat(),)
