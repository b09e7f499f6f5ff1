"""Agents: a model that calls tools until it answers."""

from statebag.nodes.agent._config import AgentConfig, check_agent, read_agent
from statebag.nodes.agent._loop import AgentRun, Outcome, StopReason
from statebag.nodes.agent._tools import BUILTIN_TOOLS, Action, AgentTool

__all__ = [
    "BUILTIN_TOOLS",
    "Action",
    "AgentConfig",
    "AgentRun",
    "AgentTool",
    "Outcome",
    "StopReason",
    "check_agent",
    "read_agent",
]
