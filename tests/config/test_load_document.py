import itertools
import json
from typing import Any

import pytest

from statebag.config import Node, PauseSpec, load_document
from statebag.errors import CODES, InputRefused
from statebag.nodes import NodeRegistry


def node(name: Any, kind: Any = "operator", **more: Any) -> dict[str, Any]:
    return {"id": name, "type": kind, **more}


def edge(source: Any, target: Any, **more: Any) -> dict[str, Any]:
    return {"source": source, "target": target, **more}


def chain(*names: str, **more: Any) -> dict[str, Any]:
    edges = [edge(a, b) for a, b in itertools.pairwise(names)]
    return {"nodes": [node(name) for name in names], "edges": edges, **more}


def with_node(**members: Any) -> dict[str, Any]:
    return {"nodes": [{"id": "a", "type": "operator"} | members], "edges": []}


def with_edge(**members: Any) -> dict[str, Any]:
    return chain("a", "b") | {"edges": [edge("a", "b") | members]}


def with_pause(**metadata: Any) -> dict[str, Any]:
    return with_edge(type="hitp", metadata=metadata)


def refusals(document: Any, registry: NodeRegistry) -> list[tuple[str, str]]:
    with pytest.raises(InputRefused) as refused:
        load_document(document, registry)
    for problem in refused.value.problems:
        assert problem.code in CODES
        assert len(problem.message) > 15
    return [(problem.path, problem.code) for problem in refused.value.problems]


LONG = "x" * 129

