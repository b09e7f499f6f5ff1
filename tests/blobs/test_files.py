"""An owner's files: names, readers that fetch pages, uploads."""

from __future__ import annotations

import io
import os
import subprocess
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from statebag.blobs import Backend, BlobStore, LocalBackend, OwnerFiles, RetryPolicy
from statebag.errors import InputRefused, NodeFailed, StateBagError, StoreUnavailable
from statebag.testing import FaultyBackend


@pytest.fixture
def faulty(tmp_path: Path) -> FaultyBackend:
    return FaultyBackend(LocalBackend(tmp_path / "store"))


@pytest.fixture
def files(faulty: FaultyBackend) -> OwnerFiles:
    return BlobStore(faulty, retry=RetryPolicy(sleep=lambda _: None)).files("ann")


def test_what_is_uploaded_is_read_on_any_backend(backend: Backend) -> None:
    files = BlobStore(backend).files("an owner/ü")
    data = bytes(range(256)) * 10_000
    assert files.put("2026/größe.csv", io.BytesIO(data)) == len(data)
    assert files.size("2026/größe.csv") == len(data)
    with files.open("2026/größe.csv") as file:
        assert file.read() == data
        assert file.read(10) == b""
    files.put("2026/größe.csv", io.BytesIO(b"new"))
    assert files.open("2026/größe.csv").read() == b"new"
    files.put("empty", io.BytesIO())
    assert files.open("empty").read() == b""


def test_a_change_between_pages_is_noticed_on_any_backend(backend: Backend) -> None:
    files = BlobStore(backend).files("ann")
    files.put("a", io.BytesIO(b"0123456789"))
    with files.open("a", page_bytes=4) as file:
        assert file.read(4) == b"0123"
        files.put("a", io.BytesIO(b"abcdefghij"))
        with pytest.raises(NodeFailed) as caught:
            file.read(4)
        assert caught.value.code == "ITEMS_CHANGED"
        with pytest.raises(NodeFailed):
            files.open("a", version=file.version)
    now = files.open("a")
    assert files.open("a", version=now.version).read() == b"abcdefghij"


@pytest.mark.parametrize("change", ["append", "delete", "truncate"])
def test_a_change_by_hand_is_noticed(files: OwnerFiles, tmp_path: Path, change: str) -> None:
    files.put("a", io.BytesIO(b"0123456789"))
    path = tmp_path / "store/ann/_files/a"
    file = files.open("a", page_bytes=4)
    file.read(4)
    match change:
        case "append":
            path.write_bytes(path.read_bytes() + b"more")
        case "delete":
            path.unlink()
        case _:
            os.truncate(path, 6)
    with pytest.raises(NodeFailed) as caught:
        file.read(4)
    assert caught.value.code == "ITEMS_CHANGED"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.binary(max_size=300), page=st.integers(1, 40), sizes=st.lists(st.integers(1, 50), min_size=1, max_size=9)
)
def test_page_borders_make_no_difference(files: OwnerFiles, data: bytes, page: int, sizes: list[int]) -> None:
    files.put("a", io.BytesIO(data))
    with io.BufferedReader(files.open("a", page_bytes=page), 16) as file:
        got = b"".join(file.read(size) for size in sizes)
        assert got == data[: sum(sizes)]
        assert got + file.read() == data


def test_a_copied_file_is_found(files: OwnerFiles, tmp_path: Path) -> None:
    folder = tmp_path / "store/ann/_files/2026"
    folder.mkdir(parents=True)
    (tmp_path / "orders.csv").write_text("a,b\n")
    subprocess.run(["cp", str(tmp_path / "orders.csv"), str(folder)], check=True)
    assert files.open("2026/orders.csv").read() == b"a,b\n"
    assert files.prefix == "ann/_files/"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/etc/passwd",
        "..",
        "../bob/_files/a",
        "a/../b",
        "a//b",
        "a/",
        ".",
        "a\0b",
        "x" * 90 + "/" + "y/" * 500 + "z",
    ],
)
def test_names_that_lead_elsewhere_are_refused(files: OwnerFiles, tmp_path: Path, name: str) -> None:
    calls: list[Any] = [files.open, files.size, lambda text: files.put(text, io.BytesIO(b"1"))]
    for call in calls:
        with pytest.raises(InputRefused) as caught:
            call(name)
        assert caught.value.code == "FIELD_VALUE"
    assert not (tmp_path / "store").exists()


