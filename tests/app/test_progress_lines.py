"""Progress where stderr is no terminal: a line for each change."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from statebag.app.display import LineDisplay, choose_display
from statebag.app.progress import Progress, Stuck

FIRST = Progress(current_state="ExecuteSegment", segment=0, total_segments=3, label="draft")
SECOND = replace(FIRST, segment=1, loop_counter=1, label="llm_review")


def lines_of(capfd: pytest.CaptureFixture[str], *moments: Progress) -> list[str]:
    display = choose_display()
    assert isinstance(display, LineDisplay)
    for moment in moments:
        display.show(moment)
    display.close()
    lines = capfd.readouterr().err.splitlines()
    assert all(re.match(r"\d\d:\d\d:\d\d ", line) for line in lines)
    return [line[9:] for line in lines]


def test_a_segment_is_told_once(capfd: pytest.CaptureFixture[str]) -> None:
    later = replace(SECOND, current_state="SyncStateData")
    assert lines_of(capfd, Progress(), FIRST, FIRST, SECOND, later) == [
        "segment 1 of 3: draft",
        "segment 2 of 3: llm_review",
    ]


def test_a_segment_that_runs_again_is_told_again(capfd: pytest.CaptureFixture[str]) -> None:
    again = replace(FIRST, loop_counter=2)
    assert lines_of(capfd, FIRST, SECOND, again)[2:] == ["segment 1 of 3: draft"]


def test_the_end_is_no_segment(capfd: pytest.CaptureFixture[str]) -> None:
    assert lines_of(capfd, SECOND, replace(SECOND, loop_counter=2, status="SUCCEEDED")) == [
        "segment 2 of 3: llm_review"
    ]


def test_what_keeps_a_call_from_succeeding_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    second, third = (replace(SECOND, stuck=Stuck(attempt=n, message="LLM_UNAVAILABLE: 429")) for n in (2, 3))
    assert lines_of(capfd, SECOND, second, second, third)[1:] == [
        "segment 2 of 3: llm_review: try 2 is under way: LLM_UNAVAILABLE: 429",
        "segment 2 of 3: llm_review: try 3 is under way: LLM_UNAVAILABLE: 429",
    ]


def test_a_worker_that_is_gone_is_told_once(capfd: pytest.CaptureFixture[str]) -> None:
    silent = [Progress(silent=times) for times in (1, 2, 3)]
    (_, line) = lines_of(capfd, FIRST, *silent)
    assert line.startswith("no worker answers; the run waits.")
