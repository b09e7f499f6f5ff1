"""A distributed ``for_each`` is a segment of its own; what runs for an item is planned where it is more than a step."""

from __future__ import annotations

from typing import Any

import pytest

from statebag.config import load_document
from statebag.nodes import builtin_registry
from statebag.plan import Plan, Segment, Strategy, plan_document
from tests.mapping import mapping
from tests.rig import asks, chain, forks, group, llm, sets


def plan_of(document: Any) -> Plan:
    registry = builtin_registry()
    return plan_document(load_document(document, registry).document, registry)


def only_map(*nodes: Any, **config: Any) -> Segment:
    """The segment of a map between two other nodes."""
    plan = plan_of(chain(sets("a", a=1), mapping(*nodes, **config), sets("z", z=1)))
    assert [segment.type for segment in plan.segments] == ["normal", "map", "normal"]
    assert [segment.next for segment in plan.segments] == ["1", "2", None]
    return plan.segments[1]


@pytest.mark.parametrize(
    ("nodes", "calls"),
    [
        ([sets("s", a=1)], False),
        ([llm("s")], True),
        ([sets("s", a=1), llm("t"), sets("u", b=1)], True),
        ([{"id": "i", "type": "for_each", "config": {"items": [1], "nodes": [llm("deep")]}}], True),
    ],
)
def test_items_that_go_straight_through_are_one_step(nodes: list[Any], *, calls: bool) -> None:
    segment = only_map(*nodes)
    assert (segment.branches, segment.calls, segment.outside) == ((), calls, False)
    assert ([node.id for node in segment.nodes], segment.label) == (["m"], "m")
    assert Segment.from_json(segment.to_json()) == segment


@pytest.mark.parametrize(
    ("nodes", "edges", "types"),
    [
        ([sets("b", b=1), sets("c", c=1)], [asks("b", "c")], ["normal", "normal"]),
        (
            [sets("b", b=1), group("g", [sets("x", x=1)], [sets("y", y=1)])],
            [],
            ["normal", "parallel_group", "aggregator"],
        ),
        ([llm("b", **{"async": True})], [], ["llm"]),
        ([sets("b", b=1), llm("c"), sets("d", d=1)], [asks("c", "d")], ["normal", "llm", "normal"]),
    ],
)
def test_items_that_stop_or_fork_are_planned(nodes: list[Any], edges: list[Any], types: list[str]) -> None:
    segment = only_map(*nodes, edges=edges)
    (branch,) = segment.branches
    assert branch.id == "item"
    assert [inner.type for inner in branch.segments] == types
    assert [inner.id for inner in branch.segments] == [f"1/I/{index}" for index in range(len(types))]
    assert Segment.from_json(segment.to_json()) == segment


def test_a_map_in_one_go_is_no_segment_of_its_own() -> None:
    plan = plan_of(chain(sets("a", a=1), mapping(sets("s", s=1), distributed=False), sets("z", z=1)))
    assert [(segment.type, len(segment.nodes)) for segment in plan.segments] == [("normal", 3)]


def test_maps_one_behind_another_and_behind_a_pause_and_in_branches() -> None:
    first, second = mapping(sets("s", s=1)), mapping(sets("t", t=1), name="n")
    plan = plan_of(chain(first, second, edges=[asks("m", "n")]))
    assert [(segment.type, segment.pause is not None) for segment in plan.segments] == [("map", False), ("map", True)]
    plan = plan_of(forks(sets("a", a=1), [first], [sets("b", b=1)], join=second))
    assert [segment.type for segment in plan.segments] == ["normal", "parallel_group", "aggregator", "map"]
    assert [inner.type for inner in plan.segments[1].branches[0].segments] == ["map"]


def test_a_pause_inside_of_items_is_counted() -> None:
    plan = plan_of(chain(mapping(sets("b", b=1), sets("c", c=1), edges=[asks("b", "c")])))
    assert (plan.total_segments, plan.hitp_segments) == (1, 1)
    assert {segment.id for segment in plan.all_segments()} == {"0", "0/I/0", "0/I/1"}


def large(count: int, *, concurrency: int = 1) -> bool:
    segments = tuple(Segment(id=str(index), index=index) for index in range(count))
    strategy = Strategy(name="SAFE", max_concurrency=concurrency, batch_size=1)
    return Plan(segments=segments, max_loop_iterations=1, max_branch_iterations=1, strategy=strategy).is_large


def test_more_than_300_segments_or_50_at_a_time_are_large() -> None:
    assert [large(count) for count in (1, 300, 301)] == [False, False, True]
    assert [large(1, concurrency=most) for most in (50, 51)] == [False, True]


def test_segments_inside_of_branches_count() -> None:
    branches = [[llm(f"l{at}_{step}") for step in range(2)] for at in range(75)]
    small = plan_of(chain(group("g", *branches, branches[0] and [llm("x"), llm("y")])))
    big = plan_of(chain(*(llm(f"n{number}") for number in range(146)), group("g", *branches)))
    assert [sum(1 for _ in plan.all_segments()) for plan in (small, big)] == [2 + 152, 148 + 150]
    assert [plan.is_large for plan in (small, big)] == [False, False]
    bigger = plan_of(chain(*(llm(f"n{number}") for number in range(149)), group("g", *branches)))
    assert (sum(1 for _ in bigger.all_segments()), bigger.is_large) == (301, True)
