"""Bad input at every door: a typed code for each, and nothing else happens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError

from statebag.blobs import BlobStore, Pointer
from statebag.errors import CODES
from tests.app.shell import Call, Ended, Shell, wait_for_line
from tests.rig import Rig, asks, chain, llm, sets, start_rig

GOOD = chain(sets("a", a=1), sets("b", b=2), workflow_name="Good")


@pytest.fixture
def untouched(shared: Shell, dev_server: str) -> Iterator[None]:
    """At the end there is no run of this test's task queue, and nothing in its store."""
    yield
    assert asyncio.run(count_runs(dev_server, shared.environment["STATEBAG_TASK_QUEUE"])) == 0
    assert not Path(shared.environment["STATEBAG_STORE"].removeprefix("file://")).exists()


async def count_runs(address: str, task_queue: str) -> int:
    client = await Client.connect(address)
    return (await client.count_workflows(f"TaskQueue = '{task_queue}'")).count


def refusal(ended: Ended) -> tuple[int, str, str]:
    """Exit status, status and code; the same code must be on stderr, and in the list of codes."""
    error = ended.body["error"]
    assert error["message"]
    assert error["code"] in CODES
    assert f"{error['code']}: " in ended.err
    return ended.status, ended.body["status"], error["code"]


def node(kind: str, **config: Any) -> dict[str, Any]:
    return {"id": "n", "type": kind, "config": config}


def edges(*pairs: tuple[str, str], **more: Any) -> dict[str, Any]:
    names = sorted({name for pair in pairs for name in pair})
    joined = [{"source": source, "target": target, **more} for source, target in pairs]
    return {"nodes": [sets(name, x=1) for name in names], "edges": joined}


def forking(**first: Any) -> dict[str, Any]:
    """``a`` forks to ``b`` and ``c``; ``first`` are members of the edge to ``b``."""
    document = edges(("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"))
    document["edges"][0] |= first
    return document


DOCUMENTS: dict[str, tuple[Any, str]] = {
    "empty": ("", "DOCUMENT_NOT_JSON"),
    "cut off": ('{"nodes": [', "DOCUMENT_NOT_JSON"),
    "NaN": ('{"nodes": [], "edges": [], "initial_state": {"x": NaN}}', "DOCUMENT_NOT_JSON"),
    "a list": ([], "DOCUMENT_NOT_OBJECT"),
    "no nodes": ({"edges": []}, "FIELD_MISSING"),
    "nodes are no list": ({"nodes": {}, "edges": []}, "FIELD_TYPE"),
    "501 nodes": ({"nodes": [sets(f"n{i}", x=1) for i in range(501)], "edges": []}, "DOCUMENT_TOO_LARGE"),
    "a node without id": ({"nodes": [{"type": "operator", "config": {}}], "edges": []}, "FIELD_MISSING"),
    "two nodes of an id": ({"nodes": [sets("a", x=1), sets("a", x=2)], "edges": []}, "NODE_DUPLICATE"),
    "an unknown type": (chain(node("teleport")), "NODE_TYPE_UNKNOWN"),
    "a dangling edge": ({"nodes": [sets("a", x=1)], "edges": [{"source": "a", "target": "z"}]}, "EDGE_DANGLING"),
    "an unknown edge type": (edges(("a", "b"), type="maybe"), "EDGE_TYPE_UNKNOWN"),
    "an edge twice": (edges(("a", "b"), ("a", "b")), "EDGE_DUPLICATE"),
    "a cycle": (edges(("a", "b"), ("b", "a")), "GRAPH_CYCLE"),
    "a way into a branch": (forking(type="hitp", metadata={"on_reject": "c"}), "GRAPH_SHAPE"),
    "no such start": ({**GOOD, "start_node": "z"}, "START_NODE_UNKNOWN"),
    "an unknown strategy": (chain(node("operator_official", strategy="guess")), "STRATEGY_UNKNOWN"),
    "a wrong condition": (
        chain(node("operator_official", strategy="assert", params={"condition": "import os"})),
        "EXPRESSION_SYNTAX",
    ),
    "an open template": (chain(llm("n", "Say {{ word")), "TEMPLATE_SYNTAX"),
    "a wrong schema": (chain(llm("n", "Say it", response_schema={"type": "thing"})), "SCHEMA_INVALID"),
    "a wrong pause": (chain(sets("a", x=1), sets("b", x=2), edges=[asks("a", "b", timeout_seconds=-1)]), "FIELD_VALUE"),
}


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("case", DOCUMENTS)
def test_documents(call: Call, shared: Shell, case: str) -> None:
    document, code = DOCUMENTS[case]
    shared.write("d.json", document)
    ended = call("run", "d.json", "--json", "--mock")
    assert refusal(ended) == (2, "REFUSED", code)
    assert code in {problem["code"] for problem in ended.body["error"]["problems"]}


