"""Runs that must be the same on both engines: every way through the machines, as documents and answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.mapping import document_of, mapping
from tests.rig import DISTRIBUTED, MACHINE, Document, asks, chain, forks, group, llm, sets

__all__ = ["SCENARIOS", "Scenario"]

YES: Mapping[str, Any] = {"decision": "APPROVED", "response": "yes", "responder": "ann"}
NO: Mapping[str, Any] = {"decision": "REJECTED", "response": "no", "responder": "ann"}
LATE: Mapping[str, Any] = {}
"""Nobody answers, within the second that there is."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One run."""

    name: str
    document: Document
    state: Mapping[str, Any] = field(default_factory=dict[str, Any])
    given: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Further members of the execution input; ``...`` leaves one out."""
    answers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    """Of the pauses, by their prompts."""
    machine: str = MACHINE
    error: str = ""
    """Name of the error that it ends with; empty where it succeeds."""
    code: str = ""
    """Code of that error."""
    earlier: str = ""
    """Status of an execution that has the same idempotency key."""
    without_bus: bool = False
    """Whether no event can be published."""


def fails_at(name: str, condition: str) -> dict[str, Any]:
    """A node that fails unless the condition holds."""
    params = {"condition": condition, "message": f"{name} does not hold"}
    return {"id": name, "type": "operator_official", "config": {"strategy": "assert", "params": params}}


def waits(name: str = "think") -> dict[str, Any]:
    return llm(name, "Think of {{word}}", **{"async": True, "output_key": f"{name}_said"})


_SMALL = chain(sets("a", word="hi"), llm("b", output_key="said"), sets("c", done="{{said}}"))


def _routed(**metadata: Any) -> Document:
    """A pause whose rejection and time-out lead around what it asks for."""
    ways = {"prompt": "ok?", "on_reject": "no", "on_timeout": "no", **metadata}
    edges = [
        {"source": "a", "target": "b", "type": "hitp", "metadata": ways},
        {"source": "b", "target": "end"},
        {"source": "no", "target": "end"},
    ]
    return {"nodes": [sets("a", a=1), sets("b", b=1), sets("no", no=1), sets("end", end=1)], "edges": edges}


def _asking(**metadata: Any) -> Document:
    ask = asks("b", "c", prompt="ok?", **metadata)
    return chain(sets("a", word="hi"), llm("b", output_key="said"), sets("c", c=1), edges=[ask])


def _branch_asks(**metadata: Any) -> Document:
    return forks(
        sets("a", a=1),
        [sets("b", b=1), sets("c", c=1)],
        [llm("d", "Say {{a}}", output_key="d"), sets("e", e=1)],
        join=sets("z", z=1),
        edges=[asks("b", "c", prompt="branch?", **metadata)],
    )


def _in_batches() -> Document:
    document = chain(
        sets("a", word="hi"),
        group(
            "g", *([llm(f"l{at}", f"{at}", output_key=f"o{at}"), sets(f"s{at}", **{f"s{at}": at})] for at in range(5))
        ),
        sets("z", z=1),
    )
    policy = {"max_concurrent_llm_calls": 2}
    document["nodes"][1]["config"]["resource_policy"] = policy
    return document


def _numbers(count: int) -> dict[str, Any]:
    return {"xs": list(range(count))}


def _square(**config: Any) -> Document:
    return document_of(sets("s", twice="{{item}}"), **config)


def _fragile(tolerated: float, below: int, **config: Any) -> Document:
    return document_of(fails_at("f", f"$.item < {below}"), tolerated_failure_percentage=tolerated, **config)


_ITEMS_ASK = document_of(
    sets("b", first="{{item}}"),
    sets("c", second=True),
    edges=[asks("b", "c", prompt="right?")],
    chunk_size=2,
    tolerated_failure_count=3,
)
_BRANCH_FAILS = forks(
    sets("a", a=1), [fails_at("b", "$.a > 5")], [llm("d", output_key="d"), sets("e", e=1)], join=sets("z", z=1)
)
_ALL_FAIL = forks(sets("a", a=1), [fails_at("b", "$.a > 5")], [fails_at("c", "$.a > 6")], join=sets("z", z=1))
_BOTH = forks(
    sets("a", a=1),
    [fails_at("b", "$.a > 5")],
    [sets("c", c=1), sets("d", d=1)],
    [llm("e", output_key="e"), sets("f", f=1)],
    join=sets("z", z=1),
    edges=[asks("c", "d", prompt="branch?")],
)
_NESTED = chain(
    sets("a", word="hi"),
    group("g", [llm("b", output_key="b"), group("h", [llm("c", output_key="c")], [sets("d", d=1)])], [sets("e", e=1)]),
    sets("z", z=1),
)
_TOO_MANY = {**chain(*(llm(f"l{at}", output_key=f"o{at}") for at in range(6)), max_loop_iterations=4)}
_WIDE = chain(
    sets("a", word="hi"), group("g", *([sets(f"s{at}", **{f"s{at}": at})] for at in range(60))), sets("z", z=1)
)
_LARGE_VALUES = chain(
    sets("a", copy="{{big_3}}"), llm("b", "Say {{word}}", output_key="said"), sets("c", again="{{big_4}}")
)

SCENARIOS = (
    Scenario(name="straight", document=_SMALL),
    Scenario(name="one_segment", document=chain(sets("a", a=1))),
    Scenario(name="with_key", document=_SMALL, given={"idempotency_key": "acme#k1"}),
    Scenario(
        name="key_failed_before",
        answers={"ok?": YES},
        document=_asking(),
        given={"idempotency_key": "acme#k2"},
        earlier="FAILED",
    ),
    Scenario(
        name="duplicate_running",
        document=_asking(),
        given={"idempotency_key": "acme#k3"},
        earlier="RUNNING",
        error="DuplicateExecution",
        code="DUPLICATE_EXECUTION",
    ),
    Scenario(name="duplicate_succeeded", document=_asking(), given={"idempotency_key": "acme#k4"}, earlier="SUCCEEDED"),
    Scenario(
        name="refused_document",
        document={"nodes": [{"id": "a", "type": "no_such_type"}], "edges": []},
        error="InitializationFailed",
        code="NODE_TYPE_UNKNOWN",
    ),
    Scenario(
        name="node_fails",
        document=chain(sets("a", a=1), fails_at("b", "$.a > 5"), sets("c", c=1)),
        error="WorkflowExecutionFailed",
        code="ASSERTION_FAILED",
    ),
    Scenario(name="loop_limit", document=_TOO_MANY, error="LoopLimitExceeded", code="LOOP_LIMIT_EXCEEDED"),
    Scenario(name="pause_approved", document=_asking(), answers={"ok?": YES}),
    Scenario(
        name="pause_rejected",
        document=_asking(),
        answers={"ok?": NO},
        error="WorkflowExecutionFailed",
        code="HITP_REJECTED",
    ),
    Scenario(name="pause_rejected_routed", document=_routed(), answers={"ok?": NO}),
    Scenario(
        name="pause_timed_out",
        document=_asking(timeout_seconds=1),
        answers={"ok?": LATE},
        error="WorkflowExecutionFailed",
        code="HITP_TIMEOUT",
    ),
    Scenario(name="pause_timed_out_routed", document=_routed(timeout_seconds=1), answers={"ok?": LATE}),
    Scenario(
        name="two_pauses",
        document=chain(
            sets("a", a=1),
            sets("b", b=1),
            sets("c", c=1),
            edges=[asks("a", "b", prompt="1?"), asks("b", "c", prompt="2?")],
        ),
        answers={"1?": YES, "2?": YES},
    ),
    Scenario(name="async_llm", document=chain(sets("a", word="hi"), waits(), sets("c", c="{{think_said}}"))),
    Scenario(
        name="async_llm_then_pause",
        document=chain(sets("a", word="hi"), waits(), sets("c", c=1), edges=[asks("think", "c", prompt="ok?")]),
        answers={"ok?": YES},
    ),
    Scenario(name="branches", document=_WIDE),
    Scenario(name="branch_fails", document=_BRANCH_FAILS),
    Scenario(name="all_branches_fail", document=_ALL_FAIL, error="WorkflowExecutionFailed", code="AGGREGATION_FAILED"),
    Scenario(name="branch_pauses", document=_branch_asks(), answers={"branch?": YES}),
    Scenario(name="branch_rejected", document=_branch_asks(), answers={"branch?": NO}),
    Scenario(name="branch_times_out", document=_branch_asks(timeout_seconds=1), answers={"branch?": LATE}),
    Scenario(name="one_fails_one_pauses", document=_BOTH, answers={"branch?": YES}),
    Scenario(name="nested_branches", document=_NESTED),
    Scenario(name="branches_in_batches", document=_in_batches()),
    Scenario(
        name="branch_async",
        document=forks(sets("a", word="hi"), [waits()], [sets("b", b=1)], join=sets("z", z=1)),
    ),
    Scenario(
        name="branch_loop_limit",
        document=forks(
            sets("a", word="hi"),
            [llm(f"l{at}", output_key=f"o{at}") for at in range(5)],
            [sets("b", b=1)],
            join=sets("z", z=1),
            max_branch_iterations=3,
        ),
    ),
    Scenario(name="map_reduce", document=_square(chunk_size=4), state=_numbers(30)),
    Scenario(
        name="map_of_calls",
        document=document_of(llm("l", "Say {{item}}", output_key="o"), chunk_size=3),
        state=_numbers(9),
    ),
    Scenario(
        name="map_batched", document=_square(chunk_size=4, strategy="BATCHED", max_concurrency=2), state=_numbers(20)
    ),
    Scenario(name="map_empty", document=_square(), state=_numbers(0)),
    Scenario(name="map_within_tolerance", document=_fragile(10, 27, chunk_size=5), state=_numbers(30)),
    Scenario(
        name="map_over_tolerance",
        document=_fragile(10, 26, chunk_size=5, fail_fast=False),
        state=_numbers(30),
        error="WorkflowExecutionFailed",
        code="TOLERANCE_EXCEEDED",
    ),
    Scenario(
        name="map_items_pause",
        document=_ITEMS_ASK,
        state=_numbers(3),
        answers={"right?": YES},
    ),
    Scenario(name="map_no_list", document=_square(), state={}, error="WorkflowExecutionFailed", code="NODE_FAILED"),
    Scenario(name="bus_away", document=_SMALL, without_bus=True),
    Scenario(
        name="large_bag",
        document=_LARGE_VALUES,
        state={"word": "hi", **{f"big_{at}": str(at) * 10_000_000 for at in range(6)}},
    ),
    Scenario(name="distributed_small", document=_SMALL, machine=DISTRIBUTED),
    Scenario(name="distributed_pause", document=_asking(), answers={"ok?": YES}, machine=DISTRIBUTED),
    Scenario(
        name="distributed_timed_out",
        document=_asking(timeout_seconds=1),
        answers={"ok?": LATE},
        machine=DISTRIBUTED,
        error="WorkflowExecutionFailed",
        code="HITP_TIMEOUT",
    ),
    Scenario(
        name="distributed_async",
        document=chain(sets("a", word="hi"), waits(), sets("c", c="{{think_said}}")),
        machine=DISTRIBUTED,
    ),
    Scenario(name="distributed_branches", document=_BRANCH_FAILS, machine=DISTRIBUTED),
    Scenario(name="distributed_branch_pauses", document=_branch_asks(), answers={"branch?": YES}, machine=DISTRIBUTED),
    Scenario(name="distributed_map", document=_square(chunk_size=4), state=_numbers(30), machine=DISTRIBUTED),
    Scenario(
        name="distributed_within_tolerance",
        document=_fragile(10, 27, chunk_size=5),
        state=_numbers(30),
        machine=DISTRIBUTED,
    ),
    Scenario(
        name="distributed_over_tolerance",
        document=_fragile(10, 26, chunk_size=5, fail_fast=False),
        state=_numbers(30),
        machine=DISTRIBUTED,
        error="WorkflowExecutionFailed",
        code="TOLERANCE_EXCEEDED",
    ),
    Scenario(
        name="distributed_items_pause",
        document=_ITEMS_ASK,
        state=_numbers(3),
        answers={"right?": YES},
        machine=DISTRIBUTED,
    ),
    Scenario(
        name="distributed_large",
        document={**_WIDE, "distributed_mode": True},
        machine=DISTRIBUTED,
    ),
    Scenario(
        name="distributed_large_in_batches", document={**_in_batches(), "distributed_mode": True}, machine=DISTRIBUTED
    ),
    Scenario(
        name="distributed_large_pauses",
        document={**_asking(), "distributed_mode": True},
        answers={"ok?": YES},
        machine=DISTRIBUTED,
    ),
    Scenario(
        name="distributed_large_branch_pauses",
        document={**_branch_asks(), "distributed_mode": True},
        answers={"branch?": YES},
        machine=DISTRIBUTED,
    ),
    Scenario(
        name="distributed_loop_limit",
        document={**_TOO_MANY, "distributed_mode": True},
        machine=DISTRIBUTED,
        error="LoopLimitExceeded",
        code="LOOP_LIMIT_EXCEEDED",
    ),
    Scenario(
        name="map_in_two_maps",
        document=chain(
            mapping(sets("s", twice="{{item}}"), name="m", chunk_size=2),
            mapping(sets("t", thrice="{{item}}"), name="n", chunk_size=3, output_key="more"),
            sets("z", z=1),
        ),
        state=_numbers(7),
    ),
)
"""All scenarios; each has a name of its own."""
