"""Nodes that mark a place in the graph and do nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Final

from statebag.config import Node
from statebag.errors import Problem
from statebag.nodes._base import NodeContext, NodeOutput, Scope
from statebag.nodes.operator import Operator

__all__ = ["NODE_TYPES", "EndMarker", "InputMarker", "OutputMarker", "StartMarker", "TriggerMarker"]

_REQUESTS: Final = frozenset({"request", "api_request"})


class StartMarker:
    """Where a workflow starts."""

    name: ClassVar[str] = "start"
    outside: ClassVar[bool] = False

    def check(self, node: Node, path: str) -> Iterator[Problem]:  # noqa: ARG002
        """Nothing can be wrong with it."""
        return iter(())

    def reads(self, node: Node) -> frozenset[str] | None:  # noqa: ARG002
        """No field."""
        return frozenset()

    def run(self, node: Node, scope: Scope, context: NodeContext) -> NodeOutput:  # noqa: ARG002
        """Change nothing."""
        return NodeOutput()


class EndMarker(StartMarker):
    """Where a workflow ends."""

    name: ClassVar[str] = "end"


class InputMarker(StartMarker):
    """Where data comes in."""

    name: ClassVar[str] = "input"


class OutputMarker(StartMarker):
    """Where data goes out."""

    name: ClassVar[str] = "output"


class TriggerMarker:
    """What starts a workflow: a marker for requests, an ``operator`` for any other ``trigger_type``."""

    name: ClassVar[str] = "trigger"
    outside: ClassVar[bool] = False

    def check(self, node: Node, path: str) -> Iterator[Problem]:
        """See :class:`~statebag.nodes.NodeType`."""
        return self._served_by(node).check(node, path)

    def reads(self, node: Node) -> frozenset[str] | None:
        """The fields that it reads; null for all."""
        return self._served_by(node).reads(node)

    def run(self, node: Node, scope: Scope, context: NodeContext) -> NodeOutput:
        """Change nothing, or set fields as an operator does."""
        return self._served_by(node).run(node, scope, context)

    def _served_by(self, node: Node) -> StartMarker | Operator:
        kind: Any = node.config.get("trigger_type") or "request"
        return StartMarker() if kind in _REQUESTS else Operator()


NODE_TYPES: Final = (StartMarker(), EndMarker(), InputMarker(), OutputMarker(), TriggerMarker())
