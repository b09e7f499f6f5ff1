"""Queries wait while a local activity is under way: one that is answered sooner can spoil the history.

An answer ends the workflow task, also where a local activity has a result by then that the workflow has not seen. The
history tells of the result before anything that the next task brings; the workflow saw it behind that. So what the
workflow does next does not fit to its history, and the next worker that takes the run up can't go on with it.
"""

from __future__ import annotations

import time
from typing import Any

from temporalio.bridge.proto.workflow_activation import WorkflowActivation, WorkflowActivationJob
from temporalio.bridge.proto.workflow_completion import Success, WorkflowActivationCompletion
from temporalio.converter import SerializationContext, StorageDriverStoreContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner
from temporalio.workflow import Info

__all__ = ["PatientRunner"]

_LEGACY = "legacy_query"
"""Id of a query that came alone; its answer ends no workflow task."""
_LOCAL = "schedule_local_activity"
_PLAIN = frozenset(
    {
        "start_timer",
        "cancel_timer",
        "schedule_activity",
        "start_child_workflow_execution",
        "signal_external_workflow_execution",
        "update_response",
    }
)
"""Commands of which the workflow hears nothing before its next task, so that an answer may end this one."""


class PatientRunner(WorkflowRunner):
    """Runs workflows as another runner does, but has their queries wait for local activities.

    Args:
        inner: The other runner.
        patience_seconds: Time after which a run that calls one function after another answers in between; each such
            answer costs a workflow task.
    """

    def __init__(self, inner: WorkflowRunner, *, patience_seconds: float = 1.0) -> None:
        self._inner = inner
        self._patience_seconds = patience_seconds

    def prepare_workflow(self, defn: Any) -> None:
        """Prepare it as the other runner does."""
        self._inner.prepare_workflow(defn)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """Make an instance of the other runner patient."""
        return _PatientInstance(self._inner.create_instance(det), self._patience_seconds)

    def set_worker_level_failure_exception_types(self, types: Any) -> None:
        """Hand them on."""
        self._inner.set_worker_level_failure_exception_types(types)


class _PatientInstance(WorkflowInstance):
    def __init__(self, inner: WorkflowInstance, patience_seconds: float) -> None:
        self._inner = inner
        self._patience_seconds = patience_seconds
        self._under_way: set[int] = set()
        """Local activities whose results the workflow has not seen."""
        self._held: dict[str, WorkflowActivationJob] = {}
        self._held_at = 0
        """Length of the history as of the workflow task that brought the held queries; they are for no other."""
        self._held_since = 0.0

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        """Handle an activation, and answer the held queries with it where that does no harm.

        The server sends a query again that has no answer when its workflow task ends.
        """
        if self._held_at != act.history_length or any(job.HasField("remove_from_cache") for job in act.jobs):
            self._held.clear()
        if self._under_way and _is_for_queries(act):
            return self._hold(act)
        completion = self._inner.activate(act)
        for job in act.jobs:
            if job.HasField("resolve_activity"):
                self._under_way.discard(job.resolve_activity.seq)
        is_idle = not self._under_way
        for command in completion.successful.commands:
            if command.HasField(_LOCAL):
                self._under_way.add(command.schedule_local_activity.seq)
        if self._held and is_idle and self._may_answer(completion):
            return self._answer(act, completion)
        return completion

    def _hold(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        if not self._held:
            self._held_since = time.monotonic()
        self._held_at = act.history_length
        self._held |= {job.query_workflow.query_id: job for job in act.jobs}
        return WorkflowActivationCompletion(successful=Success())

    def _may_answer(self, completion: WorkflowActivationCompletion) -> bool:
        kinds = {command.WhichOneof("variant") for command in completion.successful.commands}
        if time.monotonic() - self._held_since > self._patience_seconds:
            kinds.discard(_LOCAL)
        return completion.HasField("successful") and kinds <= _PLAIN

    def _answer(
        self, act: WorkflowActivation, completion: WorkflowActivationCompletion
    ) -> WorkflowActivationCompletion:
        queries = WorkflowActivation()
        queries.CopyFrom(act)
        del queries.jobs[:]
        queries.jobs.extend(self._held.values())
        queries.is_replaying = True  # as of every activation that has but queries
        self._held.clear()
        answers = self._inner.activate(queries)
        if answers.HasField("failed"):
            return answers
        completion.successful.commands.extend(answers.successful.commands)
        return completion

    def get_serialization_context(self, command_info: Any) -> SerializationContext | None:
        """Hand on."""
        return self._inner.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> StorageDriverStoreContext:
        """Hand on."""
        return self._inner.get_external_store_context(command_info)

    def get_info(self) -> Info:
        """Hand on."""
        return self._inner.get_info()

    def get_thread_id(self) -> int | None:
        """Hand on."""
        return self._inner.get_thread_id()


def _is_for_queries(act: WorkflowActivation) -> bool:
    """Whether it has nothing but queries that came with a workflow task."""
    return all(job.HasField("query_workflow") and job.query_workflow.query_id != _LEGACY for job in act.jobs)
