"""What the events of an execution tell."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from tests.aws.interpreters import Execution


def read_history(
    events: Sequence[dict[str, Any]],
    *,
    status: str,
    output: Any = None,
    error: str | None = None,
    cause: str | None = None,
) -> Execution:
    """The execution whose events these are, in the form that the service's GetExecutionHistory gives them in."""
    entered = [event for event in events if event["type"].endswith("StateEntered")]
    counts = Counter(event["type"] for event in events)
    tries = counts["TaskScheduled"] + counts["LambdaFunctionScheduled"]
    return Execution(
        status=status,
        output=output,
        error=error,
        cause=cause,
        trace=[event["stateEnteredEventDetails"]["name"] for event in entered],
        largest_bytes=max(map(size_of, values_in(events)), default=0),
        history=list(events),
        transitions=len(entered) + max(0, tries - counts["TaskStateEntered"]),
    )


def values_in(events: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Inputs and outputs of states."""
    for event in events:
        for kind, field in (("stateEnteredEventDetails", "input"), ("stateExitedEventDetails", "output")):
            if field in event.get(kind, {}):
                yield event[kind][field]


def size_of(text: str) -> int:
    """Bytes of a JSON text without the spaces that some interpreters put in."""
    return len(json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":")).encode())
