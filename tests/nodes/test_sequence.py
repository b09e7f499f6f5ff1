"""Bodies: the order of their nodes, and which of them run."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statebag.config import Body, Edge, Node
from statebag.errors import NodeFailed
from statebag.nodes._sequence import course_of
from tests.nodes.bodies import echo, problems, run


def subgraph(nodes: list[Any], edges: list[tuple[str, str]]) -> dict[str, Any]:
    inline = {"nodes": nodes, "edges": [{"source": source, "target": target} for source, target in edges]}
    return {"id": "sub", "type": "subgraph", "subgraph_inline": inline}


def mark(name: str) -> dict[str, Any]:
    """A node that adds its name to ``way``."""
    return echo("way", "{{way}}" + name, id=name)


def route(name: str, *targets: tuple[str, str]) -> dict[str, Any]:
    branches = [{"condition": condition, "target": target} for condition, target in targets]
    return {"id": name, "type": "route_condition", "config": {"branches": branches}}


def way_of(nodes: list[Any], edges: list[tuple[str, str]], **state: Any) -> Any:
    ran = run(subgraph(nodes, edges), state)
    assert ran.error is None
    return ran.changes.get("way")


def test_nodes_run_as_they_are_listed() -> None:
    assert way_of([mark("c"), mark("a"), mark("b")], []) == "cab"


def test_with_edges_what_leads_runs_before_what_follows() -> None:
    assert way_of([mark("c"), mark("a"), mark("b")], [("a", "b"), ("b", "c")]) == "abc"
    assert way_of([mark("d"), mark("b"), mark("c"), mark("a")], [("a", "b"), ("a", "c"), ("c", "d")]) == "abcd"


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 7).flatmap(lambda n: st.tuples(st.permutations(range(n)), st.sets(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1))))))  # fmt: skip
def test_every_node_runs_once_and_after_all_that_lead_to_it(drawn: Any) -> None:
    listed, pairs = drawn
    edges = [(one, two) for one, two in pairs if one < two]
    names = "abcdefg"
    way = way_of([mark(names[one]) for one in listed], [(names[one], names[two]) for one, two in sorted(edges)])
    assert sorted(way) == sorted(names[one] for one in listed)
    assert all(way.index(names[one]) < way.index(names[two]) for one, two in edges)
    if not edges:
        assert way == "".join(names[one] for one in listed)


DIAMOND = [mark("a"), route("r", ("$.n == 1", "b"), ("true", "c")), mark("b"), mark("c"), mark("d")]
DIAMOND_EDGES = [("a", "r"), ("r", "b"), ("r", "c"), ("b", "d"), ("c", "d")]


def test_of_the_ways_behind_a_route_one_is_gone() -> None:
    assert way_of(DIAMOND, DIAMOND_EDGES, n=1) == "abd"
    assert way_of(DIAMOND, DIAMOND_EDGES, n=2) == "acd"


def test_what_only_the_other_way_leads_to_does_not_run() -> None:
    nodes = [*DIAMOND, mark("e"), mark("f")]
    edges = [("a", "r"), ("r", "b"), ("r", "c"), ("b", "d"), ("d", "e"), ("c", "f")]
    assert way_of(nodes, edges, n=1) == "abde"
    assert way_of(nodes, edges, n=2) == "acf"


def test_what_a_route_leads_to_counts_as_an_edge() -> None:
    assert way_of(DIAMOND, [("a", "r"), ("b", "d")], n=1) == "abd"
    assert way_of(DIAMOND, [("a", "r"), ("b", "d")], n=2) == "ac"


def test_a_route_behind_a_route() -> None:
    nodes = [route("r", ("$.n > 0", "s"), ("true", "c")), route("s", ("$.n > 1", "a"), ("true", "b"))]
    nodes += [mark("a"), mark("b"), mark("c"), mark("d")]
    edges = [("r", "s"), ("s", "a"), ("s", "b"), ("r", "c"), ("a", "d"), ("b", "d"), ("c", "d")]
    assert [way_of(nodes, edges, n=n) for n in (0, 1, 2)] == ["cd", "bd", "ad"]


def test_without_edges_a_route_leads_further_down_the_list() -> None:
    nodes = [route("r", ("$.n == 1", "b"), ("true", "a")), mark("a"), mark("b"), mark("c")]
    assert way_of(nodes, [], n=1) == "bc"
    assert way_of(nodes, [], n=2) == "abc"


@pytest.mark.parametrize("edges", [[], [("a", "r")]])
def test_a_route_back_is_refused(edges: list[tuple[str, str]]) -> None:
    found = problems(subgraph([mark("a"), route("r", ("true", "a"))], edges))
    assert [code for _, code in found] == ["GRAPH_SHAPE"]


def test_nodes_that_lead_to_each_other_do_not_hang() -> None:
    nodes = (Node(id="a", type="start"), Node(id="b", type="start"))
    edges = (Edge(source="a", target="b"), Edge(source="b", target="a"))
    with pytest.raises(NodeFailed, match="lead to each other") as raised:
        course_of(Body(nodes=nodes, edges=edges))
    assert raised.value.code == "GRAPH_CYCLE"
