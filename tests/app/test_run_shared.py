"""``statebag run`` on a server that the environment names."""

from __future__ import annotations

import signal

import pexpect
import pytest
from temporalio.client import Client

from statebag.app.plugin import StateBagPlugin
from statebag.app.settings import Settings
from tests.app.shell import SCRIPTS, Call, Shell, wait_for_line
from tests.rig import asks, chain, sets

REVIEW = chain(
    sets("draft", draft="text"),
    sets("middle", middle=True),
    sets("end", end=True),
    edges=[
        asks("draft", "middle", prompt="Which way?", options=["left", "right"], output_key="way"),
        asks("middle", "end", prompt="How many?", schema={"type": "integer", "minimum": 2}, output_key="number"),
    ],
    workflow_name="Questions",
)


def test_a_pause_says_how_to_answer_and_waits_for_it(shared: Shell, call: Call) -> None:
    shared.write("d.json", REVIEW)
    process = shared.start("run", "d.json", "--mock", "--json", "--id", "q-plain-" + shared.folder.parent.name)
    said = [wait_for_line(process, text) for text in ("no worker polls", "started", "waiting", "answer with: ")]
    assert said[2].endswith("waiting for a person: pause 1-1: Which way? (left / right)")
    command = said[3].partition("answer with: ")[2].split()
    assert (command[:2], command[3:]) == (
        ["statebag", "respond"],
        ["--pause", "1-1", "--decision", "APPROVED", "--response", "left"],
    )
    taken = call(*command[1:], "--by", "ann", "--json")
    assert (taken.status, taken.body["pause_id"], taken.body["decision"]) == (0, "1-1", "APPROVED")
    second = wait_for_line(process, "answer with: ").partition("answer with: ")[2].split()
    assert second[-2:] == ["--response", "JSON"]
    shared.write("answer.json", 5)
    assert call(*second[1:-1], "@answer.json").status == 0
    ended = shared.finish(process)
    assert ended.status == 0
    state = ended.body["final_state"]
    assert (state["way"], state["number"], state["end"]) == ("left", 5, True)


async def test_large_documents_and_inputs_travel_by_pointer(shared: Shell, dev_server: str) -> None:
    texts = {f"field_{number}": f"{number} " * 4_000 for number in range(30)}
    document = chain(sets("big", **{f"set_{number}": "x" * 9_000 for number in range(10)}), sets("end", end=True))
    shared.write("d.json", document)
    shared.write("in.json", texts)
    name = "large-" + shared.folder.parent.name
    ended = shared.run("run", "d.json", "--input", "@in.json", "--mock", "--json", "--id", name, "--owner", "acme/é")
    assert ended.status == 0
    assert {key: ended.body["final_state"][key] for key in texts} == texts
    assert ended.body["final_state"]["set_9"] == "x" * 9_000
    plugin = StateBagPlugin(Settings(store=shared.environment["STATEBAG_STORE"]))
    client = await Client.connect(dev_server, plugins=[plugin])
    async for event in client.get_workflow_handle(name).fetch_history_events():
        payloads = event.workflow_execution_started_event_attributes.input.payloads
        assert sum(payload.ByteSize() for payload in payloads) < 2_000
        (given,) = await client.data_converter.decode(payloads)
        break
    assert sorted(given) == ["MOCK_MODE", "initial_state_s3_path", "ownerId", "workflowId", "workflow_config_s3_path"]
    prefix = plugin.store.execution("acme/é", "d", name).prefix
    assert given["initial_state_s3_path"]["key"].startswith(prefix)
    assert given["workflow_config_s3_path"]["key"].startswith(prefix)
    again = shared.run("run", "d.json", "--input", "@in.json", "--mock", "--json", "--id", name, "--owner", "acme/é")
    assert again.body == ended.body


