"""Waves: an item is behind all that it depends on, and no further behind than it must."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statebag.errors import NodeFailed
from statebag.maps import compress, expand, find_waves, read_needs
from tests.maps.test_manifest import graphs

LAW = settings(deadline=None, max_examples=100)


@LAW
@given(needs=graphs())
def test_a_wave_is_one_behind_the_last_of_those_it_depends_on(needs: list[tuple[int, ...]]) -> None:
    waves = find_waves(needs, names=[str(index) for index in range(len(needs))], where="map")
    assert len(waves) == len(needs)
    for index, wanted in enumerate(needs):
        assert waves[index] == max((waves[one] + 1 for one in wanted), default=0)


@LAW
@given(needs=graphs(), size=st.integers(2, 5))
def test_a_cycle_is_found_and_named(needs: list[tuple[int, ...]], size: int) -> None:
    count = len(needs)
    ring = [(count + (step + 1) % size,) for step in range(size)]
    with pytest.raises(NodeFailed, match=f"map `m`: {size} items depend on each other") as failed:
        find_waves([*needs, *ring], names=[f"i{index}" for index in range(count + size)], where="map `m`")
    assert failed.value.code == "ITEMS_DEPENDENCY"
    assert f"i{count}" in failed.value.message


def test_a_cycle_names_five_of_those_that_can_not_run() -> None:
    needs = [(1,), (0,), *((index - 1,) for index in range(2, 9))]
    with pytest.raises(NodeFailed) as failed:
        find_waves(needs[:1] + needs[1:], names=list("abcdefghi"), where="map")
    assert "9 items depend on each other, or on some that do: a, b, c, d, e …" in failed.value.message


def test_a_long_chain_takes_no_room_in_its_sizes() -> None:
    waves = find_waves([(index - 1,) if index else () for index in range(20_000)], names=[""] * 20_000, where="map")
    assert waves == list(range(20_000))
    assert compress([1] * 20_000) == [[1, 20_000]]


@given(st.lists(st.integers(0, 4)))
def test_sizes_compress_and_expand(sizes: list[int]) -> None:
    runs = compress(sizes)
    assert expand(runs) == sizes
    assert all(one[0] != other[0] for one, other in pairwise(runs))


def needs_of(items: Any) -> Any:
    return read_needs(items, id_key="id", depends_on="after", where="map `m`")


def test_ids_are_texts_or_whole_numbers_and_named_once_or_in_a_list() -> None:
    items = [{"id": 1, "after": ["2", 2, "b"]}, {"id": "2", "after": None}, {"id": "b", "after": 2}, {"id": "", "x": 1}]
    found = needs_of(items)
    assert found.ids == ("1", "2", "b", "")
    assert found.of == ((1, 2), (), (1,), ())


@pytest.mark.parametrize(
    ("items", "text"),
    [
        ([1], "item 0 has no `id`"),
        ([{"id": None}], "item 0 has no `id`"),
        ([{"id": True}], "item 0 has no `id`"),
        ([{"id": 1.5}], "item 0 has no `id`"),
        ([{"id": "a"}, {"id": "b", "after": {"a": 1}}], "item 1: `after` must be a list of ids"),
        ([{"id": "a"}, {"id": "b", "after": [["a"]]}], "item 1: `after` must be a list of ids"),
        ([{"id": "a"}, {"id": 1}, {"id": "1"}], "several items have the `id` '1'"),
        ([{"id": "a", "after": ["b"]}], "item 0 depends on 'b', and no item has that `id`"),
    ],
)
def test_items_without_a_usable_id_are_refused(items: list[Any], text: str) -> None:
    with pytest.raises(NodeFailed) as failed:
        needs_of(items)
    assert failed.value.code == "ITEMS_DEPENDENCY"
    assert failed.value.message.startswith(f"map `m`: {text}")


def test_an_item_that_depends_on_itself_is_a_cycle() -> None:
    found = needs_of([{"id": "a", "after": "a"}])
    with pytest.raises(NodeFailed, match="Break the cycle"):
        find_waves(found.of, names=found.ids, where="map")
