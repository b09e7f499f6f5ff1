"""Where documents write the nodes inside of a node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from statebag.config import BodySource, NodeSource

__all__ = ["BODY_KEYS", "body_in", "find_body"]

BODY_KEYS: Final = frozenset({"subgraph_ref", "subgraph_inline", "sub_workflow", "nodes", "edges", "sub_node_config"})
"""Members of ``config`` that hold a body, or name one."""

_ORDER: Final = ("subgraph_ref", "subgraph_inline", "sub_workflow", "nodes", "sub_node_config")
"""The first that is there counts."""

_NODE_MEMBERS: Final = frozenset({"id", "type", "label", "hitp"})
_ONE_NODE: Final = "sub_node"
"""Id of a node that stands alone for a body, where it has none."""


def find_body(source: NodeSource) -> list[BodySource]:
    """The body that a node's config, or the node itself, has; none where there is nothing."""
    found = body_in(source.config, "config", source.subgraphs) or body_in(source.members, "", source.subgraphs)
    return [found] if found else []


def body_in(holder: Mapping[str, Any], at: str, subgraphs: Mapping[str, Any], name: str = "") -> BodySource | None:
    """The body that ``holder`` has; None where there is nothing.

    Args:
        holder: A config, a branch, or the members beside a config.
        at: Its path from the node; empty for the node itself.
        subgraphs: The document's.
        name: The branch's id.
    """
    for key in _ORDER:
        value = holder.get(key)
        if value is None or value in ("", [], {}) or (isinstance(value, dict) and value.get("nodes") == []):
            continue
        path = f"{at}.{key}" if at else key
        if key == "subgraph_ref":
            return _referred(value, path, subgraphs, name)
        if key == "nodes":
            return BodySource(path=at, nodes=value, edges=holder.get("edges"), name=name)
        if key == "sub_node_config" and isinstance(value, dict) and "nodes" not in value:
            return BodySource(path=path, nodes=[_one_node(cast("dict[str, Any]", value))], nodes_key="", name=name)
        return _written(value, path, name)
    return None


def _referred(ref: Any, path: str, subgraphs: Mapping[str, Any], name: str) -> BodySource:
    if isinstance(ref, str) and ref in subgraphs:
        at = f"$.subgraphs.{ref}" if ref.isidentifier() else f"$.subgraphs[{ref!r}]"
        return _written(subgraphs[ref], at, name)
    known = f"They are {', '.join(f'`{one}`' for one in subgraphs)}" if subgraphs else "It has none"
    fault = f"{ref!r} is none of the document's `subgraphs`. {known}; correct the name, or write it there."
    return BodySource(path=path, nodes=None, nodes_key="", name=name, fault=fault)


def _written(value: Any, path: str, name: str) -> BodySource:
    if isinstance(value, list):
        return BodySource(path=path, nodes=value, nodes_key="", name=name)
    if isinstance(value, dict):
        body = cast("dict[str, Any]", value)
        return BodySource(path=path, nodes=body.get("nodes"), edges=body.get("edges"), name=name)
    return BodySource(path=path, nodes=None, nodes_key="", name=name, fault="must be an object with `nodes`.")


def _one_node(written: Mapping[str, Any]) -> dict[str, Any]:
    """One node in place of a list; its config may be written flat."""
    node: dict[str, Any] = {"id": _ONE_NODE, **written}
    if "config" in node:
        return node
    own = {key: value for key, value in node.items() if key in _NODE_MEMBERS}
    return own | {"config": {key: value for key, value in node.items() if key not in _NODE_MEMBERS}}