def test_ctrl_c_leaves_the_run_and_a_later_command_joins_it(shared: Shell) -> None:
    name = "left-" + shared.folder.parent.name
    shared.write("d.json", REVIEW)
    first = shared.start("run", "d.json", "--mock", "--json", "--id", name)
    wait_for_line(first, "answer with:")
    first.send_signal(signal.SIGINT)
    left = shared.finish(first)
    assert (left.status, left.body) == (1, {"status": "RUNNING", "execution_id": name})
    assert f"the run goes on. Look with: statebag status {name}" in left.err
    second = shared.run("run", "d.json", "--mock", "--auto-approve", "--json", "--id", name)
    assert (second.status, second.body["status"], second.body["pauses"]) == (0, "SUCCEEDED", 2)
    assert f"run {name} goes on or is over: joined" in second.err


def test_a_person_at_the_terminal_is_asked_in_place(shared: Shell) -> None:
    shared.write("d.json", REVIEW)
    child = pexpect.spawn(
        str(SCRIPTS / "statebag"),
        ["run", "d.json", "--mock"],
        cwd=str(shared.folder),
        env=shared.environment | {"TERM": "xterm", "COLUMNS": "120"},
        encoding="utf-8",
        timeout=30,
        dimensions=(40, 160),
    )
    try:
        child.expect(r"pause 1-1: Which way\?\r\n  1\. left\r\n  2\. right\r\n")
        child.expect(r"\[v\]alue: ")
        child.sendline("a")
        child.expect(r"option \(number or text\): ")
        child.sendline("up")
        child.expect(r"RESPONSE_INVALID: answer refused: \$\.response: .*left, right")
        child.expect(r"\[v\]alue: ")
        child.sendline("what?")
        child.expect(r"\[v\]alue: ")
        child.sendline("approve")
        child.expect(r"option \(number or text\): ")
        child.sendline("2")
        child.expect(r"pause 1-1: APPROVED")
        child.expect(r"segment 3 of 3: end")
        child.expect(r"the response is JSON of type integer\r\n")
        child.expect(r"\[v\]alue: ")
        child.sendline("v")
        child.expect(r"response \(JSON or text\): ")
        child.sendline("1")
        child.expect(r"RESPONSE_INVALID: .*minimum of 2")
        child.sendline("v")
        child.sendline("3")
        child.expect(r"pause 2-2: ANSWER")
        child.expect(r"SUCCEEDED questions-\w{8}: 3 segments, 2 pauses")
        child.expect(r'"number": 3')
        child.expect(r'"way": "right"')
        child.expect(pexpect.EOF)
    finally:
        child.close()
    assert child.exitstatus == 0


def test_an_answer_from_elsewhere_ends_the_question_at_the_terminal(shared: Shell, call: Call) -> None:
    name = "both-" + shared.folder.parent.name
    document = chain(sets("a", a=1), sets("b", b=2), edges=[asks("a", "b", prompt="Go on?")])
    shared.write("d.json", document)
    child = pexpect.spawn(
        str(SCRIPTS / "statebag"),
        ["run", "d.json", "--id", name],
        cwd=str(shared.folder),
        env=shared.environment | {"TERM": "xterm"},
        encoding="utf-8",
        timeout=30,
    )
    try:
        child.expect(r"\[v\]alue: ")
        assert call("respond", name).status == 0
        child.expect(rf"SUCCEEDED {name}")
        child.expect(pexpect.EOF)
    finally:
        child.close()
    assert child.exitstatus == 0


@pytest.mark.parametrize("options", [[], ["yes"]])
async def test_a_pause_that_approval_cannot_answer_fails_instead_of_hanging(shell: Shell, options: list[str]) -> None:
    schema = {"not": {}} if not options else {"type": "integer"}
    document = chain(sets("a", a=1), sets("b", b=2), edges=[asks("a", "b", options=options, schema=schema)])
    shell.write("d.json", document)
    ended = shell.run("run", "d.json", "--auto-approve", "--json")
    assert (ended.status, ended.body["status"]) == (1, "FAILED")
    assert ended.body["error"]["code"] == ("RESPONSE_INVALID" if options else "NODE_FAILED")
