"""Local files: whole or absent, inside of the root, with typed errors."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from statebag.blobs import LocalBackend
from statebag.errors import PointerNotFound, StateBagError, StoreUnavailable

WRITER = """
import hashlib, sys
from pathlib import Path
from statebag.blobs import LocalBackend
backend = LocalBackend(Path(sys.argv[1]))
number = 0
while True:
    body = hashlib.sha256(b"%d" % number).digest() * 60_000
    backend.write_if_absent(f"o/w/{number}", body)
    print(number, flush=True)
    number += 1
"""


def leftovers(root: Path) -> list[str]:
    return [path.name for path in root.rglob("~*")]


def test_killed_writer_leaves_only_whole_objects(tmp_path: Path) -> None:
    repository = str(Path(__file__).parents[2])
    for attempt in range(4):
        root = tmp_path / str(attempt)
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(root)],
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": repository},
        )
        assert process.stdout is not None
        for _ in range(3 + attempt):
            process.stdout.readline()
        process.kill()
        process.wait()
        process.stdout.close()
        backend = LocalBackend(root)
        listed = list(backend.list(""))
        assert len(listed) >= 3 + attempt
        for item in listed:
            number = item.key.rpartition("/")[2]
            assert backend.read(item.key) == hashlib.sha256(number.encode()).digest() * 60_000
        # What it left half-written is removed by its age, and never listed.
        assert backend.sweep(older_than=timedelta(seconds=-5)) in (0, 1)
        assert leftovers(root) == []
        assert list(backend.list("")) == listed


def test_sweep_spares_what_is_being_written(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path)
    backend.write_if_absent("a/b", b"1")
    unfinished = tmp_path / "a" / "~1-x-0"
    unfinished.write_bytes(b"half")
    assert [item.key for item in backend.list("")] == ["a/b"]
    assert backend.sweep() == 0
    os.utime(unfinished, (0, 0))
    assert backend.sweep() == 1
    assert backend.read("a/b") == b"1"


@pytest.mark.parametrize("key", ["../out", "a/../../out", "/out", "a//b", "", ".", "a/.", "a/\0", "..", "a/", "./a"])
def test_path_out_of_the_root_is_refused(tmp_path: Path, key: str) -> None:
    backend = LocalBackend(tmp_path / "root")
    for call in (
        lambda: backend.write_if_absent(key, b"x"),
        lambda: backend.read(key),
        lambda: backend.read_range(key, 0, 1),
        lambda: backend.version(key),
        lambda: backend.replace(key, io.BytesIO(b"x")),
        lambda: backend.exists(key),
        lambda: backend.delete(key),
    ):
        with pytest.raises(StateBagError) as caught:
            call()
        assert caught.value.code == "STORE_DENIED"
    assert list(tmp_path.iterdir()) == []


def test_any_other_key_is_a_file_of_its_own(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path)
    keys = ["a b/ü~", "a%20b/x", "a b/x", "~1", "c\\d", "e:f*?", "..g", "%2e%2e/h"]
    for number, key in enumerate(keys):
        assert backend.write_if_absent(key, b"%d" % number)
    assert [backend.read(key) for key in keys] == [b"%d" % number for number in range(len(keys))]
    assert sorted(item.key for item in backend.list("")) == sorted(keys)
    assert sorted(item.key for item in backend.list("a b/")) == sorted(["a b/ü~", "a b/x"])
    assert all(path.is_relative_to(tmp_path) for path in tmp_path.rglob("*"))


def test_delete_leaves_no_empty_directory(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path / "root")
    backend.write_if_absent("o/w/e1/field/x", b"1")
    backend.write_if_absent("o/w/e2/field/y", b"1")
    backend.delete("o/w/e1/field/x")
    assert [path.name for path in (tmp_path / "root" / "o" / "w").iterdir()] == ["e2"]
    backend.delete("o/w/e2/field/y")
    assert list((tmp_path / "root").iterdir()) == []


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, "STORE_UNAVAILABLE"),
        (errno.EIO, "STORE_UNAVAILABLE"),
        (errno.EMFILE, "STORE_UNAVAILABLE"),
        (errno.EACCES, "STORE_DENIED"),
        (errno.EROFS, "STORE_DENIED"),
        (errno.EPERM, "STORE_DENIED"),
    ],
)
def test_errors_of_the_system_are_sorted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, expected: str
) -> None:
    backend = LocalBackend(tmp_path)

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", fail)
    with pytest.raises(StateBagError) as caught:
        backend.write_if_absent("a/b", b"1")
    assert caught.value.code == expected
    assert caught.value.retryable == (expected == "STORE_UNAVAILABLE")
    assert isinstance(caught.value.__cause__, OSError)
    assert backend.location() in caught.value.message
    assert "a/b" in caught.value.message
    assert leftovers(tmp_path) == []
    assert not backend.exists("a/b")


def test_full_disk_while_writing_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    backend = LocalBackend(tmp_path, fsync=True)
    with pytest.raises(StoreUnavailable):
        backend.write_if_absent("a/b", b"1")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_fsync_makes_no_other_difference(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path, fsync=True)
    assert backend.write_if_absent("a/b", b"1")
    assert not backend.write_if_absent("a/b", b"2")
    assert backend.read("a/b") == b"1"


def test_directory_in_the_place_of_an_object(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path)
    backend.write_if_absent("a/b/c", b"1")
    assert backend.exists("a/b") is False
    with pytest.raises(PointerNotFound):
        backend.read("a/b")
    with pytest.raises(PointerNotFound):
        backend.read("a/b/c/d")
    with pytest.raises(StateBagError) as caught:
        backend.write_if_absent("a/b/c/d", b"1")
    assert caught.value.code == "STORE_DENIED"


def test_store_that_was_never_written_to_is_empty(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path / "none")
    assert list(backend.list("")) == []
    assert list(backend.list("a/b")) == []
    assert backend.sweep() == 0
    assert backend.root == tmp_path / "none"
    assert not backend.root.exists()
