"""The ``nodes`` of a document."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from statebag.config._edges import read_edges
from statebag.config._flow_checks import check_flow
from statebag.config._model import Body, Node
from statebag.config._node_types import BodySource, Container, NodeSource, NodeTypes, Router, find_node_type
from statebag.config._reading import child_path, read_fields, report_unknown
from statebag.config._run_options import check_run_options
from statebag.errors import Problem

__all__ = ["NodeList", "NodeReader"]

_MEMBERS = frozenset(
    {
        *("branches", "resource_policy", "subgraph_ref", "subgraph_inline", "skill_ref", "input_mapping"),
        *("output_mapping", "error_handling", "timeout_seconds", "on_error", "retry_config"),
    },
)
"""Members beside ``config`` that count as members of it, unless it has them itself."""

_QUIET = frozenset(
    {
        *("action", "next", "metadata", "ring_level", "alias", "tags", "name", "data", "position", "description"),
        *("prompt", "messages"),
        *("style", "width", "height", "selected", "dragging", "positionAbsolute"),
    },
)
"""Members of the format, or of editors, that nothing reads."""

_MAX_DEPTH = 10
"""Bodies inside of bodies."""

_MAX_NODES = 5000
"""Nodes of a document, those inside of others too: a body that several nodes refer to counts for each."""


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


@dataclass(frozen=True, kw_only=True)
class NodeReader:
    """Reads lists of nodes and lets each node's type check it; bodies are read the same way, at any depth."""

    types: NodeTypes
    subgraphs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The document's ``subgraphs``."""
    _counted: Iterator[int] = field(default_factory=lambda: itertools.count(1), repr=False)

    def read(self, items: Sequence[Any], path: str = "$.nodes", *, top: bool = True, around: int = 0) -> NodeList:
        """Read the list at ``path``.

        Args:
            items: The list.
            path: Its JSON path.
            top: Whether it is planned; the nodes of a body run inside of another node.
            around: How many bodies there are around it.
        """
        nodes: dict[str, Node] = {}
        indices: dict[str, int] = {}
        findings: list[Problem] = []
        for index, item in enumerate(items):
            if next(self._counted) > _MAX_NODES:
                message = f"With those inside of others, there are more than {_MAX_NODES} nodes. Split the document."
                findings.append(Problem(path=path, code="DOCUMENT_TOO_LARGE", message=message))
                break
            place = f"{path}[{index}]"
            node, named, found = self._read_node(item, place, index, top=top, around=around)
            findings += found
            if not named:
                continue
            if node.id in nodes:
                message = f"`{path}[{indices[node.id]}]` has the id {node.id!r} too. Rename one of the two."
                findings.append(Problem(path=f"{place}.id", code="NODE_DUPLICATE", message=message))
            else:
                nodes[node.id] = node
                indices[node.id] = index
        return NodeList(nodes=tuple(nodes.values()), indices=tuple(indices.values()), findings=tuple(findings))

    def _read_node(
        self, item: Any, path: str, index: int, *, top: bool, around: int
    ) -> tuple[Node, bool, list[Problem]]:
        fields, findings = read_fields(_NodeShape, item, path)
        findings += report_unknown(item, _NodeShape.model_fields, path, quiet=_QUIET | _MEMBERS)
        checker, found = find_node_type(fields.get("type"), self.types, path)
        findings += found
        members = {key: item[key] for key in _MEMBERS if key in item} if isinstance(item, dict) else {}
        config = {**members, **fields.get("config", {})}
        bodies: list[Body] = []
        fork = False
        if hasattr(checker, "find_bodies"):
            container = cast("Container", checker)
            source = NodeSource(config=fields.get("config", {}), members=members, subgraphs=self.subgraphs, top=top)
            sources, fork = container.find_bodies(source)
            for one in sources:
                body, found = self._read_body(one, path, top=fork, around=around + 1)
                bodies.append(body)
                findings += found
            config = {key: value for key, value in config.items() if key not in container.body_keys}
        node = Node(
            id=fields.get("id", f"nodes[{index}]"),
            type=checker.name if checker else "",
            config=config,
            label=fields.get("label", ""),
            hitp=fields.get("hitp") in (True, "true"),
            bodies=tuple(bodies),
            fork=fork,
        )
        findings += check_run_options(node, path)
        if checker is not None:
            findings += checker.check(node, path)
            if hasattr(checker, "targets"):
                node = replace(node, targets=tuple(cast("Router", checker).targets(node)))
        if node.hitp and not top:
            findings.append(_pause_inside(f"{path}.hitp", node.id))
        return node, "id" in fields, findings

    def _read_body(self, source: BodySource, node_path: str, *, top: bool, around: int) -> tuple[Body, list[Problem]]:
        at = source.path if source.path.startswith("$") else f"{node_path}.{source.path}"
        path = child_path(at, source.nodes_key) if source.nodes_key else at
        if around > _MAX_DEPTH:
            message = (
                f"Nodes are inside of each other more than {_MAX_DEPTH} deep, or contain themselves. Flatten them."
            )
            return Body(name=source.name), [Problem(path=path, code="GRAPH_SHAPE", message=message)]
        if not isinstance(source.nodes, list):
            code, message = (
                ("FIELD_VALUE", source.fault) if source.fault else ("FIELD_TYPE", "must be a list of nodes.")
            )
            return Body(name=source.name), [Problem(path=path, code=code, message=message)]
        listed = self.read(source.nodes, path, top=top, around=around)
        places = {node.id: f"{path}[{index}]" for node, index in zip(listed.nodes, listed.indices, strict=True)}
        findings = list(listed.findings)
        given = source.edges or []
        if not isinstance(given, list):
            findings.append(Problem(path=f"{at}.edges", code="FIELD_TYPE", message="must be a list of edges."))
            given = []
        edges = read_edges(given, places, f"{at}.edges")
        findings += edges.findings
        if not top:
            findings += [
                _pause_inside(f"{at}.edges[{index}]", edge.target)
                for edge, index in zip(edges.edges, edges.indices, strict=True)
                if edge.pause is not None
            ]
        findings += check_flow(
            listed.nodes,
            edges.edges,
            places,
            [f"{at}.edges[{index}]" for index in edges.indices],
            planned=top,
            complete=edges.complete and len(places) == len(source.nodes),
        )
        return Body(name=source.name, nodes=listed.nodes, edges=edges.edges), findings


def _pause_inside(path: str, name: str) -> Problem:
    message = (
        f"`{name}` is inside of another node, which runs in one go: nobody can be asked there. "
        "Ask before or behind that node, or use a `parallel_group` with `branches` beside its `config`."
    )
    return Problem(path=path, code="PAUSE_MISPLACED", message=message)
