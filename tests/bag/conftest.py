import itertools
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from statebag.bag import Bag, BagEngine, Place, StateDataManager, Step
from statebag.blobs import BlobStore, ExecutionBlobs, LocalBackend, RetryPolicy
from statebag.config import Node
from statebag.errors import NodeFailed, Problem, StoreUnavailable
from statebag.nodes import NodeContext, NodeOutput, NodeRegistry, Scope, builtin_registry
from statebag.testing import FaultyBackend

WHO = {"ownerId": "owner", "workflowId": "workflow"}


class Sets:
    """Sets ``config.set``, removes ``config.unset``, fails for good with ``config.fail``, for now with ``config.busy``."""

    def __init__(self, name: str, *, outside: bool) -> None:
        self.name = name
        self.outside = outside
        self.calls: list[str] = []

    def check(self, *_: Any) -> Iterable[Problem]:
        return ()

    def reads(self, node: Node) -> frozenset[str] | None:
        return frozenset(node.config.get("copy", {}).values())

    def run(self, node: Node, scope: Scope, context: NodeContext) -> NodeOutput:
        self.calls.append(f"{node.id}:{context.visit}:{context.attempt}")
        config = node.config
        if "fail" in config:
            raise NodeFailed(config["fail"])
        if "busy" in config and context.attempt <= config["busy"]:
            raise StoreUnavailable("busy")
        copied = {target: scope[source] for target, source in config.get("copy", {}).items()}
        changes = {**config.get("set", {}), **copied}
        return NodeOutput(changes=changes, logs=tuple(config.get("logs", ())), unset=tuple(config.get("unset", ())))


@pytest.fixture
def web() -> Sets:
    """A node type that calls the outside: each node is a segment of its own."""
    return Sets("web", outside=True)


@pytest.fixture
def registry(web: Sets) -> NodeRegistry:
    return builtin_registry().extend([web, Sets("set", outside=False)])


@pytest.fixture
def backend(tmp_path: Path) -> FaultyBackend:
    return FaultyBackend(LocalBackend(tmp_path / "store"))


@pytest.fixture
def store(backend: FaultyBackend) -> BlobStore:
    return BlobStore(backend, retry=RetryPolicy(sleep=lambda _: None))


@pytest.fixture
def blobs(store: BlobStore) -> ExecutionBlobs:
    return store.execution("owner", "workflow", "run")


@pytest.fixture
def cold(backend: FaultyBackend) -> Callable[[], ExecutionBlobs]:
    """Views of the same objects with nothing cached, as another process has them."""
    return lambda: BlobStore(backend, retry=RetryPolicy(sleep=lambda _: None)).execution("owner", "workflow", "run")


@pytest.fixture
def clock() -> Callable[[], datetime]:
    """A clock that is a second later each time: no answer can be the same by chance."""
    seconds = itertools.count()
    return lambda: datetime(2026, 1, 2, tzinfo=UTC) + timedelta(seconds=next(seconds))


def chain(*configs: Mapping[str, Any], pauses: Mapping[int, Mapping[str, Any]] | None = None) -> dict[str, Any]:
    """A document with a segment for each config; ``pauses`` has the metadata of the hitp edge before a node."""
    pauses = pauses or {}
    nodes = [{"id": f"n{index}", "type": "web", "config": dict(config)} for index, config in enumerate(configs)]
    edges: list[dict[str, Any]] = []
    for index in range(1, len(nodes)):
        edge: dict[str, Any] = {"source": f"n{index - 1}", "target": f"n{index}"}
        edges.append(edge | ({"type": "hitp", "metadata": pauses[index]} if index in pauses else {}))
    return {"nodes": nodes, "edges": edges}


@pytest.fixture(name="chain")
def chain_fixture() -> Callable[..., dict[str, Any]]:
    return chain


class Run:
    """A run at the Lambda-shaped door, which keeps the newest state as a machine does."""

    def __init__(self, manager: StateDataManager, store: BlobStore) -> None:
        self.manager = manager
        self.store = store
        self.state: Any = None
        self.answer: Any = None

    def init(
        self,
        state: Mapping[str, Any] | None = None,
        *,
        segments: int = 5,
        document: Mapping[str, Any] | None = None,
        execution_id: str = "run",
        **given: Any,
    ) -> Any:
        body = {**WHO, "workflow_config": document or chain(*[{}] * segments), **given}
        if state is not None:
            body["initial_state"] = dict(state)
        return self.take(self.manager.handle({"action": "init", "execution_id": execution_id, "input": body}))

    def act(self, action: str, **payload: Any) -> Any:
        return self.take(self.manager.handle({"action": action, "state_data": self.state, **payload}))

    def sync(self, status: str = "CONTINUE", following: int | None = None, **result: Any) -> Any:
        result = {"status": status, "next_segment_to_run": following, **result}
        return self.act("sync", execution_result=result)

    def take(self, answer: Any) -> Any:
        self.answer = answer
        self.state = answer.get("state_data", self.state)
        return answer

    @property
    def blobs(self) -> ExecutionBlobs:
        return self.store.execution(self.state["ownerId"], self.state["workflowId"], self.state["execution_id"])

    @property
    def bag(self) -> Bag:
        return Bag.from_json(self.state, self.blobs)

    @property
    def user(self) -> dict[str, Any]:
        return self.bag.user.whole()


@pytest.fixture
def manager(store: BlobStore, registry: NodeRegistry, clock: Callable[[], datetime]) -> StateDataManager:
    return StateDataManager(store, registry, now=clock)


@pytest.fixture
def run(manager: StateDataManager, store: BlobStore) -> Run:
    return Run(manager, store)


class Engine:
    """A run at the engine whose history carries steps."""

    def __init__(self, engine: BagEngine) -> None:
        self.engine = engine
        self.step: Step = Step(version=0, root={}, next_action="", segment_to_run=0, loop_counter=0)

    def init(self, state: Mapping[str, Any] | None = None, *, document: Mapping[str, Any], **given: Any) -> Step:
        raw = {**WHO, "workflow_config": document, "initial_state": dict(state or {}), **given}
        self.step = self.engine.init(raw, "run")
        return self.step

    def execute(self, **options: Any) -> Step:
        self.step = self.engine.execute_segment(self.place, self.step.segment_to_run, **options)
        return self.step

    def act(self, action: str, **payload: Any) -> Step:
        self.step = self.engine.act(action, self.place, payload)
        return self.step

    @property
    def place(self) -> Place:
        return place_of(self.step)

    @property
    def bag(self) -> Bag:
        return self.engine.read_bag(self.place)

    @property
    def user(self) -> dict[str, Any]:
        return self.bag.user.whole()


def place_of(step: Step) -> Place:
    return Place(owner_id="owner", workflow_id="workflow", execution_id="run", version=step.version, root=step.root)


@pytest.fixture
def engine(store: BlobStore, registry: NodeRegistry, clock: Callable[[], datetime]) -> Engine:
    return Engine(BagEngine(store, registry, now=clock))
