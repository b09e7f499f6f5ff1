"""The Lambda-shaped door: ``{"action", "state_data", …}`` in, ``{"state_data", "next_action", …}`` out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from statebag.bag._bag import Bag
from statebag.bag._branch import sync_branch
from statebag.bag._commit import commit, digest_of, find_commit
from statebag.bag._hydrate import hydrate_branch, hydrate_segment
from statebag.bag._init import birth
from statebag.bag._legacy import decompress, read_old_bag
from statebag.bag._offload import STEP_FUNCTIONS, OffloadPolicy
from statebag.bag._pipe import ACTIONS, Outcome, Surroundings, apply
from statebag.blobs import BlobStore, ExecutionBlobs, Pointer
from statebag.errors import BagConflict, InputRefused, Problem, StateBagError
from statebag.nodes import NodeRegistry

__all__ = ["StateDataManager"]


def _utc_now() -> datetime:
    return datetime.now(UTC)


class StateDataManager:
    """Every action behind one call, for a machine that carries the whole bag in its document.

    Args:
        store: where offloaded values go.
        registry: the node types that ``init`` plans for.
        policy: limits of the bag that is returned.
        now: the clock; for tests.
    """

    def __init__(
        self,
        store: BlobStore,
        registry: NodeRegistry,
        *,
        policy: OffloadPolicy = STEP_FUNCTIONS,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._store = store
        self._registry = registry
        self._policy = policy
        self._now = now

    def handle(self, event: Mapping[str, Any]) -> Any:
        """Apply ``event["action"]`` (default ``update_and_compress``).

        ``expected_bag_version`` refuses a bag that has moved on. ``result_id`` names the result; by default it is
        its hash. The same action with the same result on the same version returns the stored answer.

        Returns:
            ``{"state_data", "next_action", …}``; ``update_and_compress`` returns the bare bag, ``decompress`` the value.

        Raises:
            StateBagError: ``ACTION_UNKNOWN``, or as the action says.
        """
        if not isinstance(event, Mapping):
            problem = Problem(path="$", code="FIELD_TYPE", message="the event must be an object with `action`")
            raise InputRefused([problem], what="event")
        action = event.get("action", "update_and_compress")
        if action not in ACTIONS:
            raise StateBagError(
                f"action {action!r}: does not exist. Use one of {', '.join(ACTIONS)}.", code="ACTION_UNKNOWN"
            )
        if action == "decompress":
            return decompress(event.get("compressed_data"), sha256=event.get("sha256"))
        if action == "init":
            outcome = birth(event, self._store, self._registry, policy=self._policy, now=self._now())
            return self._answer(outcome)
        if action == "sync_branch":
            return self._sync_branch(event)
        return self._act(action, event)

    def _act(self, action: str, event: Mapping[str, Any]) -> Any:
        state = event.get("state_data")
        blobs = self._blobs(state)
        old = action == "update_and_compress" and isinstance(state, Mapping) and "schema_version" not in state
        bag = read_old_bag(state, blobs) if old and isinstance(state, Mapping) else Bag.from_json(state, blobs)
        self._expect(bag, event)
        payload = {key: value for key, value in event.items() if key not in ("action", "state_data", "result_id")}
        if action == "hydrate_branch":
            return {**hydrate_branch(payload, blobs), "state_data": state}
        if action == "hydrate_segment":
            return {**hydrate_segment(bag, payload, blobs), "state_data": state}
        place = {
            "lineage": str(event.get("lineage", "main")),
            "version": bag.control.bag_version + 1,
            "action": action,
            "result_id": str(event.get("result_id") or digest_of(action, payload)),
        }
        if old:
            return self._bare(apply(action, bag, payload, self._around(blobs)))
        known = find_commit(blobs, **place)
        if known is None:
            outcome = apply(action, bag, payload, self._around(blobs))
            answer = self._bare(outcome) if action == "update_and_compress" else self._answer(outcome)
            known = commit(blobs, **place, answer={"stored": blobs.put(answer, kind="answer").to_json()})
        return blobs.get(Pointer.from_json(known["stored"]))

    def _sync_branch(self, event: Mapping[str, Any]) -> dict[str, Any]:
        branch = event.get("branch_state")
        if not isinstance(branch, Mapping):
            problem = Problem(path="$.branch_state", code="FIELD_MISSING", message="must be the branch's state")
            raise InputRefused([problem], what="event")
        blobs = self._blobs(branch.get("state_data"))
        state, outcome = sync_branch(branch, event.get("execution_result"), self._around(blobs))
        return {"branch_state": state, **_tail(outcome)}

    def _around(self, blobs: ExecutionBlobs) -> Surroundings:
        return Surroundings(blobs=blobs, policy=self._policy, now=self._now())

    def _blobs(self, state: Any) -> ExecutionBlobs:
        body: Mapping[str, Any] = state if isinstance(state, Mapping) else {}
        return self._store.execution(
            str(body.get("ownerId") or ""), str(body.get("workflowId") or ""), str(body.get("execution_id") or "")
        )

    def _expect(self, bag: Bag, event: Mapping[str, Any]) -> None:
        expected = event.get("expected_bag_version")
        if expected is not None and expected != bag.control.bag_version:
            raise BagConflict(
                f"expected bag version {expected}, the bag is at {bag.control.bag_version}. Reload it and try again.",
                details={"expected": expected, "bag_version": bag.control.bag_version},
            )

    def _answer(self, outcome: Outcome) -> dict[str, Any]:
        return {"state_data": outcome.bag.to_json(), **_tail(outcome)}

    def _bare(self, outcome: Outcome) -> dict[str, Any]:
        body = outcome.bag.to_json()
        control = outcome.bag.control
        carried = body.pop("carried", {})
        offloaded = outcome.bag.user_pointer is not None
        return {
            **carried,
            **body,
            "compression_applied": False,
            "s3_offloaded": offloaded,
            "last_optimization": control.last_update_time,
        }


def _tail(outcome: Outcome) -> dict[str, Any]:
    tail: dict[str, Any] = {"next_action": str(outcome.next_action), **outcome.extra}
    if outcome.warnings:
        tail["warnings"] = [warning.to_json() for warning in outcome.warnings]
    return tail

