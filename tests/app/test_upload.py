"""``statebag upload``: files from disk and from stdin in the store."""

from __future__ import annotations

from pathlib import Path

import pytest

from statebag.blobs import open_store
from tests.app.shell import Shell
from tests.seaweed import S3Server


@pytest.fixture
def store(shell: Shell, tmp_path: Path) -> str:
    """A store that the environment names; no server answers."""
    url = (tmp_path / "store").as_uri()
    shell.environment |= {"STATEBAG_STORE": url, "TEMPORAL_ADDRESS": "127.0.0.1:1"}
    return url


def test_a_file_is_put_where_runs_find_it(shell: Shell, store: str, tmp_path: Path) -> None:
    shell.write("orders.csv", "id\n" + "12345678\n" * 2_000)
    ended = shell.run("upload", "orders.csv")
    assert (ended.status, ended.out) == (0, "")
    assert ended.err == 'uploaded orders.csv: 18,003 bytes, as file "orders.csv" of local\n'
    assert (tmp_path / "store/local/_files/orders.csv").read_bytes() == (shell.folder / "orders.csv").read_bytes()
    shell.write("orders.csv", "new")
    again = shell.run("upload", str(shell.folder / "orders.csv"), "--json")
    assert again.body == {"file": "orders.csv", "owner": "local", "size_bytes": 3, "store": store}
    assert open_store(store).files("local").open("orders.csv").read() == b"new"


def test_stdin_needs_a_name(shell: Shell, store: str) -> None:
    ended = shell.run("upload", "-", "--name", "2026/größe.jsonl", "--owner", "acme/é", "--json", stdin='{"a": 1}\n')
    assert (ended.status, ended.body["size_bytes"]) == (0, 9)
    assert open_store(store).files("acme/é").open("2026/größe.jsonl").read() == b'{"a": 1}\n'
    nameless = shell.run("upload", "-", "--json", stdin="x")
    assert (nameless.status, nameless.body["error"]["code"]) == (2, "USAGE")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["nowhere.csv"], "FILE_UNREADABLE"),
        (["."], "FILE_UNREADABLE"),
        (["in.csv", "--name", "../in.csv"], "FIELD_VALUE"),
        (["in.csv", "--name", ""], "FIELD_VALUE"),
    ],
)
def test_what_can_t_be_uploaded_is_refused(
    shell: Shell, store: str, tmp_path: Path, arguments: list[str], code: str
) -> None:
    shell.write("in.csv", "x")
    ended = shell.run("upload", *arguments, "--json")
    assert (ended.status, ended.body["error"]["code"]) == (2, code)
    assert not (tmp_path / "store").exists()


def test_where_the_file_is_is_told_where_no_store_is_named(shell: Shell) -> None:
    shell.write("in.csv", "x")
    ended = shell.run("upload", "in.csv")
    assert ended.status == 0
    assert "STATEBAG_STORE is not set" in ended.err


def test_a_file_goes_to_s3_in_parts(shell: Shell, s3_server: S3Server, tmp_path: Path) -> None:
    url = f"s3://{s3_server.bucket}/uploads/{tmp_path.name}"
    shell.environment |= s3_server.environment | {"STATEBAG_STORE": url}
    data = bytes(range(256)) * 4096 * 20
    (shell.folder / "big").write_bytes(data)
    ended = shell.run("upload", "big", "--json")
    assert (ended.status, ended.body["size_bytes"]) == (0, len(data))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3_server.environment.items():
            patch.setenv(name, value)
        assert open_store(url).files("local").open("big").read() == data
