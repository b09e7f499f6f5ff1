"""``dynamic_router``: go on where a value of the state says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Final

from statebag.config import Node
from statebag.config.paths import MISSING
from statebag.errors import NodeFailed, Problem
from statebag.nodes._base import NodeContext, NodeOutput, Scope
from statebag.nodes._items import value_at
from statebag.nodes._options import check_path, missing, path_fields
from statebag.nodes._routes import allowed_in, check_targets

__all__ = ["NODE_TYPES", "DynamicRouter"]

_ROUTE_KEY: Final = "__router_result.selected_branch"


class DynamicRouter:
    """Leads to the node whose id an earlier node has written."""

    name: ClassVar[str] = "dynamic_router"
    outside: ClassVar[bool] = False

    def targets(self, node: Node) -> Sequence[str]:
        """The allowed targets, then the default."""
        return allowed_in(node.config) or ()

    def check(self, node: Node, path: str) -> Iterator[Problem]:
        """See :class:`~statebag.nodes.NodeType`."""
        path = f"{path}.config"
        if not node.config.get("allowed_targets"):
            yield missing(f"{path}.allowed_targets", "the ids of the nodes it may lead to")
        yield from check_targets(node.config, path)
        yield from check_path(node.config, "route_key", path)

    def reads(self, node: Node) -> frozenset[str] | None:
        """The field with the choice."""
        return path_fields(node.config.get("route_key") or _ROUTE_KEY)

    def run(self, node: Node, scope: Scope, context: NodeContext) -> NodeOutput:  # noqa: ARG002
        """Choose.

        Raises:
            NodeFailed: ``ROUTE_UNMATCHED``: the value is none of the targets, and there is no default.
        """
        key = node.config.get("route_key") or _ROUTE_KEY
        allowed = self.targets(node)
        found: Any = value_at(key, scope)
        entry: dict[str, Any] = {"type": "route", "node_id": node.id}
        default = node.config.get("default_target")
        if isinstance(found, str) and found in allowed:
            target = found
        elif default:
            target = default
            entry["default"] = True
        else:
            what = "leads nowhere" if found is MISSING else f"is {found!r:.80}"
            raise NodeFailed(
                f"node `{node.id}`: `{key}` {what}; it may be {', '.join(allowed)}. Write one of them before, or add a "
                "`default_target`.",
                code="ROUTE_UNMATCHED",
            )
        return NodeOutput(logs=({**entry, "target": target},), step=f"route:{target}", next_node=target)


NODE_TYPES: Final = (DynamicRouter(),)
