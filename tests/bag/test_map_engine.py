"""The distributed map at the engine: prepared, run in chunks, joined, and gone on with, each step once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from statebag.bag import Bag, Place, RunEngine, Step
from statebag.blobs import BlobStore
from statebag.config import Node
from statebag.errors import NodeFailed, Problem, StateBagError
from statebag.nodes import NodeContext, NodeOutput, NodeRegistry, Scope, builtin_registry
from tests.bag.conftest import WHO
from tests.mapping import mapping
from tests.rig import chain, sets


class Ledger:
    """A node type that books items, and fails for those that are bad."""

    name: ClassVar[str] = "ledger"

    def __init__(self, *, outside: bool) -> None:
        self.outside = outside
        self.bad: list[Any] = []
        self.tried: list[Any] = []

    def check(self, node: Node, path: str) -> Iterable[Problem]:
        return ()

    def reads(self, node: Node) -> frozenset[str] | None:
        return frozenset({"item"})

    def run(self, node: Node, scope: Scope, context: NodeContext) -> NodeOutput:
        self.tried.append(scope["item"])
        if scope["item"] in self.bad:
            raise NodeFailed(f"{scope['item']} is bad")
        return NodeOutput(changes={"booked": scope["item"]})


def silent(_: object) -> None:
    """Takes a sign of life."""


class Driver:
    """A run with one map over ``xs``, step by step."""

    def __init__(self, store: BlobStore, ledger: Ledger, now: Any) -> None:
        self.ledger = ledger
        registry: NodeRegistry = builtin_registry().extend([ledger])
        self.engine = RunEngine(store, registry, now=now)
        self.lineage = "main"
        self.step = Step(version=0, root={}, next_action="", segment_to_run=0, loop_counter=0)

    def begin(self, xs: Any, **config: Any) -> Step:
        """To where the map is announced."""
        node = mapping({"id": "p", "type": "ledger", "config": {}}, **{"chunk_size": 2, **config})
        document = chain(sets("a", a=1), node, sets("z", z=1))
        self.step = self.engine.init({**WHO, "workflow_config": document, "initial_state": {"xs": xs}}, "run")
        for _ in range(2):
            self.step = self.engine.execute_segment(self.place, self.step.segment_to_run)
        return self.step

    def prepare(self) -> Mapping[str, Any]:
        self.step = self.engine.prepare_map(self.place, heartbeat=silent)
        return self.step.extra.get("map", {})

    def run(self, unit: int) -> dict[str, Any]:
        return self.engine.run_chunk(self.place, unit, attempt=1, max_retries=0, heartbeat=silent)

    def close(self, unit: int) -> dict[str, Any]:
        return self.engine.close_chunk(self.place, unit, {"code": "CHUNK_LOST", "message": "gone"})

    def join(self) -> Step:
        self.step = self.engine.join_map(self.place, heartbeat=silent)
        return self.step

    def redrive(self) -> Step:
        self.step = self.engine.redrive("owner", "workflow", "run", lineages=[self.lineage], lineage="second")
        self.lineage = "second"
        return self.step

    @property
    def place(self) -> Place:
        return Place(
            owner_id="owner",
            workflow_id="workflow",
            execution_id="run",
            version=self.step.version,
            root=self.step.root,
            lineage=self.lineage,
        )

    @property
    def bag(self) -> Bag:
        return self.engine.read_bag(self.place)


@pytest.fixture(params=[True, False], ids=["calls", "pure"])
def driver(request: pytest.FixtureRequest, store: BlobStore, clock: Callable[[], Any]) -> Driver:
    return Driver(store, Ledger(outside=request.param), clock)


def test_a_map_from_its_announcement_to_its_end(driver: Driver) -> None:
    step = driver.begin([1, 2, 3, 4, 5])
    assert (step.next_action, step.extra["map"]["strategy"]) == ("DISTRIBUTED_MAP", "MAP_REDUCE")
    pending = driver.bag.kernel.pending_map
    assert pending is not None
    assert pending.keys() == {"id", "plan", "segment", "visit"}
    found = driver.prepare()
    told = {name: found[name] for name in ("id", "round", "total_items", "units", "waves", "tolerated", "kind")}
    kind = "calls" if driver.ledger.outside else "items"
    assert told == {
        "id": pending["id"],
        "round": 0,
        "total_items": 5,
        "units": 3,
        "waves": [[3, 1]],
        "tolerated": 0,
        "kind": kind,
    }
    assert [driver.run(unit) for unit in (2, 0, 1)] == [{"succeeded": n, "failed": 0} for n in (1, 2, 2)]
    assert sorted(driver.ledger.tried) == [1, 2, 3, 4, 5]
    step = driver.join()
    assert (step.next_action, step.segment_to_run, step.extra["map"]) == ("CONTINUE", 2, {"failed": 0, "total": 5})
    bag = driver.bag
    assert bag.kernel.pending_map is None
    assert bag.user["out"] == [{"booked": number} for number in range(1, 6)]
    assert bag.user["m_iteration_count"] == 5
    assert bag.kernel.distributed_chunk_summary is not None
    counts = {name: bag.kernel.distributed_chunk_summary[name] for name in ("total", "succeeded", "rounds")}
    assert counts == {"total": 5, "succeeded": 5, "rounds": 1}


def test_each_step_is_taken_once(driver: Driver) -> None:
    driver.begin([1, 2, 3])
    before = driver.place
    driver.prepare()
    assert driver.engine.prepare_map(before, heartbeat=silent) == driver.step
    for unit in (0, 1):
        driver.run(unit)
    prepared = driver.place
    joined = driver.join()
    assert driver.engine.join_map(prepared, heartbeat=silent) == joined


def test_a_chunk_that_has_an_outcome_calls_nothing(driver: Driver) -> None:
    driver.begin([1, 2, 3], tolerated_failure_count=3)
    driver.prepare()
    driver.ledger.bad = [2]
    reports = [driver.run(0), driver.run(0)]
    assert reports == [{"succeeded": 1, "failed": 1}] * 2
    assert sorted(driver.ledger.tried) == [1, 2]


def test_an_outcome_that_was_recorded_first_wins_over_the_loss(driver: Driver) -> None:
    driver.begin([1, 2, 3, 4], tolerated_failure_count=4)
    driver.prepare()
    assert driver.run(0) == driver.close(0) == {"succeeded": 2, "failed": 0}
    assert driver.close(1) == {"succeeded": 0, "failed": 2}
    assert driver.run(1) == {"succeeded": 0, "failed": 2}
    assert sorted(driver.ledger.tried) == [1, 2]
    driver.join()
    out = driver.bag.user["out"]
    assert out == [{"booked": 1}, {"booked": 2}, *[{"error": {"code": "CHUNK_LOST", "message": "gone"}}] * 2]
    assert [warning["code"] for warning in driver.step.warnings] == ["ITEMS_FAILED"]


def test_the_next_round_has_what_failed_or_never_ran_and_nothing_else(driver: Driver) -> None:
    driver.begin(list(range(10)), tolerated_failure_count=0)
    driver.prepare()
    driver.ledger.bad = [3, 4]
    for unit in (0, 1, 2):
        driver.run(unit)
    driver.close(3)
    step = driver.join()
    assert (step.next_action, (step.error or {})["code"]) == ("FAILED", "TOLERANCE_EXCEEDED")
    driver.ledger.bad, driver.ledger.tried = [], []
    step = driver.redrive()
    found = step.extra["map"]
    assert (step.next_action, found["round"], found["units"], found["total_items"]) == ("DISTRIBUTED_MAP", 1, 4, 10)
    assert found["done_before"] == 2
    assert driver.bag.kernel.error is None
    assert [driver.run(unit) for unit in range(4)] == [{"succeeded": 2, "failed": 0}] * 4
    assert sorted(driver.ledger.tried) == [3, 4, 6, 7, 8, 9]
    step = driver.join()
    assert step.next_action == "CONTINUE"
    assert driver.bag.user["out"] == [{"booked": number} for number in range(10)]
    assert (driver.bag.kernel.distributed_chunk_summary or {})["rounds"] == 2


def test_a_map_that_lacks_a_chunk_has_not_succeeded(driver: Driver) -> None:
    driver.begin([1, 2, 3, 4], tolerated_failure_percentage=100)
    driver.prepare()
    driver.run(0)
    step = driver.join()
    assert (step.error or {})["code"] == "TOLERANCE_EXCEEDED"
    assert "2 of 4 items never ran" in (step.error or {})["message"]
    assert (step.error or {})["pending"] == 2


def test_dependencies_are_seen_and_those_of_failed_items_are_not_run(driver: Driver) -> None:
    items = [{"id": "c", "after": ["b"]}, {"id": "b", "after": ["a"]}, {"id": "a"}, {"id": "d"}]
    driver.begin(items, depends_on="after", tolerated_failure_percentage=100)
    assert driver.prepare()["waves"] == [[1, 3]]
    driver.run(0)
    assert driver.close(1) == {"succeeded": 0, "failed": 1}
    assert driver.run(2) == {"succeeded": 0, "failed": 1}
    driver.join()
    codes = [result.get("error", {}).get("code") for result in driver.bag.user["out"]]
    assert codes == ["DEPENDENCY_FAILED", "CHUNK_LOST", None, None]


def test_a_list_that_is_none_fails_the_step_and_leaves_a_bag_that_can_be_read(driver: Driver) -> None:
    driver.begin("no list")
    assert driver.prepare() == {}
    assert (driver.step.next_action, (driver.step.error or {})["code"]) == ("FAILED", "NODE_FAILED")
    assert driver.bag.user["xs"] == "no list"


def test_what_is_not_prepared_can_not_be_run_and_what_is_over_can_not_be_joined_again(driver: Driver) -> None:
    driver.begin([1])
    with pytest.raises(StateBagError, match="its items are not in chunks yet") as early:
        driver.run(0)
    driver.prepare()
    driver.run(0)
    driver.join()
    with pytest.raises(StateBagError, match="no map is under way") as late:
        driver.join()
    assert (early.value.code, late.value.code) == ("RESULT_INVALID", "RESULT_INVALID")


@pytest.mark.parametrize("action", ["create_snapshot", "merge_callback", "aggregate_branches"])
def test_other_actions_leave_a_pending_map_alone(driver: Driver, action: str) -> None:
    driver.begin([1, 2, 3])
    driver.prepare()
    pending = driver.bag.kernel.pending_map
    payload: dict[str, dict[str, Any]] = {
        "create_snapshot": {"snapshot_type": "pre"},
        "merge_callback": {"callback_result": {"decision": "ANSWER", "token_id": "t", "user_response": 1}},
        "aggregate_branches": {"parallel_results": [{"branch_index": 0, "branch_id": "b", "status": "COMPLETE"}]},
    }
    driver.step = driver.engine.act(action, driver.place, payload[action])
    assert pending is not None
    assert driver.bag.kernel.pending_map == pending
    driver.run(0)
    driver.run(1)
    assert driver.join().next_action == "CONTINUE"


def test_a_bag_that_is_written_and_read_keeps_its_pending_map(driver: Driver, store: BlobStore) -> None:
    driver.begin([1, 2, 3])
    driver.prepare()
    bag = driver.bag
    blobs = store.execution("owner", "workflow", "run")
    again = Bag.from_json(bag.to_json(), blobs)
    assert again.kernel == bag.kernel
    assert (again.kernel.pending_map or {}).keys() == {"id", "plan", "segment", "visit", "manifest", "work", "round"}
    without = replace(bag, kernel=replace(bag.kernel, pending_map=None))
    assert Bag.from_json(without.to_json(), blobs).kernel.pending_map is None
