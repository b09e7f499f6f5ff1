"""``operator`` and ``operator_custom``: set fields of the state, and run code on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final, cast

from statebag.config import Node
from statebag.config.templates import check_templates, render, template_fields
from statebag.errors import NodeFailed, Problem
from statebag.nodes._base import NodeContext, NodeOutput, Scope
from statebag.nodes.code import (
    MODULES,
    CodeLimits,
    Outcome,
    SyntaxProblem,
    parse_in_sandbox,
    read_program,
    run_program,
    workers,
)

__all__ = ["NODE_TYPES", "Operator", "OperatorCustom"]

_NO_OUTPUT_KEY: Final = (
    "`output_key` has no effect here: `sets` and `code` name the fields themselves. It is ignored; remove it."
)


class Operator:
    """Puts ``config.sets`` into the state, flat keys, values rendered as templates; then runs ``config.code`` on it.

    Args:
        limits: What code may use up.
    """

    name: ClassVar[str] = "operator"
    outside: ClassVar[bool] = False

    def __init__(self, limits: CodeLimits | None = None) -> None:
        self._limits = limits or CodeLimits()
        self._workers = workers()

    def check(self, node: Node, path: str) -> Iterator[Problem]:
        """See :class:`~statebag.nodes.NodeType`."""
        sets = node.config.get("sets")
        if sets is not None and not isinstance(sets, Mapping):
            yield Problem(
                path=f"{path}.config.sets", code="FIELD_TYPE", message="must be an object of state fields and values."
            )
        else:
            yield from check_templates(sets, f"{path}.config.sets")
        if node.config.get("output_key") is not None:
            yield Problem(path=f"{path}.config.output_key", code="FIELD_UNKNOWN", message=_NO_OUTPUT_KEY)
        if node.config.get("code"):
            yield from self._check_code(node.config["code"], f"{path}.config.code")

    def reads(self, node: Node) -> frozenset[str] | None:
        """The fields that the templates and the code read; null for all."""
        sets = _sets_of(node)
        by_templates, by_code = template_fields(sets), _fields_of_code(node)
        return None if by_templates is None or by_code is None else by_templates | (by_code - sets.keys())

    def run(self, node: Node, scope: Scope, context: NodeContext) -> NodeOutput:
        """Set the fields and run the code; without either nothing changes."""
        changes: dict[str, Any] = dict(render(_sets_of(node), scope))
        if not node.config.get("code"):
            return NodeOutput(changes=changes, step=self.name)
        outcome = self._run_code(node, {**_read_state(node, scope), **changes}, context)
        for name in outcome.gone:
            changes.pop(name, None)
        changes |= outcome.changes
        result = outcome.result
        if isinstance(result, Mapping):
            changes |= cast("Mapping[str, Any]", result)
        elif result is not None:
            changes[f"{node.id}_result"] = result
        unset = tuple(name for name in outcome.gone if name not in changes and name in scope)
        if not changes and not unset:
            changes[f"{node.id}_status"] = "ok"
        log = {"type": "code_output", "node_id": node.id, "text": outcome.printed}
        return NodeOutput(changes=changes, unset=unset, logs=(log,) if outcome.printed else (), step=self.name)

    def _check_code(self, code: Any, path: str) -> Iterator[Problem]:
        if not isinstance(code, str):
            yield Problem(path=path, code="FIELD_TYPE", message="must be text: Python code.")
            return
        if len(code.encode("utf-8", "surrogatepass")) > self._limits.code_bytes:
            limit = f"{self._limits.code_bytes:,} bytes"
            yield Problem(
                path=path, code="FIELD_VALUE", message=f"is longer than {limit}. Shorten it, or split the node."
            )
            return
        program = read_program(code)
        try:
            wrong = (
                program
                if isinstance(program, SyntaxProblem)
                else parse_in_sandbox(program, self._limits, self._workers)
            )
        except NodeFailed as failure:
            yield Problem(path=path, code=failure.code, message=failure.message)
            return
        if wrong is not None:
            at = f"line {wrong.line}: " if wrong.line else ""
            yield Problem(path=path, code="CODE_SYNTAX", message=f"{at}{wrong.message}. Correct the code.")

    def _run_code(self, node: Node, state: Mapping[str, Any], context: NodeContext) -> Outcome:
        code = node.config["code"]
        program = read_program(code) if isinstance(code, str) else SyntaxProblem(line=0, message="it is no text")
        if isinstance(program, SyntaxProblem):
            raise NodeFailed(f"the `code` of node `{node.id}`: {program.message}. Correct it.", code="CODE_SYNTAX")
        refused = program.refused_import
        if refused is not None:
            raise NodeFailed(
                f"line {refused.line} of the `code` of node `{node.id}`: the module `{refused.module}` can't be imported. "
                f"There are {', '.join(sorted(MODULES))}.",
                code="CODE_IMPORT_REFUSED",
                details={"line": refused.line, "module": refused.module},
            )
        return run_program(program, state, node, context, self._limits, self._workers)


class OperatorCustom(Operator):
    """The same under its other name."""

    name: ClassVar[str] = "operator_custom"


NODE_TYPES: Final = (Operator(), OperatorCustom())


def _sets_of(node: Node) -> Mapping[str, Any]:
    return node.config.get("sets") or {}


def _fields_of_code(node: Node) -> frozenset[str] | None:
    code = node.config.get("code")
    if not code:
        return frozenset()
    program = read_program(code) if isinstance(code, str) else None
    return None if program is None or isinstance(program, SyntaxProblem) else program.reads


def _read_state(node: Node, scope: Scope) -> dict[str, Any]:
    fields = _fields_of_code(node)
    return scope.whole() if fields is None else {name: scope[name] for name in sorted(fields) if name in scope}