INPUTS: dict[str, tuple[list[str], str]] = {
    "no JSON": (["--input", "{name: 1}"], "INPUT_NOT_JSON"),
    "infinity": (["--input", '{"x": Infinity}'], "INPUT_NOT_JSON"),
    "a list": (["--input", "[1]"], "INPUT_NOT_OBJECT"),
    "null": (["--input", "null"], "INPUT_NOT_OBJECT"),
    "too large a number": (["--input", '{"x": 1e999}'], "INPUT_NOT_JSON"),
    "no such file": (["--input", "@nowhere.json"], "FILE_UNREADABLE"),
    "a folder": (["--input", "@."], "FILE_UNREADABLE"),
    "a file without JSON": (["--input", "@text"], "INPUT_NOT_JSON"),
    "an empty id": (["--id", " "], "FIELD_VALUE"),
    "too long an id": (["--id", "é" * 257], "FIELD_VALUE"),
    "a line break in the id": (["--id", "a\nb"], "FIELD_VALUE"),
    "too long an owner": (["--owner", "o" * 257], "FIELD_VALUE"),
    "an unknown option": (["--fast"], "USAGE"),
}


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("case", INPUTS)
def test_inputs(call: Call, shared: Shell, case: str) -> None:
    arguments, code = INPUTS[case]
    shared.write("d.json", GOOD)
    shared.write("text", "hello")
    assert refusal(call("run", "d.json", "--json", *arguments)) == (2, "REFUSED", code)


@pytest.mark.usefixtures("untouched")
def test_all_problems_of_document_and_input_are_told_at_once(call: Call, shared: Shell) -> None:
    shared.write("d.json", {**edges(("a", "b"), ("b", "a")), "start_node": "z"})
    ended = call("run", "d.json", "--json", "--input", "[]", "--id", "")
    codes = [problem["code"] for problem in ended.body["error"]["problems"]]
    assert sorted(codes) == ["FIELD_VALUE", "GRAPH_CYCLE", "INPUT_NOT_OBJECT", "START_NODE_UNKNOWN"]
    lines = ended.err.splitlines()
    assert [line.split(": ")[:2] for line in lines[1:]] == [
        [f"  {problem['path']}", problem["code"]] for problem in ended.body["error"]["problems"]
    ]


