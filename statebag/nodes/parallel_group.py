"""``parallel_group``: run several bodies beside each other, each on the state as it was before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final, cast

from statebag.config import BodySource, Node, NodeSource
from statebag.errors import Problem
from statebag.nodes._base import NodeContext, NodeOutput, Scope
from statebag.nodes._bodies import body_in
from statebag.nodes._fan_out import fan_out, logs_of, warnings_of
from statebag.nodes._items import body_calls_outside, check_concurrency, threads_for
from statebag.nodes._options import check_choice
from statebag.nodes._run import NodesRun
from statebag.nodes._sequence import course_of, inside_of
from statebag.nodes._tokens import Tokens, add_totals

__all__ = ["NODE_TYPES", "ParallelGroup"]

_ON_ERROR: Final = ("fail", "continue")


class ParallelGroup:
    """Branches under ``config`` run inside of the node's segment, and leave their results below their ids.

    Branches beside ``config``, of a node that is planned, become segments of their own; then the node does nothing.
    """

    name: ClassVar[str] = "parallel_group"
    outside: ClassVar[bool] = False
    body_keys: ClassVar[frozenset[str]] = frozenset({"branches"})

    def find_bodies(self, source: NodeSource) -> tuple[Sequence[BodySource], bool]:
        """A body for each branch."""
        own, beside = source.config.get("branches"), source.members.get("branches")
        fork = source.top and bool(beside)
        written, at = (beside, "branches") if fork or not own else (own, "config.branches")
        if not written:
            return [], fork
        if not isinstance(written, list):
            return [BodySource(path=at, nodes=None, nodes_key="", fault="must be a list of branches.")], fork
        branches = cast("list[Any]", written)
        return [
            _branch(branch, f"{at}[{index}]", index, source.subgraphs)
            for index, branch in enumerate(branches)
            if branch is not None
        ], fork

    def check(self, node: Node, path: str) -> Iterator[Problem]:
        """See :class:`~statebag.nodes.NodeType`."""
        at = f"{path}.branches" if node.fork else f"{path}.config.branches"
        for name, count in Counter(body.name for body in node.bodies).items():
            if count > 1:
                message = f"{count} branches have the id {name!r}. Rename all but one: results are found by it."
                yield Problem(path=at, code="FIELD_VALUE", message=message)
        if not node.fork:
            yield from check_choice(node.config, "on_error", f"{path}.config", _ON_ERROR)
            yield from check_concurrency(node.config, f"{path}.config")

    def reads(self, node: Node) -> frozenset[str] | None:  # noqa: ARG002
        """Nothing; what its nodes read, they say themselves."""
        return frozenset()

    def run(self, node: Node, scope: Scope, context: NodeContext) -> NodeOutput:
        """Run all branches.

        Raises:
            NodeFailed: a branch failed for good.
            StateBagError: a branch failed for now; what its siblings called is kept.
        """
        if node.fork or not node.bodies:
            return NodeOutput()
        bodies = node.bodies
        courses = [course_of(body) for body in bodies]

        def run_branch(index: int) -> NodesRun:
            return courses[index].run(scope, inside_of(context, node.id, bodies[index].name))

        outside = body_calls_outside(node, context.types)
        runs = fan_out(
            node,
            run_branch,
            len(bodies),
            context,
            threads=threads_for(node, outside=outside) if outside else 1,
            outside=outside,
            go_on=node.config.get("on_error") == "continue",
            place=lambda index: f"branch {bodies[index].name}",
        )
        changes: dict[str, Any] = {}
        for body, run in zip(bodies, runs, strict=True):
            changes |= {body.name: dict(run.changes), f"{body.name}_executed": run.error is None}
            if run.error is not None:
                changes[f"{body.name}_error"] = run.error["message"]
        changes |= {f"{node.id}_branches": [body.name for body in bodies], f"{node.id}_aggregated": False}
        tokens = [run.tokens for run in runs]
        names = [{"branch_id": body.name} for body in bodies]
        return NodeOutput(
            changes=changes | add_totals(scope, tokens, "branch_token_details", names),
            logs=logs_of(runs),
            step=f"{self.name}:{len(bodies)}",
            warnings=warnings_of(runs),
            tokens=Tokens.sum_of(tokens),
        )


NODE_TYPES: Final = (ParallelGroup(),)


def _branch(branch: Any, at: str, index: int, subgraphs: Mapping[str, Any]) -> BodySource:
    if not isinstance(branch, dict):
        return BodySource(path=at, nodes=None, nodes_key="", name=f"branch_{index}", fault="must be an object.")
    body = cast("dict[str, Any]", branch)
    name = str(body.get("branch_id") or body.get("id") or f"branch_{index}")
    return body_in(body, at, subgraphs, name) or BodySource(path=at, nodes=[], edges=None, name=name)
