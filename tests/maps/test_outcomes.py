"""The outcome of a chunk: the first one stays, whoever records another one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from statebag.blobs import BlobStore, ExecutionBlobs, LocalBackend
from statebag.maps import Outcome, find_outcome, list_outcomes, record_outcome


def outcome(blobs: ExecutionBlobs, chunk: int = 0, *, results: list[object] | None = None) -> Outcome:
    pointer = blobs.put(results or [{}], kind="items")
    return Outcome(chunk=chunk, status="DONE", succeeded=1, failed_at=(), results=pointer)


def test_the_first_outcome_stays(blobs: ExecutionBlobs) -> None:
    done = outcome(blobs)
    lost = replace(done, status="LOST", succeeded=0, failed_at=(0,))
    assert record_outcome(done, map_id="m", rounds=0, blobs=blobs) == done
    assert record_outcome(lost, map_id="m", rounds=0, blobs=blobs) == done
    assert find_outcome(0, map_id="m", rounds=0, blobs=blobs, earlier=False) == done
    assert (done.report(), lost.report()) == ({"succeeded": 1, "failed": 0}, {"succeeded": 0, "failed": 1})


def test_of_many_at_the_same_time_one_stays(tmp_path: Path) -> None:
    stores = [BlobStore(LocalBackend(tmp_path)).execution("o", "w", "e") for _ in range(8)]
    given = [replace(outcome(blobs), succeeded=number) for number, blobs in enumerate(stores)]
    with ThreadPoolExecutor(8) as pool:
        found = list(
            pool.map(
                lambda one: record_outcome(one[0], map_id="m", rounds=0, blobs=one[1]), zip(given, stores, strict=True)
            )
        )
    assert len({one.succeeded for one in found}) == 1
    assert find_outcome(0, map_id="m", rounds=0, blobs=stores[0], earlier=False) == found[0]


def test_a_stored_outcome_loses_nothing(blobs: ExecutionBlobs) -> None:
    whole = Outcome(
        chunk=12,
        status="LOST",
        succeeded=3,
        failed_at=(1, 4),
        results=blobs.put([1], kind="items"),
        tokens={"input_tokens": 5},
        logs=blobs.put(["log"], kind="logs"),
        warnings=({"path": "$.x", "code": "C", "message": "m"},),
    )
    record_outcome(whole, map_id="m", rounds=2, blobs=blobs)
    assert find_outcome(12, map_id="m", rounds=2, blobs=blobs, earlier=False) == whole
    assert record_outcome(outcome(blobs, 12), map_id="m", rounds=2, blobs=blobs) == whole


def test_each_map_round_and_chunk_has_outcomes_of_its_own(blobs: ExecutionBlobs) -> None:
    for map_id, rounds, chunk in (("m", 0, 0), ("m", 0, 1), ("m", 1, 1), ("m", 2, 5), ("n", 0, 7)):
        body = replace(outcome(blobs, chunk), succeeded=rounds * 10 + chunk)
        record_outcome(body, map_id=map_id, rounds=rounds, blobs=blobs)
    assert list_outcomes(map_id="m", rounds=2, blobs=blobs) == {0: 0, 1: 1, 5: 2}
    assert list_outcomes(map_id="m", rounds=0, blobs=blobs) == {0: 0, 1: 0}
    assert list_outcomes(map_id="n", rounds=3, blobs=blobs) == {7: 0}
    assert list_outcomes(map_id="o", rounds=0, blobs=blobs) == {}

    def succeeded(chunk: int, rounds: int, *, earlier: bool) -> int | None:
        found = find_outcome(chunk, map_id="m", rounds=rounds, blobs=blobs, earlier=earlier)
        return None if found is None else found.succeeded

    assert [succeeded(1, rounds, earlier=True) for rounds in (0, 1, 2)] == [1, 11, 11]
    assert [succeeded(1, rounds, earlier=False) for rounds in (0, 1, 2)] == [1, 11, None]
    assert [succeeded(5, rounds, earlier=True) for rounds in (0, 1, 2)] == [None, None, 25]
