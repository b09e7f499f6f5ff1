"""Addresses of stores."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from statebag.blobs import LocalBackend, open_store
from statebag.errors import InputRefused


def test_path_and_file_address_are_the_same_store(tmp_path: Path) -> None:
    folder = tmp_path / "with space"
    pointer = open_store(str(folder)).execution("o", "w", "e").put([1], kind="field")
    for url in (folder.as_uri(), f"file://{folder}", f"file://localhost{folder}", str(folder) + "/"):
        store = open_store(url)
        assert isinstance(store.backend, LocalBackend)
        assert store.backend.root == folder
        assert store.backend.location() == folder.as_uri()
        assert store.execution("o", "w", "e").get(pointer) == [1]


def test_relative_path_is_fixed_when_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store("data")
    monkeypatch.chdir("/")
    store.execution("o", "w", "e").put([1], kind="field")
    assert (tmp_path / "data" / "o").is_dir()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "  ",
        "file://",
        "file:/x",
        "file://host/x",
        "file:///x?y=1",
        "s3://",
        "s3:///x",
        "s3:bucket",
        "s3://bucket:80/x",
        "s3://bucket/x?y",
        "s3://bucket/x#y",
        "gs://bucket/x",
        "http://host/x",
        "://x",
        "S3://bucket",
    ],
)
def test_anything_else_is_refused(url: str) -> None:
    with pytest.raises(InputRefused) as caught:
        open_store(url, setting="STATEBAG_STORE")
    assert caught.value.code == "SETTING_INVALID"
    assert caught.value.problems[0].path == "STATEBAG_STORE"
    assert repr(url) in caught.value.message


def test_file_in_the_place_of_the_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputRefused, match="not a directory"):
        open_store(str(tmp_path / "file"))


def test_local_store_loads_no_aws_sdk() -> None:
    code = (
        "import sys, statebag.blobs, statebag.testing; statebag.blobs.open_store('x');"
        "print([name for name in sys.modules if name.partition('.')[0] in ('boto3', 'botocore', 'temporalio')])"
    )
    repository = Path(__file__).parents[2]
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=repository)
    assert answer.stdout == "[]\n"
