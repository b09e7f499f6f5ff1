"""What both engines tell of a run, in one form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from statebag.bag import STEP_FUNCTIONS, Bag, read_all, upload_state
from statebag.blobs import ExecutionBlobs, is_pointer
from statebag.canonical import canonical_bytes, size_of
from statebag.machine import DISTRIBUTED_STATES, STANDARD_STATES
from tests.aws.scenarios import Scenario

__all__ = ["Ran", "Told", "bag_of", "nested_of", "state_of", "told_of", "top_of"]

OWNER, WORKFLOW = "acme", "review"
_INPUT_BYTES = 100_000
_OF_ITS_TIME = ("timestamp", "duration_ms", "responded_at", "opened_at", "expires_at", "start_time", "execution_id")
_OF_ITS_ENGINE = ("event_id", "sequence", "pause_id", "token_id", "debug_hint", "execution_name", "log_id")
"""Ids that each engine makes in its own way, and the command to look into a run."""
_NESTED = frozenset(
    {"MapReduceRunner", "BatchedRunner", "InitBranchState", "ExecuteBranchSegment", "SyncBranchState"}
    | {"EvaluateBranchNext", "CheckBranchLoopLimit", "FailBranchLoopLimit", "HandleBranchError", "BranchComplete"}
    | {"ProcessChunkWithHydration", "EvaluateChunkResult", "WaitForChunkCallback", "ResumeChunkAfterCallback"}
    | {"HandleChunkTimeout", "HandleChunkError", "ChunkComplete", "ExecuteBranchWithHydration"}
    | {"EvaluateBranchResult", "WaitForBranchCallback", "ResumeBranchAfterCallback"}
)
assert {*map(str, STANDARD_STATES), *map(str, DISTRIBUTED_STATES)} >= _NESTED


@dataclass(frozen=True, kw_only=True)
class Told:
    """An event without what is different in every run."""

    event_type: str
    status: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Ran:
    """How a run went."""

    status: str
    error: str = ""
    code: str = ""
    trace: tuple[str, ...]
    """States of the machine itself."""
    events: tuple[Told, ...]
    bag: Mapping[str, Any] | None
    """The variables, the history and the counters at the end; None where there was no bag."""
    largest_bytes: int = 0
    transitions: int = 0
    history_events: int = 0
    history_bytes: int = 0
    """Of all events as compact JSON."""
    seconds: float = 0.0
    """From the start of the execution to its end."""
    log_ids: tuple[str, ...] = ()
    """Of the log entries in events, each as often as it was told."""
    nested: Mapping[str, int] = field(default_factory=dict[str, int])
    """How often each state inside of its maps was entered, as on Step Functions."""


def top_of(trace: Iterable[str]) -> tuple[str, ...]:
    """The states of the machine itself."""
    return tuple(name for name in trace if name not in _NESTED)


def nested_of(trace: Iterable[str]) -> Mapping[str, int]:
    """How often each state inside of its maps was entered."""
    return Counter(name for name in trace if name in _NESTED)


def told_of(body: Mapping[str, Any]) -> Told:
    """An event as consumers get it."""
    left = {"event_type", "status", "ownerId", "workflowId", *_OF_ITS_TIME, *_OF_ITS_ENGINE}
    detail = {name: value for name, value in body.items() if name not in left}
    # Where a bag is depends on the engine's policy; that the event names one does not.
    for name in ("final_state_s3_path", "state_s3_path"):
        if name in detail:
            detail[name] = "somewhere"
    return Told(event_type=body["event_type"], status=body["status"], detail=detail)


def bag_of(bag: Bag, blobs: ExecutionBlobs) -> dict[str, Any]:
    """A bag without what is different in every run, or made in each engine's own way."""
    counters = {name: getattr(bag.control, name) for name in ("segment_to_run", "loop_counter", "total_segments")}
    history = [_plain(entry) for entry in read_all(bag.kernel.state_history, blobs)]
    return {"state": _plain(bag.user.whole()), "history": history, **counters}


def state_of(scenario: Scenario, blobs: ExecutionBlobs) -> dict[str, Any]:
    """The members of the execution input for a scenario's variables: what is large goes by the store."""
    if size_of(scenario.state) < _INPUT_BYTES:
        return {"initial_state": dict(scenario.state)}
    return {"initial_state_s3_path": upload_state(scenario.state, blobs, STEP_FUNCTIONS).to_json()}


def _plain(value: Any) -> Any:
    if is_pointer(value):
        return {"pointer": value["kind"]}
    if isinstance(value, Mapping):
        left = {*_OF_ITS_TIME, *_OF_ITS_ENGINE}
        return {name: _plain(member) for name, member in value.items() if name not in left}
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    return value if len(canonical_bytes(value)) < 10_000 else f"{str(value)[:10]} … {len(str(value))}"
