"""What every backend promises, on local files and on a real S3 server."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from statebag.blobs import Backend, BlobStore
from statebag.errors import NodeFailed, PointerCorrupt, PointerNotFound


def test_reads_back_the_bytes_that_were_written(backend: Backend) -> None:
    data = bytes(range(256)) * 400
    assert backend.write_if_absent("o/w/e/field/a.json.zst", data) is True
    assert backend.read("o/w/e/field/a.json.zst") == data
    assert backend.read("o/w/e/field/a.json.zst", max_bytes=len(data)) == data
    assert backend.write_if_absent("o/w/e/field/empty", b"") is True
    assert backend.read("o/w/e/field/empty") == b""


def test_first_write_of_a_key_stays(backend: Backend) -> None:
    assert backend.write_if_absent("o/a", b"first") is True
    assert backend.write_if_absent("o/a", b"second") is False
    assert backend.read("o/a") == b"first"


def test_missing_object_is_told_apart(backend: Backend) -> None:
    with pytest.raises(PointerNotFound) as caught:
        backend.read("o/none")
    assert caught.value.code == "POINTER_NOT_FOUND"
    assert "o/none" in caught.value.message
    assert backend.location() in caught.value.message
    assert backend.exists("o/none") is False
    backend.write_if_absent("o/some", b"x")
    assert backend.exists("o/some") is True
    assert backend.exists("o/som") is False


def test_object_above_the_limit_is_not_fetched(backend: Backend) -> None:
    backend.write_if_absent("o/big", b"x" * 1001)
    with pytest.raises(PointerCorrupt, match="1001 bytes are stored, at most 1000"):
        backend.read("o/big", max_bytes=1000)


def test_parts_are_read_from_anywhere_and_end_with_the_object(backend: Backend) -> None:
    data = bytes(range(256)) * 10
    backend.write_if_absent("o/a", data)
    assert backend.size("o/a") == 2560
    for start, length in [
        (0, 1),
        (0, 2560),
        (0, 9999),
        (255, 2),
        (1000, 100),
        (2559, 1),
        (2559, 7),
        (2560, 1),
        (9999, 5),
    ]:
        assert backend.read_range("o/a", start, length) == data[start : start + length]
    backend.write_if_absent("o/empty", b"")
    assert backend.size("o/empty") == 0
    assert backend.read_range("o/empty", 0, 10) == b""
    for call in (lambda: backend.read_range("o/none", 0, 1), lambda: backend.size("o/none"), lambda: backend.size("o")):
        with pytest.raises(PointerNotFound) as caught:
            call()
        assert backend.location() in caught.value.message


def test_a_part_of_another_version_is_refused(backend: Backend) -> None:
    assert backend.replace("o/a", io.BytesIO(b"first")) == 5
    version = backend.version("o/a")
    assert version.size_bytes == 5
    assert backend.read_range("o/a", 1, 2, version=version) == b"ir"
    assert backend.replace("o/a", io.BytesIO(b"other")) == 5
    with pytest.raises(NodeFailed) as caught:
        backend.read_range("o/a", 1, 2, version=version)
    assert (caught.value.code, caught.value.retryable) == ("ITEMS_CHANGED", False)
    assert backend.read_range("o/a", 1, 2, version=backend.version("o/a")) == b"th"


def test_a_stream_replaces_the_object_as_a_whole(backend: Backend) -> None:
    backend.write_if_absent("o/a", b"before")
    data = bytes(range(256)) * 70_000
    stream = io.BytesIO(b"skipped" + data)
    stream.seek(7)
    assert backend.replace("o/a", stream) == len(data)
    assert not stream.closed
    assert backend.read("o/a") == data
    assert backend.replace("o/a", io.BytesIO()) == 0
    assert backend.read("o/a") == b""


def test_a_stream_that_breaks_off_changes_nothing(backend: Backend) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            if not data:
                raise OSError("the source is gone")
            return data

    backend.write_if_absent("o/a", b"before")
    with pytest.raises(OSError, match="the source is gone"):
        backend.replace("o/a", Broken(b"x" * 20_000_000))
    assert backend.read("o/a") == b"before"
    assert [item.key for item in backend.list("")] == ["o/a"]


def test_list_gives_keys_sizes_and_times_below_a_prefix(backend: Backend) -> None:
    before = datetime.now(UTC) - timedelta(seconds=5)
    wanted = {"o/w/e1/field/aa": 3, "o/w/e1/field/ab": 5, "o/w/e1/x%20y/c": 7, "o/w/e10/d": 1, "p/q": 2}
    for key, size in wanted.items():
        backend.write_if_absent(key, b"z" * size)
    assert {item.key: item.size_bytes for item in backend.list("")} == wanted
    assert sorted(item.key for item in backend.list("o/w/e1/")) == sorted(wanted)[:3]
    assert sorted(item.key for item in backend.list("o/w/e1/field/aa")) == ["o/w/e1/field/aa"]
    assert sorted(item.key for item in backend.list("o/w/e1")) == sorted(wanted)[:4]
    assert list(backend.list("nothing/")) == []
    for item in backend.list("o/"):
        assert before <= item.modified <= datetime.now(UTC) + timedelta(seconds=5)


def test_delete_removes_and_may_be_repeated(backend: Backend) -> None:
    backend.write_if_absent("o/w/a", b"1")
    backend.write_if_absent("o/w/b", b"2")
    backend.delete("o/w/a")
    backend.delete("o/w/a")
    backend.delete("o/never/there")
    assert [item.key for item in backend.list("")] == ["o/w/b"]
    assert backend.write_if_absent("o/w/a", b"new") is True
    assert backend.read("o/w/a") == b"new"


def test_one_of_many_parallel_writers_wins(backend: Backend) -> None:
    together = threading.Barrier(16)

    def write(number: int) -> bool:
        together.wait()
        return backend.write_if_absent("o/w/e/claim.json", b"%d" % number)

    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(write, range(16)))
    assert won.count(True) == 1
    assert backend.read("o/w/e/claim.json") == b"%d" % won.index(True)


def test_store_works_on_top(backend: Backend) -> None:
    value = {"text": "größer 漢字 " * 3000, "whole": 2**80, "nothing": [None, None], "list": list(range(1000))}
    blobs = BlobStore(backend).execution("an owner/ü", "..", "")
    pointers = blobs.put_many([("field", value), ("field", [1]), ("history", value), ("field", value)])
    assert pointers == [
        blobs.put(value, kind="field"),
        blobs.put([1], kind="field"),
        blobs.put(value, kind="history"),
        pointers[0],
    ]
    other = BlobStore(backend).execution("an owner/ü", "..", "")
    assert other.get_many(pointers) == [value, [1], value, value]
    assert other.stats().reads == 3
    assert {item.key for item in backend.list(blobs.prefix)} == {pointer.key for pointer in pointers}


def test_record_is_claimed_by_one_of_fifty_threads(backend: Backend) -> None:
    blobs = BlobStore(backend).execution("o", "w", "e")
    together = threading.Barrier(50)

    def claim(number: int) -> tuple[bool, object]:
        together.wait()
        return blobs.record_once("commits/0001", {"by": number, "name": "ü"})

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(claim, range(50)))
    winners = [value for won, value in answers if won]
    assert len(winners) == 1
    assert [value for _, value in answers] == winners * 50
    assert blobs.read_record("commits/0001") == winners[0]
