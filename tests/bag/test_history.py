from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from statebag.bag import History, append_logs, log_id_of, read_all
from statebag.blobs import BlobStore, ExecutionBlobs, LocalBackend
from statebag.canonical import canonical_bytes, size_of


def test_61_segments_and_200_more_lose_no_entry(run: Any) -> None:
    run.init(segments=2)
    entries = [{"log_id": f"{index}", "node_id": "loop"} for index in range(261)]
    for entry in entries[:61]:
        run.sync("CONTINUE", 1, new_history_logs=[entry])
    early = run.bag.kernel.state_history
    assert early.count == 61
    assert list(read_all(early, run.blobs)) == entries[:61]
    for entry in entries[61:]:
        run.sync("CONTINUE", 1, new_history_logs=[entry])
    history = run.bag.kernel.state_history
    assert list(read_all(history, run.blobs)) == entries
    assert list(read_all(early, run.blobs)) == entries[:61]
    assert len(run.state["state_history"]) <= 50
    assert run.state["state_history_archive"]["count"] + len(run.state["state_history"]) == 261


def test_visits_of_one_node_are_told_apart_and_equal_texts_are_not(blobs: ExecutionBlobs) -> None:
    logs = [{"node_id": "n", "visit": 1}, {"node_id": "n", "visit": 2}, {"node_id": "n", "visit": 1}, "a", "a", "b"]
    history = append_logs(History(), logs, blobs=blobs, tail=50)
    assert list(history.entries) == [
        {"node_id": "n", "visit": 1},
        {"node_id": "n", "visit": 2},
        {"message": "a"},
        {"message": "b"},
    ]


def test_one_id_is_one_entry_whatever_it_says(blobs: ExecutionBlobs) -> None:
    logs = [{"log_id": "x", "attempt": 1}, {"log_id": "x", "attempt": 2}, {"log_id": "", "attempt": 2}]
    history = append_logs(History(), logs, blobs=blobs, tail=50)
    assert [entry["attempt"] for entry in history.entries] == [1, 2]


def test_a_producer_s_id_depends_on_place_and_visit_only() -> None:
    ids = {log_id_of(e, s, v, n) for e in ("e", "f") for s in ("1", "11") for v in (0, 1) for n in (0, 1)}
    assert len(ids) == 16
    assert log_id_of("e", "1", 0, 0) == log_id_of("e", "1", 0, 0)


def test_nothing_new_is_the_same_history(blobs: ExecutionBlobs) -> None:
    history = append_logs(History(), ["a"], blobs=blobs, tail=50)
    assert append_logs(history, ["a"], blobs=blobs, tail=50) is history
    assert append_logs(history, [], blobs=blobs, tail=50) is history


def test_long_entries_leave_early(blobs: ExecutionBlobs) -> None:
    history = History()
    entries = [{"log_id": str(index), "text": "x" * 4_000} for index in range(40)]
    for entry in entries:
        history = append_logs(history, [entry], blobs=blobs, tail=50, tail_bytes=16 * 1024)
        assert size_of(history.entries) <= 16 * 1024
        again = append_logs(history, entries[: history.count][-25:], blobs=blobs, tail=50, tail_bytes=16 * 1024)
        assert again is history
    assert list(read_all(history, blobs)) == entries


def test_one_entry_that_fits_nowhere_is_kept_all_the_same(blobs: ExecutionBlobs) -> None:
    history = append_logs(History(), ["x" * 300_000], blobs=blobs, tail=50, tail_bytes=1_024)
    assert history.entries == ()
    assert list(read_all(history, blobs)) == [{"message": "x" * 300_000}]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> ExecutionBlobs:
    return BlobStore(LocalBackend(tmp_path_factory.mktemp("store"))).execution("o", "w", "e")


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), tail=st.integers(0, 60), limit=st.none() | st.integers(1, 4_000))
def test_no_entry_is_lost_or_doubled(data: st.DataObject, tail: int, limit: int | None, place: ExecutionBlobs) -> None:
    history = History()
    model: list[int] = []
    for _ in range(data.draw(st.integers(1, 12))):
        # A producer repeats what it sent lately: at most as far back as a page.
        recent = model[-25:]
        fresh = st.integers(len(model), len(model) + 30)
        batch = data.draw(st.lists(fresh | st.sampled_from(recent) if recent else fresh, max_size=40))
        history = append_logs(history, [{"n": number} for number in batch], blobs=place, tail=tail, tail_bytes=limit)
        # Numbers are given out in order, so that every new one counts from the model's end.
        model += [number for number in dict.fromkeys(batch) if number not in model]
        assert history.count == len(model)
        if limit is None:
            assert len(history.entries) <= max(tail, 24)
    assert [entry["n"] for entry in read_all(history, place)] == model


@settings(deadline=None, max_examples=30)
@given(
    batches=st.lists(st.lists(st.integers(0, 10_000), max_size=60, unique=True), max_size=6), tail=st.integers(0, 60)
)
def test_a_stored_history_reads_as_it_was(batches: list[list[int]], tail: int, place: ExecutionBlobs) -> None:
    history = History()
    for batch in batches:
        history = append_logs(history, [{"n": number} for number in batch], blobs=place, tail=tail)
    again = History.from_json({k: v for k, v in history.to_json().items() if v})
    assert canonical_bytes(list(read_all(again, place))) == canonical_bytes(list(read_all(history, place)))
