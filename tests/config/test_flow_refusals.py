"""Graphs that can't be run, each with the code and the place."""

from typing import Any

import pytest

from statebag.config import load_document
from statebag.errors import InputRefused, Problem
from statebag.nodes import NodeRegistry
from tests.drawn import document


def problems_of(raw: Any, registry: NodeRegistry) -> list[Problem]:
    with pytest.raises(InputRefused) as refused:
        load_document(raw, registry)
    return list(refused.value.problems)


def refusals(raw: Any, registry: NodeRegistry) -> list[tuple[str, str]]:
    return [(problem.code, problem.path) for problem in problems_of(raw, registry)]


CYCLES = {
    "a a": ["$.edges[0]"],
    "a b a": ["$.edges[1]"],
    "s a b c a;c e": ["$.edges[3]"],
    "a b a;c d c": ["$.edges[1]", "$.edges[3]"],
    # A choice beside the cycle leads out of nothing.
    "R x e;s a b a;R y": ["$.edges[4]"],
    "a b c a;b R c;R e": ["$.edges[2]"],
    # A choice that only leads back.
    "R R": ["$.edges[0]"],
    "s R a R": ["$.edges[2]"],
    "a R x J a;R y J": ["$.edges[3]"],
    "R1 R2 R1;R2 x R1": ["$.edges[1]", "$.edges[3]"],
}


@pytest.mark.parametrize(("text", "paths"), CYCLES.items())
def test_cycles_without_a_way_out(text: str, paths: list[str], registry: NodeRegistry) -> None:
    assert refusals(document(text), registry) == [("GRAPH_CYCLE", path) for path in paths]


def test_a_pause_that_is_left_when_time_is_up_is_a_way_out(registry: NodeRegistry) -> None:
    loaded = load_document(document("s R a ?b~e s;R c s;e"), registry)
    assert loaded.warnings == ()
    assert refusals(document("s R a ?b s;R c s"), registry)[0][0] == "GRAPH_CYCLE"


def test_an_undrawn_cycle_is_at_the_node_that_closes_it(registry: NodeRegistry) -> None:
    assert refusals(document("s R") | {"edges": [{"source": "s", "target": "R"}]} | routed("R", "s"), registry) == [
        ("GRAPH_CYCLE", "$.nodes[1]")
    ]


def routed(name: str, *targets: str) -> dict[str, Any]:
    """The nodes ``s`` and one that routes."""
    choice = {"id": name, "type": "choice", "config": {"targets": list(targets)}}
    return {"nodes": [{"id": "s", "type": "operator"}, choice]}


SHAPES = {
    # What is chosen, and runs whatever is chosen.
    "p R a m;R b m;p a": ["$.nodes[2]"],
    "p R a m;R b;p y m": ["$.nodes[3]"],
    "s p x m e;p R m;R x": ["$.nodes[2]"],
    "s R a b;R c b;b d;s c": ["$.nodes[4]"],
    "R a m;R b m;x a": ["$.nodes[1]"],
    "p R1 a m;R1 b m;p R2 a;R2 c m": ["$.nodes[2]", "$.nodes[2]"],
    # Out of a branch, and into one.
    "s p x R m;R s;p y m": ["$.nodes[3]"],
    "s p x R m;R p;p y m": ["$.nodes[3]"],
    "p x m R;p y m;R x;R e": ["$.nodes[3]"],
    "p x m;p y R m;R x2 R3 y;R3 p;R3 m": ["$.nodes[6]"],
    "p x ?k!p m;p y m": ["$.nodes[2]"],
    "p ?x!p m;p y m": ["$.nodes[1]"],
    "p x ?k!m m;p y m": ["$.nodes[2]"],
    "p x ?k!y m;p y m": ["$.nodes[2]"],
    "p x m ?z!x;p y m": ["$.nodes[3]"],
    "p x ?m!e e;p y m": ["$.nodes[2]"],
    "p ?x!no m;p y m z;no z": ["$.nodes[5]"],
    "p ?m!e;p x m e": ["$.nodes[1]"],
    # Back, and on.
    "R a R;a b;R e": ["$.nodes[1]"],
    "s R a s;a b c;R e": ["$.nodes[2]"],
    # What an answer leads to forks into what other ways lead to.
    "a ?b!no c;no c;no d": ["$.nodes[3]"],
    # Nothing says where it begins.
    "a ?b!no;no a": ["$.nodes[0]"],
    "a b ?c!no;no fix a": ["$.nodes[0]"],
}


