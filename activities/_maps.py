"""The distributed map's functions as activities: each one call into the bag's engine, or a look at chunk workflows."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Any, TypeVar

from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError
from temporalio.exceptions import ApplicationError, CancelledError, TerminatedError
from temporalio.exceptions import TimeoutError as TemporalTimeoutError
from temporalio.service import RPCError, RPCStatusCode

from activities._chunks_left import chunks_left
from activities._errors import as_failures
from activities._state import place_of
from activities._threads import in_thread, sign_of_life
from statebag.bag import RunEngine
from statebag.machine import FUNCTIONS, PROVIDER_RETRIES

__all__ = ["MapActivities"]

T = TypeVar("T")

Task = Mapping[str, Any]
"""As for :class:`StateActivities`; ``chunk`` is a chunk's place in its round."""

_ENDED_AT_ONCE = (WorkflowExecutionStatus.TERMINATED, WorkflowExecutionStatus.TIMED_OUT)

LINGER_SECONDS = 0.05
"""Wait for more that end, once one has: a report costs events of history."""


class MapActivities:
    """Activities over one engine.

    Args:
        engine: runs the maps.
        threads: where it runs: node code and store clients block.
    """

    def __init__(self, engine: RunEngine, threads: Executor) -> None:
        self._engine = engine
        self._threads = threads

    def all(self) -> list[Callable[..., Any]]:
        """All activities, for a worker to register."""
        return [
            self.prepare_map,
            self.run_chunk,
            self.open_chunk,
            self.finish_chunk,
            self.close_chunk,
            self.join_map,
            self.finish_branches,
            self.join_branches,
            self.redrive,
            self.watch_chunks,
            self.find_lost_chunks,
            self.end_leftovers,
        ]

    @activity.defn(name="prepare_map")
    async def prepare_map(self, task: Task) -> dict[str, Any]:
        """Put the items of the pending map into chunks."""
        place = place_of(task)
        async with sign_of_life() as beat:
            step = await self._call(lambda: self._engine.prepare_map(place, heartbeat=beat))
        return step.to_json()

    @activity.defn(name="run_chunk")
    async def run_chunk(self, task: Task) -> dict[str, Any]:
        """Run the items of a chunk: ``{"succeeded", "failed"}``."""
        place, attempt = place_of(task), activity.info().attempt
        retries = task.get("max_retries", PROVIDER_RETRIES)
        # Not what the server grants, which is no more than the whole chunk has: a try would be cut short by the grace.
        limit = task["map"].get("timeout_seconds", FUNCTIONS["run_chunk"].timeout_seconds)
        async with sign_of_life() as beat:
            return await self._call(
                lambda: self._engine.run_chunk(
                    place, task["chunk"], attempt=attempt, max_retries=retries, heartbeat=beat
                ),
                max_retries=retries,
                limit_seconds=limit,
            )

    @activity.defn(name="open_chunk")
    async def open_chunk(self, task: Task) -> dict[str, Any]:
        """Which items of a chunk are to be run as lines of their own."""
        place = place_of(task)
        return await self._call(lambda: self._engine.open_chunk(place, task["chunk"]))

    @activity.defn(name="finish_chunk")
    async def finish_chunk(self, task: Task) -> dict[str, Any]:
        """Record what the lines of a chunk gave."""
        place = place_of(task)
        return await self._call(lambda: self._engine.finish_chunk(place, task["chunk"], task["results"]))

    @activity.defn(name="close_chunk")
    async def close_chunk(self, task: Task) -> dict[str, Any]:
        """Record that a chunk ended without a word."""
        place = place_of(task)
        return await self._call(lambda: self._engine.close_chunk(place, task["chunk"], task["error"]))

    @activity.defn(name="join_map")
    async def join_map(self, task: Task) -> dict[str, Any]:
        """Judge the map, and merge its results."""
        place = place_of(task)
        async with sign_of_life() as beat:
            step = await self._call(lambda: self._engine.join_map(place, heartbeat=beat))
        return step.to_json()

    @activity.defn(name="finish_branches")
    async def finish_branches(self, task: Task) -> dict[str, Any]:
        """Record what the branches of a chunk of a fork gave."""
        place = place_of(task)
        return await self._call(lambda: self._engine.finish_branches(place, task["chunk"], task["results"]))

    @activity.defn(name="join_branches")
    async def join_branches(self, task: Task) -> dict[str, Any]:
        """Join the branches of a fork that ran in chunks."""
        place = place_of(task)
        async with sign_of_life():
            step = await self._call(lambda: self._engine.join_branches(place, task["chunks"]))
        return step.to_json()

    @activity.defn(name="redrive")
    async def redrive(self, task: Task) -> dict[str, Any]:
        """Go on from the newest bag of an ended run: ``{"run", "lineages", "restore"?}``."""
        run, lineage = task["run"], activity.info().workflow_run_id or "main"
        step = await self._call(
            lambda: self._engine.redrive(
                run["ownerId"],
                run["workflowId"],
                run["execution_id"],
                lineages=task["lineages"],
                lineage=lineage,
                restore=task.get("restore"),
            )
        )
        return step.to_json()

    @activity.defn(name="watch_chunks")
    async def watch_chunks(self, task: Task) -> dict[str, Any]:
        """Wait until some of the workflows ``task["children"]`` have ended.

        Returns:
            Of each that has, by its name there: ``{"report"}``, or ``{"error": {"code", "message"}}``.
        """
        client = activity.client()
        waits = {asyncio.create_task(_end_of(client, child)): name for name, child in task["children"].items()}
        try:
            async with sign_of_life():
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                await asyncio.wait(waits, timeout=LINGER_SECONDS)
            return {name: wait.result() for wait, name in waits.items() if wait.done()}
        finally:
            for wait in waits:
                wait.cancel()

    @activity.defn(name="find_lost_chunks")
    async def find_lost_chunks(self, task: Task) -> dict[str, Any]:
        """Which of the workflows ``task["children"]`` are not there any more; as :meth:`watch_chunks`."""
        client = activity.client()
        lost: dict[str, Any] = {}
        for name, child in task["children"].items():
            with contextlib.suppress(RPCError):
                if not await _is_there(client, child):
                    lost[name] = _lost(child, "is not there any more")
        return lost

    @activity.defn(name="end_leftovers")
    async def end_leftovers(self, task: Task) -> list[str]:
        """End the chunks that the run ``task["run_id"]`` of ``task["execution_id"]`` has left behind, and wait for that.

        Only a run that was terminated, or ran out of its time, has left any: otherwise it has waited for them itself.
        """
        client, execution_id = activity.client(), task["execution_id"]
        handle = client.get_workflow_handle(execution_id, run_id=task["run_id"])
        async with sign_of_life():
            if (await handle.describe()).status not in _ENDED_AT_ONCE:
                return []
            left = await chunks_left(client, await handle.fetch_history())
            for child in left:
                with contextlib.suppress(RPCError):
                    await client.get_workflow_handle(child).cancel()
            await asyncio.gather(*(_end_of(client, child) for child in left))
        return left

    async def _call(
        self, work: Callable[[], T], *, max_retries: int | None = None, limit_seconds: float | None = None
    ) -> T:
        with as_failures(max_retries=max_retries):
            return await in_thread(self._threads, work, limit_seconds=limit_seconds)


async def _is_there(client: Client, child: str) -> bool:
    try:
        await client.get_workflow_handle(child).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return True


async def _end_of(client: Client, child: str) -> dict[str, Any]:
    while True:
        try:
            return {"report": await client.get_workflow_handle(child).result()}
        except WorkflowFailureError as failure:
            return _failure_of(child, failure.cause)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return _lost(child, "is not there any more")
            # The server is away for a while: nothing is known of the chunk.
            await asyncio.sleep(1.0)


def _failure_of(child: str, cause: BaseException) -> dict[str, Any]:
    if isinstance(cause, ApplicationError):
        return {"error": {"code": cause.type or "CHUNK_LOST", "message": cause.message}}
    if isinstance(cause, TerminatedError):
        return _lost(child, "was terminated from outside")
    if isinstance(cause, TemporalTimeoutError):
        return _lost(child, "ran out of its time")
    if isinstance(cause, CancelledError):
        return _lost(child, "was cancelled") | {"canceled": True}
    return _lost(child, f"ended without a result: {cause}")


def _lost(child: str, how: str) -> dict[str, Any]:
    return {"error": {"code": "CHUNK_LOST", "message": f"the workflow {child} {how}."}}
