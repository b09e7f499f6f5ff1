"""What two maps of variables differ in, found without reading what they share."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from statebag.bag import UserFields
from statebag.blobs import BlobStore, ExecutionBlobs, LocalBackend
from statebag.canonical import canonical_bytes
from statebag.testing import FaultyBackend

LAW = settings(
    deadline=None, max_examples=120, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

NAMES = st.sampled_from([*"abcdef", "$ptr", "f", "p", *(f"field_{index}" for index in range(40))])
VALUES = st.sampled_from([None, 0, 1, True, "", "x", "x" * 900, "y" * 900, "x" * 9_000, [1, {"$ptr": 1}], {"a": None}])
STATES = st.dictionaries(NAMES, VALUES, max_size=40)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> ExecutionBlobs:
    return BlobStore(LocalBackend(tmp_path_factory.mktemp("store"))).execution("o", "w", "e")


def settled(state: dict[str, Any], blobs: ExecutionBlobs, *, paged: bool) -> UserFields:
    return UserFields.of(state, blobs).settle(field_limit=2_048, paged=paged)


def expected(one: dict[str, Any], other: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    changed = {
        name: value
        for name, value in one.items()
        if name not in other or canonical_bytes(other[name]) != canonical_bytes(value)
    }
    return changed, tuple(sorted(other.keys() - one.keys()))


@LAW
@given(one=STATES, other=STATES, paged=st.booleans(), other_paged=st.booleans())
def test_two_maps_differ_in_what_their_values_differ_in(
    one: dict[str, Any], other: dict[str, Any], paged: bool, other_paged: bool, shared: ExecutionBlobs
) -> None:
    changed, gone = settled(one, shared, paged=paged).differences(settled(other, shared, paged=other_paged))
    assert (changed, tuple(sorted(gone))) == expected(one, other)


@LAW
@given(base=STATES, changes=STATES, unset=st.sets(NAMES, max_size=6))
def test_a_map_differs_from_the_one_it_was_made_of_in_what_was_changed(
    base: dict[str, Any], changes: dict[str, Any], unset: set[str], shared: ExecutionBlobs
) -> None:
    before = settled(base, shared, paged=True)
    after = before.change(changes, unset).settle(field_limit=2_048, paged=True)
    now = {name: value for name, value in (base | changes).items() if name not in unset}
    changed, gone = after.differences(before)
    assert (changed, tuple(sorted(gone))) == expected(now, base)
    back, gone_back = before.differences(after)
    assert (back, tuple(sorted(gone_back))) == expected(base, now)
    assert before.differences(before) == ({}, ())


def test_only_pages_that_differ_are_read(
    blobs: ExecutionBlobs, cold: Callable[[], ExecutionBlobs], backend: FaultyBackend
) -> None:
    state = {f"field_{index}": "x" * 200 for index in range(5_000)}
    before = settled(state, blobs, paged=True)
    after = before.change({"field_17": 1, "new": "y" * 5_000}, ["field_18"]).settle(field_limit=2_048, paged=True)
    fresh = cold()
    one, other = UserFields(fresh, after.node), UserFields(fresh, before.node)
    reads = backend.calls["read"]
    assert one.differences(other) == ({"field_17": 1, "new": "y" * 5_000}, ("field_18",))
    # Three ways down of three pages, in both maps, and the one large value.
    assert backend.calls["read"] - reads <= 3 * 3 * 2 + 1


def test_maps_that_are_the_same_read_nothing(blobs: ExecutionBlobs, backend: FaultyBackend) -> None:
    state = {f"field_{index}": "x" * 200 for index in range(5_000)}
    fields = settled(state, blobs, paged=True)
    reads = backend.calls["read"]
    assert fields.differences(fields) == ({}, ())
    assert backend.calls["read"] == reads
