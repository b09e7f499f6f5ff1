"""Whatever finishes first, a run ends as if its document had been read aloud from front to back."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from statebag.bag import Place, read_all
from statebag.canonical import canonical_bytes
from statebag.config import Node
from statebag.nodes import NodeContext, Scope
from tests.rig import DISTRIBUTED, MACHINE, Rig

MOST_NODES = 60
LOG = "collected_log"
KINDS = ("probe", "probe_local", "operator")

Part: TypeAlias = tuple[Any, ...]
"""``("step", kind)``, ``("fork", [parts, …])``, ``("choice", limit, parts, parts)``, ``("while", times, parts)`` or
``("loop", times)``."""

STEPS = st.tuples(st.just("step"), st.sampled_from(KINDS))
PARTS: st.SearchStrategy[list[Part]] = st.recursive(
    st.lists(STEPS | st.tuples(st.just("loop"), st.integers(1, 3)), min_size=1, max_size=3),
    lambda inner: st.lists(
        STEPS
        | st.tuples(st.just("fork"), st.lists(inner, min_size=2, max_size=4))
        | st.tuples(st.just("choice"), st.integers(0, 8), inner, inner)
        | st.tuples(st.just("while"), st.integers(0, 2), inner),
        min_size=1,
        max_size=3,
    ),
    max_leaves=16,
)

CODE = """
state['collected_log'] = state.get('collected_log', []) + ['NAME']
state['count'] = len(state['collected_log'])
state['last'] = 'NAME'
state['saw_NAME'] = state['count']
"""


def work(name: str, state: Mapping[str, Any]) -> dict[str, Any]:
    """What a step does to the state."""
    log = [*state.get(LOG, []), name]
    return {LOG: log, "count": len(log), "last": name, f"saw_{name}": len(log)}


@dataclass
class Written:
    """A document made of parts, and what reading it aloud gives."""

    nodes: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    edges: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def write(self, parts: list[Part], ends: list[str]) -> tuple[list[str], list[Any]]:
        """Add nodes for ``parts`` behind ``ends``: gives the new ends, and the parts with names."""
        named: list[Any] = []
        for part in parts:
            kind, *rest = part
            if kind == "step":
                ends = [self._step(rest[0], ends)]
                named.append(("step", ends[0]))
            elif kind == "loop":
                body = self._body(f"{self._next()}_body")
                ends = [self._add("loop", ends, nodes=[body], max_iterations=rest[0])]
                named.append(("loop", ends[0], body["id"], rest[0]))
            elif kind == "fork":
                begin = self._step("operator", ends)
                written = [self.write(branch, [begin]) for branch in rest[0]]
                ends = [self._step("operator", [name for inner, _ in written for name in inner])]
                named.append(("fork", begin, [inner for _, inner in written], ends[0]))
            elif kind == "choice":
                ends, choice = self._choose(*rest, ends)
                named.append(choice)
            else:
                ends, repeat = self._repeat(*rest, ends)
                named.append(repeat)
        return ends, named

    def _choose(self, limit: int, one: list[Part], other: list[Part], ends: list[str]) -> tuple[list[str], Any]:
        router = self._add("route_condition", ends)
        first = self._step("operator", [])
        then, named = self.write(one, [first])
        second = self._step("operator", [])
        otherwise, named_other = self.write(other, [second])
        self._node(router)["config"] = {
            "branches": [{"condition": f"$.count > {limit}", "target": first}],
            "default_target": second,
        }
        end = self._step("operator", [*then, *otherwise])
        ways = ([("step", first), *named], [("step", second), *named_other])
        return [end], ("choice", router, limit, ways, end)

    def _repeat(self, times: int, parts: list[Part], ends: list[str]) -> tuple[list[str], Any]:
        counter = f"turns_{self._next()}"
        begin = self._add("operator", ends, sets={counter: 0})
        router = self._add("route_condition", [begin])
        tick = self._add("operator", [], code=f"state['{counter}'] = state['{counter}'] + 1")
        back, named = self.write(parts, [tick])
        self.edges += [{"source": name, "target": router} for name in back]
        end = self._step("operator", [])
        self._node(router)["config"] = {
            "branches": [{"condition": f"$.{counter} < {times}", "target": tick}],
            "default_target": end,
        }
        return [end], ("while", begin, router, counter, times, tick, named, end)

    def _step(self, kind: str, ends: list[str]) -> str:
        name = self._next()
        config = {"code": CODE.replace("NAME", name)} if kind == "operator" else {"does": "work"}
        return self._add(kind, ends, **config)

    def _body(self, name: str) -> dict[str, Any]:
        return {"id": name, "type": "operator", "config": {"code": CODE.replace("NAME", name)}}

    def _add(self, kind: str, ends: list[str], **config: Any) -> str:
        name = self._next()
        self.nodes.append({"id": name, "type": kind, "config": config})
        self.edges += [{"source": end, "target": name} for end in ends]
        return name

    def _next(self) -> str:
        return f"n{len(self.nodes)}"

    def _node(self, name: str) -> dict[str, Any]:
        return next(node for node in self.nodes if node["id"] == name)


@dataclass
class Reader:
    """Reads named parts aloud: one step after another, one branch after another."""

    seen: list[str] = field(default_factory=list[str])

    def read(self, parts: list[Any], state: dict[str, Any]) -> dict[str, Any]:
        for kind, *rest in parts:
            if kind == "step":
                state = self._do(rest[0], state)
            elif kind == "loop":
                name, body, times = rest
                self.seen.append(name)
                for _ in range(times):
                    state = state | work(body, state)
            elif kind == "fork":
                begin, branches, end = rest
                base = self._do(begin, state)
                state = self._do(end, _join(base, [self.read(branch, dict(base)) for branch in branches]))
            elif kind == "choice":
                router, limit, ways, end = rest
                self.seen.append(router)
                state = self.read(ways[0] if state.get("count", 0) > limit else ways[1], state)
                state = self._do(end, state)
            else:
                begin, router, counter, times, tick, body, end = rest
                self.seen += [begin, router]
                state = state | {counter: 0}
                while state[counter] < times:
                    self.seen.append(tick)
                    state = self.read(body, state | {counter: state[counter] + 1})
                    self.seen.append(router)
                state = self._do(end, state)
        return state

    def _do(self, name: str, state: dict[str, Any]) -> dict[str, Any]:
        self.seen.append(name)
        return state | work(name, state)


def _join(base: dict[str, Any], states: list[dict[str, Any]]) -> dict[str, Any]:
    joined = dict(base)
    for state in states:
        joined |= {key: value for key, value in state.items() if key != LOG and base.get(key) != value}
        joined[LOG] = [*joined[LOG], *state[LOG][len(base[LOG]) :]]
    return joined


def take_turns(seed: int) -> Any:
    """The behaviour of steps, each with a delay of its own."""
    draw = random.Random(seed)

    def do(node: Node, scope: Scope, context: NodeContext) -> Mapping[str, Any]:
        del context
        time.sleep(draw.choice((0.0, 0.0, 0.002, 0.01, 0.03)))
        return work(node.id, scope.whole())

    return do


async def run_once(
    rig: Rig, document: dict[str, Any], seed: int, execution_id: str, *, machine: str = MACHINE
) -> tuple[dict[str, Any], Any]:
    """What a run leaves: without recorded times, but for those that are none of its own."""
    rig.behaviours["work"] = take_turns(seed)
    handle = await rig.start(document, id=execution_id, machine=machine, MOCK_MODE=...)
    output = await handle.result()
    place = Place(
        owner_id="acme", workflow_id="review", execution_id=handle.id, version=0, root=output["final_state_s3_path"]
    )
    bag = rig.plugin.engine.read_bag(place)
    blobs = rig.plugin.store.execution("acme", "review", handle.id)
    history = [
        {key: value for key, value in entry.items() if key not in ("timestamp", "duration_ms", "log_id")}
        for entry in read_all(bag.kernel.state_history, blobs)
    ]
    counters = {name: getattr(bag.control, name) for name in ("bag_version", "loop_counter", "segment_to_run")}
    return bag.user.whole(), {"history": history, **counters}


# Each example is two runs on a real server: few, and the same ones each time.
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(parts=PARTS, seed=st.integers(0, 2**32))
async def test_no_order_of_completion_changes_a_bag(rig: Rig, parts: list[Part], seed: int) -> None:
    written = Written()
    _, named = written.write([("step", "operator"), *parts], [])
    assume(len(written.nodes) <= MOST_NODES)
    limits = {"max_loop_iterations": 2000, "max_branch_iterations": 2000}
    document = {"nodes": written.nodes, "edges": written.edges, "start_node": "n0", **limits}
    reader = Reader()
    expected = reader.read(named, {})
    name = f"order-{seed:x}-{time.monotonic_ns()}"
    one, told = await run_once(rig, document, seed, f"{name}-a")
    other, told_again = await run_once(rig, document, seed + 1, f"{name}-b")
    assert {key: one[key] for key in expected} == expected
    assert canonical_bytes(one) == canonical_bytes(other)
    assert canonical_bytes(told) == canonical_bytes(told_again)
    steps = [step.partition(":")[0] for entry in told["history"] for step in entry.get("steps", ())]
    assert steps == reader.seen


@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(parts=PARTS, seed=st.integers(0, 2**32))
async def test_in_chunks_a_document_ends_as_if_it_were_read_aloud(rig: Rig, parts: list[Part], seed: int) -> None:
    written = Written()
    _, named = written.write([("step", "operator"), *parts], [])
    assume(len(written.nodes) <= MOST_NODES)
    limits = {"max_loop_iterations": 2000, "max_branch_iterations": 2000}
    document = {"nodes": written.nodes, "edges": written.edges, "start_node": "n0", **limits, "distributed_mode": True}
    reader = Reader()
    expected = reader.read(named, {})
    name = f"chunked-{seed:x}-{time.monotonic_ns()}"
    state, told = await run_once(rig, document, seed, name, machine=DISTRIBUTED)
    assert {key: state[key] for key in expected} == expected
    steps = [step.partition(":")[0] for entry in told["history"] for step in entry.get("steps", ())]
    assert steps == reader.seen
