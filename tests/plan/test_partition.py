import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statebag.canonical import canonical_bytes, parse_json
from statebag.config import Document, Edge, Node, PauseSpec, load_document
from statebag.errors import InputRefused
from statebag.nodes import NodeRegistry
from statebag.plan import Plan, RetrySpec, plan_document


def plan_of(text: str, registry: NodeRegistry, **more: Any) -> Plan:
    """A plan of nodes written one behind another, ``>`` plain and ``?`` with a pause between.

    ``L`` first in a name makes it an LLM node, ``W`` a web call, anything else an operator.
    """
    words = text.split()
    names = words[::2]
    kinds = {"L": "llm_chat", "W": "web"}
    nodes = [{"id": name, "type": kinds.get(name[0], "operator")} for name in names]
    edges = [
        {"source": source, "target": target, "type": "hitp" if mark == "?" else "edge"}
        for source, mark, target in zip(names, words[1::2], names[1:], strict=False)
    ]
    document = {"nodes": nodes, "edges": edges} | more
    return plan_document(load_document(document, registry).document, registry)


def shape(plan: Plan) -> str:
    """The plan in one line: ``?`` before a pause, names of each segment joined by commas."""
    return " ".join(
        ("?" if segment.pause else "") + "[" + ",".join(node.id for node in segment.nodes) + "]"
        for segment in plan.segments
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", "[a]"),
        ("a > b > c", "[a,b,c]"),
        ("a > b > L > c", "[a,b] [L] [c]"),
        ("L", "[L]"),
        ("L1 > L2", "[L1] [L2]"),
        ("a ? b > c", "[a] ?[b,c]"),
        ("a ? b ? c", "[a] ?[b] ?[c]"),
        ("a ? L > c", "[a] ?[L] [c]"),
        ("a > W > b > c", "[a] [W] [b,c]"),
        ("W > L > W2 ? W3", "[W] [L] [W2] ?[W3]"),
    ],
)
def test_where_a_chain_is_cut(text: str, expected: str, registry: NodeRegistry) -> None:
    plan = plan_of(text, registry)
    assert shape(plan) == expected
    assert [segment.id for segment in plan.segments] == [str(index) for index in range(plan.total_segments)]
    assert [segment.index for segment in plan.segments] == list(range(plan.total_segments))
    assert [segment.next for segment in plan.segments] == [*(s.id for s in plan.segments[1:]), None]
    assert [segment.dependencies for segment in plan.segments] == [(), *((s.id,) for s in plan.segments[:-1])]


def test_counts(registry: NodeRegistry) -> None:
    plan = plan_of("a > L1 ? b > L2 ? c", registry)
    assert (plan.total_segments, plan.llm_segments, plan.hitp_segments) == (5, 2, 2)
    assert [segment.type for segment in plan.segments] == ["normal", "llm", "normal", "llm", "normal"]
    assert [segment.outside for segment in plan.segments] == [False, True, False, True, False]
    assert plan.node_to_segment == {"a": "0", "L1": "1", "b": "2", "L2": "3", "c": "4"}
    assert plan.segment("2") is plan.segments[2]
    with pytest.raises(KeyError):
        plan.segment("5")


def test_document_order_does_not_matter_edges_do(registry: NodeRegistry) -> None:
    nodes = [{"id": name, "type": "operator"} for name in ("c", "a", "b")]
    edges = [{"source": "b", "target": "c"}, {"source": "a", "target": "b"}]
    assert shape(plan_document(load_document({"nodes": nodes, "edges": edges}, registry).document, registry)) == (
        "[a,b,c]"
    )


def test_a_pause_before_the_first_node_has_an_empty_segment_in_front(registry: NodeRegistry) -> None:
    document = {
        "nodes": [{"id": "a", "type": "operator", "hitp": True}, {"id": "b", "type": "operator"}],
        "edges": [{"source": "a", "target": "b"}],
    }
    plan = plan_document(load_document(document, registry).document, registry)
    assert shape(plan) == "[] ?[a,b]"
    assert (plan.segments[0].next, plan.hitp_segments) == ("1", 1)


