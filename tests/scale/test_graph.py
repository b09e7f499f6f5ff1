"""A dependency graph over 2,000 segments ends as if it were read aloud from front to back, and sooner."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from statebag.canonical import canonical_bytes
from statebag.config import load_document
from statebag.plan import plan_document
from tests.rig import DISTRIBUTED, MACHINE, Rig, chain, group, probe, start_rig

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SEGMENTS = 2_000
WORK_SECONDS = 0.02


class Graph:
    """Groups of branches inside of each other, drawn; each step reads what one before it has written.

    Args:
        seed: Of what is drawn.
        steps: How many steps there are.
    """

    def __init__(self, seed: int, steps: int) -> None:
        self._draw = random.Random(seed)
        self._count = 0
        self.nodes = self._line(steps, [], 0)

    def _line(self, steps: int, before: list[str], depth: int) -> list[dict[str, Any]]:
        nodes: list[dict[str, Any]] = []
        seen = list(before)
        while steps > 0:
            if steps < 12 or depth == 3 or self._draw.random() < 0.2:
                nodes.append(self._step(seen))
                seen.append(nodes[-1]["id"])
                steps -= 1
                continue
            inside = steps if steps < 40 else self._draw.randint(steps // 3, steps)
            width = min(inside, self._draw.randint(4, 40))
            shares = [inside // width + (at < inside % width) for at in range(width)]
            branches = [self._line(share, seen, depth + 1) for share in shares]
            self._count += 1
            nodes.append(group(f"g{self._count}", *branches))
            seen += [name for branch in branches for name in names_of(branch)]
            steps -= inside
        return nodes

    def _step(self, seen: list[str]) -> dict[str, Any]:
        self._count += 1
        return probe(f"n{self._count}", "reads", reads=self._draw.choice(seen[-30:]) if seen else "")


def names_of(nodes: list[dict[str, Any]]) -> Iterator[str]:
    """The steps in reading order."""
    for step in steps_of(nodes):
        yield step["id"]


def steps_of(nodes: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for node in nodes:
        if "branches" in node:
            for branch in node["branches"]:
                yield from steps_of(branch["nodes"])
        else:
            yield node


def read_aloud(nodes: list[dict[str, Any]]) -> dict[str, Any]:
    state: dict[str, Any] = {}
    for step in steps_of(nodes):
        state[step["id"]] = state.get(step["config"]["reads"], 0) + 1
    return state


async def run(rig: Rig, nodes: list[dict[str, Any]], machine: str) -> tuple[dict[str, Any], float]:
    limits = {"max_loop_iterations": 10_000, "max_branch_iterations": 10_000}
    started = time.monotonic()
    handle = await rig.start(chain(*nodes, **limits), machine=machine)
    output = await handle.result()
    return rig.user_state(output), time.monotonic() - started


async def test_a_graph_of_2000_segments_ends_as_in_one_line_and_sooner(responsive_server: str, tmp_path: Path) -> None:
    graph = Graph(7, SEGMENTS)
    assert sum(1 for _ in steps_of(graph.nodes)) == SEGMENTS
    async with start_rig(responsive_server, tmp_path / "store") as rig:
        plan = plan_document(
            load_document(chain(*graph.nodes), rig.plugin.engine.registry).document, rig.plugin.engine.registry
        )
        assert plan.is_large
        assert sum(1 for segment in plan.all_segments() if segment.nodes) >= SEGMENTS

        def reads(node: Any, scope: Any, context: Any) -> dict[str, Any]:
            time.sleep(WORK_SECONDS)
            return {node.id: scope.get(node.config["reads"], 0) + 1}

        rig.behaviours["reads"] = reads
        spread, quick = await run(rig, graph.nodes, DISTRIBUTED)
        assert spread == read_aloud(graph.nodes)
        # A single branch has nothing beside it: its nodes run in the run's own line, whatever their number.
        line, slow = await run(rig, [group("line", list(steps_of(graph.nodes)))], MACHINE)
        assert canonical_bytes(spread) == canonical_bytes(line)
        print(f"2,000 segments: {quick:.1f} s in chunks, {slow:.1f} s in one line")
        assert quick < slow
