"""What a run is doing, as seen from outside: asked for by Query, and told as it changes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from temporalio.client import WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from statebag.app.failures import typed_rpc_errors
from statebag.app.start import Handle
from statebag.machine import State

__all__ = ["Progress", "Stuck", "ask", "describe_map", "follow", "read_progress"]

_FIRST_SECONDS = 0.03
_USUAL_SECONDS = 0.25
_CALM_SECONDS = 30.0
_CALM_WAIT_SECONDS = 1.0
_LOOK_SECONDS = 2.0
_SILENT_SECONDS = 10.0
QUERY_SECONDS = 5.0
"""Time for a worker to answer a Query."""
_NO_ANSWER = (RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED, RPCStatusCode.UNAVAILABLE)
_NO_WORKER = "no poller"
_WHOLE_FROM = 10
"""Rates from here on are shown without decimals."""
_CUTTING = frozenset({State.EXECUTE_MAP_REDUCE_MODE, State.EXECUTE_BATCHED_MODE, State.PREPARE_DISTRIBUTED_EXECUTION})
"""Where a machine stays before the chunks of a map are there."""
_MINUTE, _HOUR = 60, 3600


@dataclass(frozen=True, kw_only=True)
class Stuck:
    """A call of the outside world that has failed and is tried again."""

    attempt: int
    message: str


@dataclass(frozen=True, kw_only=True)
class Progress:
    """A run at one moment."""

    status: str = "RUNNING"
    current_state: str = ""
    segment: int = 0
    """0-based index of the segment that runs or is next."""
    total_segments: int = 0
    label: str = ""
    loop_counter: int = 0
    """Segments executed so far."""
    pauses: int = 0
    """How often a person has been asked."""
    pending: tuple[Mapping[str, Any], ...] = ()
    """The pauses that wait for an answer."""
    bag: Mapping[str, Any] | None = None
    """Pointer to the bag."""
    branches: Mapping[str, int] | None = None
    """``total``, ``done`` and ``failed`` while branches run beside each other."""
    map: Mapping[str, Any] | None = None
    """While a map runs: ``label``, ``kind``, ``total``, ``done`` and ``failed`` (items), ``chunks``, ``chunks_done`` and
    ``in_flight`` (chunks), ``items_per_second``, ``seconds_left`` once it is known."""
    stuck: Stuck | None = None
    silent: int = 0
    """How many times ten seconds no worker has answered."""

    @property
    def step(self) -> tuple[Any, ...]:
        """Equal for moments between which nothing happened that is worth a line."""
        where = (self.segment, self.loop_counter, self.label)
        return (*where, self.branches is None, self.map is None, self._cuts_items)

    @property
    def _cuts_items(self) -> bool:
        return self.map is None and self.current_state in _CUTTING

    def describe(self) -> str:
        """``segment 2 of 5: llm_review``, ``3 of 20 branches are done``, or what :func:`describe_map` says."""
        if self.map is not None:
            return describe_map(self.map)
        if self._cuts_items:
            return "the items of a map are put into chunks"
        if self.branches is not None:
            failed = f", {self.branches['failed']} failed" if self.branches["failed"] else ""
            return f"{self.branches['done']} of {self.branches['total']} branches are done{failed}"
        where = f"segment {self.segment + 1} of {self.total_segments}" if self.total_segments else "starting"
        return f"{where}: {self.label}" if self.label else where


async def ask(handle: Handle, query: str, *, seconds: float = QUERY_SECONDS) -> Any:
    """A Query's answer; None where no worker gives one in time.

    Raises:
        StateBagError: ``RUN_NOT_FOUND``, ``SERVER_UNREACHABLE``.
    """
    with typed_rpc_errors(handle.id):
        try:
            return await handle.query(query, rpc_timeout=timedelta(seconds=seconds))
        except WorkflowQueryFailedError:
            return None
        except RPCError as error:
            if error.status in _NO_ANSWER or _NO_WORKER in error.message.lower():
                return None
            raise


async def read_progress(handle: Handle, *, seconds: float = QUERY_SECONDS) -> Progress | None:
    """The run now; None where no worker answers in time."""
    body = await ask(handle, "progress", seconds=seconds)
    if body is None:
        return None
    pending: Sequence[Mapping[str, Any]] = ()
    if body["status"] == "PAUSED_FOR_HITP":
        pending = await ask(handle, "pending", seconds=seconds) or ()
    return Progress(
        status=body["status"],
        current_state=body["current_state"],
        segment=body["segment_to_run"],
        total_segments=body.get("total_segments", 0),
        label=body["label"],
        loop_counter=body["loop_counter"],
        pauses=body["pauses"],
        pending=tuple(pending),
        bag=body["bag"],
        branches=body.get("branches"),
        map=body.get("map"),
    )


def describe_map(found: Mapping[str, Any]) -> str:
    """``4,200 of 10,000 items are done, 126 failed, 12 chunks in flight, 350 items/s, 17 s left``."""
    what = "branches" if found["kind"] == "branches" else "items"
    chunks, rate, left = found["in_flight"], found["items_per_second"], found.get("seconds_left")
    parts = [f"{found['done']:,} of {found['total']:,} {what} are done"]
    parts += [f"{found['failed']:,} failed"] if found["failed"] else []
    parts += [f"{chunks:,} {'chunk' if chunks == 1 else 'chunks'} in flight"] if chunks else []
    parts += [f"{_rounded(rate)} {what}/s"] if rate else []
    parts += [f"{_duration(left)} left"] if left is not None else []
    return ", ".join(parts)


def _rounded(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= _WHOLE_FROM else f"{rate:.2g}"


def _duration(seconds: float) -> str:
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s"
    return f"{seconds / _MINUTE:.0f} min" if seconds < 2 * _HOUR else f"{seconds / _HOUR:.1f} h"


async def follow(handle: Handle) -> AsyncGenerator[Progress]:
    """The run as it changes, without end: the caller stops when the run is over.

    Asks four times a second, and once a second where nothing has changed for a while.
    """
    wait, last, stuck = _FIRST_SECONDS, None, None
    changed = answered = looked = time.monotonic()
    while True:
        now, moment = await read_progress(handle), time.monotonic()
        if now is not None:
            answered = moment
        elif moment - answered > _SILENT_SECONDS:
            now = Progress(silent=int((moment - answered) / _SILENT_SECONDS))
        if moment - looked > _LOOK_SECONDS:
            looked, stuck = moment, await _find_stuck(handle)
        if now is not None and (now := replace(now, stuck=stuck)) != last:
            last, changed = now, moment
            yield now
        await asyncio.sleep(wait)
        wait = min(wait * 2, _USUAL_SECONDS if moment - changed < _CALM_SECONDS else _CALM_WAIT_SECONDS)


async def _find_stuck(handle: Handle) -> Stuck | None:
    with typed_rpc_errors(handle.id):
        described = await handle.describe(rpc_timeout=timedelta(seconds=QUERY_SECONDS))
    for activity in described.raw_description.pending_activities:
        if activity.attempt > 1:
            return Stuck(attempt=activity.attempt, message=activity.last_failure.message)
    return None
