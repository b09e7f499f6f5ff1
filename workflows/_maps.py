"""Run the chunks of a distributed map, or of a fork with many branches, and join what they gave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

from workflows._forks import Forks
from workflows._machine import failure_of
from workflows._window import Window
from workflows._window_plan import WindowPlan

with workflow.unsafe.imports_passed_through():
    from statebag.bag import NextAction
    from statebag.machine import HISTORY_BYTES, HISTORY_EVENTS, State

__all__ = ["Maps", "is_long"]

_TOLD = ("chunks", "chunks_done", "in_flight", "done", "failed")


class Maps(Forks):
    """The states around the map over items."""

    def __init__(self) -> None:
        super().__init__()
        self._window: Window | None = None
        self._map: dict[str, Any] = {}
        """What the map under way is; empty while there is none."""
        self._map_state = State.EXECUTE_MAP_REDUCE_MODE
        """Where the map under way is run."""
        self._carried_window: Mapping[str, Any] | None = None

    @workflow.signal(name="window_progress")
    def window_progress(self, unit: int, counts: dict[str, int]) -> None:
        """A window of its own, started for this map, tells how far it is."""
        if self._window is not None:
            self._window.report(unit, counts)

    async def _advance(self, state: State) -> State:
        if state is State.EXECUTE_MAP_REDUCE_MODE:
            await self._map_in_line()
            self.enter(self.EVALUATE)
            return self.ROUTE(self._now.next_action)
        return await super()._advance(state)

    async def _map_in_line(self) -> None:
        """The standard machine's way through a map."""
        if not self._map:
            await self._prepare_map()
            if self._now.next_action != NextAction.DISTRIBUTED_MAP:
                return
        await self._run_window()
        self.enter(State.SYNC_STATE_AFTER_DISTRIBUTED)
        await self._join_map()

    async def _prepare_map(self) -> None:
        """Put the items into chunks, unless an earlier run has."""
        strategy = self._now.extra["map"]["strategy"]
        self.enter(State.EXECUTE_MAP_REDUCE_MODE if strategy == "MAP_REDUCE" else State.EXECUTE_BATCHED_MODE)
        await self._cut_items()

    async def _cut_items(self) -> None:
        if "units" not in self._now.extra["map"]:
            await self._call_for_bag("prepare_map", {})
        if self._now.next_action == NextAction.DISTRIBUTED_MAP:
            found = self._now.extra["map"]
            self._map = {**found, "started": workflow.time(), "version": self._now.version}

    async def _run_window(self) -> None:
        """Run the chunks of :attr:`_map`; in a new history where this one has become long meanwhile."""
        self._window = Window(
            self,
            self._plan(),
            task_of=self._chunk_task,
            close=self._close_chunk,
            waiting=self._waiting_chunks,
            carried=self._carried_window,
        )
        self._carried_window = None
        self._show_map()
        while not await self._window.run(is_long=is_long):
            await self._continue_map(self._window.carry())

    def _plan(self) -> WindowPlan:
        found = self._map
        waves = tuple((size, times) for size, times in found["waves"])
        limit, timeout = found["max_concurrency"], found.get("chunk_timeout_seconds")
        if self._windows() > 1:
            waves, limit, timeout = ((self._windows(), 1),), self._windows(), None
        return WindowPlan(
            prefix=f"{workflow.info().workflow_id}/{found['version']}/",
            waves=waves,
            limit=limit,
            batched=found["strategy"] == "BATCHED",
            tolerated=found["tolerated"] if found["fail_fast"] else None,
            timeout_seconds=timeout,
        )

    def _windows(self) -> int:
        """Coordinators besides this one; one where the chunks depend on each other, or are but a few."""
        found = self._map
        plain = found["strategy"] == "MAP_REDUCE" and len(found["waves"]) == 1 and found["waves"][0][1] == 1
        return min(found.get("windows", 1), found["units"]) if plain and found["kind"] in ("items", "calls") else 1

    def _chunk_task(self, unit: int) -> dict[str, Any]:
        found, windows = self._map, self._windows()
        task = self._task(chunk=unit, map=_how(found))
        if windows == 1:
            return task
        first, last = (found["units"] * number // windows for number in (unit, unit + 1))
        how = {**_how(found), "max_concurrency": max(1, found["max_concurrency"] // windows)}
        how |= {"tolerated": found["tolerated"]} if found["fail_fast"] else {}
        how |= {"chunk_timeout_seconds": found["chunk_timeout_seconds"]} if "chunk_timeout_seconds" in found else {}
        return {**task, "map": how, "window": [first, last]}

    async def _close_chunk(self, unit: int, error: Mapping[str, Any]) -> Mapping[str, Any]:
        """Record that a chunk ended without an outcome."""
        child = f"{workflow.info().workflow_id}/{self._map['version']}/{unit}"
        if workflow.cancellation_reason() is None:
            await self._forget_pauses(child)
        if self._windows() > 1:
            # What its chunks have recorded counts; what is left of them has not run.
            return {"succeeded": 0, "failed": 0}
        return await self._lose_chunk(unit, error)

    async def _lose_chunk(self, unit: int, error: Mapping[str, Any]) -> Mapping[str, Any]:
        if self._map["kind"] == "branches":
            return await self.call_local(
                "state_data_manager",
                "finish_branches",
                self._task(chunk=unit, results=self._lost_branches(unit, error)),
            )
        return await self.call_local("state_data_manager", "close_chunk", self._task(chunk=unit, error=error))

    def _lost_branches(self, unit: int, error: Mapping[str, Any]) -> list[dict[str, Any]]:
        first, last = self._map["ranges"][unit]
        return [{"position": at, "status": "FAILED", "error_info": dict(error)} for at in range(first, last)]

    async def _join_map(self) -> None:
        await self._call_for_bag("join_map", {})
        self._map, self._window = {}, None
        failed = self._now.extra.get("map", {}).get("failed", 0)
        if self._now.error is None:
            self._failed_items += failed

    async def _call_for_bag(self, activity: str, payload: Mapping[str, Any]) -> None:
        function = "prepare_map" if activity == "prepare_map" else "join_map"
        try:
            body = await self.call(function, activity, self._task(**payload), how={"label": activity})
        except FailureError as failure:
            if is_cancelled_exception(failure):
                raise
            await self._fail(failure_of(failure))
        self._take(body)

    def _is_mine(self, child: str) -> bool:
        if self._window is None and self._map:
            # Carried over, and not looked at yet: what asks was in flight a moment ago.
            return child.startswith(f"{workflow.info().workflow_id}/{self._map['version']}/")
        return super()._is_mine(child) or (self._window is not None and self._window.has(child))

    def _waiting_chunks(self) -> int:
        """Chunks in flight that wait for a person."""
        return 0

    async def _continue_map(self, window: Mapping[str, Any]) -> None:
        """Go on in a new history, with chunks in flight."""
        raise NotImplementedError

    def _map_progress(self) -> dict[str, Any]:
        """How far the map under way is; empty while there is none."""
        if self._window is None or not self._map:
            return {}
        counts, total = self._window.counts(), self._map["total_items"]
        seconds = max(workflow.time() - self._map["started"], 0.0)
        rate = counts["done"] / seconds if seconds and counts["done"] else 0.0
        before = self._map.get("done_before", 0)
        told = {name: counts[name] for name in _TOLD} | {"done": counts["done"] + before}
        left = {"seconds_left": round((total - told["done"]) / rate, 1)} if rate else {}
        progress = {"label": self._map["label"], "kind": self._map["kind"], "total": total, **told}
        return {**progress, "items_per_second": round(rate, 2), **left}

    def _show_map(self) -> None:
        found = self._map
        text = f"**{self.current_state()}**: {found['label']}, {found['total_items']} in {found['units']} chunks"
        workflow.set_current_details(text)


def is_long() -> bool:
    """Whether the history of this workflow is long enough for another one to go on."""
    info = workflow.info()
    return (
        info.is_continue_as_new_suggested()
        or info.get_current_history_length() > HISTORY_EVENTS
        or info.get_current_history_size() > HISTORY_BYTES
    )


def _how(found: Mapping[str, Any]) -> dict[str, Any]:
    """What a chunk must know of its map."""
    names = ("kind", "timeout_seconds", "heartbeat_seconds", "retry", "label")
    return {name: found[name] for name in names if name in found}
