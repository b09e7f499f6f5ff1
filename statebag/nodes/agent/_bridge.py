"""Run the node behind a tool, inside of the agent's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final

from statebag.canonical import size_of
from statebag.config import Node
from statebag.config.templates import render
from statebag.errors import NodeFailed, StateBagError
from statebag.nodes._base import NodeContext, Scope
from statebag.nodes._scopes import Layered
from statebag.nodes._tokens import Tokens
from statebag.nodes.agent._tools import Action, AgentTool, canonical_type

__all__ = ["ToolResult", "run_tool"]

_MAX_RESULT_BYTES: Final = 1_000_000
"""More is too much for any model to read."""


@dataclass(frozen=True, kw_only=True)
class ToolResult:
    """What a tool gave."""

    content: Any
    """A JSON value."""
    logs: tuple[Mapping[str, Any], ...] = ()
    """What its node has to say."""
    tokens: Tokens = field(default_factory=Tokens)
    """What the model calls of its node used."""


class _Overdue(BaseException):
    """A tool has used up its time. No Exception, so that no node takes it for a failure of its own."""


def run_tool(
    tool: AgentTool, arguments: Mapping[str, Any], scope: Scope, context: NodeContext, seconds: float
) -> ToolResult:
    """Do what a call of the tool asks for.

    Args:
        tool: The tool.
        arguments: Values that its schema allows.
        scope: The state.
        context: The run; ``inside`` names the call.
        seconds: How long it may take. A node is told by ``timeout_seconds``, and stopped at its next heartbeat.

    Raises:
        NodeFailed: it can't be done, or takes too long. StateBagError: a retryable one, where it can't be done now.
    """
    result = _result(tool, arguments, scope, context, seconds)
    size = size_of(result.content)
    if size > _MAX_RESULT_BYTES:
        raise NodeFailed(
            f"The tool {tool.tool.name!r} gave {size} bytes, and {_MAX_RESULT_BYTES} are the most. Ask it for less."
        )
    return result


def _result(
    tool: AgentTool, arguments: Mapping[str, Any], scope: Scope, context: NodeContext, seconds: float
) -> ToolResult:
    if tool.compute is not None:
        return ToolResult(content=tool.compute(arguments))
    visible = Layered(scope, {"args": arguments})
    if context.mock and tool.mock_result is not None:
        return ToolResult(content=render(tool.mock_result, visible))
    if tool.action is None:
        raise NodeFailed(f"The tool {tool.tool.name!r} has no `bridge_action`: it works in mock mode alone.")
    return _run_action(tool.tool.name, tool.action, visible, context, seconds)


def _run_action(name: str, action: Action, scope: Scope, context: NodeContext, seconds: float) -> ToolResult:
    kind = context.types.get(canonical_type(action.type))
    if kind is None:
        raise NodeFailed(f"The tool {name!r} needs the node type {action.type!r}, which this worker has not.")
    end = context.now() + timedelta(seconds=seconds)

    def beat(detail: object) -> None:
        context.heartbeat(detail)
        if context.now() >= end:
            raise _Overdue

    own = action.config.get("timeout_seconds")
    config = {**action.config, "timeout_seconds": min(own, seconds) if own else seconds}
    node = Node(id=name, type=kind.name, config=config)
    try:
        output = kind.run(node, scope, replace(context, heartbeat=beat))
    except _Overdue:
        raise _overdue(name, seconds) from None
    except StateBagError as failure:
        # A node that gave up in time says that it may be repeated; here its time is what the model must know of.
        if failure.retryable and context.now() >= end:
            raise _overdue(name, seconds) from failure
        raise
    given = {key: value for key, value in output.changes.items() if key not in ("usage", f"{name}_meta")}
    return ToolResult(
        content=next(iter(given.values())) if len(given) == 1 else given,
        logs=output.logs,
        tokens=Tokens.of_changes(output.changes),
    )


def _overdue(name: str, seconds: float) -> NodeFailed:
    return NodeFailed(f"The tool {name!r} took longer than its {seconds:g} seconds (`tool_timeout`).")
