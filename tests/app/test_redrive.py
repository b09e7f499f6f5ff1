"""``statebag redrive``: runs that ended without success are taken up, once."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from statebag.app.lineage import identity_of, lineage_of
from tests.app.shell import Call, Ended, Shell, wait_for_line
from tests.rig import chain, sets

ROWS = ["a", "b", "c", "d", "e"]


class Service:
    """Answers ``/a`` with a score, unless that is broken; holds the answers that it is told to hold."""

    def __init__(self) -> None:
        self.broken: set[str] = set()
        self.held: set[str] = set()
        self.holding = threading.Event()
        self.go_on = threading.Event()
        self.calls: Counter[str] = Counter()
        self.address = ""

    def answer(self, name: str) -> int:
        """The status for a call of ``name``."""
        self.calls[name] += 1
        if name in self.held:
            self.holding.set()
            assert self.go_on.wait(30)
        return 400 if name in self.broken else 200

    def document(self, **config: Any) -> dict[str, Any]:
        """A map over ``rows`` that calls this service for each."""
        call = {"id": "call", "type": "api_call", "config": {"url": f"http://{self.address}/{{{{ item }}}}"}}
        options = {"input_list_key": "rows", "distributed": True, "chunk_size": 1, **config}
        each = {"id": "each", "type": "for_each", "config": {**options, "nodes": [call]}}
        return chain(sets("begin", begun=True), each, sets("end", ended=True))


@pytest.fixture
def service(shared: Shell, worker_command: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """It, and a worker that may call it."""
    made = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(made.answer(self.path.removeprefix("/")))
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.address = f"127.0.0.1:{server.server_port}"
    shared.environment["STATEBAG_API_ALLOW"] = made.address
    monkeypatch.setenv("STATEBAG_API_ALLOW", made.address)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    wait_for_line(shared.start_process(worker_command), "worker ready")
    yield made
    made.go_on.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def name(shared: Shell) -> str:
    return "redriven-" + shared.folder.parent.name


@pytest.fixture
def begin(shared: Shell, call: Call, name: str) -> Call:
    """Run the document to its end, with ``ROWS``."""

    def run(document: dict[str, Any]) -> Ended:
        shared.write("d.json", document)
        shared.write("in.json", {"rows": ROWS})
        return call("run", "d.json", "--input", "@in.json", "--json", "--id", name)

    return run


def test_a_map_goes_on_with_what_failed(service: Service, begin: Call, call: Call, name: str) -> None:
    service.broken = {"b", "d"}
    first = begin(service.document())
    assert (first.status, first.body["status"], first.body["error"]["failed"]) == (1, "FAILED", 2)
    service.broken = {"d"}
    second = call("redrive", name, "--json")
    assert (second.status, second.body["error"]["code"], second.body["error"]["failed"]) == (
        1,
        "TOLERANCE_EXCEEDED",
        1,
    )
    service.broken = set()
    third = call("redrive", name, "--json")
    state = third.body["final_state"]
    assert (third.status, third.body["status"], third.body["machine"]) == (0, "SUCCEEDED", "WorkflowOrchestrator")
    assert [len(state["for_each_results"]), state["begun"], state["ended"]] == [5, True, True]
    assert [entry for entry in state["for_each_results"] if "error" in entry] == []
    assert service.calls == {"a": 1, "b": 2, "c": 1, "d": 3, "e": 1}

    again = call("redrive", name, "--json")
    assert (again.status, again.body["final_state"]) == (0, state)
    assert "was redriven before, and is over" in again.err
    joined = begin(service.document())
    assert (joined.status, joined.body["final_state"]) == (0, state)
    assert service.calls.total() == 8
    assert [entry["type"] for entry in call("history", name, "--json").body["entries"]].count("redrive") == 2


def test_a_run_that_goes_on_is_left_alone(service: Service, begin: Call, call: Call, shared: Shell, name: str) -> None:
    service.broken = {"c"}
    assert begin(service.document()).status == 1
    service.broken, service.held = set(), {"c"}
    watcher = shared.start("redrive", name, "--json")
    assert service.holding.wait(30)
    for _ in range(2):
        left = call("redrive", name, "--json")
        assert (left.status, left.body["status"]) == (0, "RUNNING")
        assert "is going on: it was left alone" in left.err
    shown = call("status", name)
    assert "map      each: 0 of 5 items are done" in shown.out or "map      each: 4 of 5 items" in shown.out
    assert call("status", name, "--json").body["map"]["in_flight"] == 1
    service.go_on.set()
    ended = shared.finish(watcher)
    assert (ended.status, ended.body["status"]) == (0, "SUCCEEDED")
    assert service.calls == {"a": 1, "b": 1, "c": 2, "d": 1, "e": 1}


async def test_a_terminated_run_is_taken_up(service: Service, shared: Shell, client: Client, name: str) -> None:
    service.held = {"e"}
    shared.write("d.json", service.document(max_concurrency=1))
    shared.write("in.json", {"rows": ROWS})
    watcher = shared.start("run", "d.json", "--input", "@in.json", "--json", "--id", name)
    assert await asyncio.to_thread(service.holding.wait, 30)
    await client.get_workflow_handle(name).terminate()
    first = await asyncio.to_thread(shared.finish, watcher)
    assert (first.status, first.body["error"]["code"]) == (1, "RUN_FAILED")
    service.held = set()
    service.go_on.set()
    only_started = await asyncio.to_thread(shared.run, "redrive", name, "--no-wait", "--json")
    assert (only_started.status, only_started.body["status"]) == (0, "RUNNING")
    result = await asyncio.wait_for(client.get_workflow_handle(name).result(), 30)
    assert result["status"] == "SUCCEEDED"
    assert {row: service.calls[row] for row in "abcd"} == dict.fromkeys("abcd", 1)


@pytest.mark.parametrize("restored", [False, True])
def test_restoring_a_snapshot_does_the_map_again(
    service: Service, begin: Call, call: Call, name: str, restored: bool
) -> None:
    document = service.document()
    document["nodes"][2] = {"id": "end", "type": "api_call", "config": {"url": f"http://{service.address}/end"}}
    document["distributed_mode"] = True
    service.broken = {"end"}
    first = begin(document)
    assert (first.status, first.body["machine"]) == (1, "WorkflowDistributedOrchestrator")
    service.broken = set()
    second = call("redrive", name, "--json", *(["--restore"] if restored else []))
    assert (second.status, second.body["machine"]) == (0, "WorkflowDistributedOrchestrator")
    assert service.calls == {**dict.fromkeys(ROWS, 2 if restored else 1), "end": 2}
    assert len(second.body["final_state"]["for_each_results"]) == 5
    listed = {run["execution_id"]: run["machine"] for run in call("list", "--limit", "100", "--json").body["runs"]}
    assert listed[name] == "WorkflowDistributedOrchestrator"


def test_a_snapshot_that_is_not_there_is_refused(service: Service, begin: Call, call: Call, name: str) -> None:
    service.broken = {"c"}
    assert begin(service.document()).status == 1
    refused = call("redrive", name, "--restore", "nowhere/1/pre", "--json")
    assert (refused.status, refused.body["error"]["code"]) == (1, "SNAPSHOT_NOT_FOUND")
    assert call("redrive", name, "--json").body["error"]["code"] == "TOLERANCE_EXCEEDED"


def test_what_has_succeeded_is_not_redriven(service: Service, begin: Call, call: Call, name: str) -> None:
    assert begin(service.document()).status == 0
    refused = call("redrive", name, "--json")
    assert (refused.status, refused.body["error"]["code"]) == (1, "REDRIVE_REFUSED")
    assert "has succeeded" in refused.err
    unknown = call("redrive", "no-such-run", "--json")
    assert (unknown.status, unknown.body["error"]["code"]) == (1, "RUN_NOT_FOUND")


async def test_what_never_began_is_not_redriven(shared: Shell, client: Client, name: str) -> None:
    handle = await client.start_workflow("WorkflowOrchestrator", {}, id=name, task_queue="nobody-polls")
    await handle.terminate()
    refused = await asyncio.to_thread(shared.run, "redrive", name, "--json")
    assert (refused.status, refused.body["error"]["code"]) == (1, "REDRIVE_REFUSED")
    assert "its input was refused" in refused.err


@workflow.defn(name="Hops", sandboxed=False)
class Hops:
    """Goes on in new histories, and then fails."""

    @workflow.run
    async def run(self, given: dict[str, Any]) -> None:
        hops = given.get("$continued", {}).get("hops", 0)
        if hops == 2:
            raise ApplicationError("over", non_retryable=True)
        workflow.continue_as_new({"$continued": {"hops": hops + 1, "owner_id": "ann", "workflow_id": "w"}})


async def test_a_lineage_has_all_histories_and_those_of_earlier_redrives(client: Client, name: str) -> None:
    given = {"$redrive": {"ownerId": "ann", "workflowId": "w", "lineages": ["earlier", "first"]}}
    async with Worker(client, task_queue=name, workflows=[Hops]):
        handle = await client.start_workflow("Hops", given, id=name, task_queue=name)
        with pytest.raises(WorkflowFailureError):
            await asyncio.wait_for(handle.result(), 30)
    last = (await client.get_workflow_handle(name).describe()).run_id
    lineage = await lineage_of(client, name, last)
    assert (len(lineage.run_ids), lineage.run_ids[0]) == (5, last)
    assert lineage.run_ids[2:] == (handle.first_execution_run_id, "earlier", "first")
    assert lineage.is_redrive
    assert identity_of(lineage.given) == ("ann", "w")
    assert identity_of({"$continued": {"owner_id": "o", "workflow_id": "w"}}) == ("o", "w")
    assert identity_of({"workflow_config": {"nodes": []}, "ownerId": None}) == ("", "")
