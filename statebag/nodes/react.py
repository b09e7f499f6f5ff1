"""The node type ``react``: an agent, a model that calls tools until it answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, ClassVar

from statebag.config import Node
from statebag.config.templates import template_fields
from statebag.errors import NodeFailed, Problem
from statebag.nodes._base import NodeContext, NodeOutput, NodeType, Scope
from statebag.nodes.agent import AgentConfig, AgentRun, Outcome, check_agent, read_agent
from statebag.nodes.llm import build_request, prompt_fields

__all__ = ["NODE_TYPES", "React"]

_PROMPT_FIELDS = ("task_prompt", "prompt")


class React:
    """Lets a model work on a task with tools, and writes what came of it.

    Writes ``output_key`` (by default ``react_result``), ``llm_raw_output``,
    ``total_tokens`` and ``usage``. Each answer of the model and each result of
    a tool is kept: when the segment is tried again, only what was going on is
    done again.
    """

    name: ClassVar[str] = "react"
    outside: ClassVar[bool] = True

    def check(self, node: Node, path: str) -> Iterable[Problem]:
        """Everything wrong with the node's config."""
        return check_agent(node, path)

    def reads(self, node: Node) -> frozenset[str] | None:
        """User fields that the node's templates read; None where its tools may read any."""
        config = read_agent(node)
        if any(one.action is not None for one in config.tools):
            return None
        llm, fields = config.llm, set[str]()
        if _prompted_by_state(config):
            llm = replace(llm, prompt="")
            fields |= {*_PROMPT_FIELDS}
        for found in (prompt_fields(llm), template_fields([one.mock_result for one in config.tools])):
            if found is None:
                return None
            fields |= found
        return frozenset(fields)

    def run(self, node: Node, scope: Scope, context: NodeContext) -> NodeOutput:
        """Run the agent to its end.

        Raises:
            ProviderUnavailable: the provider refuses for now. StateBagError: a retryable one of a tool's node.
            NodeFailed: there is no prompt; a call of the model is refused for good; or ``REACT_LIMIT``: a limit ended
                the loop and ``on_limit`` is ``fail``.
        """
        config = read_agent(node)
        if not config.enabled:
            return NodeOutput(step="react:disabled")
        if _prompted_by_state(config):
            prompt = f"{{{{ {_prompt_field(node, scope)} }}}}"
            config = replace(config, llm=replace(config.llm, prompt=prompt))
        request = build_request(node.id, config.llm, scope, context)
        agent = AgentRun(config, request, scope, context)
        outcome = agent.run()
        if outcome.stop_reason != "end_turn" and config.on_limit == "fail":
            raise _limit_reached(node, config, outcome)
        result: dict[str, Any] = {
            "final_answer": outcome.final_answer,
            "iterations": outcome.iterations,
            "stop_reason": outcome.stop_reason,
            "steps": agent.journal.entries,
            "total_input_tokens": outcome.usage.input_tokens,
            "total_output_tokens": outcome.usage.output_tokens,
        }
        result |= {"finish_reason": outcome.finish_reason} if outcome.finish_reason else {}
        return NodeOutput(
            changes={
                config.llm.output_key: result,
                "llm_raw_output": outcome.final_answer,
                "total_tokens": outcome.usage.total_tokens,
                "usage": {**outcome.usage.to_json(), "provider": request.provider},
            },
            logs=tuple(agent.journal.logs),
            step=f"react:{outcome.stop_reason}",
        )


def _prompted_by_state(config: AgentConfig) -> bool:
    return config.llm.prompt is None and config.llm.messages is None


def _prompt_field(node: Node, scope: Scope) -> str:
    for name in _PROMPT_FIELDS:
        value = scope.get(name)
        if value is not None and (not isinstance(value, str) or value.strip()):
            return name
    raise NodeFailed(
        f"Node {node.id!r}: there is nothing to do. Set the field `task_prompt` or `prompt` of the state, "
        "or give the node a `prompt`.",
        code="FIELD_MISSING",
    )


def _limit_reached(node: Node, config: AgentConfig, outcome: Outcome) -> NodeFailed:
    remedies = {
        "max_iterations": f"the model called tools still in turn {outcome.iterations}. Raise `max_iterations`",
        "budget_exceeded": f"{outcome.usage.total_tokens} tokens were used. Raise `token_budget`",
        "wall_clock_timeout": f"{config.wall_clock_timeout:g} seconds are over. Raise `wall_clock_timeout`",
        "max_rejections": f"{config.max_rejections} calls of tools were wrong. Describe the tools better, or take a "
        "better model",
    }
    return NodeFailed(
        f"Node {node.id!r}: the agent ended without an answer ({outcome.stop_reason}): "
        f"{remedies[outcome.stop_reason]}; or let the run go on with `on_limit: complete`.",
        code="REACT_LIMIT",
        details={
            "node_id": node.id,
            "stop_reason": outcome.stop_reason,
            "iterations": outcome.iterations,
            "total_tokens": outcome.usage.total_tokens,
        },
    )


NODE_TYPES: tuple[NodeType, ...] = (React(),)