BAD = {
    "a list": ([], "$", "DOCUMENT_NOT_OBJECT"),
    "null": (None, "$", "DOCUMENT_NOT_OBJECT"),
    "text that is no JSON": ("{", "$", "DOCUMENT_NOT_JSON"),
    "bytes that are no JSON": (b"\xff", "$", "DOCUMENT_NOT_JSON"),
    "NaN in text": ('{"nodes": NaN}', "$", "DOCUMENT_NOT_JSON"),
    "NaN in an object": ({"nodes": [], "x": float("nan")}, "$", "UNSERIALISABLE_FIELD"),
    "nodes missing": ({"edges": []}, "$.nodes", "FIELD_MISSING"),
    "edges missing": ({"nodes": [node("a")]}, "$.edges", "FIELD_MISSING"),
    "nodes null": ({"nodes": None, "edges": []}, "$.nodes", "FIELD_MISSING"),
    "nodes an object": ({"nodes": {}, "edges": []}, "$.nodes", "FIELD_TYPE"),
    "edges text": (chain("a") | {"edges": "a"}, "$.edges", "FIELD_TYPE"),
    "no nodes": ({"nodes": [], "edges": []}, "$.nodes", "FIELD_VALUE"),
    "name too long": (chain("a", workflow_name="x" * 257), "$.workflow_name", "FIELD_VALUE"),
    "name a number": (chain("a", workflow_name=7), "$.workflow_name", "FIELD_TYPE"),
    "description too long": (chain("a", description="x" * 513), "$.description", "FIELD_VALUE"),
    "state a list": (chain("a", initial_state=[]), "$.initial_state", "FIELD_TYPE"),
    "limit zero": (chain("a", max_loop_iterations=0), "$.max_loop_iterations", "FIELD_VALUE"),
    "limit a boolean": (chain("a", max_loop_iterations=True), "$.max_loop_iterations", "FIELD_TYPE"),
    "limit text": (chain("a", max_branch_iterations="9"), "$.max_branch_iterations", "FIELD_TYPE"),
    "start empty": (chain("a", start_node=""), "$.start_node", "FIELD_VALUE"),
    "start unknown": (chain("a", start_node="z"), "$.start_node", "START_NODE_UNKNOWN"),
    "start inside": (chain("a", "b", start_node="b"), "$.start_node", "START_NODE_UNKNOWN"),
    "node a text": ({"nodes": ["a"], "edges": []}, "$.nodes[0]", "FIELD_TYPE"),
    "node null": ({"nodes": [node("a"), None], "edges": []}, "$.nodes[1]", "FIELD_TYPE"),
    "id missing": ({"nodes": [{"type": "operator"}], "edges": []}, "$.nodes[0].id", "FIELD_MISSING"),
    "id empty": (with_node(id=""), "$.nodes[0].id", "FIELD_VALUE"),
    "id a number": (with_node(id=1), "$.nodes[0].id", "FIELD_TYPE"),
    "id too long": (with_node(id=LONG), "$.nodes[0].id", "FIELD_VALUE"),
    "id twice": ({"nodes": [node("a"), node("a")], "edges": []}, "$.nodes[1].id", "NODE_DUPLICATE"),
    "type missing": ({"nodes": [{"id": "a"}], "edges": []}, "$.nodes[0].type", "FIELD_MISSING"),
    "type too long": (with_node(type="x" * 65), "$.nodes[0].type", "FIELD_VALUE"),
    "type unknown": (with_node(type="operatr"), "$.nodes[0].type", "NODE_TYPE_UNKNOWN"),
    "type an edge's": (with_node(type="hitp"), "$.nodes[0].type", "NODE_TYPE_UNKNOWN"),
    "type unserved": (with_node(type="video_chunker"), "$.nodes[0].type", "NODE_TYPE_UNSUPPORTED"),
    "label too long": (with_node(label="x" * 257), "$.nodes[0].label", "FIELD_VALUE"),
    "config a list": (with_node(config=[]), "$.nodes[0].config", "FIELD_TYPE"),
    "hitp yes": (with_node(hitp="yes"), "$.nodes[0].hitp", "FIELD_VALUE"),
    "hitp one": (with_node(hitp=1), "$.nodes[0].hitp", "FIELD_TYPE"),
    "its type objects": (with_node(config={"wrong": 1}), "$.nodes[0].config.wrong", "STRATEGY_UNKNOWN"),
    "time-out zero": (with_node(config={"timeout_seconds": 0}), "$.nodes[0].config.timeout_seconds", "FIELD_VALUE"),
    "time-out text": (with_node(config={"timeout_seconds": "9"}), "$.nodes[0].config.timeout_seconds", "FIELD_TYPE"),
    "retries negative": (
        with_node(config={"retry_config": {"max_retries": -1}}),
        "$.nodes[0].config.retry_config.max_retries",
        "FIELD_VALUE",
    ),
    "async text": (with_node(config={"async": "true"}), "$.nodes[0].config.async", "FIELD_TYPE"),
    "edge a number": (chain("a") | {"edges": [5]}, "$.edges[0]", "FIELD_TYPE"),
    "source missing": (chain("a") | {"edges": [{"target": "a"}]}, "$.edges[0].source", "FIELD_MISSING"),
    "target too long": (with_edge(target=LONG), "$.edges[0].target", "FIELD_VALUE"),
    "target null": (with_edge(target=None), "$.edges[0].target", "FIELD_MISSING"),
    "source dangling": (with_edge(source="z"), "$.edges[0].source", "EDGE_DANGLING"),
    "target dangling": (with_edge(target="z"), "$.edges[0].target", "EDGE_DANGLING"),
    "from START": (chain("a") | {"edges": [edge("START", "a")]}, "$.edges[0].source", "EDGE_DANGLING"),
    "to __end__": (chain("a") | {"edges": [edge("a", "__end__")]}, "$.edges[0].target", "EDGE_DANGLING"),
    "edge type unknown": (with_edge(type="arrow"), "$.edges[0].type", "EDGE_TYPE_UNKNOWN"),
    "edge type conditional": (with_edge(type="conditional_edge"), "$.edges[0].type", "EDGE_TYPE_UNKNOWN"),
    "edge type if": (with_edge(type="if"), "$.edges[0].type", "EDGE_TYPE_UNKNOWN"),
    "edge type while": (with_edge(type="while"), "$.edges[0].type", "EDGE_TYPE_UNKNOWN"),
    "edge type for_each": (with_edge(type="for_each"), "$.edges[0].type", "EDGE_TYPE_UNKNOWN"),
    "edge type a list": (with_edge(type=[]), "$.edges[0].type", "FIELD_TYPE"),
    "edge twice": (
        chain("a", "b") | {"edges": [edge("a", "b"), edge("a", "b", type="hitp")]},
        "$.edges[1]",
        "EDGE_DUPLICATE",
    ),
    "cycle of one": (chain("a") | {"edges": [edge("a", "a")]}, "$.edges[0]", "GRAPH_CYCLE"),
    "cycle of two": (chain("a", "b") | {"edges": [edge("a", "b"), edge("b", "a")]}, "$.edges[1]", "GRAPH_CYCLE"),
    "edge beside a choice": (
        {
            "nodes": [node("r", "choice", config={"targets": ["a"]}), node("a"), node("b")],
            "edges": [edge("r", "b"), edge("a", "b")],
        },
        "$.edges[0]",
        "GRAPH_SHAPE",
    ),
    "choice of nothing": (
        {"nodes": [node("r", "choice", config={"targets": ["a", "b"]}), node("a")], "edges": []},
        "$.nodes[0].config",
        "EDGE_DANGLING",
    ),
    "pause metadata text": (with_edge(type="hitp", metadata="?"), "$.edges[0].metadata", "FIELD_TYPE"),
    "prompt a number": (with_pause(prompt=1), "$.edges[0].metadata.prompt", "FIELD_TYPE"),
    "pause time zero": (with_pause(timeout_seconds=0), "$.edges[0].metadata.timeout_seconds", "FIELD_VALUE"),
    "pause time true": (with_pause(timeout_seconds=True), "$.edges[0].metadata.timeout_seconds", "FIELD_TYPE"),
    "option a number": (with_pause(options=["a", 1]), "$.edges[0].metadata.options[1]", "FIELD_TYPE"),
    "options text": (with_pause(options="a"), "$.edges[0].metadata.options", "FIELD_TYPE"),
    "schema text": (with_pause(schema="{}"), "$.edges[0].metadata.schema", "FIELD_TYPE"),
    "schema type": (with_pause(schema={"type": "txt"}), "$.edges[0].metadata.schema.type", "SCHEMA_INVALID"),
    "schema pattern": (
        with_pause(schema={"properties": {"a": {"pattern": "("}}}),
        "$.edges[0].metadata.schema.properties.a.pattern",
        "SCHEMA_INVALID",
    ),
    "schema reference": (
        with_pause(schema={"items": {"$ref": "#/$defs/x"}}),
        "$.edges[0].metadata.schema.items['$ref']",
        "SCHEMA_INVALID",
    ),
    "schema elsewhere": (
        with_pause(schema={"$ref": "https://example.com/s"}),
        "$.edges[0].metadata.schema['$ref']",
        "SCHEMA_INVALID",
    ),
    "reject to nowhere": (with_pause(on_reject="z"), "$.edges[0].metadata.on_reject", "FIELD_VALUE"),
    "time-out to nowhere": (with_pause(on_timeout="z"), "$.edges[0].metadata.on_timeout", "FIELD_VALUE"),
}


