"""``route_condition``: go on where the first true condition leads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final, cast

from statebag.config import Node
from statebag.config.expressions import ExpressionError, parse_expression
from statebag.errors import NodeFailed, Problem
from statebag.nodes._base import NodeContext, NodeOutput, Scope
from statebag.nodes._options import check_condition, check_text, missing
from statebag.nodes._routes import allowed_in, check_targets, once

__all__ = ["NODE_TYPES", "RouteCondition"]


class RouteCondition:
    """Chooses by conditions, in the order in which they are written."""

    name: ClassVar[str] = "route_condition"
    outside: ClassVar[bool] = False

    def targets(self, node: Node) -> Sequence[str]:
        """Where its branches lead, then the default."""
        return once([*(branch.get("target") for branch in _branches(node)), node.config.get("default_target")])

    def check(self, node: Node, path: str) -> Iterator[Problem]:
        """See :class:`~statebag.nodes.NodeType`."""
        config, path = node.config, f"{path}.config"
        written: Any = config.get("branches")
        if not written:
            yield missing(f"{path}.branches", "a list of `condition` and `target`")
        elif not isinstance(written, list):
            yield Problem(path=f"{path}.branches", code="FIELD_TYPE", message="must be a list.")
        else:
            for index, branch in enumerate(cast("list[Any]", written)):
                yield from _check_branch(branch, f"{path}.branches[{index}]", allowed_in(config))
        yield from check_targets(config, path)

    def reads(self, node: Node) -> frozenset[str] | None:
        """What the conditions read."""
        fields: frozenset[str] = frozenset()
        for branch in _branches(node):
            try:
                found = parse_expression(branch["condition"]).fields()
            except (ExpressionError, KeyError, AttributeError, TypeError):
                continue
            if found is None:
                return None
            fields |= found
        return fields

    def run(self, node: Node, scope: Scope, context: NodeContext) -> NodeOutput:  # noqa: ARG002
        """Choose.

        Raises:
            NodeFailed: ``ROUTE_UNMATCHED``: no condition holds, and there is no default.
        """
        entry: dict[str, Any] = {"type": "route", "node_id": node.id}
        for index, branch in enumerate(_branches(node)):
            if parse_expression(branch["condition"]).holds(scope):
                label = {"label": branch["label"]} if branch.get("label") else {}
                return _route(branch["target"], entry | {"condition": index} | label)
        default = node.config.get("default_target")
        if default:
            return _route(default, entry | {"default": True})
        count = len(_branches(node))
        raise NodeFailed(
            f"node `{node.id}`: none of its {count} conditions holds, and it has no `default_target`. Add one.",
            code="ROUTE_UNMATCHED",
        )


NODE_TYPES: Final = (RouteCondition(),)


def _route(target: str, entry: Mapping[str, Any]) -> NodeOutput:
    return NodeOutput(logs=({**entry, "target": target},), step=f"route:{target}", next_node=target)


def _branches(node: Node) -> list[Mapping[str, Any]]:
    written: Any = node.config.get("branches")
    items = cast("list[Any]", written) if isinstance(written, list) else []
    return [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]


def _check_branch(branch: Any, path: str, allowed: Sequence[str] | None) -> Iterator[Problem]:
    if not isinstance(branch, dict):
        yield Problem(path=path, code="FIELD_TYPE", message="must be an object with `condition` and `target`.")
        return
    body = cast("dict[str, Any]", branch)
    if body.get("condition") is None:
        yield missing(f"{path}.condition", "a condition, such as `$.score > 0.9`")
    else:
        yield from check_condition(body["condition"], f"{path}.condition")
    if body.get("target") is None:
        yield missing(f"{path}.target", "the id of a node")
    target_problems = list(check_text(body, "target", path))
    yield from target_problems
    yield from check_text(body, "label", path)
    if allowed is not None and not target_problems and body.get("target") not in (None, *allowed):
        message = f"{body['target']!r} is none of `allowed_targets`. Add it there, or correct it."
        yield Problem(path=f"{path}.target", code="FIELD_VALUE", message=message)
