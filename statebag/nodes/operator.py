"""``operator`` and ``operator_custom``: set fields of the state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from statebag.config import Node
from statebag.config.templates import check_templates, render, template_fields
from statebag.errors import NodeFailed, Problem
from statebag.nodes._base import NodeContext, NodeOutput, Scope

__all__ = ["NODE_TYPES", "Operator", "OperatorCustom"]

_NO_CODE: Final = (
    "code in a document is not run. Write the values into `sets`, or compute them with an `operator_official` node."
)


class Operator:
    """Puts ``config.sets`` into the state: flat keys, values rendered as templates."""

    name: ClassVar[str] = "operator"
    outside: ClassVar[bool] = False

    def check(self, node: Node, path: str) -> Iterator[Problem]:
        """See :class:`~statebag.nodes.NodeType`."""
        if node.config.get("code"):
            yield Problem(path=f"{path}.config.code", code="NODE_TYPE_UNSUPPORTED", message=_NO_CODE)
        sets = node.config.get("sets")
        if sets is not None and not isinstance(sets, Mapping):
            yield Problem(
                path=f"{path}.config.sets", code="FIELD_TYPE", message="must be an object of state fields and values."
            )
        else:
            yield from check_templates(sets, f"{path}.config.sets")

    def reads(self, node: Node) -> frozenset[str] | None:
        """The fields that the templates read; null for all."""
        return template_fields(_sets_of(node))

    def run(self, node: Node, scope: Scope, context: NodeContext) -> NodeOutput:  # noqa: ARG002
        """Set the fields; without ``sets`` nothing changes."""
        if node.config.get("code"):
            raise NodeFailed(f"node `{node.id}`: {_NO_CODE}")
        return NodeOutput(changes=render(_sets_of(node), scope), step=self.name)


class OperatorCustom(Operator):
    """The same under its other name."""

    name: ClassVar[str] = "operator_custom"


NODE_TYPES: Final = (Operator(), OperatorCustom())


def _sets_of(node: Node) -> Mapping[str, Any]:
    return node.config.get("sets") or {}