BAD_TOML = "[profile.default\n"
ENVIRONMENTS: dict[str, tuple[dict[str, str], int, str]] = {
    "an unknown variable": ({"STATEBAG_TASKQUEUE": "x"}, 2, "SETTING_INVALID"),
    "no number": ({"STATEBAG_CACHE_MB": "many"}, 2, "SETTING_INVALID"),
    "zero slots": ({"STATEBAG_MAX_CONCURRENT_ACTIVITIES": "0"}, 2, "SETTING_INVALID"),
    "no level": ({"STATEBAG_LOG_LEVEL": "loud"}, 2, "SETTING_INVALID"),
    "no store": ({"STATEBAG_STORE": "ftp://host/x"}, 2, "SETTING_INVALID"),
    "a file as store": ({"STATEBAG_STORE": "file:///etc/hostname"}, 2, "SETTING_INVALID"),
    "no such profile": ({"TEMPORAL_PROFILE": "nowhere"}, 2, "SETTING_INVALID"),
    "a broken file": ({"TEMPORAL_CONFIG_FILE": "bad.toml"}, 2, "SETTING_INVALID"),
    "no certificate": ({"TEMPORAL_TLS_CLIENT_CERT_PATH": "nowhere.pem"}, 2, "SETTING_INVALID"),
    "no address": ({"TEMPORAL_ADDRESS": ":::"}, 2, "SETTING_INVALID"),
    "no such namespace": ({"TEMPORAL_NAMESPACE": "nowhere"}, 2, "SETTING_INVALID"),
    "nobody listens": ({"TEMPORAL_ADDRESS": "127.0.0.1:1"}, 1, "SERVER_UNREACHABLE"),
}


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("case", ENVIRONMENTS)
@pytest.mark.parametrize("command", ["run", "list"])
def test_environments(call: Call, shared: Shell, case: str, command: str) -> None:
    environment, status, code = ENVIRONMENTS[case]
    shared.write("d.json", GOOD)
    shared.write("bad.toml", BAD_TOML)
    ended = call(*(["run", "d.json"] if command == "run" else ["list"]), "--json", **environment)
    assert refusal(ended) == (status, "REFUSED" if status == 2 else "FAILED", code)


def test_the_same_command_with_nothing_wrong_does_start_a_run(call: Call, shared: Shell, dev_server: str) -> None:
    shared.write("d.json", GOOD)
    ended = call("run", "d.json", "--json", "--input", '{"pointer": {"$ptr": 1, "key": "../x"}}')
    assert (ended.status, ended.body["status"]) == (0, "SUCCEEDED")
    assert ended.body["final_state"]["pointer"] == {"$ptr": 1, "key": "../x"}
    assert asyncio.run(count_runs(dev_server, shared.environment["STATEBAG_TASK_QUEUE"])) == 1


RESPONSES: dict[str, tuple[list[str], int, str]] = {
    "no such decision": (["--decision", "MAYBE", "--response", '{"n": 1}'], 2, "RESPONSE_INVALID"),
    "no response": ([], 2, "RESPONSE_INVALID"),
    "an answer without response": (["--decision", "ANSWER"], 2, "RESPONSE_INVALID"),
    "a text": (["--response", "fine"], 2, "RESPONSE_INVALID"),
    "a missing field": (["--response", "{}"], 2, "RESPONSE_INVALID"),
    "a wrong type": (["--response", '{"n": "1"}'], 2, "RESPONSE_INVALID"),
    "no JSON": (["--response", '{"n": 1'], 2, "INPUT_NOT_JSON"),
    "no such file": (["--response", "@nowhere.json"], 2, "FILE_UNREADABLE"),
    "another pause": (["--pause", "9-9", "--response", '{"n": 1}'], 2, "PAUSE_UNKNOWN"),
    "no number to wait": (["--wait", "long"], 2, "USAGE"),
}


@pytest.fixture
def paused(shared: Shell, worker_command: list[str], dev_server: str) -> Iterator[str]:
    """Id of a run that waits, and whose history must stay as it is."""
    wait_for_line(shared.start_process(worker_command), "worker ready")
    name = "refused-" + shared.folder.parent.name
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    document = chain(sets("a", a=1), sets("b", b=2), edges=[asks("a", "b", schema=schema)])
    shared.write("d.json", document)
    watcher = shared.start("run", "d.json", "--id", name)
    wait_for_line(watcher, "answer with:")
    before = asyncio.run(history_length(dev_server, name))
    yield name
    assert asyncio.run(history_length(dev_server, name)) == before


async def history_length(address: str, name: str) -> int:
    client = await Client.connect(address)
    return len((await client.get_workflow_handle(name).fetch_history()).events)


def test_responses(call: Call, paused: str) -> None:
    found = {case: refusal(call("respond", paused, "--json", *row[0])) for case, row in RESPONSES.items()}
    assert found == {case: (status, "REFUSED", code) for case, (_, status, code) in RESPONSES.items()}
    ended = call("respond", paused, "--response", '{"n": 1.5, "m": 2}')
    assert ended.err.splitlines()[0].startswith("RESPONSE_INVALID: answer refused: $.response.n: ")


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("command", [["status"], ["history"], ["respond"]])
def test_runs_that_do_not_exist(call: Call, command: list[str]) -> None:
    assert refusal(call(*command, "nobody", "--json")) == (1, "FAILED", "RUN_NOT_FOUND")


