"""What handlers work with: the store, the engine, and the names of what the stack has made; from the environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from asl_compat.lambdas._answer import require
from statebag.bag import STEP_FUNCTIONS, Place, RunEngine, StateDataManager, Step
from statebag.blobs import BlobStore, ExecutionBlobs, Pointer, open_store
from statebag.errors import InputRefused, Problem
from statebag.nodes import NodeRegistry, load_registry

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_stepfunctions import SFNClient

__all__ = ["Surroundings", "place_of", "reference_of", "surroundings"]

_POLICY = replace(STEP_FUNCTIONS, kernel_limit=8 * 1024, listed_limit=8 * 1024)
"""The emitted machines never read pending branches: what a bag has of them would only travel from state to state."""
_NAMES = {
    "bucket": "WORKFLOW_STATE_BUCKET",
    "idempotency_table": "IDEMPOTENCY_TABLE",
    "task_tokens_table": "TASK_TOKENS_TABLE",
    "executions_table": "EXECUTIONS_TABLE",
    "connections_table": "CONNECTIONS_TABLE",
    "pending_notifications_table": "PENDING_NOTIFICATIONS_TABLE",
    "event_bus": "WORKFLOW_EVENT_BUS",
}


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """One a process; thread safe."""

    environment: Mapping[str, str]
    store: BlobStore
    registry: NodeRegistry
    now: Callable[[], datetime]

    @staticmethod
    def from_environment(environment: Mapping[str, str], *, now: Callable[[], datetime]) -> Surroundings:
        """Read the names; nothing is contacted.

        Raises:
            InputRefused: ``SETTING_INVALID``: no bucket is named.
        """
        bucket = environment.get("WORKFLOW_STATE_BUCKET", "")
        if not bucket:
            raise _missing("WORKFLOW_STATE_BUCKET")
        store = open_store(f"s3://{bucket}/", setting="WORKFLOW_STATE_BUCKET")
        return Surroundings(environment=environment, store=store, registry=load_registry(), now=now)

    def name(self, what: str) -> str:
        """The name of a table, the bucket or the bus.

        Raises:
            InputRefused: ``SETTING_INVALID``: the environment has none.
        """
        variable = _NAMES[what]
        found = self.environment.get(variable, "")
        if not found:
            raise _missing(variable)
        return found

    @cached_property
    def engine(self) -> RunEngine:
        """Runs segments, branches and chunks, on bags that are in the store."""
        return RunEngine(self.store, self.registry, policy=_POLICY, now=self.now)

    @cached_property
    def door(self) -> StateDataManager:
        """Applies actions to bags that travel in the document."""
        return StateDataManager(self.store, self.registry, policy=_POLICY, now=self.now)

    @cached_property
    def s3(self) -> S3Client:
        """For what is read by others than us: plain objects."""
        return _client("s3")

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        """Of the tables."""
        return _client("dynamodb")

    @cached_property
    def events(self) -> EventBridgeClient:
        """Of the bus."""
        return _client("events")

    @cached_property
    def step_functions(self) -> SFNClient:
        """Answers tokens."""
        return _client("stepfunctions")

    def blobs(self, owner_id: str, workflow_id: str, execution_id: str) -> ExecutionBlobs:
        """The store's part of one run."""
        return self.store.execution(owner_id, workflow_id, execution_id)

    def adopt(self, state_data: Mapping[str, Any]) -> Place:
        """Where the bag is that travels in the document; it is put there where it is not yet."""
        owner_id, workflow_id, execution_id = (state_data[name] for name in ("ownerId", "workflowId", "execution_id"))
        root = self.blobs(owner_id, workflow_id, execution_id).put(state_data, kind="bag")
        return Place(
            owner_id=owner_id,
            workflow_id=workflow_id,
            execution_id=execution_id,
            version=state_data["bag_version"],
            root=root.to_json(),
        )

    def state_of(self, place: Place, step: Step) -> dict[str, Any]:
        """The bag that a step has led to, as it travels in the document."""
        blobs = self.blobs(place.owner_id, place.workflow_id, place.execution_id)
        found: dict[str, Any] = blobs.get(Pointer.from_json(step.root))
        return found


@cache
def surroundings() -> Surroundings:
    """Those of this process, made at the first call and kept while it is warm."""
    return Surroundings.from_environment(os.environ, now=lambda: datetime.now(UTC))


def reference_of(place: Place) -> dict[str, Any]:
    """A place as a member of the document: what functions need that run parts of a run."""
    return {
        "ownerId": place.owner_id,
        "workflowId": place.workflow_id,
        "execution_id": place.execution_id,
        "version": place.version,
        "root": dict(place.root),
    }


def place_of(reference: Mapping[str, Any], *, lineage: str = "main") -> Place:
    """The reverse of :func:`reference_of`.

    Raises:
        InputRefused: it lacks a member.
    """
    require(reference, "ownerId", "workflowId", "execution_id", "version", "root")
    return Place(
        owner_id=reference["ownerId"],
        workflow_id=reference["workflowId"],
        execution_id=reference["execution_id"],
        version=reference["version"],
        root=reference["root"],
        lineage=lineage,
    )


def _missing(variable: str) -> InputRefused:
    text = "is not set. The template sets it for each function: deploy it again, or set it by hand."
    return InputRefused([Problem(path=f"$.{variable}", code="SETTING_INVALID", message=text)], what="environment")


def _client(service: str) -> Any:
    # Imports take a fifth of a second, which not every function needs.
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    # By default a call waits for minutes, and then the function is over before it can say what is wrong.
    patience = None if service == "s3" else Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 3})
    return boto3.client(service, config=patience)  # pyright: ignore[reportCallIssue, reportArgumentType] - the caller names the service
