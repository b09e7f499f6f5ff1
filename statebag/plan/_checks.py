"""What must hold before a document is cut."""

from __future__ import annotations

from statebag.config import WARNING_CODES, Document, check_flow
from statebag.errors import InputRefused, Problem
from statebag.nodes import NodeRegistry

__all__ = ["require_plannable"]


def require_plannable(document: Document, registry: NodeRegistry) -> None:
    """Refuse a document that can't be planned; one from ``load_document`` has been checked there.

    Raises:
        InputRefused: with every problem.
    """
    problems: list[Problem] = [] if document.flow is not None else _graph_problems(document)
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


def _graph_problems(document: Document) -> list[Problem]:
    places = {node.id: f"$.nodes[{index}]" for index, node in enumerate(document.nodes)}
    edge_places = [f"$.edges[{index}]" for index in range(len(document.edges))]
    found = check_flow(
        document.nodes, document.edges, places, edge_places, planned=True, start_node=document.start_node
    )
    return [problem for problem in found if problem.code not in WARNING_CODES]
