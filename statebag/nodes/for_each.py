"""``for_each``: run a body once for each item of a list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, Final

from statebag.config import BodySource, Node, NodeSource, check_item_reader, check_map_options, is_distributed
from statebag.config.templates import check_templates, template_fields
from statebag.errors import Problem
from statebag.nodes._base import NodeContext, NodeOutput, Scope
from statebag.nodes._bodies import BODY_KEYS, find_body
from statebag.nodes._fan_out import fan_out, logs_of, shown_changes, warnings_of
from statebag.nodes._items import body_calls_outside, check_concurrency, list_at, require_at_most, threads_for
from statebag.nodes._options import check_choice, check_count, check_path, check_text, missing, path_fields
from statebag.nodes._run import NodesRun
from statebag.nodes._scopes import Layered
from statebag.nodes._sequence import course_of, inside_of
from statebag.nodes._tokens import Tokens, add_totals

__all__ = ["NODE_TYPES", "ForEach", "items_of"]

_PATHS: Final = ("input_list_key", "items_path")
_ON_ERROR: Final = ("fail", "continue")
_LIST_NEEDED: Final = "the path of a list in the state, such as `order.lines`"
_BODY_NEEDED: Final = "an object with the `nodes` to run for each item"


class ForEach:
    """Runs its nodes for each item, on a view of the state of its own, and lists what each item's nodes changed.

    One that is ``distributed`` is a segment of its own, whose items run elsewhere; then the node itself does nothing.
    """

    name: ClassVar[str] = "for_each"
    outside: ClassVar[bool] = False
    body_keys: ClassVar[frozenset[str]] = BODY_KEYS

    def find_bodies(self, source: NodeSource) -> tuple[Sequence[BodySource], bool]:
        """The nodes to run for each item."""
        return find_body(source), source.top and is_distributed(source.config)

    def check(self, node: Node, path: str) -> Iterator[Problem]:
        """See :class:`~statebag.nodes.NodeType`."""
        config, path = node.config, f"{path}.config"
        if not node.bodies:
            yield missing(f"{path}.sub_workflow", _BODY_NEEDED)
        if items_of(node) is None and config.get("item_reader") is None:
            yield missing(f"{path}.input_list_key", _LIST_NEEDED)
        for key in _PATHS:
            yield from check_path(config, key, path)
        yield from check_templates(config.get("items"), f"{path}.items")
        for key in ("item_key", "output_key"):
            yield from check_text(config, key, path)
        yield from check_count(config, "max_iterations", path)
        yield from check_choice(config, "on_error", path, _ON_ERROR)
        if not node.fork:
            yield from check_concurrency(config, path)
        yield from _check_spread(node, path)

    def reads(self, node: Node) -> frozenset[str] | None:
        """The field with the list; what its nodes read, they say themselves."""
        if any(node.config.get(key) is not None for key in _PATHS):
            return path_fields(items_of(node))
        return template_fields(node.config.get("items"))

    def run(self, node: Node, scope: Scope, context: NodeContext) -> NodeOutput:
        """Run all items.

        Raises:
            NodeFailed: there is no list, it is too long (``ITEMS_LIMIT``), or an item failed for good.
            StateBagError: an item failed for now; what its siblings called is kept.
        """
        config = node.config
        items = list_at(items_of(node), scope, f"node `{node.id}`")
        require_at_most(len(items), config.get("max_iterations"), f"node `{node.id}`")
        item_key = config.get("item_key") or "item"
        course = course_of(node.bodies[0])

        def run_item(index: int) -> NodesRun:
            names = {"item": items[index], "item_index": index, item_key: items[index]}
            return course.run(Layered(scope, names), inside_of(context, node.id, str(index)))

        outside = body_calls_outside(node, context.types)
        runs = fan_out(
            node,
            run_item,
            len(items),
            context,
            threads=threads_for(node, outside=outside),
            outside=outside,
            go_on=config.get("on_error") == "continue",
            place=lambda index: f"item {index}",
        )
        changes: dict[str, Any] = {
            config.get("output_key") or "for_each_results": [shown_changes(run) for run in runs],
            f"{node.id}_iteration_count": len(runs),
        }
        tokens = [run.tokens for run in runs]
        numbers: Iterable[dict[str, Any]] = ({"iteration": index} for index in range(len(runs)))
        return NodeOutput(
            changes=changes | add_totals(scope, tokens, "iteration_token_details", numbers),
            logs=logs_of(runs),
            step=f"{self.name}:{len(runs)}",
            warnings=warnings_of(runs),
            tokens=Tokens.sum_of(tokens),
        )


NODE_TYPES: Final = (ForEach(),)


def items_of(node: Node) -> Any:
    """The path of the list, or what gives it; None where there is neither."""
    return next((node.config[key] for key in (*_PATHS, "items") if node.config.get(key) is not None), None)


def _check_spread(node: Node, path: str) -> Iterator[Problem]:
    config = node.config
    yield from check_map_options(config, path)
    yield from check_item_reader(config.get("item_reader"), f"{path}.item_reader")
    if items_of(node) is not None and config.get("item_reader") is not None:
        message = "the items come from here or from a list in the state. Remove one of the two."
        yield Problem(path=f"{path}.item_reader", code="INPUT_CONFLICT", message=message)
    if config.get("max_iterations") is not None and config.get("item_reader") is not None:
        message = "does not count the rows of a file. Set `max_items` of the `item_reader`, or remove it."
        yield Problem(path=f"{path}.max_iterations", code="FIELD_VALUE", message=message)
    if is_distributed(config) and not node.fork:
        key = "item_reader" if config.get("item_reader") is not None else "distributed"
        message = (
            "this one is inside of another node, which runs in one go. Remove it, or put the node beside that one."
        )
        yield Problem(path=f"{path}.{key}", code="FIELD_VALUE", message=message)
    if node.fork and (inner := _map_inside(node)) is not None:
        message = f"`{inner}` inside of it is distributed, too. Let one of the two run in one go."
        yield Problem(path=f"{path}.distributed", code="FIELD_VALUE", message=message)


def _map_inside(node: Node) -> str | None:
    """Id of a distributed map inside of ``node``."""
    for body in node.bodies:
        for inner in body.nodes:
            if inner.type == ForEach.name and inner.fork:
                return inner.id
            if (found := _map_inside(inner)) is not None:
                return found
    return None
