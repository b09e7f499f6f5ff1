"""The ``nodes`` of a document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from statebag.config._model import Node
from statebag.config._node_types import NodeTypes, find_node_type
from statebag.config._reading import read_fields, report_unknown
from statebag.config._run_options import check_run_options
from statebag.errors import Problem

__all__ = ["NodeList", "read_nodes"]

_QUIET = frozenset(
    {
        *("action", "next", "branches", "resource_policy", "subgraph_ref", "subgraph_inline", "skill_ref"),
        *("input_mapping", "output_mapping", "error_handling", "timeout_seconds", "metadata", "ring_level"),
        *("alias", "tags", "data", "position", "prompt", "messages", "description", "style", "width", "height"),
        *("selected", "dragging", "positionAbsolute"),
    },
)
"""Members of the format, or of editors, that no served node type reads."""


def _check_flag(value: Any) -> Any:
    if isinstance(value, bool) or value in ("true", "false"):
        return value
    raise PydanticCustomError("flag_value" if isinstance(value, str) else "flag_type", "no flag")


class _NodeShape(BaseModel):
    model_config = ConfigDict(strict=True)

    id: str = Field(min_length=1, max_length=128, description="text of 1 to 128 characters that no other node has")
    type: str = Field(
        min_length=1, max_length=64, description="text of 1 to 64 characters, such as `operator_official`"
    )
    label: str | None = Field(None, max_length=256, description="text of at most 256 characters")
    hitp: Annotated[Any, AfterValidator(_check_flag)] = Field(None, description="true or false")
    config: dict[str, Any] | None = Field(None, description="an object")


@dataclass(frozen=True, kw_only=True)
class NodeList:
    """The nodes that have an id of their own, and what is wrong with these and the others."""

    nodes: tuple[Node, ...]
    indices: tuple[int, ...]
    """Place of each node in the document."""
    findings: tuple[Problem, ...]


def read_nodes(items: Sequence[Any], types: NodeTypes) -> NodeList:
    """Read the list ``nodes`` of a document and let each node's type check it."""
    nodes: dict[str, Node] = {}
    indices: dict[str, int] = {}
    findings: list[Problem] = []
    for index, item in enumerate(items):
        path = f"$.nodes[{index}]"
        fields, found = read_fields(_NodeShape, item, path)
        findings += found
        findings += report_unknown(item, _NodeShape.model_fields, path, quiet=_QUIET)
        checker, found = find_node_type(fields.get("type"), types, path)
        findings += found
        node = Node(
            id=fields.get("id", f"nodes[{index}]"),
            type=checker.name if checker else "",
            config=fields.get("config", {}),
            label=fields.get("label", ""),
            hitp=fields.get("hitp") in (True, "true"),
        )
        findings += check_run_options(node, path)
        if checker is not None:
            findings += checker.check(node, path)
        if "id" in fields:
            if node.id in nodes:
                message = f"`$.nodes[{indices[node.id]}]` has the id {node.id!r} too. Rename one of the two."
                findings.append(Problem(path=f"{path}.id", code="NODE_DUPLICATE", message=message))
            else:
                nodes[node.id] = node
                indices[node.id] = index
    return NodeList(nodes=tuple(nodes.values()), indices=tuple(indices.values()), findings=tuple(findings))
