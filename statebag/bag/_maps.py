"""A map in the bag: how it is announced, what its items begin with, and what it leaves when it is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from statebag.bag._bag import Bag
from statebag.bag._execute import PlannedSegment
from statebag.bag._fields import Listed, UserFields
from statebag.bag._groups import BranchBag, bear_line
from statebag.bag._history import log_id_of
from statebag.bag._hydrate import hydrate_branch
from statebag.bag._offload import OffloadPolicy
from statebag.bag._result import Delta, Status
from statebag.blobs import ExecutionBlobs, Pointer
from statebag.canonical import canonical_bytes, sha256_hex
from statebag.config import MapSpec, Node
from statebag.errors import Problem, StateBagError
from statebag.maps import Gathered, Manifest, explain_failure, tolerated_failures
from statebag.nodes import MapItem, Tokens, add_totals, item_names, output_key_of

__all__ = ["MapWork", "announce", "bear_item", "changes_of_item", "join_map"]


@dataclass(frozen=True, kw_only=True)
class MapWork:
    """The map that a bag has pending."""

    id: str
    planned: PlannedSegment
    visit: int
    """``loop_counter`` of the run when the map began."""
    rounds: int
    """0, and one more with each redrive."""
    manifest: Pointer | None
    """Of the first round: all items. None before they are in chunks."""
    work: Pointer | None
    """Of this round."""

    @staticmethod
    def of(bag: Bag, find: Callable[[Pointer | None, int], PlannedSegment]) -> MapWork:
        """Read it.

        Args:
            bag: Has it.
            find: Gives the segment of a plan.

        Raises:
            StateBagError: ``RESULT_INVALID``: there is none.
        """
        pending = bag.kernel.pending_map
        if pending is None:
            text = "no map is under way in this bag. Start the one that the run has reached."
            raise StateBagError(text, code="RESULT_INVALID")
        plan = Pointer.from_json(pending["plan"]) if pending["plan"] else None
        return MapWork(
            id=pending["id"],
            planned=find(plan, pending["segment"]),
            visit=pending["visit"],
            rounds=pending.get("round", 0),
            manifest=Pointer.from_json(pending["manifest"]) if "manifest" in pending else None,
            work=Pointer.from_json(pending["work"]) if "work" in pending else None,
        )

    @property
    def node(self) -> Node:
        """The node that maps."""
        return self.planned.nodes[0]

    @property
    def spec(self) -> MapSpec:
        """Its options."""
        return MapSpec.from_json(self.node.config)

    @property
    def in_lines(self) -> bool:
        """Whether an item is a line of segments of its own: it pauses, or forks."""
        return bool(self.planned.body.get("branches"))

    def read_manifest(self, blobs: ExecutionBlobs, *, whole: bool = False) -> Manifest:
        """That of this round, or, ``whole``, of the first one."""
        pointer = self.manifest if whole else self.work
        if pointer is None:
            text = f"map `{self.node.id}`: its items are not in chunks yet. Prepare it first."
            raise StateBagError(text, code="RESULT_INVALID")
        return Manifest.from_json(blobs.get(pointer))

    def describe(self, manifest: Manifest) -> dict[str, Any]:
        """What a machine must know to run it."""
        spec, body = self.spec, self.planned.body
        optional = {"chunk_timeout_seconds": spec.chunk_timeout_seconds, "retry": body.get("retry")}
        optional |= {name: body.get(name) for name in ("timeout_seconds", "heartbeat_seconds")}
        # In chunks that an earlier round has finished.
        optional["done_before"] = manifest.total_items - manifest.items or None
        return {
            "id": self.id,
            "round": self.rounds,
            "label": self.node.label or self.node.id,
            "kind": "lines" if self.in_lines else "calls" if body.get("calls") else "items",
            "total_items": manifest.total_items,
            "units": manifest.units,
            "waves": [list(run) for run in manifest.waves],
            "tolerated": tolerated_failures(spec, manifest.total_items),
            "fail_fast": spec.fail_fast,
            "strategy": spec.strategy,
            "max_concurrency": spec.concurrency,
            "windows": spec.windows,
            "item_concurrency": spec.item_concurrency,
        } | {name: value for name, value in optional.items() if value is not None}


def announce(bag: Bag, planned: PlannedSegment) -> dict[str, Any]:
    """The execution result of a map: it leaves itself to be run."""
    body, visit = planned.body, bag.control.loop_counter
    # By what the bag is, so that a run which was reset to another state has another map.
    identity = [body["id"], list(bag.kernel.forked_at), visit, sha256_hex(canonical_bytes(bag.to_json()))]
    plan = bag.kernel.plan.to_json() if bag.kernel.plan else None
    pending = {
        "id": sha256_hex(canonical_bytes(identity))[:24],
        "plan": plan,
        "segment": body["index"],
        "visit": visit,
    }
    return {"status": "DISTRIBUTED_MAP", "pending_map": pending}


def bear_item(parent: Bag, work: MapWork, item: MapItem, blobs: ExecutionBlobs) -> BranchBag:
    """The bag of an item that is a line of segments of its own."""
    config = hydrate_branch({"branch_pointer": work.planned.body["branches"][0]}, blobs)["branch_config"]
    user = _user_of(parent, work, item)
    return BranchBag(
        branch_id=f"item {item.index}",
        branch_index=item.index,
        path=f"{work.planned.body['id']}/I{item.index}",
        bag=bear_line(parent, config["partition_map"], (work.visit, item.index), user, blobs),
    )


def changes_of_item(bag: Bag, parent: Bag, work: MapWork, item: MapItem, policy: OffloadPolicy) -> dict[str, Any]:
    """What the nodes of an item have set."""
    base = _user_of(parent, work, item).settle(field_limit=policy.field_limit, paged=policy.user_limit is None)
    return bag.user.differences(base)[0]


def _user_of(parent: Bag, work: MapWork, item: MapItem) -> UserFields:
    return parent.user.forget().change(item_names(work.node, item))


def join_map(bag: Bag, work: MapWork, found: Gathered, blobs: ExecutionBlobs, *, asks: bool, now: datetime) -> Delta:
    """The delta of a map that is over.

    Args:
        bag: Has it pending.
        work: It.
        found: What its chunks gave.
        blobs: Takes the list of results.
        asks: Whether a person is asked before the segment that follows.
        now: Time to record.
    """
    node, spec = work.node, work.spec
    why = explain_failure(spec, total=found.total, succeeded=found.succeeded, failed=found.failed)
    counts = {"total": found.total, "succeeded": found.succeeded, "failed": found.failed, "pending": found.pending}
    summary = {**counts, "rounds": work.rounds + 1, "result_manifest": found.manifest.to_json()}
    entry: dict[str, Any] = {
        "type": "map",
        "name": node.label or node.id,
        "segment_id": work.planned.body["id"],
        **summary,
        "timestamp": now.astimezone(UTC).isoformat(timespec="milliseconds"),
        "status": "COMPLETED" if why is None else "FAILED",
    }
    place = "@".join((work.planned.body["id"], *map(str, bag.kernel.forked_at)))
    entry["log_id"] = log_id_of(bag.control.execution_id, f"map:{place}", work.visit, work.rounds)
    if why is not None:
        text = f"map `{node.id}`: {why}.{_first_of(found)}"
        error = {"code": "TOLERANCE_EXCEEDED", "message": text, **counts}
        logs = ({**entry, "error": {"code": error["code"], "message": text}},)
        return Delta(status=Status.FAILED, kernel={"distributed_chunk_summary": summary}, logs=logs, error=error)
    return Delta(
        status=Status.PAUSED_FOR_HITP if asks else None,
        kernel={"distributed_chunk_summary": summary, "pending_map": None},
        user_set=_fields_of(bag, work, found, blobs),
        logs=(entry,),
        warnings=(*_told(found), *_tell_failed(work, found)),
    )


def _fields_of(bag: Bag, work: MapWork, found: Gathered, blobs: ExecutionBlobs) -> dict[str, Any]:
    node = work.node
    # One page is as good as the list itself, and then its size decides where it is.
    results = (
        Listed.of(found.pages, found.total, blobs)
        if len(found.pages) > 1
        else [element for page in found.pages for element in blobs.get(page)]
    )
    tokens = Tokens(
        input_tokens=found.tokens.get("input_tokens", 0), output_tokens=found.tokens.get("output_tokens", 0)
    )
    totals = add_totals(bag.user.forget(), [tokens], "", [{}])
    totals.pop("", None)
    return {output_key_of(node): results, f"{node.id}_iteration_count": found.total, **totals}


def _first_of(found: Gathered) -> str:
    if not found.sample:
        return ""
    first = found.sample[0]
    return f" The first: item {first['item_index']}: {first['error']['code']}: {first['error']['message']}"


def _told(found: Gathered) -> Iterator[Problem]:
    for warning in found.warnings:
        yield Problem(path=warning["path"], code=warning["code"], message=warning["message"])


def _tell_failed(work: MapWork, found: Gathered) -> Sequence[Problem]:
    if not found.failed:
        return ()
    text = (
        f"{found.failed} of {found.total} items failed, which the map tolerates.{_first_of(found)} "
        "The result manifest of the bag's summary lists all."
    )
    return (Problem(path=f"$.{output_key_of(work.node)}", code="ITEMS_FAILED", message=text),)
