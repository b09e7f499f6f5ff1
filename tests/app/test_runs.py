"""``status``, ``list`` and ``history``."""

from __future__ import annotations

import pytest

from tests.app.shell import Call, Shell, wait_for_line
from tests.rig import asks, chain, sets

DOCUMENT = chain(
    sets("a", a=1),
    sets("b", b=2),
    edges=[asks("a", "b", prompt="Ship it?", options=["yes", "no"])],
    workflow_name="Shipping",
)


@pytest.fixture
def name(shared: Shell) -> str:
    return "run-" + shared.folder.parent.name


def test_a_run_can_be_looked_at_while_it_waits_and_when_it_is_over(shared: Shell, call: Call, name: str) -> None:
    shared.write("d.json", DOCUMENT)
    watcher = shared.start("run", "d.json", "--json", "--id", name)
    wait_for_line(watcher, "answer with:")
    waiting = call("status", name, "--json").body
    assert (waiting["status"], waiting["workflow_name"], waiting["current_state"]) == (
        "RUNNING",
        "Shipping",
        "WaitForHITPCallback",
    )
    assert (waiting["segment"], waiting["total_segments"], waiting["loop_counter"]) == (1, 2, 1)
    assert [pause["prompt"] for pause in waiting["pending"]] == ["Ship it?"]
    shown = call("status", name).out
    assert f"{name}  RUNNING  Shipping" in shown
    assert "segment 2 of 2: b" in shown
    assert "waits    pause 1-1: Ship it? (yes / no), until " in shown
    running = call("list", "--status", "running", "--limit", "100", "--json").body["runs"]
    assert name in [run["execution_id"] for run in running]
    early = call("history", name, "--json").body
    assert [(entry["type"], entry["status"]) for entry in early["entries"]] == [("segment", "COMPLETED")]
    assert early["trace"][-1] == "WaitForHITPCallback"

    assert call("respond", name, "--response", "no").status == 0
    assert shared.finish(watcher).status == 0

    # From here on no worker runs.
    over = call("status", name, "--json").body
    assert (over["status"], over["worker_answers"], over["loop_counter"], over["pauses"]) == ("SUCCEEDED", False, 2, 1)
    assert over["closed_at"] > over["started_at"]
    listed = call("list", "--limit", "100").out.splitlines()
    assert listed[0].split() == ["id", "status", "started", "ended", "workflow"]
    (row,) = [line for line in listed if line.startswith(f"{name} ")]
    assert row.split()[1::5] == ["SUCCEEDED", "Shipping"]
    past = call("history", name, "--json").body
    assert past["trace"] is None
    assert past["entries"][0] == early["entries"][0]
    assert len(past["entries"]) > 1
    table = call("history", name).out.splitlines()
    assert table[0].split() == ["time", "segment", "type", "status", "ms", "what"]
    assert len(table) == 1 + len(past["entries"]) + 2


def test_the_error_of_a_failed_run_is_shown_without_a_worker(shared: Shell, call: Call, name: str) -> None:
    check = {
        "id": "no",
        "type": "operator_official",
        "config": {"strategy": "assert", "params": {"condition": "$.a == 2"}},
    }
    shared.write("d.json", chain(sets("a", a=1), check))
    assert shared.run("run", "d.json", "--id", name).status == 1
    body = call("status", name, "--json").body
    assert (body["status"], body["error"]["code"]) == ("FAILED", "ASSERTION_FAILED")
    entries = call("history", name, "--json").body["entries"]
    assert entries[-1]["status"] == "FAILED"