@pytest.mark.parametrize(("document", "path", "code"), BAD.values(), ids=BAD.keys())
def test_a_bad_document_is_refused_with_code_and_path(
    document: Any, path: str, code: str, registry: NodeRegistry
) -> None:
    assert refusals(document, registry) == [(path, code)]


def test_all_problems_are_listed_at_once(registry: NodeRegistry) -> None:
    document = {
        "workflow_name": 3,
        "start_node": "nobody",
        "nodes": [
            node("a", "operator", label=5),
            node("a"),
            node("b", "video_chunker"),
            node("c", "nonsense", config=[]),
            node("d", config={"wrong": True}),
            {"type": "gpt"},
            node("e"),
        ],
        "edges": [
            edge("a", "b"),
            edge("a", "c"),
            edge("c", "d", type="hitp", metadata={"timeout_seconds": -1, "schema": {"type": 1}}),
            edge("d", "ghost"),
            edge("a", "b"),
            edge("b", "e", type="if"),
            edge("e", "b"),
        ],
    }
    assert sorted(refusals(document, registry)) == [
        ("$.edges[2].metadata.schema.type", "SCHEMA_INVALID"),
        ("$.edges[2].metadata.timeout_seconds", "FIELD_VALUE"),
        ("$.edges[3].target", "EDGE_DANGLING"),
        ("$.edges[4]", "EDGE_DUPLICATE"),
        ("$.edges[5].type", "EDGE_TYPE_UNKNOWN"),
        ("$.edges[6]", "GRAPH_CYCLE"),
        ("$.nodes[0].label", "FIELD_TYPE"),
        ("$.nodes[1].id", "NODE_DUPLICATE"),
        ("$.nodes[2].type", "NODE_TYPE_UNSUPPORTED"),
        ("$.nodes[3].config", "FIELD_TYPE"),
        ("$.nodes[3].type", "NODE_TYPE_UNKNOWN"),
        ("$.nodes[4].config.wrong", "STRATEGY_UNKNOWN"),
        ("$.nodes[5].id", "FIELD_MISSING"),
        ("$.start_node", "START_NODE_UNKNOWN"),
        ("$.workflow_name", "FIELD_TYPE"),
    ]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ('{"nodes": [],\n  "edges": [}', ["line 2, column 13"]),
        (with_node(type="operator_oficial"), ["`operator_official`"]),
        (with_node(type="Chunker"), ["`chunker`", "entry point group `statebag.nodes`"]),
        (with_node(type="router"), ["Use `route_condition` or `dynamic_router`"]),
        (with_edge(source="START"), ["Remove this edge; set `start_node`"]),
        (with_edge(type="while"), ["To repeat, use a `loop` node"]),
        (with_edge(type="hipt"), ["Did you mean `hitp`"]),
        (with_edge(target="bb") | chain("a", "b1") | {"edges": [edge("a", "b")]}, ["Did you mean `b1`"]),
        (chain("a", "b", "c") | {"edges": [edge("a", "b"), edge("b", "c"), edge("c", "a")]}, ["`a` → `b` → `c` → `a`"]),
        (chain("a", "b", start_node="b"), ["an edge from `a` leads to it", "Set it to `a`"]),
        (with_node(label="x" * 300), ["300 characters", "at most 256 characters"]),
    ],
)
def test_the_message_says_what_and_what_to_do(document: Any, words: list[str], registry: NodeRegistry) -> None:
    with pytest.raises(InputRefused) as refused:
        load_document(document, registry)
    messages = " ".join(problem.message for problem in refused.value.problems)
    assert [word for word in words if word not in messages] == []


