from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from statebag.config import BodySource, Node, NodeSource
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


class Choice(FakeType):
    """Chooses between the nodes that ``config.targets`` names."""

    def targets(self, node: Node) -> Sequence[str]:
        return node.config.get("targets", ())


class Box(FakeType):
    """Runs the nodes of ``config``, or of the subgraph it names; or those of ``branches`` beside it, as branches."""

    body_keys = frozenset({"nodes", "edges", "branches"})

    def find_bodies(self, source: NodeSource) -> tuple[Sequence[BodySource], bool]:
        branches = source.members.get("branches") if source.top else None
        if branches:
            return [
                BodySource(path=f"branches[{index}]", nodes=one["nodes"], edges=one.get("edges"), name=f"b{index}")
                for index, one in enumerate(branches)
            ], True
        if "ref" in source.config:
            body = source.subgraphs[source.config["ref"]]
            return [BodySource(path=f"$.subgraphs.{source.config['ref']}", nodes=body["nodes"])], False
        return [BodySource(path="config", nodes=source.config["nodes"], edges=source.config.get("edges"))], False


@pytest.fixture(scope="session")
def registry() -> NodeRegistry:
    types = [FakeType(name) for name in ("operator", "operator_official", "start", "end")]
    others = [FakeType("web", outside=True), Choice("choice"), Box("box")]
    return NodeRegistry([*types, FakeType("llm_chat", outside=True), *others])
