"""What must hold before a document is cut."""

from __future__ import annotations

from statebag.config import Document, check_shape
from statebag.errors import InputRefused, Problem
from statebag.nodes import NodeRegistry

__all__ = ["require_plannable"]


def require_plannable(document: Document, registry: NodeRegistry) -> None:
    """Refuse a document that didn't come from ``load_document`` with the same node types.

    Raises:
        InputRefused: with every problem.
    """
    problems = check_shape(document)
    problems += [
        Problem(
            path=f"$.nodes[{index}].type",
            code="NODE_TYPE_UNKNOWN",
            message=f"No installed node type serves `{node.type}`. Install the package that does.",
        )
        for index, node in enumerate(document.nodes)
        if node.type not in registry
    ]
    if not document.nodes:
        problems.append(Problem(path="$.nodes", code="FIELD_VALUE", message="There is no node. Add one."))
    if problems:
        raise InputRefused(problems, what="document")