def test_hitp_on_a_node_pauses_before_that_node_only(registry: NodeRegistry) -> None:
    document = Document(
        nodes=(Node(id="a", type="operator"), Node(id="b", type="operator", hitp=True), Node(id="c", type="operator")),
        edges=(Edge(source="a", target="b"), Edge(source="b", target="c")),
    )
    plan = plan_document(document, registry)
    assert shape(plan) == "[a] ?[b,c]"
    assert plan.segments[1].pause == PauseSpec()


def test_an_edge_and_a_flag_are_one_pause_and_the_edge_says_what_is_asked(registry: NodeRegistry) -> None:
    pause = PauseSpec(prompt="Sure?", options=("y",), timeout_seconds=5.0)
    document = Document(
        nodes=(Node(id="a", type="operator"), Node(id="b", type="operator", hitp=True)),
        edges=(Edge(source="a", target="b", pause=pause),),
    )
    plan = plan_document(document, registry)
    assert shape(plan) == "[a] ?[b]"
    assert plan.segments[1].pause == pause


def test_what_a_pause_may_jump_to_starts_a_segment(registry: NodeRegistry) -> None:
    nodes = tuple(Node(id=name, type="operator") for name in "abcdef")
    pause = PauseSpec(on_reject="b", on_timeout="f")
    edges = (
        *(Edge(source=a, target=b) for a, b in ("ab", "bc")),
        Edge(source="c", target="d", pause=pause),
        *(Edge(source=a, target=b) for a, b in ("de", "ef")),
    )
    plan = plan_document(Document(nodes=nodes, edges=edges), registry)
    assert shape(plan) == "[a] [b,c] ?[d,e] [f]"


def test_a_chain_that_only_a_pause_leads_to_comes_last_and_ends_by_itself(registry: NodeRegistry) -> None:
    nodes = tuple(Node(id=name, type="operator") for name in ("no", "bye", "a", "b"))
    edges = (Edge(source="no", target="bye"), Edge(source="a", target="b", pause=PauseSpec(on_reject="no")))
    plan = plan_document(Document(nodes=nodes, edges=edges), registry)
    assert shape(plan) == "[a] ?[b] [no,bye]"
    assert [segment.next for segment in plan.segments] == ["1", None, None]
    assert [segment.dependencies for segment in plan.segments] == [(), ("0",), ("0",)]


def planned(registry: NodeRegistry, *nodes: Node) -> Plan:
    edges = tuple(Edge(source=a.id, target=b.id) for a, b in itertools.pairwise(nodes))
    return plan_document(Document(nodes=nodes, edges=edges), registry)


def test_time_and_tries_come_from_the_nodes(registry: NodeRegistry) -> None:
    plan = planned(
        registry,
        Node(id="a", type="operator", config={"timeout_seconds": 10, "retry_config": {"max_retries": 2}}),
        Node(id="b", type="operator", config={"timeout_seconds": 20, "retry_config": {"base_delay": 4}}),
        Node(id="L", type="llm_chat", config={"timeout_seconds": 30}),
        Node(id="c", type="operator"),
        Node(id="d", type="operator", config={"timeout_seconds": 10}),
        Node(id="W", type="web", config={"heartbeat_seconds": 7}),
    )
    assert [segment.timeout_seconds for segment in plan.segments] == [20.0, 30.0, 300.0, 300.0]
    assert [segment.heartbeat_seconds for segment in plan.segments] == [None, None, None, 7.0]
    assert [segment.retry for segment in plan.segments] == [
        RetrySpec(max_retries=2, base_delay_seconds=4.0),
        None,
        None,
        None,
    ]


@pytest.mark.parametrize("flag", ["async", "async_mode", "force_async"])
def test_a_model_call_may_be_answered_from_elsewhere(flag: str, registry: NodeRegistry) -> None:
    plan = planned(registry, Node(id="L", type="llm_chat", config={flag: True}))
    assert (plan.segments[0].async_llm, plan.segments[0].timeout_seconds) == (True, 900.0)
    assert not planned(registry, Node(id="L", type="llm_chat", config={flag: False})).segments[0].async_llm
    assert not planned(registry, Node(id="a", type="operator", config={flag: True})).segments[0].async_llm


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (Document(nodes=(), edges=()), "FIELD_VALUE"),
        (Document(nodes=(Node(id="a", type="nothing"),), edges=()), "NODE_TYPE_UNKNOWN"),
        (
            Document(
                nodes=(Node(id="a", type="operator"), Node(id="b", type="operator", targets=("a",))),
                edges=(Edge(source="b", target="b"),),
            ),
            "GRAPH_SHAPE",
        ),
        (Document(nodes=(Node(id="a", type="operator"),), edges=(Edge(source="a", target="a"),)), "GRAPH_CYCLE"),
    ],
)
def test_a_document_made_by_hand_is_checked_too(document: Document, code: str, registry: NodeRegistry) -> None:
    with pytest.raises(InputRefused) as refused:
        plan_document(document, registry)
    assert refused.value.code == code