def test_five_hundred_nodes_are_allowed_and_no_more(registry: NodeRegistry) -> None:
    names = [f"n{index}" for index in range(501)]
    assert len(load_document(chain(*names[:500]), registry).document.nodes) == 500
    assert ("$.nodes", "DOCUMENT_TOO_LARGE") in refusals(chain(*names), registry)


def test_a_thousand_edges_are_the_most(registry: NodeRegistry) -> None:
    edges = [edge("a", "b")] * 1001
    assert ("$.edges", "DOCUMENT_TOO_LARGE") in refusals(chain("a", "b") | {"edges": edges}, registry)
    assert "DOCUMENT_TOO_LARGE" not in {code for _, code in refusals(chain("a", "b") | {"edges": edges[1:]}, registry)}


def test_nesting_has_a_limit(registry: NodeRegistry) -> None:
    deep: Any = 1
    for _ in range(150):
        deep = [deep]
    assert refusals(with_node(config={"x": deep}), registry) == [("$", "FIELD_VALUE")]


def test_text_bytes_and_objects_give_the_same_document(registry: NodeRegistry) -> None:
    document = chain("a", "b", workflow_name="작업", initial_state={"n": 2**70})
    text = json.dumps(document)
    loaded = load_document(document, registry)
    assert loaded.warnings == ()
    assert load_document(text, registry) == loaded == load_document(text.encode(), registry)
    assert loaded.document.workflow_name == "작업"
    assert loaded.document.initial_state == {"n": 2**70}
    assert loaded.document.execution_mode == "SEQUENTIAL"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        *((name, "operator") for name in ("operator", " Operator ", "code", "function", "Lambda", "task")),
        *((name, "llm_chat") for name in ("aiModel", "llm", "chat", "genai", "GPT", "claude", "gemini")),
        ("safe_operator", "operator_official"),
    ],
)
def test_aliases_are_resolved(written: str, meant: str, registry: NodeRegistry) -> None:
    document = load_document(with_node(type=written, label="L", config={"k": 1}), registry).document
    assert document.nodes == (Node(id="a", type=meant, label="L", config={"k": 1}),)


