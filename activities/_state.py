"""The state data manager's actions as activities: each one call into the bag's engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Any, TypeVar

from temporalio import activity

from activities._errors import as_failures
from activities._threads import in_thread, sign_of_life, time_limit
from statebag.bag import ACTIONS, Place, RunEngine, Step, decompress
from statebag.machine import PROVIDER_RETRIES

__all__ = ["StateActivities", "place_of"]

T = TypeVar("T")

Task = Mapping[str, Any]
"""``{"run": {"ownerId", "workflowId", "execution_id"}, "bag": {"version", "root"}, …}``."""

_IN_PLACE = tuple(name for name in ACTIONS if name not in ("init", "hydrate_branch", "hydrate_segment", "decompress"))


class StateActivities:
    """Activities over one engine.

    Args:
        engine: applies the actions.
        threads: where they run: node code and store clients block.
    """

    def __init__(self, engine: RunEngine, threads: Executor) -> None:
        self._engine = engine
        self._threads = threads

    def all(self) -> list[Callable[..., Any]]:
        """All activities, for a worker to register."""
        return [
            self.init,
            self.execute_segment,
            self.begin_branch,
            self.hydrate_segment,
            self.hydrate_branch,
            self.decompress,
            *(self._in_place(action) for action in _IN_PLACE),
        ]

    @activity.defn(name="init")
    async def init(self, task: Task) -> dict[str, Any]:
        """``{"input", "execution_id"}`` to the first step."""
        lineage = activity.info().workflow_run_id or "main"
        step = await self._call(lambda: self._engine.init(task["input"], task["execution_id"], lineage=lineage))
        return step.to_json()

    @activity.defn(name="execute_segment")
    async def execute_segment(self, task: Task) -> dict[str, Any]:
        """Run segment ``task["segment"]`` and merge its result."""
        place, attempt = place_of(task), activity.info().attempt
        async with sign_of_life() as beat:
            step = await self._call(
                lambda: self._engine.execute_segment(
                    place, task["segment"], action=task.get("action", "sync"), attempt=attempt, heartbeat=beat
                ),
                max_retries=task.get("max_retries", PROVIDER_RETRIES),
                limit_seconds=time_limit(),
            )
        return step.to_json()

    @activity.defn(name="begin_branch")
    async def begin_branch(self, task: Task) -> dict[str, Any]:
        """Make the bag of the pending branch ``task["branch"]``, and run its first segment where that is quick.

        Or that of ``task["item"]``, ``{"chunk", "position"}``, of the pending map.
        """
        place, attempt, item = place_of(task), activity.info().attempt, task.get("item")

        def begin() -> Step:
            if item is not None:
                return self._engine.begin_item(place, item["chunk"], item["position"], attempt=attempt, heartbeat=beat)
            return self._engine.begin_branch(place, task["branch"], attempt=attempt, heartbeat=beat)

        async with sign_of_life() as beat:
            step = await self._call(
                begin,
                max_retries=task.get("max_retries", PROVIDER_RETRIES),
                limit_seconds=time_limit(),
            )
        return step.to_json()

    @activity.defn(name="hydrate_segment")
    async def hydrate_segment(self, task: Task) -> dict[str, Any]:
        """The configuration of a segment."""
        place = place_of(task)
        return await self._call(lambda: self._engine.hydrate("hydrate_segment", place, task))

    @activity.defn(name="hydrate_branch")
    async def hydrate_branch(self, task: Task) -> dict[str, Any]:
        """The configuration of a branch."""
        place = place_of(task)
        return await self._call(lambda: self._engine.hydrate("hydrate_branch", place, task))

    @activity.defn(name="decompress")
    async def decompress(self, task: Task) -> Any:
        """The value in ``task["compressed_data"]``."""
        return await self._call(lambda: decompress(task.get("compressed_data"), sha256=task.get("sha256")))

    def _in_place(self, action: str) -> Callable[[Task], Any]:
        @activity.defn(name=action)
        async def act(task: Task) -> dict[str, Any]:
            payload = {key: value for key, value in task.items() if key not in ("run", "bag", "result_id")}
            place, result_id = place_of(task), task.get("result_id")
            step: Step = await self._call(lambda: self._engine.act(action, place, payload, result_id=result_id))
            return step.to_json()

        act.__doc__ = f"Apply the action ``{action}``."
        return act

    async def _call(
        self, work: Callable[[], T], *, max_retries: int | None = None, limit_seconds: float | None = None
    ) -> T:
        with as_failures(max_retries=max_retries):
            return await in_thread(self._threads, work, limit_seconds=limit_seconds)


def place_of(task: Task) -> Place:
    """Which bag a task is for, in the history of the run that calls."""
    run, bag = task["run"], task["bag"]
    return Place(
        owner_id=run["ownerId"],
        workflow_id=run["workflowId"],
        execution_id=run["execution_id"],
        version=bag["version"],
        root=bag["root"],
        lineage=activity.info().workflow_run_id or "main",
    )
