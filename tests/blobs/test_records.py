"""Records: the first writer of a name wins."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from statebag.blobs import BlobStore, ExecutionBlobs, LocalBackend, RetryPolicy
from statebag.errors import InputRefused, OffloadFailed, StoreUnavailable
from statebag.testing import FaultyBackend


def test_first_value_stays(blobs: ExecutionBlobs, store: BlobStore, cold: Callable[..., ExecutionBlobs]) -> None:
    assert blobs.read_record("commits/1") is None
    assert blobs.record_once("commits/1", {"b": 1, "a": "ü"}) == (True, {"b": 1, "a": "ü"})
    assert blobs.record_once("commits/1", {"b": 2}) == (False, {"b": 1, "a": "ü"})
    assert cold().record_once("commits/1", 3) == (False, {"b": 1, "a": "ü"})
    assert cold().read_record("commits/1") == {"b": 1, "a": "ü"}
    assert cold(execution="other").read_record("commits/1") is None
    assert store.backend.read(f"{blobs.prefix}commits/1.json") == '{"a":"ü","b":1}'.encode()


def test_null_is_a_value(blobs: ExecutionBlobs) -> None:
    assert blobs.record_once("empty", None) == (True, None)
    assert blobs.record_once("empty", 1) == (False, None)


def test_fifty_threads_have_one_winner(cold: Callable[..., ExecutionBlobs]) -> None:
    views = [cold() for _ in range(50)]
    together = threading.Barrier(50)

    def claim(number: int) -> tuple[bool, Any]:
        together.wait()
        return views[number].record_once("commit", {"by": number})

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(claim, range(50)))
    winner = [value for won, value in answers if won]
    assert len(winner) == 1
    assert [value for _, value in answers] == winner * 50


def test_fifty_workers_advance_one_version_without_a_lost_update(blobs: ExecutionBlobs) -> None:
    together = threading.Barrier(50)

    def work(number: int) -> int:
        together.wait()
        version = 0
        while True:
            version += 1
            won, _ = blobs.record_once(f"versions/{version:06d}", {"worker": number})
            if won:
                return version

    with ThreadPoolExecutor(50) as pool:
        versions = list(pool.map(work, range(50)))
    assert sorted(versions) == list(range(1, 51))
    names = blobs.list_records("versions/")
    assert names == [f"versions/{version:06d}" for version in range(1, 51)]
    assert {(blobs.read_record(name) or {})["worker"] for name in names} == set(range(50))


def test_listing_gives_names_back(blobs: ExecutionBlobs) -> None:
    names = ["a", "actions/seg 3#1", "actions/ü%2F", "actions/deep/x", "b.json", "actions2"]
    for name in names:
        blobs.record_once(name, name)
    assert blobs.list_records() == sorted(names)
    assert blobs.list_records("actions/") == sorted(names[1:4])
    assert blobs.list_records("actions/seg") == ["actions/seg 3#1"]
    assert blobs.list_records("none/") == []
    assert [blobs.read_record(name) for name in names] == names


@pytest.mark.parametrize("name", ["", "/", "a/", "/a", "a//b", "a/" + "x" * 200, "漢" * 40])
def test_names_that_cannot_be_given_back_are_refused(blobs: ExecutionBlobs, name: str) -> None:
    with pytest.raises(InputRefused, match="is no name for a record"):
        blobs.record_once(name, 1)


def test_dots_lead_nowhere(blobs: ExecutionBlobs, tmp_path: Path) -> None:
    assert blobs.record_once("../../../../out", 1)[0]
    assert blobs.list_records() == ["../../../../out"]
    assert not (tmp_path / "out.json").exists()


def test_lost_answer_is_seen_as_the_own_value(tmp_path: Path) -> None:
    backend = FaultyBackend(LocalBackend(tmp_path))
    blobs = BlobStore(backend, retry=RetryPolicy(sleep=lambda _: None)).execution("o", "w", "e")
    backend.lose_next_answers(1)
    assert blobs.record_once("commit", {"token": "mine"}) == (False, {"token": "mine"})


def test_record_in_an_outage_is_not_made(tmp_path: Path) -> None:
    backend = FaultyBackend(LocalBackend(tmp_path))
    blobs = BlobStore(backend, retry=RetryPolicy(sleep=lambda _: None)).execution("o", "w", "e")
    with backend.outage():
        with pytest.raises(OffloadFailed):
            blobs.record_once("commit", 1)
        with pytest.raises(StoreUnavailable):
            blobs.read_record("commit")
        with pytest.raises(StoreUnavailable):
            blobs.list_records()
    assert blobs.read_record("commit") is None
    assert blobs.record_once("commit", 2) == (True, 2)
