"""``aggregator``: bring what the branches of an in-process group left below their ids to the top of the state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, cast

from statebag.canonical import canonical_bytes
from statebag.config import Node, is_appended, join_added
from statebag.errors import Problem
from statebag.nodes._base import NodeContext, NodeOutput, Scope
from statebag.nodes._tokens import TOKEN_FIELDS

__all__ = ["NODE_TYPES", "Aggregator"]

_DETAILS: Final = (("iteration", "iteration_token_details"), ("nested_iteration", "nested_token_details"))


@dataclass(frozen=True, kw_only=True)
class _Branch:
    group: str
    name: str
    changes: Mapping[str, Any]


class Aggregator:
    """Takes the results of the groups that no aggregator has taken yet.

    A field that one branch changed is taken. A list field that branches add to, by its name, gets what each of them
    added. Of other fields that branches changed differently the last one counts, and the log says so. Tokens are
    in the totals already, by the group. Behind branches that were segments of their own there is nothing left to do.
    """

    name: ClassVar[str] = "aggregator"
    outside: ClassVar[bool] = False

    def check(self, node: Node, path: str) -> Iterator[Problem]:
        """See :class:`~statebag.nodes.NodeType`."""
        if node.config.get("code"):
            message = "an aggregator runs no code: branches are joined by field. It is ignored; remove it."
            yield Problem(path=f"{path}.config.code", code="FIELD_UNKNOWN", message=message)

    def reads(self, node: Node) -> frozenset[str] | None:  # noqa: ARG002
        """Nothing that is known before."""
        return frozenset()

    def run(self, node: Node, scope: Scope, context: NodeContext) -> NodeOutput:  # noqa: ARG002
        """Join what is there."""
        groups = _groups(scope)
        branches = [branch for group, names in groups.items() for branch in _branches(group, names, scope)]
        changes: dict[str, Any] = {}
        conflicts: list[Mapping[str, Any]] = []
        for field, written in _writers(branches, scope).items():
            changes[field], lost = _join(field, written, scope)
            if lost:
                names = [branch.name for branch, _ in written]
                conflicts.append({"field": field, "branches": names, "kept": names[-1]})
        changes |= {f"{group}_aggregated": True for group in groups}
        sources = _sources(branches, scope)
        if sources:
            changes["aggregation_sources"] = sources
        entry: dict[str, Any] = {
            "type": "aggregation",
            "node_id": node.id,
            "branches": [branch.name for branch in branches],
            "conflicts": conflicts,
        }
        return NodeOutput(changes=changes, logs=(entry,), step=f"{self.name}:{len(branches)}")


NODE_TYPES: Final = (Aggregator(),)


def _groups(scope: Scope) -> dict[str, list[str]]:
    """Ids of the groups that have run since an aggregator, with those of their branches."""
    names = set(scope.names())
    ended = [name.removesuffix("_aggregated") for name in sorted(names) if name.endswith("_aggregated")]
    pending = [name for name in ended if f"{name}_branches" in names and scope[f"{name}_aggregated"] is False]
    found = {name: scope[f"{name}_branches"] for name in pending}
    return {name: [str(one) for one in ids] for name, ids in found.items() if isinstance(ids, list)}


def _branches(group: str, names: Sequence[str], scope: Scope) -> Iterator[_Branch]:
    for name in names:
        changes = scope.get(name)
        if scope.get(f"{name}_executed") is True and isinstance(changes, Mapping):
            yield _Branch(group=group, name=name, changes=cast("Mapping[str, Any]", changes))


def _writers(branches: Sequence[_Branch], scope: Scope) -> dict[str, list[tuple[_Branch, Any]]]:
    """Field to the branches that changed it, with what each made of it."""
    writers: dict[str, list[tuple[_Branch, Any]]] = {}
    for branch in branches:
        for field, value in branch.changes.items():
            if field not in TOKEN_FIELDS and (field not in scope or not _same(scope[field], value)):
                writers.setdefault(field, []).append((branch, value))
    return writers


def _join(field: str, written: Sequence[tuple[_Branch, Any]], scope: Scope) -> tuple[Any, bool]:
    """What becomes of a field, and whether something of a branch is lost by it."""
    values = [value for _, value in written]
    if is_appended(field):
        joined = join_added(scope.get(field), values)
        if joined is not None:
            return joined, False
    return values[-1], any(not _same(values[-1], value) for value in values)


def _same(one: Any, other: Any) -> bool:
    return one is other or canonical_bytes(one) == canonical_bytes(other)


def _sources(branches: Sequence[_Branch], scope: Scope) -> list[dict[str, Any]]:
    """Where results and tokens came from."""
    used = {entry["branch_id"]: entry for entry in _entries(scope, "branch_token_details") if "branch_id" in entry}
    sources: list[dict[str, Any]] = [
        {"source": "parallel_branch", "group_id": branch.group, "branch_id": branch.name, **used.get(branch.name, {})}
        for branch in branches
    ]
    return sources + [{"source": source, **entry} for source, field in _DETAILS for entry in _entries(scope, field)]


def _entries(scope: Scope, field: str) -> list[dict[str, Any]]:
    found = scope.get(field)
    items = cast("list[Any]", found) if isinstance(found, list) else []
    return [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]