@pytest.mark.parametrize(("text", "paths"), SHAPES.items())
def test_graphs_of_a_wrong_shape(text: str, paths: list[str], registry: NodeRegistry) -> None:
    assert refusals(document(text), registry) == [("GRAPH_SHAPE", path) for path in paths]


WORDS = {
    "a b c a": ["`a` → `b` → `c` → `a`", "`route_condition`", "`loop`"],
    "c a;b c;a b": ["`c` → `a` → `b` → `c`"],
    "a R a": ["Nothing leads out of the cycle `a` → `R` → `a`"],
    "p R a m;R b m;p y a": ["`a` follows both the choice of `R` and `y`", "Put `y` before `R`"],
    "s p x R m;R s;p y m": ["`R` leads to `s`", "only one of the two is inside of a branch"],
    "p x ?k!y m;p y m": ["The answer to the pause before `k` leads to `y`", "not in the same branch"],
    "R a R;a b;R e": ["`a` leads back to `R` and on to `b`", "Choose with a route"],
    "a ?b!no c;no c;no d": ["Behind an answer, `no` forks to what other ways lead to"],
    "a ?b!no;no a": ["begin here or at `no`", "`start_node`"],
}


@pytest.mark.parametrize(("text", "words"), WORDS.items())
def test_the_message_says_what_is_wrong(text: str, words: list[str], registry: NodeRegistry) -> None:
    messages = " ".join(problem.message for problem in problems_of(document(text), registry))
    assert [word for word in words if word not in messages] == []


def test_an_edge_to_what_is_never_chosen(registry: NodeRegistry) -> None:
    whole = document("R a;R b;c")
    whole["edges"].append({"source": "R", "target": "c"})
    assert refusals(whole, registry) == [("GRAPH_SHAPE", "$.edges[2]")]


def test_targets_that_are_no_nodes(registry: NodeRegistry) -> None:
    assert refusals({"edges": []} | routed("R", "s", "z", "y"), registry) == [
        ("EDGE_DANGLING", "$.nodes[1].config"),
        ("EDGE_DANGLING", "$.nodes[1].config"),
    ]
    # Where a node is missing since it is wrong itself, its name may be right.
    broken = {"edges": []} | routed("R", "s", "z")
    assert refusals(broken | {"nodes": [*broken["nodes"], {"type": "operator"}]}, registry) == [
        ("FIELD_MISSING", "$.nodes[2].id")
    ]


def nested_forks(depth: int) -> str:
    """A chain, each node of which also leads to a last one."""
    return ";".join([" ".join(f"s{index}" for index in range(depth + 1)), *(f"s{i} n{i}" for i in range(depth))])


def test_forks_are_inside_of_each_other_fifty_times_at_most(registry: NodeRegistry) -> None:
    load_document(document(nested_forks(50)), registry)
    assert refusals(document(nested_forks(51)), registry) == [("GRAPH_SHAPE", "$.nodes[50]")]


@pytest.mark.parametrize(
    ("text", "start", "words"),
    [
        ("a b", "z", "names no node: 'z'. Set it to `a`"),
        ("a b", "b", "an edge from `a` leads to it. Set it to `a`"),
        ("s T R T;R e", "R", "an edge from `T` leads to it. Set it to `s`"),
        ("s ?a!no;no b", "b", "an edge from `no` leads to it. Set it to `s`"),
    ],
)
def test_a_start_that_is_none(text: str, start: str, words: str, registry: NodeRegistry) -> None:
    (problem,) = problems_of(document(text, start_node=start), registry)
    assert (problem.code, problem.path) == ("START_NODE_UNKNOWN", "$.start_node")
    assert words in problem.message


