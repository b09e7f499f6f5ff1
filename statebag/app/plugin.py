"""One plugin for clients, workers and replayers; add it to a worker of your own."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from temporalio.converter import DataConverter
from temporalio.plugin import SimplePlugin
from temporalio.worker import UnsandboxedWorkflowRunner, WorkerConfig

import workflows
from activities import (
    AsyncDispatcher,
    AsyncLLMActivities,
    ClaimActivities,
    EventActivities,
    MapActivities,
    StateActivities,
)
from statebag.app.settings import Settings
from statebag.app.temporal import PatientRunner, make_converter
from statebag.bag import RunEngine
from statebag.blobs import BlobStore, open_store
from statebag.events import LogSink, Sink
from statebag.nodes import NodeRegistry, load_registry

__all__ = ["WORKFLOWS", "StateBagPlugin"]

WORKFLOWS: tuple[type, ...] = (
    workflows.WorkflowOrchestrator,
    workflows.WorkflowDistributedOrchestrator,
    workflows.BranchWorkflow,
    workflows.ChunkWorkflow,
    workflows.IdempotencyClaim,
)
"""The workflow types that a worker serves."""


class StateBagPlugin(SimplePlugin):
    """Registers the workflows and activities, and sets up how payloads are kept.

    Add it to the client; workers and replayers made of that client have it, too::

        client = await Client.connect("localhost:7233", plugins=[StateBagPlugin()])
        worker = Worker(client, task_queue="statebag")

    Args:
        settings: where the store is, and how much runs at a time; the environment's by default.
        store: the store itself, instead of the one that the settings name.
        registry: the node types; by default the built-in ones and those of installed packages.
        sinks: where lifecycle events go.
        dispatcher: who answers asynchronous model calls; without one, the worker does.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        store: BlobStore | None = None,
        registry: NodeRegistry | None = None,
        sinks: Sequence[Sink] = (LogSink(),),
        dispatcher: AsyncDispatcher | None = None,
    ) -> None:
        settings = settings or Settings.from_environment()
        self.store = store or open_store(
            settings.store, cache_bytes=settings.cache_mb * 1024 * 1024, fsync=settings.store_fsync
        )
        self.engine = RunEngine(self.store, registry or load_registry())
        slots = settings.max_concurrent_activities + settings.max_concurrent_local_activities
        self._threads = ThreadPoolExecutor(slots, thread_name_prefix="statebag")
        activities = [
            *StateActivities(self.engine, self._threads).all(),
            *MapActivities(self.engine, self._threads).all(),
            *AsyncLLMActivities(self.engine, self._threads, dispatcher).all(),
            *EventActivities(sinks, self._threads).all(),
            *ClaimActivities().all(),
        ]
        super().__init__(
            "statebag",
            data_converter=self._converter,
            activities=activities,
            workflows=list(WORKFLOWS),
        )

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        """Add what is registered; and see to it that no query disturbs a run."""
        config = super().configure_worker(config)
        runner = config.get("unsandboxed_workflow_runner") or UnsandboxedWorkflowRunner()
        config["unsandboxed_workflow_runner"] = PatientRunner(runner)
        return config

    def _converter(self, base: DataConverter | None) -> DataConverter:
        return make_converter(self.store, base)
