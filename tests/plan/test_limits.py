from typing import Any

import pytest

from statebag.config import Body, Document, Node
from statebag.plan import LoopLimits, estimate_executions, limits_of, weigh_nodes

STEP = Node(id="s", type="operator")


def loop(*body: Node, **config: Any) -> Node:
    return Node(id="loop", type="loop", config=config, bodies=(Body(nodes=body),))


def for_each(*body: Node, **config: Any) -> Node:
    return Node(id="each", type="for_each", config=config, bodies=(Body(nodes=body),))


def group(*branches: Node) -> Node:
    bodies = tuple(Body(nodes=(node,), name=f"b{index}") for index, node in enumerate(branches))
    return Node(id="group", type="parallel_group", bodies=bodies)


@pytest.mark.parametrize(
    ("node", "weight"),
    [
        (STEP, 0),
        (loop(STEP, STEP), 2 * 4),
        (loop(STEP, STEP, max_iterations=10), 2 * 9),
        (loop(), 0),
        (for_each(STEP), 20),
        (for_each(STEP, STEP, max_iterations=30), 60),
        (loop(for_each(STEP, max_iterations=3), max_iterations=2), 1 * 1 + 3),
        (for_each(for_each(STEP), max_iterations=2), 2 + 20),
        (group(STEP, STEP), 0),
        (group(loop(STEP, max_iterations=4), for_each(STEP, max_iterations=5)), 3 + 5),
    ],
)
def test_weight_of_repetition(node: Node, weight: int) -> None:
    assert weigh_nodes([node]) == weight


@pytest.mark.parametrize(
    ("segments", "nodes", "estimate"),
    [
        (0, [], 100),
        (1, [], 100),
        (53, [], 100),
        (54, [], 101),
        (55, [], 102),
        (200, [], 320),
        (3, [for_each(STEP, STEP, max_iterations=30)], 114),
    ],
)
def test_estimate(segments: int, nodes: list[Node], estimate: int) -> None:
    assert estimate_executions(nodes, segments) == estimate


@pytest.mark.parametrize(
    ("segments", "given", "limits"),
    [
        (1, {}, (125, 62)),
        (200, {}, (400, 200)),
        (1, {"max_loop_iterations": 7}, (7, 50)),
        (1, {"max_loop_iterations": 1000}, (1000, 500)),
        (1, {"max_branch_iterations": 3}, (125, 3)),
        (300, {"max_loop_iterations": 5, "max_branch_iterations": 6}, (5, 6)),
    ],
)
def test_limits_grow_with_the_document_unless_it_sets_them(
    segments: int, given: dict[str, int], limits: tuple[int, int]
) -> None:
    document = Document(nodes=(Node(id="a", type="operator"),), edges=(), **given)
    expected = LoopLimits(max_loop_iterations=limits[0], max_branch_iterations=limits[1])
    assert limits_of(document, segments) == expected
