"""What the chunks gave, gathered: counted, listed by its fate, and in the order of the items."""

from __future__ import annotations

import secrets
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from statebag.blobs import ExecutionBlobs, Pointer
from statebag.maps import Gathered, Manifest, Needs, Outcome, gather, record_outcome, write_manifest, write_waves
from tests.maps.test_manifest import graphs

MIB = 1024 * 1024
LAW = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])


def silent(_: object) -> None:
    """Takes a sign of life."""


def record(
    manifest: Manifest,
    blobs: ExecutionBlobs,
    result_of: Callable[[int], Mapping[str, Any]],
    *,
    map_id: str = "m",
    rounds: int = 0,
    skip: Sequence[int] = (),
    **more: Any,
) -> None:
    """Record an outcome for each chunk but those to skip."""
    for chunk in manifest.chunks(blobs):
        if chunk.number in skip:
            continue
        indexes = blobs.get(chunk.items).get("indexes", range(chunk.start, chunk.start + chunk.count))
        results = [result_of(index) for index in indexes]
        failed = tuple(at for at, result in enumerate(results) if "error" in result)
        outcome = Outcome(
            chunk=chunk.number,
            status="DONE",
            succeeded=chunk.count - len(failed),
            failed_at=failed,
            results=blobs.put(results, kind="items"),
            **more,
        )
        record_outcome(outcome, map_id=map_id, rounds=rounds, blobs=blobs)


def gathered(
    manifest: Manifest, blobs: ExecutionBlobs, *, map_id: str = "m", rounds: int = 0, size: int = 3
) -> Gathered:
    return gather(manifest, map_id=map_id, rounds=rounds, blobs=blobs, page_items=size, heartbeat=silent)


def results_of(found: Gathered, blobs: ExecutionBlobs) -> list[Any]:
    return [result for page in found.pages for result in blobs.get(page)]


def parts_of(found: Gathered, blobs: ExecutionBlobs) -> dict[str, list[Any]]:
    files = blobs.get(found.manifest)["result_files"]
    return {
        name: [entry for page in pages for entry in blobs.get(Pointer.from_json(page))["entries"]]
        for name, pages in files.items()
    }


def odd_fail(index: int) -> dict[str, Any]:
    return {"error": {"code": "BAD", "message": f"{index}"}} if index % 2 else {"ok": index}