TEXTS = st.text(alphabet="ab./_~%é\\", min_size=1, max_size=8) | st.sampled_from(["_files", "_", "%5Ffiles"])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(one=TEXTS, two=TEXTS, name=TEXTS, other=TEXTS, workflow=TEXTS)
def test_owners_names_and_executions_are_apart(
    tmp_path: Path, one: str, two: str, name: str, other: str, workflow: str
) -> None:
    store = BlobStore(LocalBackend(tmp_path / "unused"))
    keys: dict[str, tuple[str, str]] = {}
    for owner in (one, two):
        for wanted in (name, other):
            try:
                key = store.files(owner)._key(wanted)
            except InputRefused:
                continue
            assert keys.setdefault(key, (owner, wanted)) == (owner, wanted)
            for inside in (one, two):
                assert not key.lower().startswith(
                    store.execution(inside, workflow, "e").prefix.lower().rpartition("e/")[0]
                )


def test_a_missing_file_is_told_with_what_to_do(files: OwnerFiles) -> None:
    for call in (files.open, files.size):
        with pytest.raises(NodeFailed, match=r"'none.csv' of 'ann'.*ann/_files/none.csv.*statebag upload") as caught:
            call("none.csv")
        assert (caught.value.code, caught.value.retryable) == ("ITEMS_UNREADABLE", False)


def test_no_access_is_final_and_no_answer_is_not(files: OwnerFiles, faulty: FaultyBackend) -> None:
    files.put("a", io.BytesIO(b"1"))
    with faulty.outage(StateBagError("no", code="STORE_DENIED")), pytest.raises(NodeFailed) as denied:
        files.open("a")
    assert denied.value.code == "ITEMS_UNREADABLE"
    with faulty.outage(), pytest.raises(StoreUnavailable) as silent:
        files.open("a")
    assert silent.value.retryable


def test_pages_and_uploads_are_tried_again(files: OwnerFiles, faulty: FaultyBackend) -> None:
    faulty.fail_next_writes(2)
    stream = io.BytesIO(b"head|body")
    stream.seek(5)
    assert files.put("a", stream) == 4
    file = files.open("a", page_bytes=3)
    faulty.fail_next_reads(2)
    assert file.read(3) == b"bod"
    faulty.fail_next_reads(3)
    with pytest.raises(StoreUnavailable):
        file.read(1)
    assert file.read() == b"y"
    faulty.lose_next_answers()
    stream.seek(5)
    assert files.put("a", stream) == 4
    assert files.open("a").read() == b"body"


def test_an_upload_that_can_t_be_read_again_is_tried_once(files: OwnerFiles, faulty: FaultyBackend) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    faulty.fail_next_writes(1)
    with pytest.raises(StoreUnavailable):
        files.put("a", Pipe(b"1"))
    assert faulty.calls["replace"] == 1


def test_a_closed_reader_reads_no_more(files: OwnerFiles) -> None:
    files.put("a", io.BytesIO(b"1"))
    file = files.open("a")
    file.close()
    with pytest.raises(ValueError, match="closed"):
        file.read()


def test_two_pages_at_most_are_in_memory(files: OwnerFiles, tmp_path: Path) -> None:
    files.put("a", io.BytesIO(b"x"))
    os.truncate(tmp_path / "store/ann/_files/a", 20 * 1024 * 1024)
    file = files.open("a")
    buffer = bytearray(64 * 1024)
    tracemalloc.start()
    try:
        size = 0
        while count := file.readinto(buffer):
            size += count
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size == 20 * 1024 * 1024
    assert peak < 2.5 * 1024 * 1024
