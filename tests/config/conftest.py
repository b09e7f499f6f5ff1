from collections.abc import Iterable
from typing import Any

import pytest

from statebag.config import Node
from statebag.errors import Problem
from statebag.nodes import NodeOutput, NodeRegistry


class FakeType:
    """A node type that knows its name and objects to what ``config.wrong`` names."""

    def __init__(self, name: str, *, outside: bool = False) -> None:
        self.name = name
        self.outside = outside

    def check(self, node: Node, path: str) -> Iterable[Problem]:
        if "wrong" in node.config:
            yield Problem(path=f"{path}.config.wrong", code="STRATEGY_UNKNOWN", message="it is wrong; remove it")
        if node.config.get("output_key") == "status":
            yield Problem(path=f"{path}.config.output_key", code="RESERVED_KEY", message="`status` is reserved")

    def reads(self, *_: Any) -> frozenset[str] | None:
        return frozenset()

    def run(self, *_: Any) -> NodeOutput:
        return NodeOutput()


@pytest.fixture(scope="session")
def registry() -> NodeRegistry:
    types = [FakeType(name) for name in ("operator", "operator_official", "start", "end")]
    return NodeRegistry([*types, FakeType("llm_chat", outside=True)])
