"""The engine forks, gives each branch a bag of its own, and joins them from pointers to these."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from statebag.bag import Bag, BagEngine, Place, StateDataManager, Step, read_all
from statebag.blobs import BlobStore, ExecutionBlobs
from statebag.errors import BagConflict, StateBagError, StoreUnavailable
from statebag.nodes import NodeRegistry
from statebag.testing import FaultyBackend
from tests.bag.doors import run_at_the_door, run_at_the_engine

WHO = {"ownerId": "owner", "workflowId": "workflow"}


def node(name: str, *, outside: bool = False, **config: Any) -> dict[str, Any]:
    return {"id": name, "type": "web" if outside else "set", "config": config}


def group(name: str, *branches: Sequence[Mapping[str, Any]], **config: Any) -> dict[str, Any]:
    bodies = [{"branch_id": f"b{index}", "nodes": list(nodes)} for index, nodes in enumerate(branches)]
    return {"id": name, "type": "parallel_group", "config": config, "branches": bodies}


def document(*nodes: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    edges = [{"source": one["id"], "target": other["id"]} for one, other in itertools.pairwise(nodes)]
    return {"nodes": list(nodes), "edges": edges, **more}


class Forked:
    """A run that has come to its first fork."""

    def __init__(self, engine: Any, *branches: Sequence[Mapping[str, Any]], state: Any = None, **config: Any) -> None:
        self.run = engine
        doc = document(node("a", set={"x": 1}), group("fan", *branches, **config), node("z", set={"z": 1}))
        engine.init(state or {}, document=doc)
        engine.execute()
        self.at = engine.execute()

    def place(self, lineage: str = "child", step: Step | None = None) -> Place:
        at = step or self.at
        where = {"owner_id": "owner", "workflow_id": "workflow", "execution_id": "run"}
        return Place(**where, version=at.version, root=at.root, lineage=lineage)

    def begin(self, position: int, lineage: str = "child", **options: Any) -> Step:
        return self.run.engine.begin_branch(self.place(lineage), position, **options)

    def bag(self, step: Step) -> Bag:
        return self.run.engine.read_bag(self.place(step=step))


def test_a_fork_says_how_its_branches_run(engine: Any) -> None:
    forked = Forked(engine, [node("b")], [node("c")], [node("d")], max_concurrency=2)
    assert forked.at.next_action == "PARALLEL_GROUP"
    assert forked.at.extra == {"fork": {"total": 3, "batches": [3], "max_concurrency": 2}}
    kernel = engine.bag.kernel
    assert [pending["branch_id"] for pending in kernel.pending_branches] == ["b0", "b1", "b2"]
    assert kernel.convergence_segment == 2
    (entry,) = [entry for entry in kernel.state_history.entries if entry["type"] == "fork"]
    assert (entry["name"], entry["branches"], entry["batches"], entry["strategy"]) == ("fan", 3, [3], "DEFAULT")


@pytest.mark.parametrize(
    ("policy", "own", "limit"),
    [(None, None, 100), (None, 7, 7), (None, 700, 100), (4, None, 4), (4, 7, 4), (9, 7, 7)],
)
def test_the_smaller_limit_counts(engine: Any, policy: int | None, own: int | None, limit: int) -> None:
    config: dict[str, Any] = {} if own is None else {"max_concurrency": own}
    if policy is not None:
        config["resource_policy"] = {"strategy": "RESOURCE_OPTIMIZED", "max_concurrent_branches": policy}
    forked = Forked(engine, [node("b")], [node("c")], **config)
    assert forked.at.extra["fork"]["max_concurrency"] == limit


def test_a_thousand_branches_make_no_bag_too_large(engine: Any) -> None:
    branches = [[node(f"b{index}", set={"collected_numbers": [index]})] for index in range(1000)]
    forked = Forked(engine, *branches)
    (listed,) = forked.bag(forked.at).kernel.pending_branches
    assert listed["total"] == 1000
    assert forked.bag(forked.at).control.payload_size_kb < 16
    ended = {position: forked.begin(position, f"child-{position}") for position in (0, 999)}
    results = [{"position": at, "status": "COMPLETE", "bag": step.root} for at, step in ended.items()]
    joined = engine.engine.act("aggregate_branches", forked.place("main"), {"parallel_results": results})
    assert forked.bag(joined).user["collected_numbers"] == [0, 999]
    assert forked.bag(joined).kernel.pending_branches == ()


def test_batches_are_those_of_the_schedule(engine: Any) -> None:
    policy = {"strategy": "RESOURCE_OPTIMIZED", "max_concurrent_branches": 2}
    forked = Forked(engine, *([node(f"n{index}")] for index in range(5)), resource_policy=policy)
    assert forked.at.extra["fork"]["batches"] == [2, 2, 1]
    assert engine.bag.kernel.execution_batches == ([0, 1], [2, 3], [4])
    assert len(engine.bag.kernel.pending_branches) == 5


def test_a_branch_begins_with_the_fork_s_variables_and_counts_for_itself(engine: Any) -> None:
    forked = Forked(engine, [node("b", outside=True), node("b2")], [node("c")], state={"given": "x" * 9_000})
    step = forked.begin(0)
    assert (step.version, step.next_action, step.segment_to_run, step.loop_counter) == (1, "STARTED", 0, 0)
    assert step.extra == {
        "branch_id": "b0",
        "branch_index": 0,
        "path": "1/b0",
        "total_segments": 2,
        "max_branch_iterations": engine.bag.control.max_branch_iterations,
        "executed": False,
    }
    assert step.next["mode"] == "activity"
    bag, parent = forked.bag(step), engine.bag
    assert bag.user.whole() == {"given": "x" * 9_000, "x": 1}
    assert bag.kernel.state_history.count == 0
    assert (bag.kernel.pending_branches, bag.kernel.partition_stack) == ((), ())
    assert bag.kernel.workflow_config == parent.kernel.workflow_config
    assert bag.kernel.forked_at == (2,)
    same = ("execution_id", "ownerId", "workflowId", "start_time", "MOCK_MODE", "max_branch_iterations")
    assert {name: getattr(bag.control, name) for name in same} == {name: getattr(parent.control, name) for name in same}


def test_a_quick_first_segment_is_run_at_once(engine: Any) -> None:
    forked = Forked(engine, [node("b", set={"b": 1}), node("b2", outside=True)], [node("c", set={"c": 1})])
    first, second = forked.begin(0, "one"), forked.begin(1, "two")
    assert (first.version, first.next_action, first.segment_to_run, first.loop_counter) == (1, "CONTINUE", 1, 1)
    assert first.extra["executed"]
    assert first.next["mode"] == "activity"
    assert (second.next_action, second.extra["executed"]) == ("COMPLETE", True)
    assert forked.bag(second).user.whole() == {"x": 1, "c": 1}


@pytest.mark.parametrize("own", [{"retry_config": {"max_retries": 1}}, {"timeout_seconds": 7}], ids=str)
def test_a_first_segment_with_a_time_or_retries_of_its_own_is_left_to_a_call_of_its_own(engine: Any, own: Any) -> None:
    forked = Forked(engine, [node("b", set={"b": 1}, **own)], [node("c")])
    step = forked.begin(0)
    assert (step.next_action, step.extra["executed"]) == ("STARTED", False)
    assert step.next["mode"] == "local"


def test_a_branch_may_begin_with_a_question(engine: Any) -> None:
    forked = Forked(engine, [{**node("b", set={"b": 1}), "hitp": True}], [node("c")])
    step = forked.begin(0)
    assert (step.next_action, step.extra["executed"]) == ("PAUSED_FOR_HITP", False)
    place = replace(forked.place(step=step), lineage="child")
    answered = engine.engine.act("merge_callback", place, {"callback_result": {"decision": "APPROVED"}})
    assert (answered.next_action, answered.segment_to_run) == ("CONTINUE", 0)


def test_a_branch_may_begin_with_a_fork(engine: Any) -> None:
    forked = Forked(engine, [group("g", [node("b")], [node("c")])], [node("d")])
    step = forked.begin(0)
    assert (step.next_action, step.extra["executed"], step.extra["fork"]["total"]) == ("PARALLEL_GROUP", True, 2)
    inner = engine.engine.begin_branch(replace(forked.place(step=step), lineage="inner"), 1)
    assert (inner.extra["path"], inner.extra["branch_id"]) == ("1/B0/0/b1", "b1")
    assert forked.bag(inner).kernel.forked_at == (2, 1)


@pytest.mark.parametrize("position", [-1, 2, 99])
def test_only_a_pending_branch_begins(engine: Any, position: int) -> None:
    forked = Forked(engine, [node("b")], [node("c")])
    with pytest.raises(StateBagError, match="2 branches are pending") as refused:
        forked.begin(position)
    assert refused.value.code == "RESULT_INVALID"
    with pytest.raises(StateBagError, match="0 branches are pending"):
        engine.engine.begin_branch(forked.place(step=forked.begin(0)), 0)


def test_a_branch_begins_once_however_often_it_is_tried(engine: Any) -> None:
    forked = Forked(engine, [node("b", set={"b": 1})], [node("c", set={"c": 1})])
    first = forked.begin(0, "one")
    assert forked.begin(0, "one", attempt=2) == first
    assert forked.begin(0, "another").root["sha256"] != first.root["sha256"]
    with pytest.raises(BagConflict):
        forked.begin(1, "one")


def test_what_fails_for_now_leaves_no_branch_behind(engine: Any) -> None:
    forked = Forked(engine, [node("b", busy=1, set={"b": 1})], [node("c")])
    with pytest.raises(StoreUnavailable):
        forked.begin(0, "one")
    assert forked.begin(0, "one", attempt=2).next_action == "COMPLETE"


def test_a_first_segment_that_fails_for_good_fails_the_branch(engine: Any) -> None:
    forked = Forked(engine, [node("b", fail="broken")], [node("c")])
    step = forked.begin(0)
    assert (step.next_action, step.extra["executed"]) == ("FAILED", True)
    assert step.error is not None
    assert step.error["code"] == "NODE_FAILED"


def join(forked: Forked, *results: Mapping[str, Any]) -> Step:
    return forked.run.act("aggregate_branches", parallel_results=list(results))


def done(step: Step, position: int, **more: Any) -> dict[str, Any]:
    return {"position": position, "status": "COMPLETE", "bag": step.root, **more}


def test_branches_are_joined_from_pointers_to_their_bags(engine: Any) -> None:
    forked = Forked(
        engine,
        [node("b", set={"b": "y" * 9_000, "collected_items": [0, 1]}, logs=[{"type": "note", "node_id": "b"}])],
        [node("c", set={"c": 1, "collected_items": [0, 2]})],
        state={"collected_items": [0]},
    )
    steps = [forked.begin(index, f"lineage-{index}") for index in range(2)]
    joined = join(forked, done(steps[1], 1), done(steps[0], 0))
    assert (joined.next_action, joined.segment_to_run) == ("CONTINUE", 2)
    assert engine.user == {"x": 1, "b": "y" * 9_000, "c": 1, "collected_items": [0, 1, 2]}
    history = [entry for entry in engine.bag.kernel.state_history.entries if entry["type"] != "fork"]
    assert [entry.get("node_id", entry.get("segment_id")) for entry in history] == ["0", "b", "1/B0/0", "1/B1/0"]
    assert engine.bag.kernel.pending_branches == ()
    assert engine.bag.kernel.forked_at == ()


def test_a_branch_that_failed_brings_its_history_and_nothing_else(engine: Any) -> None:
    forked = Forked(
        engine, [node("b", set={"b": 1}), node("b2", outside=True, fail="broken")], [node("c", set={"c": 1})]
    )
    first = forked.begin(0, "one")
    failed = engine.engine.execute_segment(replace(forked.place(step=first), lineage="one"), 1, action="sync_branch")
    second = forked.begin(1, "two")
    result = {"position": 0, "status": "FAILED", "error_info": failed.error, "bag": failed.root}
    joined = join(forked, result, done(second, 1))
    assert joined.next_action == "CONTINUE"
    assert engine.user == {"x": 1, "c": 1}
    segments = [entry["segment_id"] for entry in engine.bag.kernel.state_history.entries if entry["type"] == "segment"]
    assert segments == ["0", "1/B0/0", "1/B0/1", "1/B1/0"]
    listed = engine.bag.kernel.failed_segments
    assert listed is not None
    assert [(line["branch_id"], line["error"]["code"]) for line in listed["sample"]] == [("b0", "NODE_FAILED")]


def test_a_branch_that_left_nothing_has_a_name_all_the_same(engine: Any) -> None:
    forked = Forked(engine, [node("b")], [node("c", set={"c": 1})])
    lost = {"position": 0, "status": "FAILED", "error_info": {"code": "BRANCH_LOST", "message": "gone"}}
    join(forked, lost, done(forked.begin(1), 1))
    summary = engine.bag.kernel.distributed_chunk_summary
    assert summary is not None
    assert [(line["branch_id"], line["branch_index"], line["status"]) for line in summary["chunk_results"]] == [
        ("b0", 0, "FAILED"),
        ("b1", 1, "COMPLETE"),
    ]


@pytest.mark.parametrize("wrong", ["missing", "foreign", "no bag"])
def test_a_bag_that_can_t_be_read_is_a_failed_branch(engine: Any, store: BlobStore, wrong: str) -> None:
    forked = Forked(engine, [node("b", set={"b": 1})], [node("c", set={"c": 1})])
    pointer = dict(forked.begin(0, "one").root)
    if wrong == "missing":
        pointer["sha256"] = "0" * 64
        pointer["key"] = pointer["key"].replace(forked.begin(0, "one").root["sha256"], "0" * 64)
    elif wrong == "foreign":
        pointer = store.execution("owner", "workflow", "other").put({}, kind="bag").to_json()
    else:
        pointer = store.execution("owner", "workflow", "run").put({"x": 1}, kind="bag").to_json()
    joined = join(forked, {"position": 0, "status": "COMPLETE", "bag": pointer}, done(forked.begin(1, "two"), 1))
    assert joined.next_action == "CONTINUE"
    assert engine.user == {"x": 1, "c": 1}
    listed = engine.bag.kernel.failed_segments
    assert listed is not None
    codes = {"missing": "POINTER_NOT_FOUND", "foreign": "POINTER_FORBIDDEN", "no bag": "BAG_MALFORMED"}
    assert listed["sample"][0]["error"]["code"] == codes[wrong]


def test_a_store_that_is_away_is_no_failed_branch(engine: Any, backend: FaultyBackend, registry: NodeRegistry) -> None:
    forked = Forked(engine, [node("b", set={"b": 1})], [node("c", set={"c": 1})])
    steps = [forked.begin(index, f"lineage-{index}") for index in range(2)]
    results = [done(step, index) for index, step in enumerate(steps)]
    other = BagEngine(BlobStore(backend), registry)
    other.read_bag(forked.place())
    with backend.outage(), pytest.raises(StoreUnavailable):
        other.act("aggregate_branches", engine.place, {"parallel_results": results})
    assert join(forked, *results).next_action == "CONTINUE"


def test_joining_reads_only_what_branches_changed(engine: Any, backend: FaultyBackend, registry: NodeRegistry) -> None:
    state = {f"given_{index}": "x" * 3_000 for index in range(200)}
    forked = Forked(engine, [node("b", set={"b": 1})], [node("c", set={"given_7": 1})], state=state)
    steps = [forked.begin(index, f"lineage-{index}") for index in range(2)]
    fresh = BagEngine(BlobStore(backend), registry)
    before = backend.calls["read"]
    results = [done(step, index) for index, step in enumerate(steps)]
    step = fresh.act("aggregate_branches", engine.place, {"parallel_results": results})
    assert backend.calls["read"] - before < 40
    merged = fresh.read_bag(forked.place(step=step)).user.whole()
    assert merged == {**state, "x": 1, "b": 1, "given_7": 1}


@pytest.mark.parametrize("broken", ["x", 3, {"a": 1}])
def test_a_bag_whose_forks_are_no_list_is_refused(engine: Any, blobs: ExecutionBlobs, broken: Any) -> None:
    Forked(engine, [node("b")], [node("c")])
    with pytest.raises(StateBagError, match="forked_at"):
        Bag.from_json({**engine.bag.to_json(), "forked_at": broken}, blobs)


DOCUMENTS: Mapping[str, dict[str, Any]] = {
    "fork": document(
        node("a", set={"x": 1, "collected_items": [0], "gone": 1, "big": "x" * 40_000}),
        group(
            "fan",
            [
                node("b", set={"b": 1, "shared": "b", "collected_items": [0, 1]}),
                node("b2", copy={"b2": "b"}, outside=True),
            ],
            [node("c", set={"c": "y" * 50_000, "shared": "c"}), node("c2", outside=True, unset=["gone"])],
            [node("d", fail="broken", set={"never": 1})],
        ),
        node("z", copy={"z": "shared"}),
    ),
    "keep first": document(
        node("a"),
        group(
            "fan",
            [node("b", set={"shared": "b", "list": [1]})],
            [node("c", set={"shared": "c", "list": [2]}, outside=True)],
            branch_policy={"on_conflict": "keep_first", "append_keys": ["list"]},
        ),
    ),
    "batches": document(
        node("a"),
        group(
            "fan",
            *([node(f"b{index}", set={f"v{index}": index, "collected_items": [index]})] for index in range(7)),
            resource_policy={"strategy": "RESOURCE_OPTIMIZED", "max_concurrent_branches": 3},
        ),
        node("z", set={"z": 1}),
    ),
    "single": document(
        node("a", set={"x": 1}),
        group("fan", [node("b", set={"b": 1}), node("b2", outside=True, copy={"b2": "b"}), node("b3", set={"b3": 1})]),
        node("z", copy={"z": "b3"}),
    ),
    "single in a branch": document(
        node("a", set={"x": 1}),
        group(
            "fan",
            [node("b"), group("g", [node("c", set={"c": 1}), node("c2", outside=True)]), node("d", set={"d": 1})],
            [node("e")],
        ),
        node("z", copy={"z": "d"}),
    ),
    "large": document(
        node("a", set={"x": 1}),
        group("fan", *([node(f"b{index}", outside=True, set={f"v{index}": "x" * 9_000})] for index in range(40))),
        node("z", copy={"z": "v39"}),
    ),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_both_doors_end_in_the_same_state(
    name: str, manager: StateDataManager, registry: NodeRegistry, store: BlobStore, engine: Any
) -> None:
    """The Lambda-shaped door, where branches carry their bags, and the engine, where they have bags of their own."""
    raw = {**WHO, "workflow_config": DOCUMENTS[name], "initial_state": {"given": [1, {"a": None}]}}
    ours = run_at_the_engine(engine.engine, raw, "ours")
    theirs = run_at_the_door(manager, registry, store, raw, "theirs")
    assert ours.user.whole() == theirs.user.whole()
    assert len(ours.user.whole()) > 2
    assert ours.control.loop_counter == theirs.control.loop_counter
    assert nodes_of(ours, store, "ours") == nodes_of(theirs, store, "theirs")
    for one, other in ((ours.kernel.failed_segments, theirs.kernel.failed_segments),):
        assert (one and one["count"]) == (other and other["count"])
    assert conflicts(ours) == conflicts(theirs)


def nodes_of(bag: Bag, store: BlobStore, execution_id: str) -> list[str]:
    """The nodes that ran, by the history."""
    blobs = store.execution("owner", "workflow", execution_id)
    entries = list(read_all(bag.kernel.state_history, blobs))
    assert len({entry.get("log_id", str(index)) for index, entry in enumerate(entries)}) == len(entries)
    return [step.partition(":")[0] for entry in entries for step in entry.get("steps", ())]


def conflicts(bag: Bag) -> Any:
    summary = bag.kernel.distributed_chunk_summary
    return None if summary is None else summary["conflicts"]
