"""Items in chunks: put back together they are the items, and nothing of how they came shows."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from statebag.blobs import ExecutionBlobs
from statebag.canonical import canonical_bytes
from statebag.maps import PAGE_CHUNKS, Chunk, Manifest, Needs, chunk_size_for, write_manifest, write_waves

MIB = 1024 * 1024
LAW = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])

ITEMS = st.lists(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=5)
    )
    | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    max_size=60,
)


def write(items: Any, blobs: ExecutionBlobs, *, size: int, beats: list[Any] | None = None) -> Manifest:
    heartbeat = (lambda _: None) if beats is None else beats.append
    return write_manifest(items, chunk_size=size, blobs=blobs, heartbeat=heartbeat)


def items_of(manifest: Manifest, blobs: ExecutionBlobs) -> list[Any]:
    return [item for chunk in manifest.chunks(blobs) for item in blobs.get(chunk.items)["items"]]


@LAW
@given(items=ITEMS, size=st.integers(1, 70))
def test_chunks_put_back_together_are_the_items(items: list[Any], size: int, shared: ExecutionBlobs) -> None:
    manifest = write(iter(items), shared, size=size)
    chunks = list(manifest.chunks(shared))
    assert canonical_bytes(items_of(manifest, shared)) == canonical_bytes(items)
    assert (manifest.total_items, manifest.units) == (len(items), len(chunks)) == (len(items), -(-len(items) // size))
    assert manifest.waves == (((len(chunks), 1),) if chunks else ())
    assert [chunk.number for chunk in chunks] == list(range(len(chunks)))
    assert [chunk.start for chunk in chunks] == list(range(0, len(items), size))
    assert all(chunk.count == size for chunk in chunks[:-1])
    assert Manifest.from_json(manifest.to_json()) == manifest


@LAW
@given(items=ITEMS, size=st.integers(1, 70))
def test_the_same_items_give_the_same_manifest(items: list[Any], size: int, shared: ExecutionBlobs) -> None:
    one, other = (shared.put(write(list(items), shared, size=size).to_json(), kind="manifest") for _ in range(2))
    assert one == other
    more = shared.put(write([*items, 0], shared, size=size).to_json(), kind="manifest")
    assert more != one


def test_every_unit_is_found_by_its_number_on_its_page(blobs: ExecutionBlobs) -> None:
    manifest = write(range(251), blobs, size=1)
    assert (manifest.units, len(manifest.pages)) == (251, 3)
    chunks = [manifest.page(unit // PAGE_CHUNKS, blobs)[unit % PAGE_CHUNKS] for unit in range(251)]
    assert list(manifest.chunks(blobs)) == chunks
    assert [chunk.number for chunk in chunks] == list(range(251))
    assert [blobs.get(chunk.items)["items"] for chunk in chunks] == [[number] for number in range(251)]


@pytest.mark.parametrize("count", [100, 200])
def test_a_full_page_is_not_followed_by_an_empty_one(blobs: ExecutionBlobs, count: int) -> None:
    assert len(write(range(count), blobs, size=1).pages) == count // 100


def test_a_chunk_ends_at_four_mebibytes_of_items(blobs: ExecutionBlobs) -> None:
    text = "x" * MIB
    sizes: Sequence[Any] = [
        [chunk.count for chunk in write(items, blobs, size=100).chunks(blobs)]
        for items in ([text] * 12, [{"t": text}] * 12, ["y" * 9 * MIB, "a", "b"], [1] * 100)
    ]
    assert sizes == [[5, 5, 2], [4, 4, 4], [1, 2], [100]]


def test_no_more_than_a_chunk_is_in_memory(lean: ExecutionBlobs) -> None:
    def items() -> Iterator[str]:
        for number in range(400):
            yield f"{number}" * 5_000

    beats: list[Any] = []
    tracemalloc.start()
    manifest = write(items(), lean, size=10, beats=beats)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (manifest.total_items, manifest.units) == (400, 40)
    assert peak < 3 * MIB
    assert beats == [{"items": done} for done in range(10, 401, 10)]


def test_some_chunks_of_a_map_are_a_manifest_too(blobs: ExecutionBlobs) -> None:
    pointer = blobs.put({"items": [1]}, kind="chunk")
    chunks = [
        Chunk(number=3, start=30, count=10, items=pointer, only=(1, 5)),
        Chunk(number=7, start=70, count=10, items=pointer),
        Chunk(number=9, start=9, count=2, items=pointer, wave=4, only=()),
    ]
    manifest = Manifest.of(iter(chunks), total_items=500, blobs=blobs)
    assert (manifest.total_items, manifest.units, manifest.waves) == (500, 3, ((2, 1), (1, 1)))
    assert list(manifest.page(0, blobs)) == chunks
    assert Manifest.of([], total_items=500, blobs=blobs).waves == ()


@pytest.mark.parametrize(
    ("total", "size"),
    [(None, 100), (0, 10), (999, 10), (1_100, 11), (5_000, 50), (10_000, 100), (10_000_000, 100)],
)
def test_the_usual_size_of_a_chunk(total: int | None, size: int) -> None:
    assert chunk_size_for(total) == size


@st.composite
def graphs(draw: st.DrawFn) -> list[tuple[int, ...]]:
    """What each item depends on, without cycles, in any order of the items."""
    count = draw(st.integers(0, 25))
    order = draw(st.permutations(range(count)))
    needs: list[tuple[int, ...]] = [()] * count
    for rank, index in enumerate(order):
        if rank:
            needs[index] = tuple(draw(st.lists(st.sampled_from(order[:rank]), max_size=3, unique=True)))
    return needs


@LAW
@given(needs=graphs(), size=st.integers(1, 6))
def test_waves_hold_every_item_once_and_name_the_place_of_each_result(
    needs: list[tuple[int, ...]], size: int, shared: ExecutionBlobs
) -> None:
    count = len(needs)
    names = Needs(ids=tuple(f"i{index}" for index in range(count)), of=tuple(needs))
    items = [{"n": index} for index in range(count)]
    manifest = write_waves(items, names, chunk_size=size, blobs=shared, heartbeat=lambda _: None, where="map")
    chunks = list(manifest.chunks(shared))
    bodies = [shared.get(chunk.items) for chunk in chunks]
    at = {
        index: (chunk.number, place)
        for chunk, body in zip(chunks, bodies, strict=True)
        for place, index in enumerate(body["indexes"])
    }
    assert sorted(at) == list(range(count)) == sorted(index for body in bodies for index in body["indexes"])
    wave_of = {index: chunks[number].wave for index, (number, _) in at.items()}
    for body in bodies:
        assert body["items"] == [items[index] for index in body["indexes"]]
        assert body["indexes"] == sorted(body["indexes"])
        for index, found in zip(body["indexes"], body["needs"], strict=True):
            assert found == [[f"i{one}", *at[one]] for one in needs[index]]
            assert all(wave_of[one] < wave_of[index] for one in needs[index])
    assert all(len(body["items"]) <= size for body in bodies)
    assert all(one.wave <= other.wave for one, other in pairwise(chunks))
    sizes = [sum(chunk.wave == wave for chunk in chunks) for wave in range(max(wave_of.values(), default=-1) + 1)]
    assert [size for size, times in manifest.waves for _ in range(times)] == sizes
    assert manifest.total_items == count
