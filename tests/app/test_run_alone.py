"""``statebag run`` with no server named: one for the length of the run."""

from __future__ import annotations

import json
import os
import re
import select
import signal
from pathlib import Path

import pytest

from tests.app.shell import Shell, wait_for_line
from tests.rig import asks, chain, llm, sets

REVIEW = chain(
    sets("draft", draft="a first draft", words=["one", "two"]),
    llm("llm_review", "Review {{draft}}", output_key="review"),
    sets("publish", published=True),
    edges=[asks("llm_review", "publish", prompt="Publish it?")],
    workflow_name="Small Review",
)
CONTRACT = [
    "status",
    "execution_id",
    "final_state",
    "total_segments",
    "llm_segments",
    "hitp_segments",
    "pauses",
    "loop_counter",
    "trace",
    "machine",
]


def operator(name: str, strategy: str, **config: object) -> dict[str, object]:
    return {"id": name, "type": "operator_official", "config": {"strategy": strategy, **config}}


def test_json_is_one_object_with_all_of_the_contract(shell: Shell, tmp_path: Path) -> None:
    shell.write("review.json", REVIEW)
    ended = shell.run("run", "review.json", "--mock", "--auto-approve", "--json")
    assert (ended.status, list(ended.body)) == (0, CONTRACT)
    body = ended.body
    assert body["status"] == "SUCCEEDED"
    assert re.fullmatch(r"small-review-[0-9a-f]{8}", body["execution_id"])
    state = body["final_state"]
    assert (state["draft"], state["words"], state["published"]) == ("a first draft", ["one", "two"], True)
    assert state["review"].startswith("Mock answer to: Review a first draft")
    answer = state["last_hitp_response"]
    assert (answer["decision"], answer["responder"]) == ("APPROVED", "auto-approve")
    assert [body[name] for name in CONTRACT[3:8]] == [3, 1, 1, 1, 3]
    assert (body["trace"][0], body["trace"][-1]) == ("CheckIdempotency", "WorkflowSucceeded")
    assert body["trace"].count("ExecuteSegment") == 3
    assert list((tmp_path / "tmp").iterdir()) == []
    assert not (tmp_path / "data").exists()


def test_without_json_the_final_state_is_on_stdout_and_what_happened_on_stderr(shell: Shell) -> None:
    shell.write("review.json", REVIEW)
    ended = shell.run("run", "review.json", "--mock", "--auto-approve", "--id", "seen")
    assert ended.status == 0
    assert ended.out.startswith('{\n  "draft": "a first draft"')
    lines = ended.err.splitlines()
    assert all(re.match(r"\d\d:\d\d:\d\d ", line) for line in lines[:-1])
    assert [line[9:] for line in lines if "pause" in line or "started" in line][:2] == [
        "run seen started",
        "pause 2-1: APPROVED by auto-approve",
    ]
    assert "segment 3 of 3: publish" in ended.err
    assert lines[-1] == "SUCCEEDED seen: 3 segments, 1 pause"


def test_strategies_take_the_input_of_a_file(shell: Shell) -> None:
    document = chain(
        operator("take", "list_filter", input_key="orders", params={"condition": "$.open == true"}, output_key="open"),
        operator("sum", "list_reduce", input_key="open", params={"operation": "sum", "field": "n"}, output_key="total"),
        operator("say", "string_template", params={"template": "{{total}} 개"}, output_key="text"),
    )
    shell.write("d.json", document)
    shell.write("in.json", {"orders": [{"open": True, "n": 2}, {"open": False, "n": 90}, {"open": True, "n": 2.5}]})
    ended = shell.run("run", "d.json", "--input", "@in.json", "--mock", "--json")
    assert ended.body["final_state"]["total"] == 4.5
    assert ended.body["final_state"]["text"] == "4.5 개"
    assert ended.body["execution_id"].startswith("d-")


def test_auto_approve_answers_what_the_pause_asks_for_and_models_keep_their_schema(shell: Shell) -> None:
    verdict = {"type": "object", "properties": {"verdict": {"enum": ["yes"]}, "n": {"type": "integer", "minimum": 7}}}
    verdict["required"] = ["verdict", "n"]
    summary = {"type": "object", "properties": {"topic": {"type": "string"}}, "required": ["topic"]}
    document = chain(
        llm("ask", "Sum up {{text}}", response_schema=summary, output_key="raw"),
        operator("parse", "json_parse", input_key="raw", output_key="parsed"),
        sets("middle", middle=1),
        sets("end", end=2),
        edges=[
            asks("parse", "middle", schema=verdict, output_key="judged"),
            asks("middle", "end", options=["later", "now"], output_key="when"),
        ],
        initial_state={"text": "a text"},
    )
    ended = shell.run("run", "-", "--mock", "--auto-approve", "--json", stdin=json.dumps(document))
    assert ended.status == 0
    state = ended.body["final_state"]
    assert ended.body["pauses"] == 2
    assert isinstance(state["parsed"]["topic"], str)
    assert state["judged"]["verdict"] == "yes"
    assert state["judged"]["n"] >= 7
    assert state["when"] == "later"


def test_a_run_that_fails_says_why_and_shows_the_state_it_failed_with(shell: Shell) -> None:
    document = chain(
        sets("first", first=1),
        operator("check", "assert", params={"condition": "$.first == 2"}),
        edges=[asks("first", "check")],
    )
    shell.write("d.json", document)
    ended = shell.run("run", "d.json", "--mock", "--auto-approve", "--json")
    assert (ended.status, ended.body["status"]) == (1, "FAILED")
    assert ended.body["error"]["code"] == "ASSERTION_FAILED"
    assert ended.body["error"]["message"]
    assert ended.body["final_state"]["first"] == 1
    assert ended.body["trace"][-2:] == ["NotifyAndFail", "WorkflowFailed"]
    assert f"ASSERTION_FAILED: {ended.body['error']['message']}" in ended.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_cancels_the_run_and_stops_the_server(shell: Shell, number: signal.Signals, tmp_path: Path) -> None:
    shell.write("review.json", REVIEW)
    process = shell.start("run", "review.json", "--mock", "--json")
    line = wait_for_line(process, "answer with:")
    servers = children_of(process.pid)
    process.send_signal(number)
    ended = shell.finish(process)
    assert re.search(
        r"answer with: TEMPORAL_ADDRESS=127\.0\.0\.1:\d+ statebag respond small-review-\w+ --pause 2-1", line
    )
    assert (ended.status, ended.body["status"], ended.body["error"]["code"]) == (1, "CANCELED", "RUN_CANCELED")
    assert ended.body["final_state"]["draft"] == "a first draft"
    assert len(servers) == 1
    assert not is_alive(servers[0])
    assert list((tmp_path / "tmp").iterdir()) == []


def test_the_server_goes_when_the_command_is_killed(shell: Shell) -> None:
    shell.write("review.json", REVIEW)
    process = shell.start("run", "review.json", "--mock")
    wait_for_line(process, "answer with:")
    (server,) = children_of(process.pid)
    process.kill()
    process.wait()
    wait_until_gone(server)


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until_gone(pid: int) -> None:
    try:
        gone = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([gone], [], [], 30)[0], f"process {pid} is still there"
    finally:
        os.close(gone)
