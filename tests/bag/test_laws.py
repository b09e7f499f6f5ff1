import json
import random
import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from statebag.bag import (
    STEP_FUNCTIONS,
    TEMPORAL,
    Bag,
    BranchChange,
    Control,
    Kernel,
    OffloadPolicy,
    StateDataManager,
    UserFields,
    merge_states,
    offload,
)
from statebag.blobs import BlobStore, ExecutionBlobs, LocalBackend
from statebag.canonical import canonical_bytes, parse_json
from statebag.nodes import builtin_registry

LAW = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

TEXTS = st.text(max_size=8) | st.sampled_from(["$ptr", "$lit", "f", "p", "n", "status", "ü🙂", "x" * 9_000])
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.sampled_from([2**63, 2**64, -(2**200), 1.5, -0.0, 1e300]) | TEXTS
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=8
)
BULKY = st.builds(
    lambda size, text: (text + "x") * size, st.sampled_from([1, 1_023, 2_047, 2_048, 31_000]), st.just("")
)
STATES = st.dictionaries(TEXTS, VALUES | BULKY, max_size=12)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> BlobStore:
    return BlobStore(LocalBackend(tmp_path_factory.mktemp("store")))


@pytest.fixture(scope="module")
def blobs(store: BlobStore) -> ExecutionBlobs:
    return store.execution("o", "w", "e")


@pytest.mark.parametrize("policy", [STEP_FUNCTIONS, TEMPORAL], ids=lambda policy: policy.name)
@LAW
@given(state=STATES, copies=st.sampled_from([0, 0, 300]))
def test_a_sealed_state_reads_as_it_was(
    policy: OffloadPolicy, state: dict[str, Any], copies: int, blobs: ExecutionBlobs
) -> None:
    state = state | {f"copy_{index}": "small" * 20 for index in range(copies)}
    bag = Bag(control=Control(execution_id="e"), kernel=Kernel(), user=UserFields.of(state, blobs))
    settled, size = offload(bag, policy, blobs)
    body = settled.to_json()
    data = canonical_bytes(body)
    assert (len(data), size <= policy.refuse) == (size, True)
    again = Bag.from_json(parse_json(data), blobs)
    assert canonical_bytes(again.user.whole()) == canonical_bytes(state)
    assert list(again.user.names()) == sorted(state)
    assert {name: canonical_bytes(again.user[name]) for name in state} == {
        n: canonical_bytes(v) for n, v in state.items()
    }
    assert canonical_bytes(again.to_json()) == data
    assert canonical_bytes(offload(again, policy, blobs)[0].to_json()) == data


NAMES = st.sampled_from([f"name_{index}" for index in range(60)] + ["$ptr", "", "y" * 9_000])
ENTRIES = st.sampled_from([None, 0, "v", "v" * 200, "w" * 900, "z" * 1_500, {"$ptr": 1}, {"$lit": None}])
STEPS = st.lists(st.tuples(st.dictionaries(NAMES, ENTRIES, max_size=25), st.sets(NAMES, max_size=8)), max_size=10)


@pytest.mark.parametrize("limit", [100, 1_000, 100_000])
@LAW
@given(steps=STEPS, settle=st.lists(st.booleans(), min_size=10, max_size=10))
def test_the_shape_of_a_map_depends_on_its_content_only(
    limit: int, steps: list[tuple[dict[str, Any], set[str]]], settle: list[bool], blobs: ExecutionBlobs
) -> None:
    model: dict[str, Any] = {}
    fields = UserFields(blobs)
    for (values, unset), now in zip(steps, settle, strict=False):
        fields = fields.change(values, unset)
        model |= values
        for name in unset:
            model.pop(name, None)
        if now:
            fields = fields.settle(field_limit=limit, paged=True)
        assert list(fields.names()) == sorted(model)
        assert fields.whole() == dict(sorted(model.items()))
        for name in [*model, *unset]:
            assert (name in fields) == (name in model)
            assert fields.get(name, "gone") == model.get(name, "gone")
    fields = fields.settle(field_limit=limit, paged=True)
    shuffled = list(model.items())
    random.Random(len(model)).shuffle(shuffled)
    at_once = UserFields.of(dict(shuffled), blobs).settle(field_limit=limit, paged=True)
    assert canonical_bytes(fields.node) == canonical_bytes(at_once.node)
    flat = fields.settle(field_limit=limit, paged=False)
    assert canonical_bytes(flat.whole()) == canonical_bytes(model)
    assert "f" in flat.node


