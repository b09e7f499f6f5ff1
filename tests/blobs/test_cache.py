"""What stays in memory, and what it spares."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from statebag.blobs import BlobStore, LocalBackend
from statebag.blobs._cache import BlobCache
from statebag.testing import FaultyBackend


def test_least_recently_used_goes_first() -> None:
    cache = BlobCache(max_bytes=1_000_000, max_entries=2)
    cache.add("a", "k/a", b"1")
    cache.add("b", "k/b", b"2")
    assert cache.get("a", "k/a") == b"1"
    cache.add("c", "k/c", b"3")
    assert cache.get("b", "k/b") is None
    assert (cache.get("a", "k/a"), cache.get("c", "k/c")) == (b"1", b"3")
    assert cache.counts() == (3, 1)


def test_a_key_has_to_be_known_as_well() -> None:
    cache = BlobCache(max_bytes=10_000, max_entries=10)
    cache.add("a", "one/a", b"1")
    assert cache.get("a", "two/a") is None
    cache.add("a", "two/a", b"1")
    assert cache.get("a", "one/a") == cache.get("a", "two/a") == b"1"
    assert cache.held()[1] == 1


def test_values_above_the_bound_are_not_kept() -> None:
    cache = BlobCache(max_bytes=1000, max_entries=10)
    cache.add("small", "k/s", b"x")
    cache.add("large", "k/l", b"x" * 1000)
    assert cache.get("large", "k/l") is None
    assert cache.get("small", "k/s") == b"x"
    nothing = BlobCache(max_bytes=0, max_entries=10)
    nothing.add("a", "k", b"")
    assert nothing.held() == (0, 0)


@given(
    adds=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 5), st.integers(0, 900)), max_size=60),
    max_bytes=st.integers(0, 5000),
    max_entries=st.integers(0, 8),
)
def test_bounds_hold_whatever_is_added(adds: list[tuple[int, int, int]], max_bytes: int, max_entries: int) -> None:
    cache = BlobCache(max_bytes=max_bytes, max_entries=max_entries)
    for name, key, size in adds:
        cache.add(str(name), f"k/{key}", bytes(size + name))
        held_bytes, held_entries = cache.held()
        assert 0 <= held_bytes <= max_bytes
        assert 0 <= held_entries <= max_entries
        assert (held_bytes == 0) == (held_entries == 0)


def test_a_value_of_many_executions_stays_cheap() -> None:
    cache = BlobCache(max_bytes=1_000_000, max_entries=10)
    for number in range(10_000):
        cache.add("same", f"execution-{number}/same", b"true")
    assert cache.held()[0] < 20_000
    assert cache.knows("same", "execution-9999/same")


def test_memory_of_a_store_is_bounded(tmp_path: Path) -> None:
    store = BlobStore(LocalBackend(tmp_path), cache_bytes=200_000)
    blobs = store.execution("o", "w", "e")
    pointers = [blobs.put(str(number) * 10_000, kind="field") for number in range(9)]
    pointers += [blobs.put(f"{number:05d}" * 10_000, kind="field") for number in range(9)]
    held, entries = store._objects.cache.held()  # pyright: ignore[reportPrivateUsage]
    assert held <= 200_000
    assert entries >= 2
    assert [blobs.get(pointer)[:5] for pointer in pointers[9:]] == [f"{number:05d}" for number in range(9)]


def test_second_put_and_second_get_touch_no_backend(tmp_path: Path) -> None:
    backend = FaultyBackend(LocalBackend(tmp_path))
    writer = BlobStore(backend).execution("o", "w", "e")
    pointer = writer.put({"a": 1}, kind="field")
    assert writer.put({"a": 1}, kind="field") == pointer
    assert writer.get(pointer) == {"a": 1}
    assert dict(backend.calls) == {"write_if_absent": 1}
    stats = writer.stats()
    assert (stats.reads, stats.writes, stats.writes_skipped, stats.cache_hits) == (0, 1, 1, 1)
    assert stats.bytes_written == 7


def test_what_was_read_need_not_be_written(tmp_path: Path) -> None:
    backend = FaultyBackend(LocalBackend(tmp_path))
    value = ["text"] * 500
    pointer = BlobStore(backend).execution("o", "w", "e").put(value, kind="field")
    second = BlobStore(backend).execution("o", "w", "e")
    assert second.get(pointer) == value
    assert second.put(value, kind="field") == pointer
    assert dict(backend.calls) == {"write_if_absent": 1, "read": 1}
    assert second.stats().bytes_read == len(backend.inner.read(pointer.key))


def test_other_kind_or_execution_is_written_again(tmp_path: Path) -> None:
    store = BlobStore(LocalBackend(tmp_path))
    blobs = store.execution("o", "w", "e")
    keys = {blobs.put([1], kind=kind).key for kind in ("field", "history")}
    keys.add(store.execution("o", "w", "e2").put([1], kind="field").key)
    assert {item.key for item in store.backend.list("")} == keys
    assert len(keys) == 3


def test_bytes_written_count_only_new_objects(tmp_path: Path) -> None:
    first, second = (BlobStore(LocalBackend(tmp_path)) for _ in range(2))
    for store in (first, second):
        store.execution("o", "w", "e").put("value", kind="field")
    assert (first.stats().writes, first.stats().bytes_written) == (1, 7)
    assert (second.stats().writes, second.stats().bytes_written) == (1, 0)


def test_threads_share_one_store(tmp_path: Path) -> None:
    blobs = BlobStore(LocalBackend(tmp_path), cache_bytes=50_000).execution("o", "w", "e")
    values = [{"number": number, "text": str(number) * 2000} for number in range(40)]

    def work(offset: int) -> bool:
        order = values[offset:] + values[:offset]
        return [blobs.get(blobs.put(value, kind="field")) for value in order] == order

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(work, range(0, 40, 5)))
    finally:
        sys.setswitchinterval(interval)
