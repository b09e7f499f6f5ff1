"""Execute segments and apply actions for an engine that keeps the bag itself in the store.

What travels through the engine's history is a :class:`Step`: the version, one
pointer, and what the router reads. Its size does not depend on the bag's.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from statebag.bag._bag import Bag
from statebag.bag._commit import commit, digest_of, find_commit
from statebag.bag._history import log_id_of
from statebag.bag._hydrate import hydrate_branch, hydrate_segment
from statebag.bag._init import bear
from statebag.bag._next_action import NextAction
from statebag.bag._offload import TEMPORAL, OffloadPolicy
from statebag.bag._pipe import Outcome, Surroundings, apply
from statebag.bag._segments import load_segment
from statebag.blobs import BlobStore, ExecutionBlobs, Pointer
from statebag.config import Node, parse_execution_input
from statebag.errors import Problem
from statebag.nodes import NodeContext, NodeRegistry, NodesRun, reads_of, run_nodes

__all__ = ["BagEngine", "Place", "Step"]

KEPT_BAGS = 256
"""Bags and plans a worker keeps parsed: a warm segment reads and parses nothing."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Which bag of which run an action is for."""

    owner_id: str
    workflow_id: str
    execution_id: str
    version: int
    root: Mapping[str, Any]
    """Pointer to the sealed bag."""
    lineage: str = "main"
    """Separates histories that count the same versions: the Temporal run id, a branch's id."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """An action's answer."""

    version: int
    root: Mapping[str, Any]
    next_action: str
    segment_to_run: int
    loop_counter: int
    next: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """How to run the next segment: ``mode`` (local, activity, async), ``label``, and what differs from the default."""
    pause: Mapping[str, Any] | None = None
    """What the pause asks, where the next action is a pause."""
    error: Mapping[str, Any] | None = None
    warnings: tuple[Mapping[str, Any], ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def to_json(self) -> dict[str, Any]:
        """The form in history; what is empty is left out."""
        body: dict[str, Any] = {
            "bag": {"version": self.version, "root": self.root},
            "next_action": self.next_action,
            "segment_to_run": self.segment_to_run,
            "loop_counter": self.loop_counter,
        }
        optional = {"next": self.next, "pause": self.pause, "error": self.error, "extra": self.extra}
        body |= {name: value for name, value in optional.items() if value}
        return body | ({"warnings": list(self.warnings)} if self.warnings else {})

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> Step:
        """Read the form in history."""
        return Step(
            version=body["bag"]["version"],
            root=body["bag"]["root"],
            next_action=body["next_action"],
            segment_to_run=body["segment_to_run"],
            loop_counter=body["loop_counter"],
            next=body.get("next", {}),
            pause=body.get("pause"),
            error=body.get("error"),
            warnings=tuple(body.get("warnings", ())),
            extra=body.get("extra", {}),
        )


def _utc_now() -> datetime:
    return datetime.now(UTC)


class BagEngine:
    """The state data manager of an engine with small history. Thread safe; one serves a whole worker.

    Args:
        store: where bags and values are.
        registry: the node types.
        policy: limits of the ladder.
        now: the clock of recorded times.
    """

    def __init__(
        self,
        store: BlobStore,
        registry: NodeRegistry,
        *,
        policy: OffloadPolicy = TEMPORAL,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self.store = store
        self.registry = registry
        self._policy = policy
        self._now = now
        self._kept: OrderedDict[tuple[str, str], Any] = OrderedDict()
        self._lock = threading.Lock()

    def init(self, raw: Any, execution_id: str, *, lineage: str = "main") -> Step:
        """Make the first bag of an execution input.

        The step's ``extra`` has what stays the same for the whole run: identity, limits, counts, strategy.

        Raises:
            StateBagError: as the parts say: InputRefused with all problems, the pointer and store errors.
        """
        given = parse_execution_input(raw)
        blobs = self.store.execution(given.owner_id, given.workflow_id, execution_id)
        at = {"lineage": lineage, "version": 1, "action": "init", "result_id": digest_of("init", {"input": raw})}
        known = find_commit(blobs, **at)
        if known is not None:
            return Step.from_json(known)
        born = bear(given, execution_id, self.store, self.registry, policy=self._policy, now=self._now())
        control = born.outcome.bag.control
        names = (
            "total_segments",
            "llm_segments",
            "hitp_segments",
            "max_loop_iterations",
            "max_branch_iterations",
            "distributed_strategy",
            "max_concurrency",
            "start_time",
        )
        extra = {name: getattr(control, name) for name in names} | {"workflow_name": born.workflow_name}
        outcome = replace(born.outcome, extra=extra)
        return self._seal(outcome, blobs, at)

    def execute_segment(
        self, place: Place, segment: int, *, attempt: int = 1, heartbeat: Callable[[object], None] | None = None
    ) -> Step:
        """Run a segment and merge its result: one unit, so that a crash leaves all of it or nothing.

        A repeat of a segment that was merged already returns the stored answer and calls nothing.

        Raises:
            StateBagError: a retryable one, where a node or the store fails for now; BagConflict.
        """
        blobs, bag = self._open(place)
        at = self._at(place, "sync", f"segment:{segment}:{bag.control.loop_counter}")
        body = self._segment(bag, segment, blobs)
        if body.get("outside") and (known := find_commit(blobs, **at)) is not None:
            return Step.from_json(known)
        warnings: tuple[Problem, ...] = ()
        if body.get("async_llm"):
            result: dict[str, Any] = {"status": "PAUSED_FOR_ASYNC_LLM", "next_segment_to_run": segment}
        else:
            result, warnings = self._run(bag, body, blobs, attempt=attempt, heartbeat=heartbeat)
        outcome = apply("sync", bag, {"execution_result": result}, self._around(blobs))
        return self._seal(replace(outcome, warnings=(*warnings, *outcome.warnings)), blobs, at)

    def run_async_segment(
        self, place: Place, *, attempt: int = 1, heartbeat: Callable[[object], None] | None = None
    ) -> dict[str, Any]:
        """Run the segment that the bag waits for, and return its result unmerged: ``merge_async`` takes it."""
        blobs, bag = self._open(place)
        body = self._segment(bag, bag.control.segment_to_run, blobs)
        return self._run(bag, body, blobs, attempt=attempt, heartbeat=heartbeat)[0]

    def act(self, action: str, place: Place, payload: Mapping[str, Any], *, result_id: str | None = None) -> Step:
        """Apply any other action that changes the bag.

        Raises:
            StateBagError: as the action says; BagConflict.
        """
        blobs, bag = self._open(place)
        at = self._at(place, action, result_id or digest_of(action, payload))
        if action == "merge_async":
            payload = {**payload, "async_result": self._complete_async(bag, payload.get("async_result"), blobs)}
        return self._seal(apply(action, bag, payload, self._around(blobs)), blobs, at)

    def hydrate(self, action: str, place: Place, payload: Mapping[str, Any]) -> dict[str, Any]:
        """``hydrate_segment`` or ``hydrate_branch``: fetch configuration, change nothing."""
        blobs, bag = self._open(place)
        return hydrate_branch(payload, blobs) if action == "hydrate_branch" else hydrate_segment(bag, payload, blobs)

    def describe_call(self, place: Place) -> tuple[Mapping[str, Any], dict[str, Any]]:
        """The segment that the bag waits for, and the user fields that its nodes read."""
        blobs, bag = self._open(place)
        body = self._segment(bag, bag.control.segment_to_run, blobs)
        wanted = reads_of([Node.from_json(node) for node in body["nodes"]], self.registry)
        names = bag.user.names() if wanted is None else sorted(wanted)
        return body, {name: bag.user[name] for name in names if name in bag.user}

    def read_bag(self, place: Place) -> Bag:
        """The bag at ``place``."""
        return self._open(place)[1]

    def _run(
        self,
        bag: Bag,
        body: Mapping[str, Any],
        blobs: ExecutionBlobs,
        *,
        attempt: int,
        heartbeat: Callable[[object], None] | None,
    ) -> tuple[dict[str, Any], tuple[Problem, ...]]:
        control = bag.control
        context = NodeContext(
            execution_id=control.execution_id,
            segment_id=body["id"],
            visit=control.loop_counter,
            attempt=attempt,
            mock=control.MOCK_MODE == "true",
            now=self._now,
            **({"heartbeat": heartbeat} if heartbeat else {}),
        )
        nodes = [Node.from_json(node) for node in body["nodes"]]
        wanted = reads_of(nodes, self.registry)
        if wanted:
            bag.user.prefetch(wanted)
        started = self._now()
        ran = run_nodes(nodes, bag.user, context, self.registry)
        visit = (control.execution_id, control.loop_counter)
        result = _result_of(ran, body, visit, started, self._now())
        return result | self._follow(bag, body, ran, blobs), ran.warnings

    def _follow(self, bag: Bag, body: Mapping[str, Any], ran: NodesRun | None, blobs: ExecutionBlobs) -> dict[str, Any]:
        """Status and next segment by the segment's own link."""
        if ran is not None and ran.error is not None:
            return {"status": "FAILED", "error_info": ran.error}
        following = body.get("next_segment")
        if following is None:
            return {"status": "COMPLETE"}
        pause = self._segment(bag, following, blobs).get("pause")
        return {
            "status": "CONTINUE" if pause is None else "PAUSED_FOR_HITP",
            "next_segment_to_run": following,
        }

    def _complete_async(self, bag: Bag, result: Any, blobs: ExecutionBlobs) -> Any:
        """A result from outside may leave the link to us."""
        if not isinstance(result, Mapping) or result.get("next_segment_to_run") is not None:
            return result
        if result.get("status", "COMPLETE") not in ("COMPLETE", "COMPLETED", "SUCCESS", "SUCCEEDED", "CONTINUE"):
            return result
        body = self._segment(bag, bag.control.segment_to_run, blobs)
        return {**result, **self._follow(bag, body, None, blobs)}

    def _open(self, place: Place) -> tuple[ExecutionBlobs, Bag]:
        blobs = self.store.execution(place.owner_id, place.workflow_id, place.execution_id)
        pointer = Pointer.from_json(place.root)
        bag = self._keep((blobs.prefix, pointer.sha256), lambda: Bag.from_json(blobs.get(pointer), blobs))
        return blobs, bag

    def _segment(self, bag: Bag, index: int, blobs: ExecutionBlobs) -> Mapping[str, Any]:
        plan = bag.kernel.plan
        key = (blobs.prefix, f"{plan.sha256 if plan else ''}:{index}")
        return self._keep(key, lambda: load_segment(plan, index, blobs))

    def _keep(self, key: tuple[str, str], make: Callable[[], Any]) -> Any:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        value = make()
        with self._lock:
            self._kept[key] = value
            while len(self._kept) > KEPT_BAGS:
                self._kept.popitem(last=False)
        return value

    def _around(self, blobs: ExecutionBlobs) -> Surroundings:
        return Surroundings(blobs=blobs, policy=self._policy, now=self._now())

    def _at(self, place: Place, action: str, result_id: str) -> dict[str, Any]:
        return {"lineage": place.lineage, "version": place.version + 1, "action": action, "result_id": result_id}

    def _seal(self, outcome: Outcome, blobs: ExecutionBlobs, at: Mapping[str, Any]) -> Step:
        bag = outcome.bag
        root = blobs.put(bag.to_json(), kind="bag")
        self._keep((blobs.prefix, root.sha256), lambda: bag)
        control = bag.control
        step = Step(
            version=control.bag_version,
            root=root.to_json(),
            next_action=str(outcome.next_action),
            segment_to_run=control.segment_to_run,
            loop_counter=control.loop_counter,
            error=bag.kernel.error if outcome.next_action in _FAILED else None,
            warnings=tuple(warning.to_json() for warning in outcome.warnings),
            extra=outcome.extra,
            **self._ahead(bag, outcome.next_action, blobs),
        )
        return Step.from_json(commit(blobs, **at, answer=step.to_json()))

    def _ahead(self, bag: Bag, next_action: NextAction, blobs: ExecutionBlobs) -> dict[str, Any]:
        """What the engine must know of the segment that is next."""
        if next_action in _FAILED or next_action is NextAction.COMPLETE:
            return {}
        body = self._segment(bag, bag.control.segment_to_run, blobs)
        ahead: dict[str, Any] = {"next": _how_to_run(body)}
        if next_action is NextAction.PAUSED_FOR_HITP:
            ahead["pause"] = body.get("pause") or {}
        return ahead


_FAILED = frozenset({NextAction.FAILED, NextAction.HALTED, NextAction.SIGKILL})


def _how_to_run(body: Mapping[str, Any]) -> dict[str, Any]:
    nodes = body["nodes"]
    first = nodes[0].get("label") or nodes[0]["id"] if nodes else "start"
    how: dict[str, Any] = {
        "mode": ("async" if body.get("async_llm") else "activity") if body.get("outside") else "local",
        "label": first if len(nodes) < 2 else f"{first} +{len(nodes) - 1}",
    }
    return how | {name: body[name] for name in ("timeout_seconds", "heartbeat_seconds", "retry") if body.get(name)}


def _result_of(
    ran: NodesRun, body: Mapping[str, Any], visit: tuple[str, int], started: datetime, ended: datetime
) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "type": "segment",
        "segment_id": body["id"],
        "steps": list(ran.steps),
        "timestamp": started.astimezone(UTC).isoformat(timespec="milliseconds"),
        "duration_ms": round((ended - started).total_seconds() * 1000, 1),
        "status": "FAILED" if ran.error else "COMPLETED",
    }
    if ran.error:
        entry["error"] = {"code": ran.error["code"], "message": ran.error["message"]}
    logs = [
        {"log_id": log_id_of(visit[0], body["id"], visit[1], number), "segment_id": body["id"], **log}
        for number, log in enumerate((*ran.logs, entry))
    ]
    return {
        "state_delta": {"set": dict(ran.changes), "unset": []},
        "new_history_logs": logs,
    }
