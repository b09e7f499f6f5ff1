"""Laws of plans, over random documents: what a plan runs is what its graph says."""

from __future__ import annotations

import itertools
import random
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from statebag.canonical import canonical_bytes, parse_json
from statebag.config import Document, Edge, Node, PauseSpec
from statebag.errors import InputRefused
from statebag.nodes import NodeRegistry
from statebag.plan import Plan, Segment, plan_document
from tests.plan.grown import Grown

Pick = Callable[[str, int], int]
"""A number for a node that chooses, or a question, by its name and how often it came up before."""


class Walk:
    """Runs a plan, branches one after another: what is visited and asked, as ``name`` and ``?from>to``."""

    def __init__(self, pick: Pick) -> None:
        self._pick = pick
        self._visits: Counter[str] = Counter()
        self.seen: list[str] = []

    def run(self, segments: Sequence[Segment]) -> None:
        by_id = {segment.id: segment for segment in segments}
        at: str | None = segments[0].id
        while at is not None:
            segment = by_id[at]
            if segment.pause is not None:
                self.seen.append(f"?{segment.pause.prompt}")
                if segment.on_reject is not None and self._count(segment.pause.prompt) % 3 == 0:
                    at = segment.on_reject
                    continue
            self.seen += [node.id for node in segment.nodes]
            for branch in segment.branches:
                self.run(branch.segments)
            at = segment.next
            if segment.routes:
                node = segment.nodes[-1]
                at = segment.routes[node.targets[self._count(node.id) % len(node.targets)]]

    def _count(self, name: str) -> int:
        self._visits[name] += 1
        return self._pick(name, self._visits[name] - 1)


def walk(plan: Plan, pick: Pick) -> list[str]:
    walked = Walk(pick)
    walked.run(plan.segments)
    return walked.seen


def lists_of(segments: Sequence[Segment]) -> Iterator[Sequence[Segment]]:
    yield segments
    for segment in segments:
        for branch in segment.branches:
            yield from lists_of(branch.segments)


def check_form(plan: Plan) -> None:
    """What holds for every list of segments of a plan."""
    ids = [segment.id for segment in plan.all_segments()]
    assert len(set(ids)) == len(ids)
    for segments in lists_of(plan.segments):
        here = {segment.id: segment.index for segment in segments}
        assert [segment.index for segment in segments] == list(range(len(segments)))
        assert [segment.id.rpartition("/")[2] for segment in segments] == [str(index) for index in here.values()]
        for segment, following in itertools.zip_longest(segments, segments[1:]):
            ways = {segment.next, *segment.routes.values(), segment.on_reject, segment.on_timeout} - {None}
            assert ways <= here.keys()
            assert all(here[one] < segment.index for one in segment.dependencies)
            assert segment.routes == {} or set(segment.routes) == set(segment.nodes[-1].targets)
            if segment.branches:
                assert (segment.type, segment.nodes) == ("parallel_group", ())
                assert (following.type, segment.next) == ("aggregator", following.id)
                assert [branch.segments[0].id for branch in segment.branches] == list(
                    dict.fromkeys(branch.segments[0].id for branch in segment.branches)
                )
        for segment in segments[1:]:
            # Everything is led to by something, or by an answer.
            assert segment.dependencies or any(segment.id in (one.on_reject, one.on_timeout) for one in segments)
    stored = canonical_bytes(plan.to_json())
    assert Plan.from_json(parse_json(stored)) == plan


# Graphs at random: no cycles, any number of starts.


@st.composite
def graphs(draw: st.DrawFn, *, routers: bool) -> Document:
    count = draw(st.integers(1, 14))
    names = [f"n{index}" for index in range(count)]
    pairs = list(itertools.combinations(names, 2))
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=2 * count)) if pairs else []
    routing = draw(st.sets(st.sampled_from(names), max_size=3)) if routers else set[str]()
    targets: defaultdict[str, list[str]] = defaultdict(list)
    edges: list[Edge] = []
    for source, target in chosen:
        pause = PauseSpec(prompt=f"{source}>{target}") if draw(st.integers(0, 3)) == 0 else None
        if source in routing:
            targets[source].append(target)
            if pause is None and draw(st.booleans()):
                continue
        edges.append(Edge(source=source, target=target, pause=pause))
    nodes = [
        Node(
            id=name,
            type="choice" if targets[name] else draw(st.sampled_from(["operator", "operator", "web"])),
            hitp=draw(st.integers(0, 9)) == 0,
            targets=tuple(targets[name]),
        )
        for name in names
    ]
    return Document(nodes=tuple(draw(st.permutations(nodes))), edges=tuple(edges))


