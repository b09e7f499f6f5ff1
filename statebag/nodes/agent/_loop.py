"""The loop of an agent: the model speaks, its tools are called, until it answers or a limit ends it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from statebag.canonical import canonical_bytes
from statebag.errors import ProviderUnavailable, StateBagError
from statebag.nodes._base import NodeContext, Scope
from statebag.nodes.agent._bridge import run_tool
from statebag.nodes.agent._config import AgentConfig
from statebag.nodes.agent._journal import Journal
from statebag.nodes.agent._mock import call_each
from statebag.nodes.agent._tools import BUILTIN_TOOLS, refusal_of
from statebag.nodes.llm import Exchange, LlmAnswer, LlmRequest, ToolCall, ToolReturn, Usage, ask, tell

__all__ = ["AgentRun", "Outcome", "StopReason"]

StopReason = Literal["end_turn", "max_iterations", "budget_exceeded", "wall_clock_timeout", "max_rejections"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How an agent ended."""

    final_answer: str
    """The last text of the model; empty where a limit ended the loop before any."""
    iterations: int
    """Turns of the model."""
    stop_reason: StopReason
    usage: Usage
    finish_reason: str | None
    """Why the last turn ended, where that isn't the usual ``stop``."""


class _TimeUp(Exception):
    """The wall clock has run out before a call."""


class AgentRun:
    """One run of an agent; what an earlier try has kept is recalled, not done again.

    Args:
        config: Its config.
        request: The first call of the model; tools are added.
        scope: The state.
        context: The run.
    """

    def __init__(self, config: AgentConfig, request: LlmRequest, scope: Scope, context: NodeContext) -> None:
        self._config = config
        self._tools = {one.tool.name: one for one in (*config.tools, *BUILTIN_TOOLS)}
        self._request = replace(request, tools=tuple(one.tool for one in self._tools.values()))
        self._scope = scope
        self._context = context
        self.journal = Journal(request.node_id, context)
        self._iterations = 0
        self._calls = 0
        self._rejections = 0
        self._usage = Usage()
        self._answer: LlmAnswer | None = None
        self._text = ""

    def run(self) -> Outcome:
        """Run until the model answers without calling a tool, or a limit ends it.

        Raises:
            ProviderUnavailable: the provider refuses for now. StateBagError: a retryable one of a tool's node.
            NodeFailed: a call of the model is refused for good.
        """
        try:
            stop_reason = self._turn()
            while stop_reason is None:
                stop_reason = self._turn()
        except _TimeUp:
            stop_reason = "wall_clock_timeout"
        return Outcome(
            final_answer=self._text,
            iterations=self._iterations,
            stop_reason=stop_reason,
            usage=self._usage,
            finish_reason=self._answer.finish_reason if self._answer else None,
        )

    def _turn(self) -> StopReason | None:
        answer = self._answer = self._ask(self._iterations + 1)
        self._iterations += 1
        self._usage += answer.usage
        self._text = answer.text or self._text
        if not answer.tool_calls:
            return "end_turn"
        if self._usage.total_tokens >= self._config.token_budget:
            return "budget_exceeded"
        if self._iterations == self._config.max_iterations:
            return "max_iterations"
        returns: list[ToolReturn] = []
        for call in answer.tool_calls:
            returns.append(self._call(call))
            if self._rejections >= self._config.max_rejections:
                return "max_rejections"
        exchange = Exchange(answer=answer, returns=tuple(returns))
        self._request = replace(self._request, exchanges=(*self._request.exchanges, exchange))
        return None

    def _ask(self, iteration: int) -> LlmAnswer:
        kept = self.journal.recall("turn", str(iteration))
        if kept is None:
            left = self._time_left()
            request = replace(self._request, timeout_seconds=min(self._request.timeout_seconds, left))
            try:
                kept = self.journal.make(lambda: {"answer": self._say(request).to_json()}, "turn", str(iteration))
            except ProviderUnavailable as failure:
                if self.journal.elapsed() < self._config.wall_clock_timeout:
                    raise
                self._tell_model(iteration, "FAILED", error=failure.message)
                raise _TimeUp from failure
        answer = LlmAnswer.from_json(kept["answer"])
        self._tell_model(
            iteration,
            "COMPLETED",
            usage=answer.usage.to_json(),
            duration_seconds=kept["duration_seconds"],
            **tell("content", answer.text),
            **({"tool_calls": [call.name for call in answer.tool_calls]} if answer.tool_calls else {}),
        )
        return answer

    def _say(self, request: LlmRequest) -> LlmAnswer:
        answer = ask(request, self._config.llm, self._scope, self._context)
        if not self._context.mock or request.exchanges:
            return answer
        tools = [one.tool for one in self._config.tools or BUILTIN_TOOLS]
        return call_each(request, answer, tools)

    def _call(self, call: ToolCall) -> ToolReturn:
        self._calls += 1
        told = tell("arguments", _text(call.arguments))
        if refusal := refusal_of(self._tools, call):
            self._rejections += 1
            self._tell_tool(call, "REJECTED", error=refusal, **told)
            return ToolReturn(call_id=call.call_id, name=call.name, content=refusal, failed=True)
        place = ("tool", str(self._calls))
        kept = self.journal.recall(*place)
        if kept is None:
            seconds = min(self._config.tool_timeout, self._time_left())
            kept = self.journal.make(lambda: self._use(call, seconds), *place)
        failed: bool = kept["failed"]
        used = Usage(**kept["usage"])
        self._usage += used
        self.journal.logs += kept["logs"]
        self._tell_tool(
            call,
            "FAILED" if failed else "COMPLETED",
            duration_seconds=kept["duration_seconds"],
            **({"usage": used.to_json()} if used.total_tokens else {}),
            **told,
            **tell("error" if failed else "result", _text(kept["content"])),
        )
        return ToolReturn(call_id=call.call_id, name=call.name, content=kept["content"], failed=failed)

    def _use(self, call: ToolCall, seconds: float) -> dict[str, Any]:
        inside = (*self._context.inside, self._request.node_id, "tool", str(self._calls))
        context = replace(self._context, inside=inside)
        try:
            result = run_tool(self._tools[call.name], call.arguments, self._scope, context, seconds)
        except Exception as failure:
            if not isinstance(failure, StateBagError):
                text = f"{type(failure).__name__}: {failure}"
            elif failure.retryable:
                raise
            else:
                text = f"{failure.code}: {failure.message}"
            return {"content": text, "failed": True, "logs": [], "usage": {}}
        place = "/".join(inside)
        return {
            "content": result.content,
            "failed": False,
            "logs": [{"inside": place, **log} for log in result.logs],
            "usage": {"input_tokens": result.tokens.input_tokens, "output_tokens": result.tokens.output_tokens},
        }

    def _time_left(self) -> float:
        left = self._config.wall_clock_timeout - self.journal.elapsed()
        if left <= 0:
            raise _TimeUp
        return left

    def _tell_model(self, iteration: int, status: str, **more: Any) -> None:
        self.journal.tell(iteration=iteration, kind="model", name=self._request.model, status=status, **more)

    def _tell_tool(self, call: ToolCall, status: str, **more: Any) -> None:
        self.journal.tell(iteration=self._iterations, kind="tool", name=call.name, status=status, **more)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else canonical_bytes(value).decode()
