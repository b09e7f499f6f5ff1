"""``init``: from an execution input to bag version 1. Every source that is named must be there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from statebag.bag._bag import Bag
from statebag.bag._control import Control
from statebag.bag._fields import FIELDS_KIND, UserFields, read_state
from statebag.bag._groups import link_segments
from statebag.bag._kernel import Kernel
from statebag.bag._normalise import reserved_warnings
from statebag.bag._offload import OffloadPolicy
from statebag.bag._pipe import Outcome, Surroundings, finish
from statebag.bag._result import Delta, Status
from statebag.bag._segments import store_segments
from statebag.blobs import BlobStore, ExecutionBlobs, Pointer
from statebag.config import (
    ExecutionInput,
    asks_for_distribution,
    drop_reserved,
    load_document,
    merge_initial_state,
    parse_execution_input,
)
from statebag.errors import InputRefused, PointerNotFound, Problem, StateBagError
from statebag.nodes import NodeRegistry
from statebag.plan import Plan, plan_document

__all__ = ["Born", "bear", "read_birth", "upload_state"]

_ENVELOPE = frozenset({"action", "result_id", "lineage"})


@dataclass(frozen=True, kw_only=True)
class Born:
    """A new bag and what the engine around it needs to know once."""

    outcome: Outcome
    plan: Plan
    workflow_name: str


def read_birth(event: Mapping[str, Any]) -> tuple[ExecutionInput, str]:
    """The execution input and the execution id of the Lambda-shaped door's ``init``.

    Raises:
        InputRefused: with every problem of the input; ``FIELD_MISSING`` where nothing names the execution.
    """
    raw: Any = event.get("input", {key: value for key, value in event.items() if key not in _ENVELOPE})
    body: Any = raw
    execution_id = event.get("execution_id")
    if isinstance(raw, dict):
        body = {key: value for key, value in raw.items() if key != "execution_id"}
        execution_id = execution_id or raw.get("execution_id") or raw.get("idempotency_key")
    given = parse_execution_input(body)
    if not isinstance(execution_id, str) or not execution_id:
        text = "must name this run and no other, as a text: its data is kept under it. Pass `$$.Execution.Name`."
        raise InputRefused([Problem(path="$.execution_id", code="FIELD_MISSING", message=text)], what="event")
    return given, execution_id


def bear(
    given: ExecutionInput,
    execution_id: str,
    store: BlobStore,
    registry: NodeRegistry,
    *,
    policy: OffloadPolicy,
    now: datetime,
) -> Born:
    """Make the first bag.

    Raises:
        InputRefused: the document or the state is refused, with all its problems.
        PointerNotFound, PointerCorrupt, PointerRefused: a stored source can't be read.
        BagTooLarge, OffloadFailed, StoreUnavailable: from the store.
    """
    blobs = store.execution(given.owner_id, given.workflow_id, execution_id)
    raw = _document_of(given, blobs)
    loaded = load_document(raw, registry)
    document = loaded.document
    plan = plan_document(document, registry)
    user, warnings = _user_state(given, document.initial_state, blobs)
    control = Control(
        ownerId=given.owner_id,
        workflowId=given.workflow_id,
        execution_id=execution_id,
        idempotency_key=given.idempotency_key or "",
        quota_reservation_id=given.quota_reservation_id or "",
        start_time=int(now.timestamp()),
        total_segments=plan.total_segments,
        max_loop_iterations=plan.max_loop_iterations,
        max_branch_iterations=plan.max_branch_iterations,
        distributed_mode=plan.is_large or asks_for_distribution(raw, raw.get("initial_state"), given.initial_state),
        distributed_strategy=plan.strategy.name,
        max_concurrency=plan.strategy.max_concurrency,
        batch_size=plan.strategy.batch_size,
        llm_segments=plan.llm_segments,
        hitp_segments=plan.hitp_segments,
        MOCK_MODE="true" if given.mock_mode else "false",
    )
    kernel = Kernel(
        workflow_config=blobs.put(raw, kind="document"),
        plan=store_segments(link_segments(plan.segments, blobs), blobs),
    )
    delta = Delta(
        status=Status.STARTED,
        warnings=(*given.warnings, *loaded.warnings, *warnings),
    )
    around = Surroundings(blobs=blobs, policy=policy, now=now)
    outcome = finish("init", Bag(control=control, kernel=kernel, user=user), delta, around)
    return Born(outcome=outcome, plan=plan, workflow_name=document.workflow_name)


def upload_state(state: Mapping[str, Any], blobs: ExecutionBlobs, policy: OffloadPolicy) -> Pointer:
    """Store an initial state field by field, so that ``init`` can take it over without reading it.

    The pointer goes into ``initial_state_s3_path``; ``blobs`` must be those of the execution that will start.
    """
    settled = UserFields.of(state, blobs).settle(field_limit=policy.field_limit, paged=True)
    return blobs.put(settled.node, kind=FIELDS_KIND)


def _document_of(given: ExecutionInput, blobs: ExecutionBlobs) -> Any:
    if given.workflow_config is not None:
        return given.workflow_config
    if given.workflow_config_pointer is None:
        raise StateBagError(
            "no workflow document was given. Put it under `workflow_config`.", code="INIT_INVALID_CONFIG"
        )
    return blobs.get(Pointer.from_json(given.workflow_config_pointer))


def _user_state(
    given: ExecutionInput, defaults: Mapping[str, Any], blobs: ExecutionBlobs
) -> tuple[UserFields, tuple[Problem, ...]]:
    """The input's state over the document's, without reading what is stored already."""
    if given.initial_state_pointer is None:
        merged = merge_initial_state(defaults, given.initial_state or {})
        return UserFields.of(merged.state, blobs), merged.warnings
    pointer = given.initial_state_pointer
    if isinstance(pointer, str):
        pointer = _pointer_at(pointer, blobs)
    fields = read_state(pointer, blobs, path="$.initial_state_s3_path", what="input")
    names = set(fields.names())
    _, dropped = drop_reserved(dict.fromkeys(sorted(names)))
    missing, also = drop_reserved({name: value for name, value in defaults.items() if name not in names})
    return fields.change(missing, dropped), reserved_warnings((*dropped, *also), "$.initial_state")


def _pointer_at(key: str, blobs: ExecutionBlobs) -> Any:
    """The pointer that was recorded under ``key``."""
    pointer = blobs.read_record(key.removeprefix(blobs.prefix).removesuffix(".json"))
    if pointer is None:
        raise PointerNotFound(
            f"initial_state_s3_path: nothing is recorded under {key!r} in this execution. Upload the state first.",
            details={"key": key, "prefix": blobs.prefix},
        )
    return pointer
