import copy
from collections.abc import Callable
from typing import Any

import pytest

from statebag.bag import Bag, StateDataManager
from statebag.blobs import BlobStore, ExecutionBlobs, RetryPolicy
from statebag.canonical import canonical_bytes
from statebag.errors import OffloadFailed, PointerCorrupt, PointerNotFound, StateBagError, StoreUnavailable
from statebag.testing import FaultyBackend

LARGE = {"large": "x" * 40_000, "larger": ["ä"] * 30_000}


def test_an_outage_is_an_error_that_may_be_repeated_and_loses_nothing(run: Any, backend: FaultyBackend) -> None:
    run.init({"a": "y" * 40_000})
    before = copy.deepcopy(run.state)
    with backend.outage(), pytest.raises((OffloadFailed, StoreUnavailable)) as failed:
        run.sync(following=1, state_delta={"set": LARGE})
    assert failed.value.retryable
    assert run.state == before
    assert run.user == {"a": "y" * 40_000}
    run.sync(following=1, state_delta={"set": LARGE})
    assert run.user == {"a": "y" * 40_000} | LARGE
    assert run.state["bag_version"] == 2


class Interrupted:
    """A backend whose writes fail from a certain one on, until it is mended."""

    parallel = False

    def __init__(self, inner: FaultyBackend) -> None:
        self.inner = inner
        self.left: int | None = None

    def read(self, key: str, *, max_bytes: int | None = None) -> bytes:
        return self.inner.read(key, max_bytes=max_bytes)

    def write_if_absent(self, key: str, data: bytes) -> bool:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise StoreUnavailable("interrupted")
        return self.inner.write_if_absent(key, data)

    def location(self) -> str:
        return self.inner.location()


@pytest.fixture
def interrupted(backend: FaultyBackend) -> Interrupted:
    return Interrupted(backend)


@pytest.fixture
def store(interrupted: Interrupted) -> BlobStore:
    return BlobStore(interrupted, retry=RetryPolicy(sleep=lambda _: None))


@pytest.mark.parametrize("written", range(4))
def test_a_write_that_fails_leaves_the_previous_bag_and_the_repeat_succeeds(
    written: int, run: Any, interrupted: Interrupted, cold: Callable[[], ExecutionBlobs]
) -> None:
    run.init({"a": 1})
    before = canonical_bytes(run.state)
    interrupted.left = written
    with pytest.raises(OffloadFailed) as failed:
        run.sync(following=1, state_delta={"set": LARGE})
    assert (failed.value.code, failed.value.retryable) == ("OFFLOAD_FAILED", True)
    assert canonical_bytes(run.state) == before
    assert Bag.from_json(run.state, cold()).user.whole() == {"a": 1}
    interrupted.left = None
    run.sync(following=1, state_delta={"set": LARGE})
    assert Bag.from_json(run.state, cold()).user.whole() == {"a": 1} | LARGE


def test_a_write_whose_answer_is_lost_is_a_write(run: Any, backend: FaultyBackend) -> None:
    run.init({"a": 1})
    backend.lose_next_answers(1)
    run.sync(following=1, state_delta={"set": LARGE})
    assert run.user == {"a": 1} | LARGE


def test_an_init_that_fails_half_way_can_be_repeated(run: Any, backend: FaultyBackend) -> None:
    with backend.outage(), pytest.raises(StateBagError) as failed:
        run.init(LARGE)
    assert failed.value.retryable
    run.init(LARGE)
    assert run.user == LARGE


def test_a_corrupted_object_is_an_error_and_never_null(
    run: Any, backend: FaultyBackend, cold: Callable[[], ExecutionBlobs]
) -> None:
    run.init({"a": "y" * 40_000, "b": 1})
    key = run.state["current_state"]["a"]["key"]
    backend.corrupt(key, lambda data: data[: len(data) // 2])
    user = Bag.from_json(run.state, cold()).user
    assert user["b"] == 1
    for read in (lambda: user["a"], lambda: user.get("a"), user.whole, lambda: user.prefetch(["a", "b"]) or user["a"]):
        with pytest.raises(PointerCorrupt) as failed:
            read()
        assert failed.value.code == "POINTER_CORRUPT"
    backend.delete(key)
    with pytest.raises(PointerNotFound):
        Bag.from_json(run.state, cold()).user["a"]


def test_a_failed_read_of_a_segment_is_repeated_then_raised(run: Any, backend: FaultyBackend, registry: Any) -> None:
    run.init({"a": 1}, segments=3)
    store = BlobStore(backend, retry=RetryPolicy(sleep=lambda _: None))
    fresh = StateDataManager(store, registry)
    event = {"action": "hydrate_segment", "state_data": run.state}
    backend.fail_next_reads(2)
    assert fresh.handle(event)["segment_id"] == "0"
    fresh = StateDataManager(BlobStore(backend, retry=RetryPolicy(sleep=lambda _: None)), registry)
    backend.fail_next_reads(3)
    with pytest.raises(StoreUnavailable):
        fresh.handle(event)


@pytest.mark.parametrize("written", range(4))
def test_an_engine_s_segment_that_fails_half_way_is_repeated_whole(
    written: int, engine: Any, chain: Any, interrupted: Interrupted
) -> None:
    engine.init({"a": 1}, document=chain({"set": LARGE}, {}, {}))
    interrupted.left = written
    with pytest.raises(OffloadFailed):
        engine.execute()
    assert engine.user == {"a": 1}
    interrupted.left = None
    step = engine.execute()
    assert (step.version, step.loop_counter) == (2, 1)
    assert engine.user == {"a": 1} | LARGE