def edges_of(document: Document) -> Mapping[tuple[str, str], PauseSpec | None]:
    drawn = {(edge.source, edge.target): edge.pause for edge in document.edges}
    return {(node.id, target): None for node in document.nodes for target in node.targets} | drawn


def interpret(document: Document, pick: Pick) -> set[str]:
    """What runs and is asked: a node, if it is a start or something that runs leads to it."""
    ways = edges_of(document)
    before: defaultdict[str, list[str]] = defaultdict(list)
    for source, target in ways:
        before[target].append(source)
    seen: set[str] = set()
    for node in sorted(document.nodes, key=lambda one: int(one.id[1:])):
        routes = {one.id: one.targets[pick(one.id, 0) % len(one.targets)] for one in document.nodes if one.targets}
        taken = [one for one in before[node.id] if one in seen and routes.get(one, node.id) == node.id]
        if before[node.id] and not taken:
            continue
        seen.add(node.id)
        asking = [one for one in before[node.id] if ways[one, node.id] is not None]
        if node.hitp and len(asking) == 1:
            seen.add(f"?{asking[0]}>{node.id}")
            continue
        seen |= {f"?{one}>{node.id}" for one in taken if one in asking}
        if node.hitp and (len(asking) < len(before[node.id]) or not before[node.id]):
            seen.add("?")
    return seen


def picks(seed: int) -> Pick:
    """Numbers that depend on the seed; what was asked for often enough gets all of them in turn."""
    return lambda name, visit: zlib.crc32(f"{seed}{name}".encode()) + visit


def check_walk(document: Document, plan: Plan, pick: Pick) -> None:
    seen = walk(plan, pick)
    once = [one for one in seen if one != "?"]
    assert len(set(once)) == len(once)
    assert set(seen) == interpret(document, pick)
    place = {one: index for index, one in enumerate(seen)}
    for (source, target), pause in edges_of(document).items():
        asked = f"?{source}>{target}"
        if source in place and target in place:
            assert place[source] < place[target]
        if pause is not None and asked in place:
            assert place[asked] < place[target]
            flagged = next(node.hitp for node in document.nodes if node.id == target)
            assert flagged or place[source] < place[asked]


@given(document=graphs(routers=False), seed=st.integers(0, 2**32))
def test_every_graph_without_choices_runs_each_node_once_in_order(
    document: Document, seed: int, registry: NodeRegistry
) -> None:
    plan = plan_document(document, registry)
    check_form(plan)
    placed = [node.id for segment in plan.all_segments() for node in segment.nodes]
    assert sorted(placed) == sorted(node.id for node in document.nodes)
    assert set(plan.node_to_segment) == set(placed)
    check_walk(document, plan, picks(seed))


@given(document=graphs(routers=True), seed=st.integers(0, 2**32))
def test_a_graph_with_choices_runs_what_is_chosen_or_is_refused(
    document: Document, seed: int, registry: NodeRegistry
) -> None:
    try:
        plan = plan_document(document, registry)
    except InputRefused as refused:
        assert {problem.code for problem in refused.problems} == {"GRAPH_SHAPE"}
        return
    check_form(plan)
    placed = Counter(node.id for segment in plan.all_segments() for node in segment.nodes)
    assert placed.keys() == {node.id for node in document.nodes}
    check_walk(document, plan, picks(seed))


SEEDS = st.integers(0, 2**32)


@given(seed=SEEDS, size=st.integers(1, 60), choices=SEEDS)
def test_grown_documents_run_as_they_are_meant(seed: int, size: int, choices: int, registry: NodeRegistry) -> None:
    grown = Grown(seed, size)
    plan = plan_document(grown.document(), registry)
    check_form(plan)
    placed = Counter(node.id for segment in plan.all_segments() for node in segment.nodes)
    assert placed == Counter(node.id for node in grown.document().nodes)
    assert walk(plan, picks(choices)) == grown.run(picks(choices))


def cuts(plan: Plan) -> set[tuple[str, ...]]:
    return {tuple(node.id for node in segment.nodes) for segment in plan.all_segments()}


@given(seed=SEEDS, size=st.integers(1, 60), order=SEEDS)
def test_the_order_of_the_lists_says_nothing(seed: int, size: int, order: int, registry: NodeRegistry) -> None:
    grown = Grown(seed, size)
    plan = plan_document(grown.document(), registry)
    assert canonical_bytes(plan_document(grown.document(), registry).to_json()) == canonical_bytes(plan.to_json())
    assert cuts(plan_document(grown.document(random.Random(order)), registry)) == cuts(plan)