@pytest.mark.parametrize("name", ["video_chunker", "chunker", "governor"])
def test_types_of_the_format_that_nothing_serves_say_what_to_do(name: str, registry: NodeRegistry) -> None:
    assert refusals(with_node(type=name), registry) == [("$.nodes[0].type", "NODE_TYPE_UNSUPPORTED")]


@pytest.mark.parametrize("kind", ["edge", "normal", "flow", "start", "end", " Normal ", None])
def test_plain_edges(kind: str | None, registry: NodeRegistry) -> None:
    assert load_document(with_edge(type=kind), registry).document.edges[0].pause is None


@pytest.mark.parametrize("kind", ["hitp", "human_in_the_loop", "pause", "approval", "HITP"])
def test_pause_edges(kind: str, registry: NodeRegistry) -> None:
    assert load_document(with_edge(type=kind), registry).document.edges[0].pause == PauseSpec()


def test_a_pause_is_read_whole(registry: NodeRegistry) -> None:
    schema = {"type": "object", "properties": {"n": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"type": "integer"}}}
    document = with_pause(
        prompt="Sure?",
        timeout_seconds=120,
        options=["yes", "no"],
        schema=schema,
        output_key="answer",
        on_reject="a",
        on_timeout="b",
    )
    loaded = load_document(document, registry)
    pause = PauseSpec(
        prompt="Sure?",
        timeout_seconds=120.0,
        options=("yes", "no"),
        schema=schema,
        output_key="answer",
        on_reject="a",
        on_timeout="b",
    )
    assert loaded.document.edges[0].pause == pause
    assert loaded.warnings == ()
    assert PauseSpec.from_json(json.loads(json.dumps(pause.to_json()))) == pause
    assert PauseSpec().to_json() == {}


@pytest.mark.parametrize(("written", "meant"), [(True, True), ("true", True), (False, False), ("false", False)])
def test_hitp_on_a_node(written: Any, meant: bool, registry: NodeRegistry) -> None:
    assert load_document(with_node(hitp=written), registry).document.nodes[0].hitp is meant