CONFIGS = st.fixed_dictionaries(
    {},
    optional={
        "timeout_seconds": st.floats(0.5, 1000),
        "retry_config": st.fixed_dictionaries({"max_retries": st.integers(0, 9)}),
        "async": st.booleans(),
        "text": st.text(max_size=5),
    },
)
PAUSES = st.builds(
    PauseSpec,
    prompt=st.text(max_size=5),
    timeout_seconds=st.floats(1, 1e6),
    options=st.lists(st.text(min_size=1, max_size=3), max_size=2).map(tuple),
    schema=st.none() | st.just({"type": "string"}),
    output_key=st.none() | st.just("answer"),
)


@st.composite
def chains(draw: st.DrawFn) -> Document:
    count = draw(st.integers(1, 12))
    names = [f"n{index}" for index in range(count)]
    nodes = [
        Node(
            id=name,
            type=draw(st.sampled_from(["operator", "operator", "llm_chat", "web"])),
            config=draw(CONFIGS),
            hitp=draw(st.integers(0, 5)) == 0,
        )
        for name in names
    ]
    edges: list[Edge] = []
    for source, target in itertools.pairwise(names):
        pause = None
        if draw(st.integers(0, 3)) == 0:
            spec = draw(PAUSES).to_json() | {"on_reject": draw(st.sampled_from(names))}
            pause = PauseSpec.from_json(spec if draw(st.booleans()) else {})
        edges.append(Edge(source=source, target=target, pause=pause))
    order = draw(st.permutations(nodes))
    return Document(nodes=tuple(order), edges=tuple(draw(st.permutations(edges))), start_node="n0")


@given(document=chains())
def test_laws_of_the_partition(document: Document, registry: NodeRegistry) -> None:
    plan = plan_document(document, registry)
    assert plan.hitp_segments == 0 or plan.distributed_strategy == "SAFE"

    # Every node is in exactly one segment, in the chain's order.
    names = [node.id for segment in plan.segments for node in segment.nodes]
    assert names == [f"n{index}" for index in range(len(document.nodes))]
    assert set(plan.node_to_segment) == set(names)

    # Each boundary has a reason, and each reason has its boundary.
    pauses = {edge.target: edge.pause for edge in document.edges if edge.pause}
    flags = {node.id for node in document.nodes if node.hitp}
    jumps = {pause.on_reject for pause in pauses.values()}
    alone = {node.id for node in document.nodes if node.type != "operator"}
    starts = {segment.nodes[0].id for segment in plan.segments if segment.nodes}
    reasons = {
        name
        for index, name in enumerate(names)
        if index == 0 or name in pauses or name in flags or name in jumps or name in alone or names[index - 1] in alone
    }
    assert starts == reasons
    for segment in plan.segments:
        first = segment.nodes[0].id if segment.nodes else None
        assert segment.pause == (pauses.get(first) or (PauseSpec() if first in flags else None) if first else None)
        assert segment.outside == any(node.id in alone for node in segment.nodes)
    assert (not plan.segments[0].nodes) == ("n0" in flags)
    assert plan.segments[0].pause is None

    # Segments are linked in order.
    ids = [segment.id for segment in plan.segments]
    assert [segment.next for segment in plan.segments] == [*ids[1:], None]

    # The stored form loses nothing and is the same each time.
    stored = canonical_bytes(plan.to_json())
    assert Plan.from_json(parse_json(stored)) == plan
    assert canonical_bytes(plan_document(document, registry).to_json()) == stored


def test_five_hundred_nodes_are_one_segment(registry: NodeRegistry) -> None:
    plan = planned(registry, *(Node(id=f"n{index}", type="operator") for index in range(500)))
    assert (plan.total_segments, len(plan.segments[0].nodes)) == (1, 500)
