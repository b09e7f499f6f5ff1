"""What is done inside of maps, in one form: child workflows on Temporal, states of inner machines on Step Functions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from temporalio.client import Client, WorkflowHandle

__all__ = ["Inner", "inner_of", "states_there"]

_RUNNERS = {"ExecuteMapReduceMode": "MapReduceRunner", "ExecuteBatchedMode": "BatchedRunner"}
_ONE_TASK = (
    r"WaitForHITPCallback MergeCallbackResult|ProcessParallelBranches AggregateParallelResults"
    r"|HandleAsyncLLM WaitForAsyncLLMCallback MergeAsyncResult"
    r"|Execute(?:MapReduce|Batched)Mode SyncStateAfterDistributed"
)
"""What a branch has states of the run for, on Temporal; there, the task of its segment does it."""


@dataclass(frozen=True, kw_only=True)
class Inner:
    """A child workflow."""

    kind: str
    trace: tuple[str, ...]
    children: tuple[Inner, ...]

    @property
    def pauses(self) -> int:
        """How often it has waited for a person, or what is inside of it."""
        return self.trace.count("WaitForHITPCallback") + sum(child.pauses for child in self.children)


async def inner_of(client: Client, handle: WorkflowHandle[Any, Any]) -> tuple[Inner, ...]:
    """The branches and chunks that a workflow has started."""
    history = await handle.fetch_history()
    found: list[Inner] = []
    for event in history.events:
        started = event.start_child_workflow_execution_initiated_event_attributes
        if started.workflow_type.name in ("BranchWorkflow", "ChunkWorkflow"):
            child = client.get_workflow_handle(started.workflow_id)
            trace = await child.query("trace")
            found.append(
                Inner(kind=started.workflow_type.name, trace=tuple(trace), children=await inner_of(client, child))
            )
    return tuple(found)


def states_there(trace: Sequence[str], inner: Sequence[Inner], *, distributed: bool) -> Mapping[str, int]:
    """How often each state of an inner machine is entered on Step Functions, where this was done on Temporal.

    Branches inside of branches are no inner machines there: the task of a segment runs them.

    Args:
        trace: Of the run.
        inner: What it has started.
        distributed: Whether it ran on the distributed machine.
    """
    runner = next((_RUNNERS[name] for name in trace if name in _RUNNERS), "")
    names: list[str] = []
    for one in inner:
        if distributed:
            names += _line("Chunk" if one.kind == "ChunkWorkflow" else "Branch", one)
        elif one.kind == "BranchWorkflow":
            names += _branch(one)
        elif one.children:
            # Only branches have states that can wait: there, they run the items that may.
            names += [name for item in one.children for name in _branch(item)]
        else:
            names.append(runner)
    return Counter(names)


def _branch(one: Inner) -> list[str]:
    """A branch of the standard machine, whose first segment is a task of its own whatever it does."""
    text = re.sub("^InitBranchState EvaluateBranchNext ", "InitBranchState ", " ".join([*one.trace, ""]))
    return re.sub(_ONE_TASK, "ExecuteBranchSegment SyncBranchState", text).split()


def _line(what: str, one: Inner) -> list[str]:
    """A chunk or a branch of the distributed machine: run to its end, but for people, who are asked one by one."""
    run = "ProcessChunkWithHydration" if what == "Chunk" else "ExecuteBranchWithHydration"
    again = [f"WaitFor{what}Callback", f"Resume{what}AfterCallback", f"Evaluate{what}Result"]
    end = [f"Handle{what}Error"] * (one.trace[-1:] == (f"Handle{what}Error",))
    return [run, f"Evaluate{what}Result", *again * one.pauses, *end, f"{what}Complete"]
