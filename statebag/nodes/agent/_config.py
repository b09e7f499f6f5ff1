"""The ``config`` of a ``react`` node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from statebag.config import Node
from statebag.errors import Problem
from statebag.nodes.agent._tools import AgentTool, check_tools, read_tools
from statebag.nodes.llm import LlmConfig, check_config, read_config

__all__ = ["AgentConfig", "OnLimit", "check_agent", "read_agent"]

OnLimit = Literal["complete", "fail"]

_MAX_TOKENS: Final = 4096
"""Of one turn: arguments of tools are counted, too."""
_WHOLE: Final[Mapping[str, tuple[int, int, int]]] = {
    "max_iterations": (1, 50, 10),
    "token_budget": (1, 1_000_000_000, 500_000),
    "max_rejections": (1, 1000, 5),
    "ring_level": (0, 3, 2),
}
"""Lowest, highest, default."""
_SECONDS: Final[Mapping[str, tuple[float, float]]] = {
    "wall_clock_timeout": (86_400, 240.0),
    "tool_timeout": (3600, 30.0),
}
"""Highest, default; above 0."""


@dataclass(frozen=True, kw_only=True)
class AgentConfig:
    """A node's ``config`` with its defaults."""

    llm: LlmConfig
    """How the model is called; a ``prompt`` of None stands for the state's ``task_prompt`` or ``prompt``."""
    enabled: bool
    max_iterations: int
    """Most turns of the model."""
    token_budget: int
    """Tokens of all turns, and of model calls in tools, together; the turn that passes it is the last."""
    wall_clock_timeout: float
    """Seconds from the first try's start in which a call may begin."""
    tool_timeout: float
    """Seconds of one tool call."""
    max_rejections: int
    """Calls that can't be made (no such tool, wrong arguments) after which the loop ends."""
    on_limit: OnLimit
    tools: tuple[AgentTool, ...]


def read_agent(node: Node) -> AgentConfig:
    """The config of a node that :func:`check_agent` finds nothing wrong with."""
    config = node.config
    llm = read_config(node, output_key="react_result", max_tokens=_MAX_TOKENS)
    whole = {key: default if config.get(key) is None else config[key] for key, (_, _, default) in _WHOLE.items()}
    seconds = {
        key: float(default if config.get(key) is None else config[key]) for key, (_, default) in _SECONDS.items()
    }
    return AgentConfig(
        llm=replace(llm, response_schema=None, parse_json=False),
        enabled=config.get("enabled") is not False,
        max_iterations=whole["max_iterations"],
        token_budget=whole["token_budget"],
        wall_clock_timeout=seconds["wall_clock_timeout"],
        tool_timeout=seconds["tool_timeout"],
        max_rejections=whole["max_rejections"],
        on_limit="fail" if config.get("on_limit") == "fail" else "complete",
        tools=read_tools(config.get("tools")),
    )


def check_agent(node: Node, path: str) -> Iterator[Problem]:
    """Everything wrong with the config of ``node``, whose JSON path is ``path``."""
    config, base = node.config, f"{path}.config"
    yield from check_config(node, path, own_prompt=False)
    for key in ("response_schema", "parse_json"):
        if config.get(key):
            message = "an agent answers in text. Remove it, and let an `llm_chat` behind it give the answer its form"
            yield _problem(base, key, "FIELD_VALUE", message)
    if not isinstance(config.get("enabled", True), bool | None):
        yield _problem(base, "enabled", "FIELD_TYPE", "must be true or false")
    for key, (low, high, _) in _WHOLE.items():
        value = config.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            yield _problem(base, key, "FIELD_TYPE", f"must be a whole number from {low} to {high}")
        elif value is not None and not low <= value <= high:
            yield _problem(base, key, "FIELD_VALUE", f"is {value}; must be a whole number from {low} to {high}")
    for key, (high, _) in _SECONDS.items():
        value = config.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            yield _problem(base, key, "FIELD_TYPE", f"must be a number of seconds above 0, up to {high:g}")
        elif value is not None and not 0 < value <= high:
            yield _problem(base, key, "FIELD_VALUE", f"is {value}; must be above 0 and at most {high:g} seconds")
    if config.get("on_limit") not in (None, "complete", "fail"):
        yield _problem(base, "on_limit", "FIELD_VALUE", "must be `complete` or `fail`")
    yield from check_tools(config.get("tools"), f"{base}.tools")


def _problem(base: str, key: str, code: str, message: str) -> Problem:
    return Problem(path=f"{base}.{key}", code=code, message=f"`{key}`: {message}.")