def test_a_workflow_of_another_kind_is_no_run(call: Call, dev_server: str) -> None:
    async def start() -> WorkflowHandle[Any, Any]:
        client = await Client.connect(dev_server)
        return await client.start_workflow("Other", id="of-another-kind", task_queue="nobody")

    asyncio.run(start())
    assert refusal(call("status", "of-another-kind", "--json")) == (1, "FAILED", "RUN_NOT_FOUND")


def test_a_status_that_does_not_exist(call: Call) -> None:
    assert refusal(call("list", "--status", "sleeping", "--json")) == (2, "REFUSED", "FIELD_VALUE")


SOUND = {"$ptr": 1, "kind": "fields", "size_bytes": 2, "sha256": "0" * 64, "codec": "json"}
POINTERS: dict[str, tuple[Callable[[Rig, str], Any], str]] = {
    "of the wrong type": (lambda rig, name: 7, "FIELD_TYPE"),
    "an empty key": (lambda rig, name: "", "FIELD_VALUE"),
    "without fields": (lambda rig, name: {"$ptr": 1}, "POINTER_MALFORMED"),
    "with a path that climbs": (lambda rig, name: {**SOUND, "key": f"acme/review/{name}/../x"}, "POINTER_MALFORMED"),
    "with a hash that is none": (
        lambda rig, name: {**SOUND, "sha256": "zz", "key": f"acme/review/{name}/x"},
        "POINTER_MALFORMED",
    ),
    "of another run": (lambda rig, name: stored(rig, "another").to_json(), "POINTER_FORBIDDEN"),
    "to nothing": (lambda rig, name: {**SOUND, "key": f"acme/review/{name}/fields/{'0' * 64}"}, "POINTER_NOT_FOUND"),
    "to a damaged object": (lambda rig, name: damaged(rig, name).to_json(), "POINTER_CORRUPT"),
    "to a list": (lambda rig, name: stored(rig, name, [1]).to_json(), "RESULT_INVALID"),
    "beside the state itself": (lambda rig, name: (stored(rig, name).to_json(), {"x": 1}), "INPUT_CONFLICT"),
}


def stored(rig: Rig, name: str, value: Any = None) -> Pointer:
    return rig.plugin.store.execution("acme", "review", name).put(value or {"x": "y" * 100}, kind="state")


def damaged(rig: Rig, name: str) -> Pointer:
    # A store of its own, so that the worker's cache knows nothing of the value.
    backend = rig.plugin.store.backend
    pointer = BlobStore(backend).execution("acme", "review", name).put({"x": "z" * 5_000}, kind="state")
    data = backend.read(pointer.key)
    backend.delete(pointer.key)
    backend.write_if_absent(pointer.key, data[:-1] + bytes([data[-1] ^ 1]))
    return pointer


@pytest.fixture(scope="module")
async def rig(dev_server: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    async with start_rig(dev_server, tmp_path_factory.mktemp("pointers")) as started:
        yield started


@pytest.mark.parametrize("case", POINTERS)
async def test_pointers(rig: Rig, case: str) -> None:
    make, code = POINTERS[case]
    name = "pointer-" + case.replace(" ", "-")
    value = make(rig, name)
    more = {}
    if isinstance(value, tuple):
        value, more = value[0], {"initial_state": value[1]}
    handle = await rig.start(GOOD, id=name, initial_state_s3_path=value, **more)
    with pytest.raises(WorkflowFailureError) as failed:
        await handle.result()
    cause = failed.value.cause
    assert isinstance(cause, ApplicationError)
    assert (cause.type, cause.details[0]["code"]) == ("InitializationFailed", code)
    trace = await handle.query("trace")
    assert "ExecuteSegment" not in trace
    assert trace[-1] == "FailInitialization"
    assert json.dumps(cause.details[0])
