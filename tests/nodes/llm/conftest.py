"""What ``llm_chat`` nodes run with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from statebag.config import Node
from statebag.nodes import NodeContext, NodeOutput
from statebag.nodes.llm_chat import LlmChat
from tests.nodes.loopback import Fields


@pytest.fixture
def run() -> Callable[..., NodeOutput]:
    """Runs an ``llm_chat`` node; keyword arguments are its config, on top of the loopback provider's."""

    def run_node(
        state: Mapping[str, Any] | None = None,
        *,
        mock: bool = False,
        attempt: int = 1,
        heartbeat: Callable[[object], None] = lambda _: None,
        label: str = "",
        **config: Any,
    ) -> NodeOutput:
        node = Node(
            id="ask", type="llm_chat", label=label, config={"provider": "openai", "model": "small-model"} | config
        )
        context = NodeContext(execution_id="run-1", segment_id="seg-1", mock=mock, attempt=attempt, heartbeat=heartbeat)
        assert list(LlmChat().check(node, "$.nodes[0]")) == []
        return LlmChat().run(node, Fields(state or {}), context)

    return run_node


@pytest.fixture
def check() -> Callable[..., list[tuple[str, str]]]:
    """Path and code of each problem of a node with the config given."""

    def check_node(**config: Any) -> list[tuple[str, str]]:
        node = Node(id="ask", type="llm_chat", config=config)
        return [(problem.path, problem.code) for problem in LlmChat().check(node, "$.nodes[0]")]

    return check_node
