"""Results of outside calls inside of a segment: kept once, recalled by later tries only."""

from collections.abc import Callable
from typing import Any

import pytest

from statebag.bag._steps import INLINE_BYTES, RecordedSteps
from statebag.blobs import ExecutionBlobs
from statebag.errors import StateBagError, StoreUnavailable
from statebag.testing import FaultyBackend

KEY = "each/3/call"


@pytest.mark.parametrize(
    "value",
    [0, "", [], {"changes": {"a": None}}, "x" * (INLINE_BYTES + 1), {"$lit": 1}, {"$ptr": 1, "kind": "x"}],
    ids=lambda value: str(value)[:12],
)
def test_a_later_try_gets_what_an_earlier_one_kept(
    value: Any, blobs: ExecutionBlobs, cold: Callable[[], ExecutionBlobs]
) -> None:
    first = RecordedSteps(blobs, "run/4", attempt=1)
    assert first.recall(KEY) is None
    first.keep(KEY, value)
    assert first.kept == 1
    second = RecordedSteps(cold(), "run/4", attempt=2)
    assert second.recall(KEY) == value
    assert second.recall("each/4/call") is None


def test_a_pointer_that_is_a_result_comes_back_as_it_is(blobs: ExecutionBlobs) -> None:
    pointer = blobs.put({"much": "x"}, kind="field").to_json()
    RecordedSteps(blobs, "run/4", attempt=1).keep(KEY, pointer)
    assert RecordedSteps(blobs, "run/4", attempt=2).recall(KEY) == pointer


def test_the_first_try_spares_the_look(blobs: ExecutionBlobs, backend: FaultyBackend) -> None:
    before = dict(backend.calls)
    assert RecordedSteps(blobs, "run/4", attempt=1).recall(KEY) is None
    assert dict(backend.calls) == before


def test_another_visit_or_run_has_steps_of_its_own(blobs: ExecutionBlobs) -> None:
    RecordedSteps(blobs, "run/4", attempt=1).keep(KEY, 1)
    for folder in ("run/5", "other/4", "run/4/deeper"):
        assert RecordedSteps(blobs, folder, attempt=2).recall(KEY) is None


@pytest.mark.parametrize("large", [False, True], ids=["inline", "stored"])
def test_where_two_tries_keep_the_first_one_s_value_stays(blobs: ExecutionBlobs, large: bool) -> None:
    value = "x" * (INLINE_BYTES + 1 if large else 1)
    RecordedSteps(blobs, "run/4", attempt=1).keep(KEY, value)
    late = RecordedSteps(blobs, "run/4", attempt=2)
    late.keep(KEY, value + "!")
    assert late.recall(KEY) == value


def test_what_is_no_json_is_not_kept(blobs: ExecutionBlobs) -> None:
    steps = RecordedSteps(blobs, "run/4", attempt=2)
    with pytest.raises(StateBagError):
        steps.keep(KEY, {"when": object()})
    assert (steps.kept, steps.recall(KEY)) == (0, None)


def test_a_store_that_is_away_is_told(blobs: ExecutionBlobs, backend: FaultyBackend) -> None:
    steps = RecordedSteps(blobs, "run/4", attempt=2)
    with backend.outage():
        with pytest.raises(StateBagError) as kept:
            steps.keep(KEY, "x" * (INLINE_BYTES + 1))
        with pytest.raises(StoreUnavailable):
            steps.recall(KEY)
    assert kept.value.retryable
    assert steps.kept == 0
    steps.keep(KEY, 1)
    assert steps.recall(KEY) == 1
