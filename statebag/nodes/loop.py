"""``loop``: run a body until a condition holds, or a number of times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

from statebag.config import BodySource, Node, NodeSource
from statebag.config.expressions import ExpressionError, parse_expression
from statebag.errors import Problem
from statebag.nodes._base import NodeContext, NodeOutput, Scope
from statebag.nodes._bodies import BODY_KEYS, find_body
from statebag.nodes._fan_out import failed_inside, logs_of, named, warnings_of
from statebag.nodes._items import value_at
from statebag.nodes._options import (
    check_choice,
    check_condition,
    check_count,
    check_path,
    check_text,
    missing,
    path_fields,
)
from statebag.nodes._run import NodesRun
from statebag.nodes._scopes import Layered
from statebag.nodes._sequence import course_of, inside_of
from statebag.nodes._tokens import Tokens, add_totals
from statebag.nodes.strategies._kinds import is_number

__all__ = ["NODE_TYPES", "Loop"]

_PASSES: Final = 5
_TARGET_SCORE: Final = 0.9
_ON_ERROR: Final = ("fail", "continue")
_NEVER: Final = "false"


class Loop:
    """Runs its nodes again and again, each pass on what the passes before changed, and looks after each one."""

    name: ClassVar[str] = "loop"
    outside: ClassVar[bool] = False
    body_keys: ClassVar[frozenset[str]] = BODY_KEYS

    def find_bodies(self, source: NodeSource) -> tuple[Sequence[BodySource], bool]:
        """The nodes of one pass."""
        return find_body(source), False

    def check(self, node: Node, path: str) -> Iterator[Problem]:
        """See :class:`~statebag.nodes.NodeType`."""
        config, path = node.config, f"{path}.config"
        if not node.bodies:
            yield missing(f"{path}.nodes", "the nodes of one pass")
        if config.get("condition") is not None:
            yield from check_condition(config["condition"], f"{path}.condition")
        yield from check_count(config, "max_iterations", path)
        yield from check_text(config, "loop_var", path)
        yield from check_path(config, "convergence_key", path)
        if config.get("target_score") is not None and not is_number(config["target_score"]):
            yield Problem(path=f"{path}.target_score", code="FIELD_TYPE", message="must be a number, such as 0.9.")
        yield from check_choice(config, "on_error", path, _ON_ERROR)

    def reads(self, node: Node) -> frozenset[str] | None:
        """What its condition reads; what its nodes read, they say themselves."""
        score = path_fields(node.config.get("convergence_key"))
        try:
            fields = parse_expression(node.config.get("condition") or _NEVER).fields()
        except ExpressionError:
            return score
        return None if fields is None or score is None else fields | score

    def run(self, node: Node, scope: Scope, context: NodeContext) -> NodeOutput:
        """Run until the condition holds, the score is reached, or all passes are made.

        Raises:
            NodeFailed: a pass failed for good.
            StateBagError: a pass failed for now.
        """
        config = node.config
        most = config.get("max_iterations") or _PASSES
        loop_var = config.get("loop_var") or "loop_index"
        course = course_of(node.bodies[0])
        state = Layered(scope)
        runs: list[NodesRun] = []
        reason = ""
        while not reason:
            number = len(runs)
            seen = Layered(state, {loop_var: number})
            with named(node, f"pass {number}"):
                run = course.run(seen, inside_of(context, node.id, str(number)))
            if run.error is not None and config.get("on_error") != "continue":
                raise failed_inside(node, f"pass {number}", run.error)
            runs.append(run)
            state.change(run.changes, run.unset)
            context.heartbeat({"done": len(runs), "total": most})
            reason = "error" if run.error is not None else _reason_to_end(config, Layered(state, {loop_var: number}))
            if not reason and len(runs) == most:
                reason = "max_iterations"
        return self._end(node, scope, state, runs, reason)

    def _end(self, node: Node, scope: Scope, state: Layered, runs: Sequence[NodesRun], reason: str) -> NodeOutput:
        changes = state.changes() | {"loop_exit_reason": reason, f"{node.id}_iterations": len(runs)}
        if reason == "max_iterations" or "loop_max_reached" in state:
            changes["loop_max_reached"] = reason == "max_iterations"
        error = runs[-1].error
        if error is not None:
            changes[f"{node.id}_error"] = error["message"]
        tokens = [run.tokens for run in runs]
        numbers = [{"iteration": index} for index in range(len(runs))]
        changes |= add_totals(scope, tokens, "iteration_token_details", numbers)
        return NodeOutput(
            changes=changes,
            unset=tuple(name for name in state.unset() if name not in changes),
            logs=logs_of(runs),
            step=f"{self.name}:{len(runs)}",
            warnings=warnings_of(runs),
            tokens=Tokens.sum_of(tokens),
        )


NODE_TYPES: Final = (Loop(),)


def _reason_to_end(config: Mapping[str, Any], state: Scope) -> str:
    """Why a pass was the last one; empty where it was not."""
    if parse_expression(config.get("condition") or _NEVER).holds(state):
        return "condition_met"
    key = config.get("convergence_key")
    score = value_at(key, state) if key else None
    target = config.get("target_score")
    if is_number(score) and score >= (_TARGET_SCORE if target is None else target):
        return "convergence_reached"
    return ""
