"""One validation of a whole document, at load time: all problems at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field

from statebag.canonical import canonical_bytes, parse_json
from statebag.config._edges import read_edges
from statebag.config._flow_checks import read_flow
from statebag.config._model import Document
from statebag.config._node_types import NODE_TYPE_ALIASES, NodeTypes, normalise_type
from statebag.config._nodes import NodeReader
from statebag.config._reading import describe_kind, read_fields, report_unknown, split_findings
from statebag.config.reserved import drop_reserved
from statebag.errors import InputRefused, Problem, Unserialisable

__all__ = ["LoadedDocument", "load_document"]

_MAX_DEPTH = 100

_QUIET = frozenset(
    {
        *("id", "name", "version", "metadata", "test_category", "test_stage", "test_scenarios", "kernel_level"),
        *("end_node", "allow_runtime_llm_eval", "governor_enabled", "$schema"),
    },
)
_BECAUSE = {
    "secrets": "`secrets` is not served: give secrets to the worker's environment.",
}

_AGENT = "react"
"""Type of the node that ``react_executor`` configures, and its id where there is no other node."""
_COUNT = "a whole number of at least 1"


class _DocumentShape(BaseModel):
    model_config = ConfigDict(strict=True)

    nodes: list[Any] = Field(min_length=1, max_length=500, description="a list of 1 to 500 nodes")
    edges: list[Any] = Field(max_length=1000, description="a list of at most 1000 edges")
    workflow_name: str | None = Field(None, max_length=256, description="text of at most 256 characters")
    description: str | None = Field(None, max_length=512, description="text of at most 512 characters")
    start_node: str | None = Field(None, min_length=1, max_length=128, description="the id of the first node")
    initial_state: dict[str, Any] | None = Field(None, description="an object of user fields")
    max_loop_iterations: int | None = Field(None, ge=1, description=_COUNT)
    max_branch_iterations: int | None = Field(None, ge=1, description=_COUNT)
    execution_mode: str | None = Field(None, description="text")
    distributed_mode: bool | None = Field(None, description="true or false")
    subgraphs: dict[str, Any] | None = Field(None, description="an object of names and `{nodes, edges}`")
    react_executor: dict[str, Any] | None = Field(None, description="an object, the config of a `react` node")


@dataclass(frozen=True, kw_only=True)
class LoadedDocument:
    """A document that can be planned and run, and what to tell its author."""

    document: Document
    warnings: tuple[Problem, ...] = ()
    """What has no effect in it, and the reserved keys that were dropped."""


def load_document(raw: Any, node_types: NodeTypes) -> LoadedDocument:
    """Check a workflow document and read it.

    Args:
        raw: JSON text, as text or bytes, or the object it stands for.
        node_types: What is installed, such as ``statebag.nodes.load_registry()``.

    Raises:
        InputRefused: with every problem of the document.
    """
    body = _with_agent(_parse(raw))
    top, findings = read_fields(_DocumentShape, body, "$")
    findings += report_unknown(body, _DocumentShape.model_fields, "$", quiet=_QUIET, because=_BECAUSE)
    items = {key: value for key, value in body.items() if key in ("nodes", "edges") and isinstance(value, list)}
    reader = NodeReader(types=node_types, subgraphs=top.get("subgraphs", {}))
    nodes = reader.read(items.get("nodes", [])[:500])
    places = {node.id: f"$.nodes[{index}]" for node, index in zip(nodes.nodes, nodes.indices, strict=True)}
    edges = read_edges(items.get("edges", [])[:1000], places)
    findings += [*nodes.findings, *edges.findings]
    flow, found = read_flow(
        nodes.nodes,
        edges.edges,
        places,
        [f"$.edges[{index}]" for index in edges.indices],
        planned=True,
        start_node=top.get("start_node"),
        complete=edges.complete and "nodes" in top and "edges" in top and len(places) == len(top["nodes"]),
    )
    findings += found
    initial_state, reserved = drop_reserved(top.get("initial_state", {}))
    findings += [
        Problem(
            path=f"$.initial_state.{name}",
            code="RESERVED_KEY",
            message=f"`{name}` is reserved. It is dropped; rename it to keep it.",
        )
        for name in reserved
    ]
    refusals, warnings = split_findings(findings)
    if refusals:
        raise InputRefused(refusals, what="document")
    document = Document(
        nodes=nodes.nodes,
        edges=edges.edges,
        workflow_name=top.get("workflow_name", ""),
        description=top.get("description", ""),
        start_node=top.get("start_node"),
        initial_state=initial_state,
        max_loop_iterations=top.get("max_loop_iterations"),
        max_branch_iterations=top.get("max_branch_iterations"),
        execution_mode=top.get("execution_mode", "SEQUENTIAL"),
        flow=flow,
    )
    return LoadedDocument(document=document, warnings=warnings)


def _parse(raw: Any) -> Mapping[str, Any]:
    try:
        if isinstance(raw, bytes | str):
            body = parse_json(raw)
        else:
            body = raw
            canonical_bytes(raw)
    except Unserialisable as cause:
        raise _refuse(cause.code, cause.message) from cause
    except json.JSONDecodeError as cause:
        place = f"line {cause.lineno}, column {cause.colno}"
        raise _refuse("DOCUMENT_NOT_JSON", f"{cause.msg} at {place}. Fix the syntax there.") from cause
    except (ValueError, RecursionError) as cause:
        raise _refuse("DOCUMENT_NOT_JSON", f"{cause}. Fix the syntax there.") from cause
    if not isinstance(body, dict):
        message = f"The document is {describe_kind(body)}. Make it one object with `nodes` and `edges`."
        raise _refuse("DOCUMENT_NOT_OBJECT", message)
    if _is_deep(body):
        message = f"The document is nested more than {_MAX_DEPTH} levels deep. Flatten it."
        raise _refuse("FIELD_VALUE", message)
    return cast("dict[str, Any]", body)


def _with_agent(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The document with its ``react_executor`` as the config of its agents, or as its only node where it has none."""
    config, nodes = body.get("react_executor"), body.get("nodes", [])
    if not isinstance(config, dict) or config.get("enabled") is False or not isinstance(nodes, list):
        return body
    if not nodes:
        return {**body, "nodes": [{"id": _AGENT, "type": _AGENT, "config": config}], "edges": body.get("edges", [])}
    return {**body, "nodes": [_as_agent(node, config) for node in nodes]}


def _as_agent(node: Any, config: Mapping[str, Any]) -> Any:
    kind = normalise_type(node["type"]) if isinstance(node, dict) and isinstance(node.get("type"), str) else ""
    if NODE_TYPE_ALIASES.get(kind, kind) != _AGENT:
        return node
    own = node.get("config")
    return {**node, "config": {**config, **own} if isinstance(own, dict) else own or config}


def _refuse(code: str, message: str) -> InputRefused:
    return InputRefused([Problem(path="$", code=code, message=message)], what="document")


def _is_deep(body: Any) -> bool:
    level = [body]
    for _ in range(_MAX_DEPTH):
        level = [
            item
            for value in level
            for item in (value.values() if isinstance(value, dict) else value)
            if isinstance(item, dict | list)
        ]
        if not level:
            return False
    return True
