"""The Lambda-shaped door: ``{"action", "state_data", …}`` in, ``{"state_data", "next_action", …}`` out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from statebag.bag._bag import Bag
from statebag.bag._branch import Branch
from statebag.bag._commit import Attempt, commit, digest_of, find_commit
from statebag.bag._hydrate import hydrate_branch, hydrate_segment
from statebag.bag._init import bear, read_birth
from statebag.bag._legacy import decompress, read_bare, write_bare
from statebag.bag._offload import STEP_FUNCTIONS, OffloadPolicy
from statebag.bag._pipe import ACTIONS, Outcome, Surroundings, apply, unknown_action
from statebag.blobs import BlobStore, ExecutionBlobs, Pointer
from statebag.canonical import canonical_bytes, sha256_hex
from statebag.errors import BagConflict, InputRefused, Problem
from statebag.nodes import NodeRegistry

__all__ = ["StateDataManager"]

_ENVELOPE = frozenset({"action", "state_data", "branch_state", "expected_bag_version", "lineage", "result_id"})
"""Members of an event that are not part of the result it brings."""


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

    def handle(self, event: Any) -> Any:
        """Apply ``event["action"]`` (default ``update_and_compress``).

        ``expected_bag_version`` refuses a bag that has moved on. ``result_id`` names the result; by default it is
        its hash. The same action with the same result on the same version returns the stored answer.

        Returns:
            ``{"state_data", "next_action", …}``; ``sync_branch`` has ``branch_state`` in place of ``state_data``,
            ``update_and_compress`` returns the bare bag, ``decompress`` the value.

        Raises:
            StateBagError: ``ACTION_UNKNOWN``, or as the action says.
        """
        if not isinstance(event, Mapping):
            problem = Problem(path="$", code="FIELD_TYPE", message="the event must be an object with `action`")
            raise InputRefused([problem], what="event")
        action = event.get("action", "update_and_compress")
        if action not in ACTIONS:
            raise unknown_action(action)
        if action == "decompress":
            return decompress(event.get("compressed_data"), sha256=event.get("sha256"))
        if action == "init":
            return self._init(event)
        if action == "sync_branch":
            return self._sync_branch(event)
        return self._act(action, event)

    def _init(self, event: Mapping[str, Any]) -> Any:
        given, execution_id = read_birth(event)
        blobs = self._store.execution(given.owner_id, given.workflow_id, execution_id)

        def work() -> tuple[Any, Any]:
            outcome = bear(given, execution_id, self._store, self._registry, policy=self._policy, now=self._now())
            body = outcome.outcome.bag.to_json()
            return body, {"state_data": body, **_tail(outcome.outcome)}

        return self._once(blobs, _attempt("init", event, version=1), parent=None, work=work)

    def _act(self, action: str, event: Mapping[str, Any]) -> Any:
        state = event.get("state_data")
        blobs = self._blobs(state)
        bare = action == "update_and_compress" and isinstance(state, Mapping)
        bag = read_bare(state, blobs) if bare and isinstance(state, Mapping) else Bag.from_json(state, blobs)
        _expect(bag, event)
        if action == "hydrate_branch":
            return {**hydrate_branch(event, blobs), "state_data": state}
        if action == "hydrate_segment":
            return {**hydrate_segment(bag, event, blobs), "state_data": state}

        def work() -> tuple[Any, Any]:
            outcome = apply(action, bag, event, self._around(blobs))
            if bare:
                body = write_bare(outcome.bag)
                return body, body
            body = outcome.bag.to_json()
            return body, {"state_data": body, **_tail(outcome)}

        if not (bag.control.bag_version and bag.control.execution_id):
            # A bag from before versions, or of a nameless run: there is nothing to tell a repeat by.
            return work()[1]
        attempt = _attempt(action, event, version=bag.control.bag_version + 1)
        return self._once(blobs, attempt, parent=state, work=work)

    def _sync_branch(self, event: Mapping[str, Any]) -> Any:
        body = event.get("branch_state")
        blobs = self._blobs(body.get("state_data") if isinstance(body, Mapping) else None)
        branch = Branch.from_json(body, blobs)
        _expect(branch.bag, event)
        attempt = _attempt(
            "sync_branch", event, version=branch.bag.control.bag_version + 1, branch=f"/{branch.lineage}"
        )

        def work() -> tuple[Any, Any]:
            state, outcome = branch.sync(event.get("execution_result"), self._around(blobs))
            return state, {"branch_state": state, **_tail(outcome)}

        return self._once(blobs, attempt, parent=body, work=work)

    def _once(
        self, blobs: ExecutionBlobs, attempt: Attempt, *, parent: Any, work: Callable[[], tuple[Any, Any]]
    ) -> Any:
        """The stored answer of the attempt, or that of ``work``, which gives the new bag and the answer."""
        known = find_commit(blobs, attempt)
        if known is None:
            root, answer = work()
            known = commit(
                blobs,
                attempt,
                answer={"stored": blobs.put(answer, kind="answer").to_json()},
                root=sha256_hex(canonical_bytes(root)),
                parent=None if parent is None else sha256_hex(canonical_bytes(parent)),
                now=self._now(),
            )
        return blobs.get(Pointer.from_json(known["stored"]))

    def _around(self, blobs: ExecutionBlobs) -> Surroundings:
        return Surroundings(blobs=blobs, policy=self._policy, now=self._now())

    def _blobs(self, state: Any) -> ExecutionBlobs:
        body: Mapping[str, Any] = state if isinstance(state, Mapping) else {}
        execution_id = body.get("execution_id") or body.get("idempotency_key") or ""
        return self._store.execution(
            str(body.get("ownerId") or ""), str(body.get("workflowId") or ""), str(execution_id)
        )


def _attempt(action: str, event: Mapping[str, Any], *, version: int, branch: str = "") -> Attempt:
    payload = {key: value for key, value in event.items() if key not in _ENVELOPE}
    return Attempt(
        lineage=f"{event.get('lineage') or 'main'}{branch}",
        version=version,
        action=action,
        result_id=str(event.get("result_id") or digest_of(action, payload)),
    )


def _expect(bag: Bag, event: Mapping[str, Any]) -> None:
    expected = event.get("expected_bag_version")
    if expected is not None and expected != bag.control.bag_version:
        raise BagConflict(
            f"expected bag version {expected}, the bag is at {bag.control.bag_version}. Reload it and try again.",
            details={"expected": expected, "bag_version": bag.control.bag_version},
        )


def _tail(outcome: Outcome) -> dict[str, Any]:
    tail: dict[str, Any] = {"next_action": str(outcome.next_action), **outcome.extra}
    if outcome.warnings:
        tail["warnings"] = [warning.to_json() for warning in outcome.warnings]
    return tail
