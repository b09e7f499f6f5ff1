"""Workers on a real server, in this process: what the tests of the machines start runs with."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from temporalio.api.enums.v1 import EventType as HistoryEventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.worker import Interceptor, Worker

from activities import AsyncDispatcher
from statebag.app import Settings, StateBagPlugin
from statebag.bag import Place
from statebag.blobs import BlobStore, LocalBackend
from statebag.canonical import canonical_bytes
from statebag.config import Node
from statebag.errors import Problem
from statebag.events import EventType, LifecycleEvent
from statebag.nodes import NodeContext, NodeOutput, builtin_registry
from statebag.nodes import Scope as NodeScope

EVENTS_A_RUN = 40
"""Where a server wants a new history soon, it wants one after so many events."""

MACHINE = "WorkflowOrchestrator"
DISTRIBUTED = "WorkflowDistributedOrchestrator"

Document = dict[str, Any]
Behaviour = Callable[[Node, NodeScope, NodeContext], Mapping[str, Any] | NodeOutput]
"""Gives the fields to set, or the whole output."""


class Recorder:
    """A sink that keeps what it gets, and lets tests wait for it."""

    def __init__(self) -> None:
        self.deliveries: list[LifecycleEvent] = []
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()

    def send(self, event: LifecycleEvent) -> None:
        """Keep the event."""
        self.deliveries.append(event)
        self._loop.call_soon_threadsafe(self._arrived.set)

    def of(self, execution_id: str) -> list[LifecycleEvent]:
        """The events of a run, each once, in order."""
        events = {event.event_id: event for event in self.deliveries if event.execution_id == execution_id}
        return sorted(events.values(), key=lambda event: event.sequence)

    async def wait_for_pause(self, execution_id: str, pause_id: str) -> LifecycleEvent:
        """The event of that pause, when it is there."""
        times = 1
        while True:
            event = await self.wait_for(execution_id, EventType.PAUSED_FOR_HITP, times=times)
            if event.detail["pause_id"] == pause_id:
                return event
            times += 1

    async def wait_for(self, execution_id: str, event_type: EventType, *, times: int = 1) -> LifecycleEvent:
        """The event of that type and number, when it is there."""
        while True:
            found = [event for event in self.of(execution_id) if event.event_type is event_type]
            if len(found) >= times:
                return found[times - 1]
            self._arrived.clear()
            await self._arrived.wait()


class Hold:
    """A sink that holds one type of event until it is let go."""

    def __init__(self, event_type: EventType) -> None:
        self._event_type = event_type
        self._loop = asyncio.get_running_loop()
        self.entered = asyncio.Event()
        self.go_on = threading.Event()

    def send(self, event: LifecycleEvent) -> None:
        if event.event_type is self._event_type:
            self._loop.call_soon_threadsafe(self.entered.set)
            assert self.go_on.wait(8)


class Probe:
    """A node type that does what a test says, under the name ``config.does``."""

    name: ClassVar[str] = "probe"
    outside: ClassVar[bool] = True

    def __init__(self, behaviours: dict[str, Behaviour]) -> None:
        self._behaviours = behaviours

    def check(self, node: Node, path: str) -> Iterable[Problem]:
        return ()

    def reads(self, node: Node) -> frozenset[str] | None:
        return None

    def run(self, node: Node, scope: NodeScope, context: NodeContext) -> NodeOutput:
        done = self._behaviours[node.config["does"]](node, scope, context)
        return done if isinstance(done, NodeOutput) else NodeOutput(changes=done)


class LocalProbe(Probe):
    name: ClassVar[str] = "probe_local"
    outside: ClassVar[bool] = False


@dataclass(kw_only=True)
class Rig:
    """A client and how its runs are started and looked at."""

    client: Client
    plugin: StateBagPlugin
    sink: Recorder
    task_queue: str
    behaviours: dict[str, Behaviour] = field(default_factory=dict[str, Behaviour])
    task_timeout: timedelta | None = None
    """Time of a workflow task; the server's ten seconds where it is None."""

    def gate(self, name: str, changes: Mapping[str, Any] | None = None) -> tuple[asyncio.Event, threading.Event]:
        """Make the behaviour ``name`` wait: gives what is set when it is entered, and what lets it go on."""
        loop, entered, go_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

        def wait(node: Node, scope: NodeScope, context: NodeContext) -> Mapping[str, Any]:
            loop.call_soon_threadsafe(entered.set)
            if not go_on.wait(30):
                raise AssertionError(f"nobody opened the gate {name}")
            return changes or {}

        self.behaviours[name] = wait
        return entered, go_on

    async def start(
        self, document: Document, *, id: str | None = None, machine: str = MACHINE, **given: Any
    ) -> WorkflowHandle[Any, Any]:
        """Start a run; ``given`` are members of the execution input."""
        body = {"workflow_config": document, "ownerId": "acme", "workflowId": "review", "MOCK_MODE": "true", **given}
        given_body = {name: value for name, value in body.items() if value is not ...}
        return await self.start_raw(given_body, id=id, machine=machine)

    async def start_raw(self, body: Any, *, id: str | None = None, machine: str = MACHINE) -> WorkflowHandle[Any, Any]:
        return await self.client.start_workflow(
            machine,
            body,
            id=id or f"run-{secrets.token_hex(8)}",
            task_queue=self.task_queue,
            task_timeout=self.task_timeout,
        )

    async def pause(self, handle: WorkflowHandle[Any, Any], *, times: int = 1) -> dict[str, Any]:
        """The pause that the run waits at, as soon as it does."""
        await self.sink.wait_for(handle.id, EventType.PAUSED_FOR_HITP, times=times)
        (pause,) = await handle.query("pending")
        return pause

    async def pause_of(self, handle: WorkflowHandle[Any, Any], pause_id: str) -> dict[str, Any]:
        """The pause with that id, as soon as the run waits at it."""
        await self.sink.wait_for_pause(handle.id, pause_id)
        (pause,) = [one for one in await handle.query("pending") if one["pause_id"] == pause_id]
        return pause

    async def branches(self, handle: WorkflowHandle[Any, Any]) -> list[WorkflowHandle[Any, Any]]:
        """The branch workflows that a run or a branch has started so far, in branch order."""
        started = await events_of(handle, "CHILD_WORKFLOW_EXECUTION_STARTED")
        found = [event.child_workflow_execution_started_event_attributes for event in started]
        ids = [one.workflow_execution.workflow_id for one in found if one.workflow_type.name == "BranchWorkflow"]
        numbered = sorted(ids, key=lambda name: [int(part) for part in name.removeprefix(f"{handle.id}/").split("/")])
        return [self.client.get_workflow_handle(name) for name in numbered]

    async def respond(self, handle: WorkflowHandle[Any, Any], answer: Any) -> dict[str, Any]:
        return await handle.execute_update("respond", answer)

    async def refusal(self, handle: WorkflowHandle[Any, Any], answer: Any) -> ApplicationError:
        """The error with which an answer is refused."""
        try:
            taken = await self.respond(handle, answer)
        except WorkflowUpdateFailedError as refused:
            assert isinstance(refused.cause, ApplicationError)
            return refused.cause
        raise AssertionError(f"the answer was taken: {taken}")

    async def failure(self, handle: WorkflowHandle[Any, Any]) -> ApplicationError:
        """The error with which a run ends."""
        try:
            output = await handle.result()
        except WorkflowFailureError as failed:
            assert isinstance(failed.cause, ApplicationError), failed.cause
            return failed.cause
        raise AssertionError(f"the run succeeded: {output}")

    async def trace(self, handle: WorkflowHandle[Any, Any]) -> list[str]:
        return await handle.query("trace")

    def types_of(self, execution_id: str) -> list[str]:
        """Names of the run's events, in order."""
        return [str(event.event_type) for event in self.sink.of(execution_id)]

    def user_state(self, output: Mapping[str, Any]) -> dict[str, Any]:
        """All user fields at a run's end, from its output or its failure's details."""
        place = Place(
            owner_id=output.get("ownerId", "acme"),
            workflow_id=output.get("workflowId", "review"),
            execution_id=output["execution_id"],
            version=0,
            root=output["final_state_s3_path"],
        )
        return self.plugin.engine.read_bag(place).user.whole()


