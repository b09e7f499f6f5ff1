"""Where the engines differ, and why: what is not listed here must be equal."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.aws.ran import Ran
from tests.aws.scenarios import Scenario

__all__ = ["DIFFERENCES", "Difference", "explained", "unlike"]

Compared = dict[str, Any]
Change = Callable[[Compared], Compared]


def _nothing(compared: Compared) -> Compared:
    return compared


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One way in which the engines are not alike."""

    why: str
    where: Callable[[Scenario, str], bool]
    """Scenarios, and interpreters, that have it."""
    both: Change = _nothing
    """Takes out of a run what can't be compared."""
    there: Change = _nothing
    """Makes of a run on an interpreter what it is on Temporal."""


def without_detail(event_type: str, *names: str) -> Change:
    """Takes fields out of events."""

    def change(compared: Compared) -> Compared:
        events = [
            (kind, status, {name: value for name, value in detail.items() if kind != event_type or name not in names})
            for kind, status, detail in compared["events"]
        ]
        return compared | {"events": events}

    return change


def rewritten(pattern: str, by: str) -> Change:
    """Rewrites the trace as a text, in which a space is behind each state."""

    def change(compared: Compared) -> Compared:
        text = re.sub(pattern, by, " ".join([*compared["trace"], ""]))
        return compared | {"trace": text.split()}

    return change


def without_inner(*names: str) -> Change:
    """Takes states of inner machines out."""

    def change(compared: Compared) -> Compared:
        left = {name: times for name, times in compared["nested"].items() if name not in names}
        return compared | {"nested": left}

    return change


def in_no_order(*event_types: str) -> Change:
    """Sorts some types of events behind the others, and takes their status out."""

    def change(compared: Compared) -> Compared:
        some = [(kind, "", detail) for kind, _, detail in compared["events"] if kind in event_types]
        others = [event for event in compared["events"] if event[0] not in event_types]
        return compared | {"events": [*others, *sorted(some, key=str)]}

    return change


def told_by_function(compared: Compared) -> Compared:
    """The message in the report of a function that has failed."""
    events = [
        (
            kind,
            status,
            {**detail, "error_message": _message_in(detail["error_message"])} if kind == "INIT_FAILED" else detail,
        )
        for kind, status, detail in compared["events"]
    ]
    return compared | {"events": events}


def _message_in(report: str) -> str:
    if not report.startswith("{"):
        return report
    message: str = json.loads(report)["errorMessage"]
    return message.partition(": ")[2]


def no_events(compared: Compared) -> Compared:
    return compared | {"events": []}


def once(event_type: str) -> Change:
    """Keeps the first event of a type."""

    def change(compared: Compared) -> Compared:
        first = next((event for event in compared["events"] if event[0] == event_type), None)
        others = [event for event in compared["events"] if event[0] != event_type]
        return compared | {"events": [*([first] if first else []), *others]}

    return change


def _named(*names: str) -> Callable[[Scenario, str], bool]:
    return lambda scenario, _: scenario.name in names


_PASS = "PrepareDistributedExecution NotifyDistributedStarted CreatePreSnapshot ExecuteDistributedChunks "

DIFFERENCES: Sequence[Difference] = (
    Difference(
        why="What a duplicate collides with is told by a choice there, which can't name it.",
        where=_named("duplicate_running"),
        both=without_detail("FAILED", "error_message"),
    ),
    Difference(
        why="An error of a function comes as the function's report. The tests' worker has two node types more.",
        where=_named("refused_document"),
        both=without_detail("INIT_FAILED", "error_message"),
        there=told_by_function,
    ),
    Difference(
        why="No state behind the loop limit publishes the event: the end of the execution does, which knows no bag.",
        where=_named("loop_limit", "distributed_loop_limit"),
        both=without_detail("FAILED", "state_s3_path", "error_message"),
    ),
    Difference(
        why="A stretch that has reached the limit is joined there before the limit is looked at.",
        where=_named("distributed_loop_limit"),
        there=rewritten("AggregateDistributedResults EvaluateNextAction CheckLoopLimit (?=FailLoopLimitExceeded)", ""),
    ),
    Difference(
        why="A definition has no state that begins a map: where its items can't be read, no map is entered.",
        where=_named("map_no_list"),
        both=rewritten("ExecuteMapReduceMode EvaluateNextAction (?=NotifyAndFail)", ""),
    ),
    Difference(
        why="Items that wait for people run as branches on the standard machine: only those can wait there.",
        where=_named("map_items_pause", "map_items_rejected"),
        there=rewritten(
            "ProcessParallelBranches AggregateParallelResults ", "ExecuteMapReduceMode SyncStateAfterDistributed "
        ),
    ),
    Difference(
        why="Whether others wait still is not known where an answer is taken; the order is that of the answers.",
        where=lambda scenario, _: scenario.name in ("map_items_pause", "map_items_rejected", "distributed_items_pause"),
        both=in_no_order("PAUSED_FOR_HITP", "RESUMED"),
    ),
    Difference(
        why="Each batch of a fork is a map of its own there.",
        where=_named("branches_in_batches"),
        there=rewritten("(ProcessParallelBranches AggregateParallelResults EvaluateNextAction )+", r"\1"),
    ),
    Difference(
        why="A stretch of a large document is one pass on Temporal; there it is one for each fork and what is between.",
        where=lambda scenario, _: scenario.name.startswith("distributed_large"),
        both=once("DISTRIBUTED_STARTED"),
        there=rewritten(f"AggregateDistributedResults EvaluateNextAction (CheckLoopLimit )?{_PASS}", ""),
    ),
    Difference(
        why="What is between two forks of a large document is a chunk there, too; on Temporal the run itself does it.",
        where=lambda scenario, _: (
            scenario.name.startswith("distributed_large") or scenario.name == "distributed_loop_limit"
        ),
        both=without_inner("ProcessChunkWithHydration", "EvaluateChunkResult", "ChunkComplete"),
    ),
    Difference(
        why="Only there the bus is away.",
        where=lambda scenario, _: scenario.without_bus,
        both=no_events,
    ),
)


def explained(scenario: Scenario, interpreter: str, here: Ran, there: Ran) -> tuple[Compared, Compared]:
    """What is compared of a run on Temporal and of the same one on an interpreter."""
    one, other = _compared(here), _compared(there)
    for difference in DIFFERENCES:
        if difference.where(scenario, interpreter):
            one, other = difference.both(one), difference.both(difference.there(other))
    return one, other


def unlike(one: Compared, other: Compared) -> list[str]:
    """A line for each part that differs."""
    return [f"{part}:\n  Temporal: {one[part]}\n  there:    {other[part]}" for part in one if one[part] != other[part]]


def _compared(ran: Ran) -> Compared:
    return {
        "status": ran.status,
        "error": ran.error,
        "trace": list(ran.trace),
        "nested": dict(ran.nested),
        "events": [(event.event_type, event.status, dict(event.detail)) for event in ran.events],
        "bag": ran.bag,
    }
