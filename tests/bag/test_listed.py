"""A list that is in the store in pages is a field like any other, for whoever reads it."""

from __future__ import annotations

from typing import Any

import pytest

from statebag.bag import STEP_FUNCTIONS, TEMPORAL, Bag, Control, Kernel, OffloadPolicy, UserFields, offload
from statebag.bag._fields import Listed
from statebag.blobs import ExecutionBlobs, Pointer, is_pointer
from statebag.testing import FaultyBackend

PAGES = [[1, {"$ptr": 1}], [], ["x" * 5_000, None], [[2]]]
WHOLE = [element for page in PAGES for element in page]


def listed(blobs: ExecutionBlobs, pages: Any = PAGES) -> Listed:
    pointers: list[Pointer] = [blobs.put(page, kind="items") for page in pages]
    return Listed.of(pointers, sum(map(len, pages)), blobs)


def fields(blobs: ExecutionBlobs, *, paged: bool = True, **more: Any) -> UserFields:
    user = UserFields.of({"a": 1, "big": "y" * 5_000, **more}, blobs).change({"out": listed(blobs)})
    return user.settle(field_limit=2_048, paged=paged)


@pytest.mark.parametrize("paged", [True, False])
def test_it_reads_as_the_list_before_it_is_settled_and_after(blobs: ExecutionBlobs, *, paged: bool) -> None:
    fresh = UserFields.of({"a": 1}, blobs).change({"out": listed(blobs)})
    for user in (fresh, fresh.settle(field_limit=2_048, paged=paged)):
        assert user["out"] == user.get("out") == WHOLE
        assert user.whole() == {"a": 1, "out": WHOLE}
        assert list(user.names()) == ["a", "out"]
        assert "out" in user
        assert user.change({}, ["out"]).whole() == {"a": 1}


@pytest.mark.parametrize("paged", [True, False])
def test_settling_moves_no_element(blobs: ExecutionBlobs, backend: FaultyBackend, *, paged: bool) -> None:
    pointer = listed(blobs).pointer
    user = fields(blobs, paged=paged)
    assert is_pointer(user.entries()["out"])
    assert Pointer.from_json(user.entries()["out"]) == pointer
    assert blobs.get(pointer)["count"] == len(WHOLE)


def test_prefetch_gives_the_list_with_other_fields(blobs: ExecutionBlobs) -> None:
    user = fields(blobs, second="z" * 3_000).forget()
    user.prefetch(["out", "big", "second", "a", "absent"])
    assert (user["out"], user["big"], user["second"]) == (WHOLE, "y" * 5_000, "z" * 3_000)


def test_another_worker_reads_the_same(blobs: ExecutionBlobs, cold: Any) -> None:
    node = fields(blobs).node
    assert UserFields(cold(), node).whole() == {"a": 1, "big": "y" * 5_000, "out": WHOLE}


def test_differences_tell_it_as_a_list_and_only_where_it_differs(blobs: ExecutionBlobs) -> None:
    before = fields(blobs)
    assert fields(blobs).differences(before) == ({}, ())
    plain = UserFields.of({"a": 1, "big": "y" * 5_000}, blobs).settle(field_limit=2_048, paged=True)
    assert before.differences(plain) == ({"out": WHOLE}, ())
    assert plain.differences(before) == ({}, ("out",))
    other = before.change({"out": listed(blobs, [[1], [2]])}).settle(field_limit=2_048, paged=True)
    assert other.differences(before) == ({"out": [1, 2]}, ())
    assert before.change({"b": 2}).settle(field_limit=2_048, paged=True).differences(before) == ({"b": 2}, ())


@pytest.mark.parametrize("policy", [STEP_FUNCTIONS, TEMPORAL], ids=lambda policy: policy.name)
@pytest.mark.parametrize("filler", [0, 200])
def test_a_bag_keeps_it_under_both_policies(
    blobs: ExecutionBlobs, cold: Any, policy: OffloadPolicy, filler: int
) -> None:
    more = {f"field_{number}": "w" * 1_500 for number in range(filler)}
    user = UserFields.of(more, blobs).change({"out": listed(blobs)})
    bag, size = offload(Bag(control=Control(execution_id="run"), kernel=Kernel(), user=user), policy, blobs)
    assert size <= policy.refuse
    again = Bag.from_json(bag.to_json(), cold())
    assert again.user.whole() == {**more, "out": WHOLE}
    once_more, _ = offload(again, policy, blobs)
    assert once_more.user["out"] == WHOLE
