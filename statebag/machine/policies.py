"""Time-outs and retries of the functions that the machines call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from statebag.config import PauseSpec

__all__ = [
    "FUNCTIONS",
    "GRACE_SECONDS",
    "HISTORY_BYTES",
    "HISTORY_EVENTS",
    "HITP_TIMEOUT_SECONDS",
    "IN_FLIGHT_LIMIT",
    "PROVIDER_RETRIES",
    "SILENCE_SECONDS",
    "Function",
    "Retry",
]

HITP_TIMEOUT_SECONDS = PauseSpec.timeout_seconds
"""Time a person has to answer, where the pause names none."""

PROVIDER_RETRIES = 3
"""Further tries of a segment whose provider refuses, where its node says nothing."""

GRACE_SECONDS = 5.0
"""Time beyond a function's own limit, in which the worker can still say that the limit was reached."""


HISTORY_EVENTS = 1000
"""Events after which a coordinator of a map goes on in a new history; the server itself asks for one far later."""
HISTORY_BYTES = 1024 * 1024
"""The same in bytes."""

IN_FLIGHT_LIMIT = 500
"""Chunks that a coordinator has open at most, those included whose items wait for people; the server allows 2,000."""

SILENCE_SECONDS = 60.0
"""Time without news after which a coordinator looks whether its chunks are still there; it doubles up to ten times."""


@dataclass(frozen=True, kw_only=True)
class Retry:
    """Exponential backoff for errors that may pass."""

    initial_seconds: float
    backoff: float = 2.0
    max_interval_seconds: float = 30.0
    retries: int | None = None
    """Further tries after the first. None: until the function's ``give_up_seconds``."""


@dataclass(frozen=True, kw_only=True)
class Function:
    """One function (a Lambda, an activity) and how it is called."""

    name: str
    timeout_seconds: float
    """Of one try."""
    retry: Retry
    give_up_seconds: float | None = None
    """Of all tries together."""
    heartbeat_seconds: float | None = None
    """A try that gives no sign of life for so long is taken for dead."""


def _store_function(name: str, timeout_seconds: float) -> Function:
    # A store that is away for a while must not end a run that took days.
    return Function(
        name=name,
        timeout_seconds=timeout_seconds,
        retry=Retry(initial_seconds=0.5),
        give_up_seconds=3600.0,
    )


FUNCTIONS: Mapping[str, Function] = {
    "init": _store_function("InitializeStateData", 30.0),
    "state_data_manager": _store_function("StateDataManager", 60.0),
    "execute_segment": Function(
        name="ExecuteSegment",
        timeout_seconds=300.0,
        retry=Retry(initial_seconds=1.0),
        heartbeat_seconds=10.0,
    ),
    "prepare_map": Function(
        name="PrepareDistributedExecution",
        timeout_seconds=6 * 3600.0,
        retry=Retry(initial_seconds=0.5),
        give_up_seconds=12 * 3600.0,
        heartbeat_seconds=30.0,
    ),
    "run_chunk": Function(
        name="ProcessSegmentChunk",
        timeout_seconds=900.0,
        retry=Retry(initial_seconds=1.0),
        heartbeat_seconds=10.0,
    ),
    "join_map": Function(
        name="StateDataManager",
        timeout_seconds=6 * 3600.0,
        retry=Retry(initial_seconds=0.5),
        give_up_seconds=12 * 3600.0,
        heartbeat_seconds=30.0,
    ),
    "find_lost_chunks": Function(
        name="FindLostChunks",
        timeout_seconds=30.0,
        retry=Retry(initial_seconds=1.0),
        give_up_seconds=3600.0,
    ),
    "watch_chunks": Function(
        name="WatchChunks",
        timeout_seconds=3600.0,
        retry=Retry(initial_seconds=0.5),
        heartbeat_seconds=20.0,
    ),
    "async_llm": Function(
        name="AsyncLLMHandler",
        timeout_seconds=900.0,
        retry=Retry(initial_seconds=1.0, retries=3),
        heartbeat_seconds=None,
    ),
    "publish_event": Function(
        name="ExecutionProgressNotifier",
        timeout_seconds=10.0,
        retry=Retry(initial_seconds=0.5, retries=2),
        give_up_seconds=30.0,
    ),
    "verify_claim": Function(
        name="CheckIdempotency",
        timeout_seconds=10.0,
        retry=Retry(initial_seconds=2.0, retries=3),
        give_up_seconds=120.0,
    ),
}
"""Functions by the name of their activity."""
