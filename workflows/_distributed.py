"""The distributed machine: what can run beside each other runs in chunks, with the bag kept as it was before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from temporalio import workflow

from workflows._orchestration import Orchestration

with workflow.unsafe.imports_passed_through():
    from statebag.bag import NextAction
    from statebag.events import EventType
    from statebag.machine import EVENT_FIELDS, State, cut_branches, route_distributed

__all__ = ["WorkflowDistributedOrchestrator"]

_IN_LINE = frozenset({NextAction.CONTINUE, NextAction.SEQUENTIAL_BRANCH})


@workflow.defn(name="WorkflowDistributedOrchestrator", sandboxed=False)
class WorkflowDistributedOrchestrator(Orchestration):
    """Runs a workflow document durably, for documents with many segments; see :class:`Orchestration`.

    A large one runs in stretches: segment after segment, the branches of forks and the items of maps in chunks, up to
    where a person or a slow model is waited for. A small one goes from state to state as on the standard machine.
    """

    ROUTE = staticmethod(route_distributed)
    WAIT = State.WAIT_FOR_CALLBACK
    ASYNC = (None, State.WAIT_FOR_CALLBACK, State.MERGE_CALLBACK_RESULT)

    @workflow.init
    def __init__(self, input: Any = None) -> None:  # noqa: A002 - the name that `run` has
        super().__init__(input)
        self._map_state = State.EXECUTE_DISTRIBUTED_CHUNKS

    @workflow.run
    async def run(self, input: Any = None) -> dict[str, Any]:  # noqa: A002 - the name a caller sees
        """Run to the end."""
        return await self._run_to_end(input)

    async def _choose_way(self) -> State:
        self.enter(State.SELECT_EXECUTION_MODE)
        if self._is_large:
            return State.PREPARE_DISTRIBUTED_EXECUTION
        await self._tell_started()
        return State.EXECUTE_SEGMENT

    @property
    def _is_large(self) -> bool:
        return self._facts.get("distributed_mode", False)

    async def _advance(self, state: State) -> State:
        if state is State.PREPARE_DISTRIBUTED_EXECUTION:
            await self._prepare()
            if self._now.next_action in _FAILURES:
                self.enter(self.EVALUATE)
                return self.ROUTE(self._now.next_action)
            return State.EXECUTE_DISTRIBUTED_CHUNKS
        if state is State.EXECUTE_DISTRIBUTED_CHUNKS:
            await self._run_stretch()
            self.enter(State.AGGREGATE_DISTRIBUTED_RESULTS)
            if self._now.next_action == NextAction.COMPLETE:
                await self._take_snapshot("post")
            self.enter(self.EVALUATE)
            return self.ROUTE(self._now.next_action)
        if state is State.WAIT_FOR_CALLBACK and self._now.next_action == NextAction.PAUSED_FOR_ASYNC_LLM:
            return await super()._advance(State.HANDLE_ASYNC_LLM)
        if state is State.WAIT_FOR_CALLBACK:
            return await super()._advance(State.WAIT_FOR_HITP_CALLBACK)
        if state is self.CHECK and self._is_large:
            await super()._advance(state)
            return State.PREPARE_DISTRIBUTED_EXECUTION
        if state is State.PROCESS_PARALLEL_BRANCHES and self._is_large:
            return State.PREPARE_DISTRIBUTED_EXECUTION
        return await super()._advance(state)

    async def _prepare(self) -> None:
        self.enter(State.PREPARE_DISTRIBUTED_EXECUTION)
        if self._now.next_action == NextAction.DISTRIBUTED_MAP:
            await self._cut_items()
            if self._now.next_action != NextAction.DISTRIBUTED_MAP:
                return
        self.enter(State.NOTIFY_DISTRIBUTED_STARTED)
        step, facts = self._now, self._facts
        counts = {**facts, "loop_counter": step.loop_counter, "total_items": self._map.get("total_items", 0)}
        told = {name: counts[name] for name in EVENT_FIELDS[EventType.DISTRIBUTED_STARTED]}
        await self.publish(EventType.DISTRIBUTED_STARTED, self._status, **told)
        self.enter(State.CREATE_PRE_SNAPSHOT)
        await self._take_snapshot("pre")
        self.enter(State.EXECUTE_DISTRIBUTED_CHUNKS)

    async def _run_stretch(self) -> None:
        """Go on as far as no person and no slow model is waited for; a small run: no further than one map."""
        while True:
            action = self._now.next_action
            if action == NextAction.DISTRIBUTED_MAP:
                if not self._map:
                    await self._cut_items()
                if self._map:
                    await self._run_window()
                    await self._join_map()
            elif action == NextAction.PARALLEL_GROUP and self._is_large:
                await self._run_branches()
            elif (action in _IN_LINE or action == NextAction.STARTED) and self._is_large:
                if self._now.loop_counter >= self._facts["max_loop_iterations"]:
                    await self._exceed_loop_limit()
                await self._continue_as_new_if_due()
                self._take(await self._call_segment())
            else:
                return
            if not self._is_large:
                return

    async def _run_branches(self) -> None:
        """Run the branches of a fork in chunks, and join them."""
        if not self._map:
            self._map = _branch_map(self._now.extra["fork"], self._now.version, workflow.time())
        await self._run_window()
        chunks, window = self._map["units"], self._window
        await self._call_for_bag("join_branches", {"chunks": chunks})
        self._failed_branches += window.failed if window is not None else 0
        self._map, self._window = {}, None

    def _chunk_task(self, unit: int) -> dict[str, Any]:
        task = super()._chunk_task(unit)
        return task | {"branches": self._map["ranges"][unit]} if self._map["kind"] == "branches" else task

    async def _take_snapshot(self, kind: str) -> None:
        """Keep the bag as it is; that none can be taken ends no run."""
        step = self._now
        then = {"next_action": step.next_action, "extra": dict(step.extra)}
        task = {"snapshot_type": kind, "best_effort": True, "then": then}
        await self._merge("create_snapshot", task, result_id=f"snapshot:{step.version}")

    def _resume(self, state: Mapping[str, Any]) -> State:
        goes_on = super()._resume(state)
        return State.EXECUTE_DISTRIBUTED_CHUNKS if self._is_large else goes_on


_FAILURES = frozenset({NextAction.FAILED, NextAction.HALTED, NextAction.SIGKILL})


def _branch_map(fork: Mapping[str, Any], version: int, now: float) -> dict[str, Any]:
    """A fork as a map over its branches: its batches are waves, cut into chunks."""
    ranges, waves, size = cut_branches(fork)
    return {
        "kind": "branches",
        "label": "branches",
        "total_items": fork["total"],
        "units": len(ranges),
        "ranges": ranges,
        "waves": waves,
        "tolerated": fork["total"],
        "fail_fast": False,
        "strategy": "MAP_REDUCE",
        "max_concurrency": max(1, fork["max_concurrency"] // size),
        "version": version,
        "started": now,
    }
