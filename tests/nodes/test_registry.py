from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from statebag.config import NODE_TYPE_ALIASES, Node, load_document
from statebag.errors import InputRefused, Problem
from statebag.nodes import NodeOutput, NodeRegistry, builtin_registry, load_registry


class FakeType:
    outside = False

    def __init__(self, name: str) -> None:
        self.name = name

    def check(self, *_: Any) -> Iterable[Problem]:
        return ()

    def reads(self, *_: Any) -> frozenset[str] | None:
        return frozenset()

    def run(self, *_: Any) -> NodeOutput:
        return NodeOutput()


def test_types_are_found_by_name_and_alias_in_any_case() -> None:
    operator = FakeType("operator")
    registry = NodeRegistry([operator, FakeType("llm_chat")])
    assert registry["operator"] is operator
    assert {registry.find(name) for name in ("operator", " OPERATOR", "code", "Lambda")} == {operator}
    assert registry.find("for_each") is None
    assert "code" not in registry
    assert list(registry) == ["operator", "llm_chat"]
    assert {"operator", "code", "gpt"} <= set(registry.names())
    assert "map" not in registry.names()


@pytest.mark.parametrize("name", ["operator", "Operator", " x", "", "code"])
def test_a_name_is_taken_once(name: str) -> None:
    with pytest.raises(ValueError, match="rename"):
        NodeRegistry([FakeType("operator"), FakeType(name)])


def test_a_new_type_brings_its_aliases_to_life() -> None:
    registry = NodeRegistry([FakeType("operator")])
    for_each = FakeType("for_each")
    assert registry.extend([for_each]).find("Map") is for_each
    assert registry.find("map") is None
    with pytest.raises(ValueError, match="both name themselves 'operator'"):
        registry.extend([FakeType("operator")])


def test_a_registry_does_not_change() -> None:
    registry: Any = NodeRegistry([FakeType("operator")])
    with pytest.raises(TypeError):
        registry["x"] = FakeType("x")


def test_what_comes_with_the_package() -> None:
    registry = builtin_registry()
    assert {"operator", "operator_official", "llm_chat", "input", "output", "start", "end", "trigger"} <= set(registry)
    assert {"for_each", "nested_for_each", "loop", "parallel_group", "aggregator", "subgraph"} <= set(registry)
    assert {"route_condition", "dynamic_router", "skill_executor"} <= set(registry)
    assert not set(registry) & set(NODE_TYPE_ALIASES)
    assert [name for name in registry if registry[name].name != name] == []
    assert registry["llm_chat"].outside


def test_installed_packages_bring_types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mail_nodes.py").write_text(
        "from statebag.nodes import NodeOutput\n"
        "class Mail:\n"
        "    name = 'send_mail'\n"
        "    outside = True\n"
        "    def check(self, node, path):\n"
        "        return []\n"
        "    def reads(self, node):\n"
        "        return frozenset()\n"
        "    def run(self, node, scope, context):\n"
        "        return NodeOutput(changes={node.id: 'sent'})\n"
        "class Clash(Mail):\n"
        "    name = 'llm_chat'\n"
        "ready = Mail()\n"
    )
    meta = tmp_path / "mail_nodes-1.0.dist-info"
    meta.mkdir()
    (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: mail-nodes\nVersion: 1.0\n")
    (meta / "entry_points.txt").write_text("[statebag.nodes]\nmail = mail_nodes:Mail\n")
    document = {"nodes": [{"id": "a", "type": "Send_Mail"}], "edges": []}
    with pytest.raises(InputRefused):
        load_document(document, load_registry())
    monkeypatch.syspath_prepend(tmp_path)
    assert load_document(document, load_registry()).document.nodes == (Node(id="a", type="send_mail"),)
    (meta / "entry_points.txt").write_text("[statebag.nodes]\nmail = mail_nodes:ready\n")
    assert load_registry()["send_mail"].outside
    (meta / "entry_points.txt").write_text("[statebag.nodes]\nmail = mail_nodes:Clash\n")
    with pytest.raises(ValueError, match=r"mail_nodes\.Clash and statebag\..* both name themselves 'llm_chat'"):
        load_registry()