@pytest.mark.parametrize(
    ("document", "path", "code"),
    [
        (chain("a", edgez=[]), "$.edgez", "FIELD_UNKNOWN"),
        (chain("a", secrets=[]), "$.secrets", "FIELD_UNKNOWN"),
        (with_node(confg={}), "$.nodes[0].confg", "FIELD_UNKNOWN"),
        (with_edge(condition="$.x > 1"), "$.edges[0].condition", "FIELD_UNKNOWN"),
        (with_edge(metadata={"prompt": "?"}), "$.edges[0].metadata.prompt", "FIELD_UNKNOWN"),
        (with_pause(promt="?"), "$.edges[0].metadata.promt", "FIELD_UNKNOWN"),
        (with_pause(output_key="status"), "$.edges[0].metadata.output_key", "RESERVED_KEY"),
        (chain("a", initial_state={"status": 1}), "$.initial_state.status", "RESERVED_KEY"),
        (with_node(config={"output_key": "status"}), "$.nodes[0].config.output_key", "RESERVED_KEY"),
        (chain("a", "b", "c") | {"edges": [edge("a", "c")]}, "$.nodes[1]", "NODE_APART"),
    ],
)
def test_what_has_no_effect_is_told_and_refuses_nothing(
    document: Any, path: str, code: str, registry: NodeRegistry
) -> None:
    warnings = load_document(document, registry).warnings
    assert [(warning.path, warning.code) for warning in warnings] == [(path, code)]


def test_reserved_keys_are_dropped(registry: NodeRegistry) -> None:
    state = load_document(chain("a", initial_state={"x": None, "bag": 1}), registry).document.initial_state
    assert state == {"x": None}
    edges = load_document(with_pause(output_key="final_state"), registry).document.edges
    assert edges[0].pause == PauseSpec()


def test_a_node_apart_is_told_with_what_to_do(registry: NodeRegistry) -> None:
    (warning,) = load_document(chain("a", "b", "lone") | {"edges": [edge("a", "b")]}, registry).warnings
    assert warning.message == (
        "No edge leads to `lone`; it runs in its place after `a`. Join it with an edge, or remove it."
    )
    assert load_document(chain("a", "b", "lone") | {"edges": []}, registry).warnings == ()


def test_forks_and_joins_are_no_mistake(registry: NodeRegistry) -> None:
    document = chain("p", "x", "y", "m")
    document["edges"] = [edge("p", "x"), edge("p", "y"), edge("x", "m"), edge("y", "m")]
    loaded = load_document(document, registry)
    assert (loaded.warnings, len(loaded.document.edges)) == ((), 4)


def test_a_choice_knows_its_targets(registry: NodeRegistry) -> None:
    document = {"nodes": [node("r", "choice", config={"targets": ["b", "a"]}), node("a"), node("b")], "edges": []}
    assert load_document(document, registry).document.nodes[0].targets == ("b", "a")


def test_labels_and_positions_are_no_mistake(registry: NodeRegistry) -> None:
    document = chain("a", "b", id="w", name="w", version="1", metadata={"x": 1}, test_stage=4, end_node="b")
    document["nodes"][0] |= {"position": {"x": 1, "y": 2}, "data": {}, "action": "go", "next": "b", "tags": ["t"]}
    document["edges"][0] |= {"id": "e", "data": {}, "label": "l", "style": {}, "animated": True, "metadata": {"a": 1}}
    assert load_document(document, registry).warnings == ()


def test_a_chain_that_only_a_pause_leads_to_is_reached(registry: NodeRegistry) -> None:
    document = {
        "nodes": [node("sorry"), node("over"), node("a"), node("b")],
        "edges": [edge("sorry", "over"), edge("a", "b", type="hitp", metadata={"on_reject": "sorry"})],
    }
    assert len(load_document(document, registry).document.nodes) == 4
    unreached = document | {"edges": [edge("sorry", "over"), edge("a", "b", type="hitp")], "start_node": "a"}
    warnings = load_document(unreached, registry).warnings
    assert [(warning.path, warning.code) for warning in warnings] == [("$.nodes[0]", "NODE_APART")]


def test_every_cycle_is_named(registry: NodeRegistry) -> None:
    document = chain("a", "b", "c", "d", "e")
    document["edges"] = [edge("a", "b"), edge("b", "a"), edge("c", "d"), edge("d", "c")]
    assert refusals(document, registry) == [("$.edges[1]", "GRAPH_CYCLE"), ("$.edges[3]", "GRAPH_CYCLE")]