@asynccontextmanager
async def start_rig(
    address: str,
    folder: Path,
    *,
    store: BlobStore | None = None,
    dispatcher: AsyncDispatcher | None = None,
    interceptors: Sequence[Interceptor] = (),
    sinks: Sequence[Any] = (),
    task_queue: str | None = None,
    now: Callable[[], datetime] | None = None,
    max_cached_workflows: int = 1000,
    graceful_shutdown_seconds: int = 5,
) -> AsyncIterator[Rig]:
    """A rig whose worker runs as long as the block does."""
    sink = Recorder()
    behaviours: dict[str, Behaviour] = {}
    queue = task_queue or f"queue-{secrets.token_hex(4)}"
    settings = Settings(
        store=folder.as_uri(),
        task_queue=queue,
        max_cached_workflows=max_cached_workflows,
        graceful_shutdown_seconds=graceful_shutdown_seconds,
    )
    plugin = StateBagPlugin(
        settings,
        store=store,
        registry=builtin_registry().extend([Probe(behaviours), LocalProbe(behaviours)]),
        sinks=[*sinks, sink],
        dispatcher=dispatcher,
    )
    if now is not None:
        plugin.engine._now = now
    client = await Client.connect(address, plugins=[plugin])
    rig = Rig(client=client, plugin=plugin, sink=sink, task_queue=queue, behaviours=behaviours)
    async with worker_of(rig, settings, interceptors=interceptors):
        yield rig


