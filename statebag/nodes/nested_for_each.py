"""``nested_for_each``: run a body once for each item of the lists inside of a list's items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final, cast

from statebag.config import BodySource, Node, NodeSource
from statebag.config.paths import MISSING, parse_path, walk
from statebag.config.templates import has_template
from statebag.errors import Problem
from statebag.nodes._base import NodeContext, NodeOutput, Scope
from statebag.nodes._bodies import body_in
from statebag.nodes._fan_out import fan_out, logs_of, shown_changes, warnings_of
from statebag.nodes._items import (
    body_calls_outside,
    check_concurrency,
    list_at,
    require_at_most,
    require_list,
    threads_for,
)
from statebag.nodes._options import check_choice, check_count, check_path, check_text, missing, path_fields
from statebag.nodes._run import NodesRun
from statebag.nodes._scopes import Layered
from statebag.nodes._sequence import course_of, inside_of
from statebag.nodes._tokens import Tokens, add_totals

__all__ = ["NODE_TYPES", "NestedForEach"]

_ON_ERROR: Final = ("fail", "continue")
_INNER: Final = "nested_config"


class NestedForEach:
    """Goes through a list, and in each of its items through another one; gives a row for each outer item."""

    name: ClassVar[str] = "nested_for_each"
    outside: ClassVar[bool] = False
    # `nested_config` holds the inner path beside the body, so it stays.
    body_keys: ClassVar[frozenset[str]] = frozenset()

    def find_bodies(self, source: NodeSource) -> tuple[Sequence[BodySource], bool]:
        """The nodes to run for each inner item."""
        found = body_in(_inner_of(source.config), f"config.{_INNER}", source.subgraphs)
        return [found] if found else [], False

    def check(self, node: Node, path: str) -> Iterator[Problem]:
        """See :class:`~statebag.nodes.NodeType`."""
        config, path = node.config, f"{path}.config"
        if config.get("input_list_key") is None:
            yield missing(f"{path}.input_list_key", "the path of the outer list in the state, such as `orders`")
        yield from check_path(config, "input_list_key", path)
        inner = config.get(_INNER)
        if inner is None:
            yield missing(f"{path}.{_INNER}", "an object with `input_list_key` and `nodes`")
        elif not isinstance(inner, Mapping):
            yield Problem(path=f"{path}.{_INNER}", code="FIELD_TYPE", message="must be an object.")
        else:
            yield from self._check_inner(node, f"{path}.{_INNER}")
        yield from check_text(config, "output_key", path)
        for key in ("max_outer_iterations", "max_inner_iterations"):
            yield from check_count(config, key, path)
        yield from check_concurrency(config, path)
        yield from check_choice(config, "on_error", path, _ON_ERROR)

    def reads(self, node: Node) -> frozenset[str] | None:
        """The field with the outer list; what its nodes read, they say themselves."""
        return path_fields(node.config.get("input_list_key"))

    def run(self, node: Node, scope: Scope, context: NodeContext) -> NodeOutput:
        """Run all inner items of all outer ones.

        Raises:
            NodeFailed: there is no list, one is too long (``ITEMS_LIMIT``), or an item failed for good.
            StateBagError: an item failed for now; what its siblings called is kept.
        """
        config = node.config
        where = f"node `{node.id}`"
        outers = list_at(config["input_list_key"], scope, where)
        require_at_most(len(outers), config.get("max_outer_iterations"), where)
        pairs: list[tuple[int, int, Any]] = []
        for number, outer in enumerate(outers):
            at = f"{where}: outer item {number}"
            inners = _inner_list(_inner_of(config)["input_list_key"], outer, scope, at)
            require_at_most(len(inners), config.get("max_inner_iterations"), at)
            pairs += [(number, index, inner) for index, inner in enumerate(inners)]
        course = course_of(node.bodies[0])

        def run_pair(at: int) -> NodesRun:
            number, index, inner = pairs[at]
            names = {
                **_outer_names(outers[number]),
                "outer_index": number,
                "inner_item": inner,
                "item": inner,
                "item_index": index,
            }
            return course.run(Layered(scope, names), inside_of(context, node.id, str(number), str(index)))

        outside = body_calls_outside(node, context.types)
        runs = fan_out(
            node,
            run_pair,
            len(pairs),
            context,
            threads=threads_for(node, outside=outside),
            outside=outside,
            go_on=config.get("on_error") == "continue",
            place=lambda at: f"outer item {pairs[at][0]}, inner item {pairs[at][1]}",
        )
        rows: list[dict[str, Any]] = [
            {"outer_id": _id_of(outer, number), "outer_item": outer, "inner_count": 0, "inner_results": []}
            for number, outer in enumerate(outers)
        ]
        for (number, _, _), run in zip(pairs, runs, strict=True):
            rows[number]["inner_results"].append(shown_changes(run))
            rows[number]["inner_count"] += 1
        output_key = config.get("output_key") or "nested_results"
        summary = {"outer_count": len(rows), "total_inner_count": len(runs), "node_id": node.id}
        tokens = [run.tokens for run in runs]
        numbers = [{"outer": number, "inner": index} for number, index, _ in pairs]
        return NodeOutput(
            changes={output_key: rows, f"{output_key}_summary": summary}
            | add_totals(scope, tokens, "nested_token_details", numbers),
            logs=logs_of(runs),
            step=f"{self.name}:{len(rows)}x{len(runs)}",
            warnings=warnings_of(runs),
            tokens=Tokens.sum_of(tokens),
        )

    def _check_inner(self, node: Node, path: str) -> Iterator[Problem]:
        inner = _inner_of(node.config)
        if inner.get("input_list_key") is None:
            yield missing(f"{path}.input_list_key", "the path of the inner list in an outer item, `$` for the item")
        yield from check_path(inner, "input_list_key", path)
        if not node.bodies:
            yield missing(f"{path}.nodes", "the nodes to run for each inner item")


NODE_TYPES: Final = (NestedForEach(),)


def _inner_of(config: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = config.get(_INNER)
    return cast("Mapping[str, Any]", inner) if isinstance(inner, Mapping) else {}


def _outer_names(outer: Any) -> dict[str, Any]:
    return {"outer_item": outer, "parent": outer}


def _inner_list(written: str, outer: Any, scope: Scope, where: str) -> list[Any]:
    """The inner list: inside of the outer item, or else in the state."""
    if not has_template(written):
        found = walk(outer, parse_path(written))
        if found is not MISSING:
            return require_list(found, f"{where}: `{written}`")
    return list_at(written, Layered(scope, {"item": outer, **_outer_names(outer)}), where)


def _id_of(outer: Any, number: int) -> Any:
    found = walk(outer, ("id",))
    return number if found is MISSING or found is None else found
