"""A run from its start to its end at either door, in this process: what a machine around it does, in a few lines."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from statebag.bag import Bag, BagEngine, Place, StateDataManager, Step
from statebag.bag._execute import PlannedSegment, run_segment
from statebag.bag._groups import fork
from statebag.bag._segments import load_segment
from statebag.blobs import BlobStore, ExecutionBlobs, Pointer
from statebag.nodes import NodeRegistry

WHERE = {"owner_id": "owner", "workflow_id": "workflow"}


def run_at_the_engine(engine: BagEngine, raw: Mapping[str, Any], execution_id: str) -> Bag:
    """The bag at the end."""
    lineages = itertools.count()

    def place(step: Step, lineage: str) -> Place:
        return Place(**WHERE, execution_id=execution_id, version=step.version, root=step.root, lineage=lineage)

    def go_on(step: Step, lineage: str, action: str) -> Step:
        while step.next_action not in ("COMPLETE", "FAILED"):
            at = place(step, lineage)
            if step.next_action == "PARALLEL_GROUP":
                results = [branch(step, position) for position in range(step.extra["fork"]["total"])]
                step = engine.act("aggregate_branches", at, {"parallel_results": results[::-1]})
            else:
                step = engine.execute_segment(at, step.segment_to_run, action=action)
        return step

    def branch(step: Step, position: int) -> dict[str, Any]:
        lineage = f"branch-{next(lineages)}"
        end = go_on(engine.begin_branch(place(step, lineage), position), lineage, "sync_branch")
        status = {"status": end.next_action, "error_info": end.error} if end.error else {"status": "COMPLETE"}
        return {"position": position, "bag": end.root, **status}

    end = go_on(engine.init(raw, execution_id), "main", "sync")
    assert end.next_action == "COMPLETE", end
    return engine.read_bag(place(end, "main"))


class _Door:
    """The Lambda-shaped door, and a function beside it that executes segments."""

    def __init__(self, manager: StateDataManager, registry: NodeRegistry, blobs: ExecutionBlobs) -> None:
        self.manager = manager
        self.registry = registry
        self.blobs = blobs

    def execute(self, bag: Bag, body: Mapping[str, Any], total: int) -> dict[str, Any]:
        """The execution result of a segment."""
        if body.get("branches"):
            result, _ = fork(bag, body, self.blobs)
            return {**result, "next_segment_to_run": None} if "inner_partition_map" in result else result
        planned = PlannedSegment.of(body, self.registry)
        now = datetime(2026, 1, 2, tzinfo=UTC)
        ran = run_segment(bag, planned, self.registry, attempt=1, heartbeat=None, now=lambda: now)
        if ran.error is not None:
            return {**ran.result, "status": "FAILED", "error_info": ran.error}
        following = body.get("next_segment", total)
        if following >= total:
            return {**ran.result, "status": "COMPLETE"}
        return {**ran.result, "status": "CONTINUE", "next_segment_to_run": following}

    def run(self, state: Any) -> Bag:
        """From the first bag to the last."""
        action = "STARTED"
        while action != "COMPLETE":
            assert action != "FAILED", state["error"]
            bag = Bag.from_json(state, self.blobs)
            if action == "PARALLEL_GROUP":
                results = [self.branch(state, pending, at) for at, pending in enumerate(state["pending_branches"])]
                event: dict[str, Any] = {"action": "aggregate_branches", "parallel_results": results[::-1]}
            else:
                found = self.manager.handle({"action": "hydrate_segment", "state_data": state})
                result = self.execute(bag, found["segment_config"], bag.control.total_segments)
                event = {"action": "sync", "execution_result": result}
            answer = self.manager.handle({**event, "state_data": state})
            state, action = answer["state_data"], answer["next_action"]
        return Bag.from_json(state, self.blobs)

    def branch(self, state: Any, pending: Any, position: int) -> dict[str, Any]:
        """The result of a pending branch."""
        event = {"action": "hydrate_branch", "branch_pointer": pending, "branch_index": position, "state_data": state}
        config = self.manager.handle(event)["branch_config"]
        frame: dict[str, Any] = {"branch_id": config["branch_id"], "branch_index": position, "state_data": state}
        frame |= {"partition_map": config["partition_map"], "segment_to_run": 0, "loop_counter": 0}
        action = "STARTED"
        while action not in ("COMPLETE", "FAILED"):
            index, inner = frame["segment_to_run"], frame.get("segment_manifest_s3_path")
            plan = Pointer.from_json(inner) if inner else None
            body = load_segment(plan, index, self.blobs) if plan else frame["partition_map"][index]
            total = frame.get("total_segments") or len(frame["partition_map"])
            result = self.execute(Bag.from_json(frame["state_data"], self.blobs), body, total)
            answer = self.manager.handle({"action": "sync_branch", "branch_state": frame, "execution_result": result})
            frame, action = answer["branch_state"], answer["next_action"]
        result = {"position": position, "status": action, "state_data": frame["state_data"]}
        return result if action == "COMPLETE" else {**result, "error_info": frame["state_data"]["error"]}


def run_at_the_door(
    manager: StateDataManager, registry: NodeRegistry, store: BlobStore, raw: Mapping[str, Any], execution_id: str
) -> Bag:
    """The bag at the end."""
    blobs = store.execution(WHERE["owner_id"], WHERE["workflow_id"], execution_id)
    answer = manager.handle({"action": "init", "execution_id": execution_id, "input": raw})
    return _Door(manager, registry, blobs).run(answer["state_data"])