def worker_of(rig: Rig, settings: Settings, *, interceptors: Sequence[Interceptor] = ()) -> Worker:
    return Worker(
        rig.client,
        task_queue=settings.task_queue,
        interceptors=interceptors,
        max_cached_workflows=settings.max_cached_workflows,
        graceful_shutdown_timeout=timedelta(seconds=settings.graceful_shutdown_seconds),
    )


def local_store(folder: Path) -> BlobStore:
    return BlobStore(LocalBackend(folder))


def chain(*nodes: Mapping[str, Any], edges: Sequence[Mapping[str, Any]] = (), **more: Any) -> Document:
    """A document whose nodes follow one another; ``edges`` take the place of those between the same nodes."""
    given = {(edge["source"], edge["target"]): edge for edge in edges}
    plain = [{"source": a["id"], "target": b["id"]} for a, b in itertools.pairwise(nodes)]
    return {
        "nodes": list(nodes),
        "edges": [given.get((edge["source"], edge["target"]), edge) for edge in plain],
        **more,
    }


def forks(
    source: Mapping[str, Any],
    *branches: Sequence[Mapping[str, Any]],
    join: Mapping[str, Any] | None = None,
    edges: Sequence[Mapping[str, Any]] = (),
    **more: Any,
) -> Document:
    """A document with an edge from ``source`` to each branch, whose nodes follow one another and lead to ``join``.

    ``edges`` take the place of those between the same nodes.
    """
    end = [] if join is None else [join]
    rows = [[source, *branch, *end] for branch in branches]
    plain = {
        (a["id"], b["id"]): {"source": a["id"], "target": b["id"]} for row in rows for a, b in itertools.pairwise(row)
    }
    given = {(edge["source"], edge["target"]): edge for edge in edges}
    nodes = [source, *(node for branch in branches for node in branch), *end]
    return {"nodes": nodes, "edges": list((plain | given).values()), **more}


def group(name: str, *branches: Sequence[Mapping[str, Any]] | Document, **config: Any) -> dict[str, Any]:
    """A node with branches that are planned: each a document, or nodes that follow one another."""
    bodies = [branch if isinstance(branch, dict) else chain(*branch) for branch in branches]
    named = [{"branch_id": f"b{number}", **body} for number, body in enumerate(bodies)]
    return {"id": name, "type": "parallel_group", "config": config, "branches": named}


def sets(name: str, **values: Any) -> dict[str, Any]:
    """A node that sets fields."""
    return {"id": name, "type": "operator", "config": {"sets": values}}


def llm(name: str, prompt: str = "Say {{word}}", **config: Any) -> dict[str, Any]:
    """A node that calls a model, which the mock mode answers."""
    return {"id": name, "type": "llm_chat", "config": {"prompt": prompt, **config}}


def probe(name: str, does: str, *, local: bool = False, **config: Any) -> dict[str, Any]:
    """A node that does what the rig's behaviour of that name does."""
    return {"id": name, "type": "probe_local" if local else "probe", "config": {"does": does, **config}}


def asks(source: str, target: str, **metadata: Any) -> dict[str, Any]:
    """An edge with a pause."""
    return {"source": source, "target": target, "type": "hitp", "metadata": metadata}


async def events_of(handle: WorkflowHandle[Any, Any], kind: str | None = None) -> list[HistoryEvent]:
    """The history of a run; ``kind`` is a type such as ``TIMER_STARTED``."""
    history = await handle.fetch_history()
    if kind is None:
        return list(history.events)
    wanted = HistoryEventType.Value(f"EVENT_TYPE_{kind}")
    return [event for event in history.events if event.event_type == wanted]


async def run_ids(rig: Rig, handle: WorkflowHandle[Any, Any]) -> list[str]:
    """The runs of a chain so far, oldest first."""
    first = handle.first_execution_run_id or (await handle.describe()).raw_info.first_run_id
    found = [first]
    while True:
        last = (await events_of(rig.client.get_workflow_handle(handle.id, run_id=found[-1])))[-1]
        if not last.HasField("workflow_execution_continued_as_new_event_attributes"):
            return found
        found.append(last.workflow_execution_continued_as_new_event_attributes.new_execution_run_id)


def same_bytes(one: Any, other: Any) -> bool:
    return canonical_bytes(one) == canonical_bytes(other)
