"""``subgraph``: run a body once, with a view of its own where it is given one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final, cast

from statebag.config import BodySource, Node, NodeSource
from statebag.config.paths import MISSING
from statebag.config.templates import check_templates, has_template, template_fields
from statebag.errors import Problem
from statebag.nodes._base import NodeContext, NodeOutput, Scope
from statebag.nodes._bodies import BODY_KEYS, find_body
from statebag.nodes._fan_out import failed_inside, named
from statebag.nodes._items import value_at
from statebag.nodes._options import check_choice, check_path, missing, path_fields
from statebag.nodes._run import NodesRun
from statebag.nodes._scopes import Fixed, Layered
from statebag.nodes._sequence import inside_of, run_body
from statebag.nodes._tokens import count_on

__all__ = ["NODE_TYPES", "Subgraph"]

_HANDLING: Final = ("fail", "skip", "isolate")
_HANDLING_KEYS: Final = ("on_error", "error_handling")
_MAPPINGS: Final = ("input_mapping", "output_mapping")


class Subgraph:
    """Runs nodes that are written elsewhere, or belong together."""

    name: ClassVar[str] = "subgraph"
    outside: ClassVar[bool] = False
    body_keys: ClassVar[frozenset[str]] = BODY_KEYS

    def find_bodies(self, source: NodeSource) -> tuple[Sequence[BodySource], bool]:
        """Its nodes."""
        return find_body(source), False

    def check(self, node: Node, path: str) -> Iterator[Problem]:
        """See :class:`~statebag.nodes.NodeType`."""
        config, path = node.config, f"{path}.config"
        if config.get("skill_ref") is not None:
            message = (
                "skills are not stored here. Write the skill's nodes into the document's `subgraphs` and name them "
                "with `subgraph_ref`; for a tool of an active skill, use a `skill_executor` node."
            )
            yield Problem(path=f"{path}.skill_ref", code="FIELD_VALUE", message=message)
        elif not node.bodies:
            yield missing(f"{path}.subgraph_ref", "a name in the document's `subgraphs`, or write `subgraph_inline`")
        for key in _HANDLING_KEYS:
            yield from check_choice(config, key, path, _HANDLING)
        for key in _MAPPINGS:
            if config.get(key) is not None and not isinstance(config[key], Mapping):
                yield Problem(path=f"{path}.{key}", code="FIELD_TYPE", message="must be an object.")
        for key, value in _mapping(config, "input_mapping").items():
            if _is_name(value):
                yield from check_path({key: key}, key, f"{path}.input_mapping")
            else:
                yield from check_templates(value, f"{path}.input_mapping.{key}")
        for key, value in _mapping(config, "output_mapping").items():
            yield from check_path({key: key}, key, f"{path}.output_mapping")
            if not isinstance(value, str) or not value:
                yield Problem(
                    path=f"{path}.output_mapping.{key}", code="FIELD_TYPE", message="must be the name of a field."
                )

    def reads(self, node: Node) -> frozenset[str] | None:
        """What its input mapping reads; what its nodes read, they say themselves."""
        fields: frozenset[str] = frozenset()
        for key, value in _mapping(node.config, "input_mapping").items():
            found = path_fields(key) if _is_name(value) else template_fields(value)
            if found is None:
                return None
            fields |= found
        return fields

    def run(self, node: Node, scope: Scope, context: NodeContext) -> NodeOutput:
        """Run its nodes.

        Raises:
            NodeFailed: one failed for good, and ``on_error`` does not allow that.
            StateBagError: one failed for now.
        """
        config = node.config
        inner: Scope = scope
        if config.get("input_mapping") is not None:
            inner = Fixed(_inputs(_mapping(config, "input_mapping"), scope))
        with named(node, ""):
            run = run_body(node.bodies[0], inner, inside_of(context, node.id))
        entry: dict[str, Any] = {
            "type": "subgraph_execution",
            "node_id": node.id,
            "subgraph_name": node.label or node.id,
            "status": "FAILED" if run.error else "COMPLETED",
        }
        changes, unset = _outputs(config, run, inner)
        changes = {**changes, **count_on(scope, changes)} if inner is not scope else changes
        if run.error is not None:
            handling = next((config[key] for key in _HANDLING_KEYS if config.get(key) is not None), "fail")
            if handling == "fail":
                raise failed_inside(node, "", run.error)
            changes = {f"{node.id}_error": run.error["message"]}
            changes |= {f"{node.id}_skipped": True} if handling == "skip" else {}
            unset = ()
            entry["error"] = {"code": run.error["code"], "message": run.error["message"]}
        return NodeOutput(
            changes=changes,
            unset=unset,
            logs=(*run.logs, entry | {"output_keys": sorted(changes)}),
            step=f"{self.name}:{len(run.steps)}",
            warnings=run.warnings,
            tokens=run.tokens,
        )


NODE_TYPES: Final = (Subgraph(),)


def _mapping(config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = config.get(key)
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _is_name(value: Any) -> bool:
    """Whether an input is ``parent: child`` rather than ``child: template``."""
    return isinstance(value, str) and not has_template(value)


def _inputs(mapping: Mapping[str, Any], scope: Scope) -> dict[str, Any]:
    """The state of the nodes inside; what the parent has not is absent there, too."""
    found = {
        value if _is_name(value) else key: value_at(key if _is_name(value) else value, scope)
        for key, value in mapping.items()
    }
    return {name: value for name, value in found.items() if value is not MISSING}


def _outputs(config: Mapping[str, Any], run: NodesRun, inner: Scope) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """What comes back: all changes, or those that the output mapping names."""
    if config.get("output_mapping") is None:
        # A view of its own has names of its own: what is gone there says nothing about the parent's.
        return run.changes, run.unset if config.get("input_mapping") is None else ()
    after = Layered(inner)
    after.change(run.changes, run.unset)
    found = {parent: value_at(child, after) for child, parent in _mapping(config, "output_mapping").items()}
    return {name: value for name, value in found.items() if value is not MISSING}, ()