def test_counts_and_parts_of_a_map_that_was_stopped(blobs: ExecutionBlobs) -> None:
    manifest = write_manifest(range(10), chunk_size=3, blobs=blobs, heartbeat=silent)
    record(manifest, blobs, odd_fail, skip=(2,))
    found = gathered(manifest, blobs)
    assert (found.total, found.succeeded, found.failed, found.pending, found.pages) == (10, 3, 4, 3, ())
    body = blobs.get(found.manifest)
    assert {name: body[name] for name in ("total", "succeeded", "failed", "pending")} == {
        "total": 10,
        "succeeded": 3,
        "failed": 4,
        "pending": 3,
    }
    parts = parts_of(found, blobs)
    assert [(one["chunk"], one["start"], one["count"], one["failed_at"]) for one in parts["SUCCEEDED"]] == [
        (0, 0, 3, [1]),
        (1, 3, 3, [0, 2]),
    ]
    assert [blobs.get(Pointer.from_json(one["results"])) for one in parts["SUCCEEDED"]] == [
        [odd_fail(index) for index in range(start, start + 3)] for start in (0, 3)
    ]
    assert parts["FAILED"] == [
        {"item_index": index, "chunk": index // 3, "error": {"code": "BAD", "message": f"{index}"}}
        for index in (1, 3, 5, 9)
    ]
    assert list(found.sample) == parts["FAILED"][:5]
    (pending,) = parts["PENDING"]
    assert (pending["chunk"], pending["start"], pending["count"]) == (2, 6, 3)
    assert blobs.get(Pointer.from_json(pending["items"])) == {"items": [6, 7, 8]}


def test_no_items_give_no_pages(blobs: ExecutionBlobs) -> None:
    found = gathered(write_manifest([], chunk_size=3, blobs=blobs, heartbeat=silent), blobs)
    assert (found.total, found.succeeded, found.failed, found.pending, found.pages) == (0, 0, 0, 0, ())
    assert parts_of(found, blobs) == {"SUCCEEDED": [], "FAILED": [], "PENDING": []}


def test_without_waves_the_pages_are_those_of_the_chunks(blobs: ExecutionBlobs) -> None:
    manifest = write_manifest(range(10), chunk_size=3, blobs=blobs, heartbeat=silent)
    record(manifest, blobs, odd_fail)
    found = gathered(manifest, blobs)
    assert [len(blobs.get(page)) for page in found.pages] == [3, 3, 3, 1]
    assert results_of(found, blobs) == [odd_fail(index) for index in range(10)]


def test_failures_in_the_first_wave_are_named_by_their_places_in_the_list(blobs: ExecutionBlobs) -> None:
    needs = Needs(ids=tuple("abcd"), of=((), (0,), (), ()))
    manifest = write_waves("abcd", needs, chunk_size=10, blobs=blobs, heartbeat=silent, where="map")
    record(manifest, blobs, lambda index: {"error": {"code": "BAD", "message": f"{index}"}})
    failed = parts_of(gathered(manifest, blobs), blobs)["FAILED"]
    assert [(entry["item_index"], entry["error"]["message"]) for entry in failed] == [
        (index, f"{index}") for index in (0, 2, 3, 1)
    ]


@LAW
@given(needs=graphs(), size=st.integers(1, 6), page=st.integers(1, 7))
def test_with_waves_the_results_are_in_the_order_of_the_items(
    needs: list[tuple[int, ...]], size: int, page: int, shared: ExecutionBlobs
) -> None:
    count = len(needs)
    names = Needs(ids=tuple(map(str, range(count))), of=tuple(needs))
    manifest = write_waves(range(count), names, chunk_size=size, blobs=shared, heartbeat=silent, where="map")
    map_id = secrets.token_hex(8)
    record(manifest, shared, odd_fail, map_id=map_id)
    found = gathered(manifest, shared, map_id=map_id, size=page)
    assert results_of(found, shared) == [odd_fail(index) for index in range(count)]
    assert (found.succeeded, found.failed) == (-(-count // 2), count // 2)
    failed = [entry["item_index"] for entry in parts_of(found, shared)["FAILED"]]
    assert sorted(failed) == list(range(1, count, 2))
    if len(manifest.waves) > 1:
        assert {len(shared.get(pointer)) for pointer in found.pages[:-1]} <= {page}


def test_the_newest_round_of_each_chunk_counts(blobs: ExecutionBlobs) -> None:
    manifest = write_manifest(range(9), chunk_size=3, blobs=blobs, heartbeat=silent)
    record(manifest, blobs, odd_fail, skip=(2,))
    record(manifest, blobs, lambda index: {"again": index}, rounds=1, skip=(0,))
    found = gathered(manifest, blobs, rounds=1)
    assert results_of(found, blobs) == [*(odd_fail(index) for index in range(3)), *({"again": n} for n in range(3, 9))]
    assert (gathered(manifest, blobs, rounds=0).pending, found.pending, found.failed) == (3, 0, 1)


def test_tokens_add_up_and_each_warning_is_told_once(blobs: ExecutionBlobs) -> None:
    manifest = write_manifest(range(40), chunk_size=2, blobs=blobs, heartbeat=silent)
    told = tuple({"path": "$.x", "code": "W", "message": f"m{number}"} for number in range(3))
    record(manifest, blobs, odd_fail, tokens={"input_tokens": 2, "output_tokens": 1}, warnings=told)
    found = gathered(manifest, blobs)
    assert found.tokens == {"input_tokens": 40, "output_tokens": 20}
    assert found.warnings == told
    assert [entry["item_index"] for entry in found.sample] == [1, 3, 5, 7, 9]


def test_a_part_has_pages_of_a_thousand_entries(blobs: ExecutionBlobs) -> None:
    manifest = write_manifest(range(2_500), chunk_size=2_500, blobs=blobs, heartbeat=silent)
    record(manifest, blobs, lambda index: {"error": {"code": "BAD", "message": ""}})
    found = gathered(manifest, blobs)
    pages = blobs.get(found.manifest)["result_files"]["FAILED"]
    assert [len(blobs.get(Pointer.from_json(page))["entries"]) for page in pages] == [1_000, 1_000, 500]
    assert (found.succeeded, parts_of(found, blobs)["SUCCEEDED"]) == (0, [])


@pytest.mark.parametrize("waves", [False, True])
def test_gathering_holds_little_of_the_results(lean: ExecutionBlobs, *, waves: bool) -> None:
    chunks, text = 300, "x" * 3_000
    if waves:
        needs = Needs(
            ids=tuple(map(str, range(chunks * 10))),
            of=tuple((index - 1,) if index % 10 == 9 else () for index in range(chunks * 10)),
        )
        manifest = write_waves(range(chunks * 10), needs, chunk_size=10, blobs=lean, heartbeat=silent, where="map")
    else:
        manifest = write_manifest(range(chunks * 10), chunk_size=10, blobs=lean, heartbeat=silent)
    record(manifest, lean, lambda index: {"text": f"{index}{text}"})
    tracemalloc.start()
    found = gathered(manifest, lean, size=10)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (found.succeeded, len(found.pages)) == (3_000, 300)
    assert peak < 4 * MIB
