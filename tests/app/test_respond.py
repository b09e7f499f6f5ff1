"""Answers from another terminal: taken once, or refused with a reason; never lost."""

from __future__ import annotations

import json
import signal

import pytest

from tests.app.shell import Call, Shell, wait_for_line
from tests.rig import asks, chain, sets

DOCUMENT = chain(sets("a", a=1), sets("b", b=2), edges=[asks("a", "b", prompt="Ship it?", schema={"type": "object"})])


@pytest.fixture
def name(shared: Shell) -> str:
    return "run-" + shared.folder.parent.name


def test_a_decision_given_while_the_worker_is_dead_is_not_lost(
    shared: Shell, call: Call, name: str, worker_command: list[str]
) -> None:
    worker = shared.start_process(worker_command)
    wait_for_line(worker, "worker ready")
    shared.write("d.json", DOCUMENT)
    watcher = shared.start("run", "d.json", "--json", "--id", name)
    wait_for_line(watcher, "answer with:")
    watcher.send_signal(signal.SIGINT)
    shared.finish(watcher)
    worker.kill()
    worker.wait()
    answer = ("respond", name, "--pause", "1-1", "--response", '{"by": "ann"}', "--by", "ann", "--json")
    impatient = call(*answer, "--wait", "0")
    assert (impatient.status, impatient.body["error"]["code"]) == (1, "NO_WORKER")
    answering = shared.start(*answer)
    wait_for_line(answering, "no worker answers yet; still trying")
    wait_for_line(shared.start_process(worker_command), "worker ready")
    taken = shared.finish(answering)
    assert (taken.status, taken.body["decision"]) == (0, "APPROVED")
    ended = shared.run("run", "d.json", "--json", "--id", name)
    recorded = ended.body["final_state"]["last_hitp_response"]
    assert (ended.status, recorded["value"], recorded["responder"]) == (0, {"by": "ann"}, "ann")
    assert ended.body["pauses"] == 1
    late = call("respond", name, "--response", "{}", "--json")
    assert (late.status, late.body["error"]["code"]) == (2, "PAUSE_UNKNOWN")
    assert "completed" in late.body["error"]["message"]


def test_a_rejection_ends_the_run_with_its_reason(shared: Shell, call: Call, name: str) -> None:
    shared.write("d.json", DOCUMENT)
    watcher = shared.start("run", "d.json", "--json", "--id", name)
    wait_for_line(watcher, "answer with:")
    assert call("respond", name, "--decision", "rejected").status == 0
    ended = shared.finish(watcher)
    assert (ended.status, ended.body["status"]) == (1, "FAILED")
    assert ended.body["error"]["code"] == "HITP_REJECTED"
    assert json.dumps(ended.body["final_state"]["a"]) == "1"
