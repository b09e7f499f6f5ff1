"""What is said of a map while it runs: enough, and not too much."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from statebag.app.display import LineDisplay
from statebag.app.progress import Progress, describe_map
from statebag.app.verdict import tell_outcome

MAP: dict[str, Any] = {
    "label": "each",
    "kind": "calls",
    "total": 10_000,
    "chunks": 100,
    "chunks_done": 42,
    "in_flight": 12,
    "done": 4_200,
    "failed": 126,
    "items_per_second": 350.4,
    "seconds_left": 16.6,
}
BEFORE = Progress(segment=1, total_segments=3, label="each", loop_counter=1)
RUNNING = replace(BEFORE, segment=2, loop_counter=2, label="end", map=MAP)


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (
            {},
            "4,200 of 10,000 items are done, 126 failed, 12 chunks in flight, 350 items/s, 17 s left",
        ),
        (
            {"failed": 0, "in_flight": 1, "items_per_second": 0.333, "seconds_left": 17_400.0},
            "4,200 of 10,000 items are done, 1 chunk in flight, 0.33 items/s, 4.8 h left",
        ),
        (
            {"kind": "branches", "failed": 0, "items_per_second": 2.5, "seconds_left": 2_320.0},
            "4,200 of 10,000 branches are done, 12 chunks in flight, 2.5 branches/s, 39 min left",
        ),
        (
            {"items_per_second": 12_345.6, "seconds_left": 0.5, "failed": 0},
            "4,200 of 10,000 items are done, 12 chunks in flight, 12,346 items/s, 0 s left",
        ),
    ],
)
def test_a_map_is_told_in_one_line(change: dict[str, Any], wanted: str) -> None:
    assert describe_map(MAP | change) == wanted


def test_a_map_that_has_just_begun_knows_no_rate() -> None:
    begun = {name: MAP[name] for name in ("label", "kind", "total", "chunks")}
    begun |= {"chunks_done": 0, "in_flight": 0, "done": 0, "failed": 0, "items_per_second": 0.0}
    assert describe_map(begun) == "0 of 10,000 items are done"


def test_plain_lines_are_seconds_apart(capfd: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    display = LineDisplay(lambda: now)
    display.show(BEFORE)
    for tick in range(401):
        now = tick * 0.1
        display.show(replace(RUNNING, map=MAP | {"done": tick * 25}))
    display.show(replace(RUNNING, map=None))
    lines = [line[9:] for line in capfd.readouterr().err.splitlines()]
    assert lines[0] == "segment 2 of 3: each"
    assert lines[-1] == "segment 3 of 3: end"
    told = [int(line.partition(" of ")[0].replace(",", "")) for line in lines[1:-1]]
    assert told == [0, 1_250, 2_500, 3_750, 5_000, 6_250, 7_500, 8_750, 10_000]


def test_a_map_that_stands_still_is_told_once(capfd: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    display = LineDisplay(lambda: now)
    for tick in range(100):
        now = float(tick)
        display.show(RUNNING)
    assert len(capfd.readouterr().err.splitlines()) == 1


def test_before_its_chunks_are_there_a_map_has_no_segment(capfd: pytest.CaptureFixture[str]) -> None:
    display = LineDisplay()
    cutting = replace(RUNNING, map=None, current_state="ExecuteMapReduceMode")
    for moment in (BEFORE, cutting, cutting, replace(RUNNING, current_state="ExecuteMapReduceMode")):
        display.show(moment)
    assert [line[9:] for line in capfd.readouterr().err.splitlines()] == [
        "segment 2 of 3: each",
        "the items of a map are put into chunks",
        describe_map(MAP),
    ]


def test_items_that_were_tolerated_are_told_at_the_end(capfd: pytest.CaptureFixture[str]) -> None:
    outcome = {"status": "SUCCEEDED", "execution_id": "run-1", "total_segments": 2, "failed_items": 7}
    assert tell_outcome(outcome, as_json=False) == 0
    assert capfd.readouterr().err.splitlines() == [
        "SUCCEEDED run-1: 2 segments, 0 pauses",
        "items that failed, no more than their map tolerates: 7; their results have an `error`",
    ]
