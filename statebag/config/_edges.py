"""The ``edges`` of a document."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field

from statebag.config._model import Edge
from statebag.config._node_types import normalise_type
from statebag.config._pause import PAUSE_FIELDS, read_pause
from statebag.config._reading import child_path, name_near, read_fields, report_unknown
from statebag.errors import Problem

__all__ = ["EdgeList", "read_edges"]

_PLAIN = frozenset({"edge", "normal", "flow", "start", "end"})
_PAUSE = frozenset({"hitp", "human_in_the_loop", "pause", "approval"})
_UNSERVED: Mapping[str, str] = {
    "conditional_edge": "Put a `route_condition` node where the way divides, and plain edges behind it.",
    "if": "Put a `route_condition` node where the way divides, and plain edges behind it.",
    "while": "To repeat, use a `loop` node, or a `route_condition` node that leads back.",
    "for_each": "To repeat for each item of a list, use a `for_each` node.",
}

_QUIET = frozenset(
    {"id", "data", "label", "style", "animated", "metadata", "sourceHandle", "targetHandle", "markerEnd", "selected"},
)
_BECAUSE = {
    key: f"`{key}` has no effect: edges choose nothing. Use a `route_condition` node."
    for key in ("condition", "router_func", "mapping")
}

_END = "text of 1 to 128 characters, the id of a node"


class _EdgeShape(BaseModel):
    model_config = ConfigDict(strict=True)

    source: str = Field(min_length=1, max_length=128, description=_END)
    target: str = Field(min_length=1, max_length=128, description=_END)
    type: str | None = Field(None, min_length=1, max_length=64, description="text of 1 to 64 characters")


@dataclass(frozen=True, kw_only=True)
class EdgeList:
    """The edges that join two nodes, and what is wrong with the others."""

    edges: tuple[Edge, ...]
    indices: tuple[int, ...]
    """Place of each edge in the document."""
    complete: bool
    """Whether no edge was left out that might have joined nodes."""
    findings: tuple[Problem, ...]


def read_edges(items: Sequence[Any], node_ids: Collection[str], at: str = "$.edges") -> EdgeList:
    """Read the list ``edges`` at the JSON path ``at``, between nodes with the ids ``node_ids``."""
    edges: dict[tuple[str, str], Edge] = {}
    indices: list[int] = []
    first_at: dict[tuple[str, str], int] = {}
    findings: list[Problem] = []
    complete = True
    for index, item in enumerate(items):
        path = f"{at}[{index}]"
        fields, found = read_fields(_EdgeShape, item, path)
        findings += found
        findings += report_unknown(item, _EdgeShape.model_fields, path, quiet=_QUIET, because=_BECAUSE)
        metadata = cast("dict[str, Any]", item).get("metadata") if isinstance(item, dict) else None
        kind = normalise_type(fields.get("type", "edge"))
        pause = None
        if kind in _PAUSE:
            pause, found = read_pause(metadata, path, node_ids)
            findings += found
        else:
            findings += _check_plain(kind, metadata, path)
        dangling, lost = _check_ends(fields, path, node_ids)
        findings += dangling
        complete = complete and not lost
        if dangling or "source" not in fields or "target" not in fields:
            continue
        ends = (fields["source"], fields["target"])
        if ends in edges:
            first = first_at[ends]
            message = f"`{at}[{first}]` joins `{ends[0]}` and `{ends[1]}` already. Remove one of the two."
            findings.append(Problem(path=path, code="EDGE_DUPLICATE", message=message))
        else:
            first_at[ends] = index
            edges[ends] = Edge(source=ends[0], target=ends[1], pause=pause)
            indices.append(index)
    return EdgeList(edges=tuple(edges.values()), indices=tuple(indices), complete=complete, findings=tuple(findings))


def _check_plain(kind: str, metadata: Any, path: str) -> list[Problem]:
    if kind not in _PLAIN:
        known = sorted(_PLAIN | _PAUSE)
        remedy = _UNSERVED.get(kind) or f"Use one of {', '.join(known)}.{name_near(kind, known)}"
        message = f"There is no edge type `{kind}`. {remedy}"
        return [Problem(path=f"{path}.type", code="EDGE_TYPE_UNKNOWN", message=message)]
    asked: dict[str, Any] = cast("dict[str, Any]", metadata) if isinstance(metadata, dict) else {}
    asked = {key: value for key, value in asked.items() if key in PAUSE_FIELDS}
    because = {key: f"`{key}` has an effect on edges of type `hitp` only." for key in asked}
    return report_unknown(asked, (), child_path(path, "metadata"), because=because)


def _check_ends(fields: Mapping[str, Any], path: str, node_ids: Collection[str]) -> tuple[list[Problem], bool]:
    """Problems of the edge's ends, and whether it may have been meant to join two nodes."""
    problems: list[Problem] = []
    lost = False
    for end, word in (("source", "start"), ("target", "end")):
        name = fields.get(end)
        if name is None:
            lost = True
        elif name not in node_ids:
            pseudo = name.strip("_ ").lower() == word
            lost = lost or not pseudo
            if not pseudo:
                remedy = f"{name_near(name, node_ids)} Correct `{end}`, or add the node."
            elif word == "start":
                remedy = " Remove this edge; set `start_node` to the node that it leads to."
            else:
                remedy = " Remove this edge; a run ends behind its last node."
            message = f"There is no node {name!r}.{remedy}"
            problems.append(Problem(path=child_path(path, end), code="EDGE_DANGLING", message=message))
    return problems, lost
