from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from statebag.config import Node
from statebag.errors import Problem
from statebag.nodes import NodeOutput, NodeRegistry
from statebag.nodes.for_each import ForEach
from statebag.nodes.loop import Loop
from statebag.nodes.parallel_group import ParallelGroup


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


class Choice(FakeType):
    """Chooses between the nodes that ``config.targets`` names."""

    def targets(self, node: Node) -> Sequence[str]:
        return node.config.get("targets", ())


@pytest.fixture(scope="session")
def registry() -> NodeRegistry:
    outside = [FakeType("llm_chat", outside=True), FakeType("web", outside=True)]
    return NodeRegistry(
        [FakeType("operator"), Choice("choice"), *outside, FakeType("react"), ParallelGroup(), ForEach(), Loop()]
    )
