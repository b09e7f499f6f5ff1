"""What is repeated, how often, and what a caller gets in the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from statebag.blobs import BlobStore, ExecutionBlobs, LocalBackend, RetryPolicy
from statebag.errors import OffloadFailed, PointerNotFound, StateBagError, StoreUnavailable
from statebag.testing import FaultyBackend


@dataclass
class Setup:
    """A store whose pauses are written down instead of waited for."""

    backend: FaultyBackend
    pauses: list[float] = field(default_factory=list[float])

    def open(self, **policy: float) -> ExecutionBlobs:
        retry = RetryPolicy(sleep=self.pauses.append, **policy)  # pyright: ignore[reportArgumentType]
        return BlobStore(self.backend, cache_bytes=0, retry=retry).execution("o", "w", "e")


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(FaultyBackend(LocalBackend(tmp_path)))


def test_passing_fault_is_not_seen(setup: Setup) -> None:
    blobs = setup.open()
    setup.backend.fail_next_writes(2)
    pointer = blobs.put([1], kind="field")
    setup.backend.fail_next_reads(2)
    assert blobs.get(pointer) == [1]
    assert dict(setup.backend.calls) == {"write_if_absent": 3, "read": 3}
    assert (blobs.stats().reads, blobs.stats().writes) == (3, 3)
    assert len(setup.pauses) == 4


def test_pauses_are_jittered_below_growing_bounds(setup: Setup) -> None:
    blobs = setup.open(attempts=8)
    for _ in range(40):
        setup.backend.fail_next_writes(7)
        blobs.put([1], kind="field")
    bounds = [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    for index, bound in enumerate(bounds):
        drawn = setup.pauses[index::7]
        assert len(drawn) == 40
        assert all(0 <= pause <= bound for pause in drawn)
        # Full jitter: forty draws reach both halves of the range.
        assert min(drawn) < bound / 2 < max(drawn)


def test_write_outage_ends_in_offload_failed(setup: Setup) -> None:
    blobs = setup.open()
    before = blobs.put({"old": 1}, kind="field")
    with setup.backend.outage(), pytest.raises(OffloadFailed) as caught:
        blobs.put({"new": 2}, kind="field")
    assert caught.value.code == "OFFLOAD_FAILED"
    assert caught.value.retryable
    assert isinstance(caught.value.__cause__, StoreUnavailable)
    assert len(setup.pauses) == 2
    assert blobs.get(before) == {"old": 1}
    assert [item.key for item in setup.backend.list("")] == [before.key]
    assert blobs.get(blobs.put({"new": 2}, kind="field")) == {"new": 2}


def test_read_outage_ends_in_store_unavailable(setup: Setup) -> None:
    blobs = setup.open()
    pointer = blobs.put([1], kind="field")
    with setup.backend.outage():
        with pytest.raises(StoreUnavailable):
            blobs.get(pointer)
        with pytest.raises(StoreUnavailable):
            blobs.get_many([pointer])
    assert blobs.get(pointer) == [1]


def test_failed_write_is_not_taken_for_done(setup: Setup) -> None:
    blobs = BlobStore(setup.backend, retry=RetryPolicy(sleep=setup.pauses.append)).execution("o", "w", "e")
    with setup.backend.outage(), pytest.raises(OffloadFailed):
        blobs.put([1], kind="field")
    pointer = blobs.put([1], kind="field")
    assert setup.backend.inner.exists(pointer.key)


def test_one_attempt_means_no_pause(setup: Setup) -> None:
    blobs = setup.open(attempts=1)
    setup.backend.fail_next_writes(1)
    with pytest.raises(OffloadFailed):
        blobs.put([1], kind="field")
    assert setup.backend.calls["write_if_absent"] == 1
    assert setup.pauses == []


@pytest.mark.parametrize(
    "error",
    [StateBagError("no access", code="STORE_DENIED"), PointerNotFound("none"), RuntimeError("a bug")],
    ids=["denied", "not found", "bug"],
)
def test_final_errors_come_at_once_and_unchanged(setup: Setup, error: Exception) -> None:
    blobs = setup.open()
    pointer = blobs.put([1], kind="field")
    setup.backend.fail_next_reads(1, error)
    with pytest.raises(type(error)) as caught:
        blobs.get(pointer)
    assert caught.value is error
    setup.backend.fail_next_writes(1, error)
    with pytest.raises(type(error)) as caught:
        blobs.put([2], kind="field")
    assert caught.value is error
    assert setup.pauses == []


def test_final_error_after_a_passing_one_ends_the_tries(setup: Setup) -> None:
    blobs = setup.open()
    denied = StateBagError("no access", code="STORE_DENIED")
    setup.backend.fail_next_writes(1)
    setup.backend.fail_next_writes(1, denied)
    with pytest.raises(StateBagError) as caught:
        blobs.put([1], kind="field")
    assert caught.value is denied
    assert len(setup.pauses) == 1


def test_lost_answer_to_a_put_changes_nothing(setup: Setup) -> None:
    blobs = setup.open()
    setup.backend.lose_next_answers(1)
    pointer = blobs.put({"a": 1}, kind="field")
    assert blobs.get(pointer) == {"a": 1}
    assert len(list(setup.backend.list(""))) == 1


def test_delay_of_the_fake_is_its_own(tmp_path: Path) -> None:
    waited: list[float] = []
    backend = FaultyBackend(LocalBackend(tmp_path), delay_seconds=0.25, sleep=waited.append)
    assert backend.write_if_absent("a/b", b"1")
    assert backend.read("a/b") == b"1"
    assert waited == [0.25, 0.25]