def boxed(text: str, *, branch: bool = False, edges: bool = True) -> dict[str, Any]:
    """A document whose only node has the nodes of ``text`` inside of it."""
    inner = document(text)
    inner |= {} if edges else {"edges": []}
    node = {"id": "box", "type": "box", **({"branches": [inner]} if branch else {"config": inner})}
    return {"nodes": [node], "edges": []}


BODIES = {
    "a b a": ("GRAPH_CYCLE", "edges[1]"),
    "a R a;R b": ("GRAPH_SHAPE", "nodes[1]"),
    # Back along a plain edge.
    "R a R;R b": ("GRAPH_SHAPE", "nodes[1]"),
    "R R": ("GRAPH_SHAPE", "nodes[0]"),
}


@pytest.mark.parametrize(("text", "code", "place"), [(text, *found) for text, found in BODIES.items()])
def test_a_body_runs_once(text: str, code: str, place: str, registry: NodeRegistry) -> None:
    assert refusals(boxed(text), registry) == [(code, f"$.nodes[0].config.{place}")]


def test_a_body_without_edges_runs_as_it_is_listed(registry: NodeRegistry) -> None:
    assert load_document(boxed("R b;R a;c", edges=False), registry).warnings == ()
    assert refusals(boxed("a R b;R a", edges=False), registry) == [("GRAPH_SHAPE", "$.nodes[0].config.nodes[1]")]
    assert load_document(boxed("p R a m;R b m;p a"), registry).warnings == ()


def test_what_is_missing_in_a_body_is_not_judged(registry: NodeRegistry) -> None:
    inner = {"nodes": [{"type": "operator"}, *routed("R", "z")["nodes"]], "edges": []}
    raw = {"nodes": [{"id": "box", "type": "box", "config": inner}], "edges": []}
    assert refusals(raw, registry) == [("FIELD_MISSING", "$.nodes[0].config.nodes[0].id")]


def test_branches_inside_of_a_node_are_graphs_of_their_own(registry: NodeRegistry) -> None:
    at = "$.nodes[0].branches[0]"
    assert load_document(boxed("T R T;R e ?x", branch=True), registry).warnings == ()
    assert refusals(boxed("a b a", branch=True), registry) == [("GRAPH_CYCLE", f"{at}.edges[1]")]
    assert refusals(boxed("p x m R;p y m;R x;R e", branch=True), registry) == [("GRAPH_SHAPE", f"{at}.nodes[3]")]
    apart = load_document(boxed("a b;c", branch=True), registry).warnings
    assert [(warning.code, warning.path) for warning in apart] == [("NODE_APART", f"{at}.nodes[2]")]


def test_nobody_is_asked_inside_of_a_node(registry: NodeRegistry) -> None:
    assert refusals(boxed("a ?b"), registry) == [("PAUSE_MISPLACED", "$.nodes[0].config.edges[0]")]
    assert refusals(boxed("^a b"), registry) == [("PAUSE_MISPLACED", "$.nodes[0].config.nodes[0].hitp")]


def test_bodies_that_refer_to_themselves_end_somewhere(registry: NodeRegistry) -> None:
    def referring(count: int) -> dict[str, Any]:
        nodes = [{"id": f"n{index}", "type": "box", "config": {"ref": "self"}} for index in range(count)]
        return {"nodes": nodes, "edges": []}

    one = referring(1)
    assert refusals(one | {"subgraphs": {"self": one}}, registry) == [("GRAPH_SHAPE", "$.subgraphs.self.nodes")]
    many = referring(50)
    codes = {problem.code for problem in problems_of(many | {"subgraphs": {"self": many}}, registry)}
    assert codes == {"GRAPH_SHAPE", "DOCUMENT_TOO_LARGE"}
