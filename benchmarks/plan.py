"""Checking and cutting documents, against reading their JSON."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from benchmarks._figures import Figure, figure_of
from benchmarks._graphs import GRAPHS
from benchmarks._size import Size
from statebag.canonical import canonical_bytes, parse_json
from statebag.config import load_document
from statebag.nodes import load_registry
from statebag.plan import plan_document

__all__ = ["measure_plan"]

_EACH_TURN = 3


def measure_plan(size: Size) -> list[Figure]:
    """All graphs in turns; first the figures of the slowest one, then each one's.

    Times are those of the thread's processor: nothing here waits.
    """
    registry = load_registry()
    texts = {name: canonical_bytes(make(size.nodes)) for name, make in GRAPHS.items()}
    parsed: dict[str, list[float]] = {name: [] for name in texts}
    loaded: dict[str, list[float]] = {name: [] for name in texts}
    planned: dict[str, list[float]] = {name: [] for name in texts}
    for _ in range(size.turns * _EACH_TURN):
        for name, text in texts.items():
            parsed[name].append(_milliseconds(lambda text=text: parse_json(text)))
            loaded[name].append(_milliseconds(lambda text=text: load_document(text, registry)))
            document = load_document(text, registry).document
            planned[name].append(_milliseconds(lambda document=document: plan_document(document, registry)))
    both = {name: [one + other for one, other in zip(loaded[name], planned[name], strict=True)] for name in texts}
    slowest = max(both, key=lambda name: median(both[name]))
    longest = max(planned, key=lambda name: median(planned[name]))
    reading = f"reading the JSON of {size.nodes} nodes"
    return [
        figure_of("plan.time", planned[longest], "CPU ms", against=parsed[longest], baseline=reading),
        figure_of("plan.checked.time", both[slowest], "CPU ms", against=parsed[slowest], baseline=reading),
        *(
            figure_of(f"plan.{name}.time", both[name], "CPU ms", against=parsed[name], baseline=reading)
            for name in texts
        ),
    ]


def _milliseconds(call: Callable[[], object]) -> float:
    start = time.thread_time()
    call()
    return (time.thread_time() - start) * 1000