def test_a_map_of_thousands_shrinks_to_the_shape_it_had(blobs: ExecutionBlobs) -> None:
    few = {f"k{index}": index for index in range(5)}
    start = UserFields.of(few, blobs).settle(field_limit=1_000, paged=True)
    many = start.change({f"m{index}": "x" * 40 for index in range(3_000)}).settle(field_limit=1_000, paged=True)
    assert "p" in many.node
    back = many.change({}, [f"m{index}" for index in range(3_000)]).settle(field_limit=1_000, paged=True)
    assert canonical_bytes(back.node) == canonical_bytes(start.node)
    assert canonical_bytes(start.node) == b'{"f":{"k0":0,"k1":1,"k2":2,"k3":3,"k4":4}}'


BRANCH = st.dictionaries(st.sampled_from(["a", "b", "x_results", "own"]), VALUES | st.just(["base", 1]), max_size=4)


@LAW
@given(base=BRANCH, branches=st.lists(BRANCH, max_size=5), seed=st.randoms(use_true_random=False))
def test_a_join_depends_on_no_order_but_that_of_the_branches(
    base: dict[str, Any], branches: list[dict[str, Any]], seed: random.Random, blobs: ExecutionBlobs
) -> None:
    def shuffle(values: dict[str, Any]) -> dict[str, Any]:
        items = list(values.items())
        seed.shuffle(items)
        return dict(items)

    def join(base: dict[str, Any], branches: list[dict[str, Any]]) -> bytes:
        changes = [BranchChange(name=str(index), state=branch) for index, branch in enumerate(branches)]
        merged = merge_states(UserFields.of(base, blobs), changes)
        fields = UserFields.of(base, blobs).change(merged.changes, merged.unset).settle(field_limit=64, paged=True)
        return canonical_bytes([fields.node, list(merged.conflicts)])

    assert join(base, branches) == join(shuffle(base), [shuffle(branch) for branch in branches])


@LAW
@given(base=BRANCH, branches=st.lists(BRANCH, min_size=1, max_size=5))
def test_a_join_takes_every_change_or_names_the_conflict(
    base: dict[str, Any], branches: list[dict[str, Any]], blobs: ExecutionBlobs
) -> None:
    changes = [BranchChange(name=str(index), state=branch) for index, branch in enumerate(branches)]
    merged = merge_states(UserFields.of(base, blobs), changes)
    contested = {conflict["field"] for conflict in merged.conflicts}
    for branch in branches:
        for name, value in branch.items():
            kept = merged.changes.get(name, base.get(name))
            if canonical_bytes(kept) == canonical_bytes(value) or name in contested:
                continue
            unchanged = name in base and canonical_bytes(base[name]) == canonical_bytes(value)
            assert unchanged or name == "x_results"


RESULTS = st.fixed_dictionaries(
    {"status": st.sampled_from(["CONTINUE", "COMPLETE", "FAILED", "SKIPPED", "PAUSE", "odd", "PAUSED_FOR_ASYNC_LLM"])},
    optional={
        "next_segment_to_run": st.none() | st.integers(0, 6),
        "state_delta": st.fixed_dictionaries({"set": STATES, "unset": st.lists(TEXTS, max_size=3)}),
        "new_history_logs": st.lists(st.dictionaries(TEXTS, SCALARS, max_size=2) | TEXTS, max_size=3),
        "error_info": VALUES,
    },
)


@settings(LAW, max_examples=25)
@given(results=st.lists(RESULTS, min_size=1, max_size=4))
def test_any_result_merged_twice_gives_one_version_and_one_answer(
    results: list[dict[str, Any]], store: BlobStore
) -> None:
    manager = StateDataManager(store, builtin_registry())
    document = {"nodes": [{"id": "a", "type": "start"}], "edges": []}
    event = {"action": "init", "execution_id": str(uuid.uuid4()), "input": {"workflow_config": document}}
    answer = manager.handle(event)
    assert manager.handle(event) == answer
    for count, result in enumerate(results, start=2):
        event = {"action": "sync", "state_data": answer["state_data"], "execution_result": result}
        before = canonical_bytes(event)
        answer = manager.handle(event)
        assert manager.handle(parse_json(json.dumps(event))) == answer
        assert canonical_bytes(event) == before
        assert answer["state_data"]["bag_version"] == count
