from collections.abc import Iterable
from typing import Any

import pytest

from statebag.errors import Problem
from statebag.nodes import NodeOutput, NodeRegistry


class FakeType:
    """A node type that objects to nothing."""

    def __init__(self, name: str, *, outside: bool = False) -> None:
        self.name = name
        self.outside = outside

    def check(self, *_: Any) -> Iterable[Problem]:
        return ()

    def reads(self, *_: Any) -> frozenset[str] | None:
        return frozenset()

    def run(self, *_: Any) -> NodeOutput:
        return NodeOutput()


@pytest.fixture(scope="session")
def registry() -> NodeRegistry:
    outside = [FakeType("llm_chat", outside=True), FakeType("web", outside=True)]
    return NodeRegistry([FakeType("operator"), *outside])
