"""What is told of a run, to whom, and what is left behind when it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from unittest import mock
from urllib.parse import unquote

import pytest

from asl_compat.lambdas import execution_finalizer, execution_progress_notifier
from asl_compat.lambdas._claims import claim
from statebag.errors import InputRefused, RunConflict
from tests.aws.served import ROLE
from tests.aws.site import NOW, OWNER, Site, put_question

pytestmark = [pytest.mark.aws, pytest.mark.timeout(60)]

GONE, BROKEN = "gone", "broken"


@contextmanager
def connected(site: Site, *names: str) -> Iterator[tuple[Site, dict[str, Any]]]:
    """Connections of the owner to a gateway, and the messages that each has got."""
    got: dict[str, Any] = {}

    class Gateway(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            name = unquote(self.path).rpartition("/")[2]
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = {GONE: 410, BROKEN: 403}.get(name, 200)
            if status == 200:
                got[name] = json.loads(body)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    Thread(target=server.serve_forever, daemon=True).start()
    table = site.around.name("connections_table")
    for name in names:
        item = {"connectionId": {"S": name}, "ownerId": {"S": "another" if name == "other" else OWNER}}
        site.around.dynamodb.put_item(TableName=table, Item=item)
    try:
        endpoint = f"http://127.0.0.1:{server.server_port}"
        environment = {**site.around.environment, "WEBSOCKET_ENDPOINT": endpoint}
        yield replace_around(site, environment), got
    finally:
        server.shutdown()
        server.server_close()
        for name in names:
            site.around.dynamodb.delete_item(TableName=table, Key={"connectionId": {"S": name}})


def replace_around(site: Site, environment: Mapping[str, str]) -> Site:
    return replace(site, around=replace(site.around, environment=environment))


def notice(arn: str, event_type: str, status: str, seconds: int, **more: Any) -> dict[str, Any]:
    body = {"event_id": f"{arn}/{event_type}/{seconds}", "event_type": event_type, "execution_id": arn}
    moment = (NOW + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")
    return {"detail": {**body, "ownerId": OWNER, "workflowId": "w", "timestamp": moment, "status": status, **more}}


def row(site: Site, arn: str) -> Mapping[str, Any]:
    key = {"ownerId": {"S": OWNER}, "executionArn": {"S": arn}}
    return site.around.dynamodb.get_item(TableName=site.around.name("executions_table"), Key=key)["Item"]


def test_every_connection_of_the_owner_is_told_and_stale_ones_go(site: Site, arn: str) -> None:
    with connected(site, "one", BROKEN, GONE, "two", "other") as (linked, got):
        result = execution_progress_notifier.handle(
            notice(arn, "STARTED", "RUNNING", 0, total_segments=4), linked.around
        )
        left = site.around.dynamodb.scan(TableName=site.around.name("connections_table"))["Items"]
    assert result == {"status": "success", "ws_sent": 2, "db_saved": True}
    assert sorted(got) == ["one", "two"]
    assert got["one"] == {
        "type": "workflow_status",
        "payload": {
            "action": "execution_progress",
            "event_id": f"{arn}/STARTED/0",
            "event_type": "STARTED",
            "status": "RUNNING",
            "execution_id": arn,
            "conversation_id": arn,
            "workflowId": "w",
            "message": "STARTED",
            "last_update_time": "2026-03-01T12:00:00.000+00:00",
            "server_timestamp": "2026-03-01T12:00:00.000+00:00",
            "total_segments": 4,
            "start_time": int(NOW.timestamp()),
        },
    }
    assert sorted(item["connectionId"].get("S", "") for item in left) == [BROKEN, "one", "other", "two"]


def test_a_question_is_pushed_to_whoever_is_connected(site: Site, arn: str) -> None:
    with connected(site, "one") as (linked, got):
        put_question(linked, arn)
    payload = got["one"]["payload"]
    assert (payload["type"], payload["message"], payload["pause_id"]) == ("hitp_pause", "ok?", "1-2")


def test_a_connection_that_can_not_be_reached_stops_nothing(site: Site, arn: str) -> None:
    with connected(site, "one") as (linked, _):
        pass
    with mock.patch.dict("os.environ", {"AWS_MAX_ATTEMPTS": "1"}):
        site.around.dynamodb.put_item(
            TableName=site.around.name("connections_table"),
            Item={"connectionId": {"S": "one"}, "ownerId": {"S": OWNER}},
        )
        result = execution_progress_notifier.handle(notice(arn, "STARTED", "RUNNING", 0), linked.around)
    site.around.dynamodb.delete_item(
        TableName=site.around.name("connections_table"), Key={"connectionId": {"S": "one"}}
    )
    assert result == {"status": "success", "ws_sent": 0, "db_saved": True}


def test_when_a_run_may_be_over_is_told_from_what_it_took_so_far(site: Site, arn: str) -> None:
    with connected(site, "one") as (linked, got):
        told: list[dict[str, Any]] = []
        for event in (
            notice(arn, "STARTED", "RUNNING", 0, total_segments=10),
            notice(arn, "PAUSED_FOR_HITP", "PAUSED_FOR_HITP", 20, segment_to_run=4, prompt="ok?"),
            notice(arn, "COMPLETED", "SUCCEEDED", 30, loop_counter=10, total_segments=10, start_time=NOW.timestamp()),
        ):
            execution_progress_notifier.handle(event, linked.around)
            told.append(got.pop("one")["payload"])
    names = ("average_segment_duration", "estimated_remaining_seconds", "estimated_completion_time")
    assert [[one.get(name) for name in names] for one in told] == [
        [None, None, None],
        [5.0, 30, "2026-03-01T12:00:50.000+00:00"],
        [3.0, None, None],
    ]
    assert (told[1]["action"], told[1]["message"], told[1]["total_segments"]) == ("hitp_pause", "ok?", 10)


def test_a_message_that_is_too_large_says_so(site: Site, arn: str) -> None:
    with connected(site, "one") as (linked, got):
        execution_progress_notifier.handle(
            notice(arn, "PAUSED_FOR_HITP", "PAUSED_FOR_HITP", 0, prompt="x" * 140_000, segment_to_run=2), linked.around
        )
    assert got["one"]["payload"]["error"] == "PAYLOAD_TOO_LARGE"
    assert got["one"]["payload"]["status"] == "PAUSED_FOR_HITP"
    assert len(json.loads(row(site, arn)["detail"]["S"])["prompt"]) == 140_000


def test_the_end_counts_even_if_a_clock_has_an_event_behind_it(site: Site, arn: str) -> None:
    def saved(event: dict[str, Any]) -> bool:
        return execution_progress_notifier.handle(event, site.around)["db_saved"]

    assert saved(notice(arn, "RESUMED", "RUNNING", 12))
    assert saved(notice(arn, "COMPLETED", "SUCCEEDED", 11))
    assert not saved(notice(arn, "COMPLETED", "SUCCEEDED", 11))
    assert not saved(notice(arn, "RESUMED", "RUNNING", 13))
    assert row(site, arn)["status"] == {"S": "SUCCEEDED"}


def test_a_row_that_another_has_made_is_taken_over(site: Site, arn: str) -> None:
    item = {"ownerId": {"S": OWNER}, "executionArn": {"S": arn}, "status": {"S": "STARTED"}, "startDate": {"S": "x"}}
    site.around.dynamodb.put_item(TableName=site.around.name("executions_table"), Item=item)
    assert execution_progress_notifier.handle(notice(arn, "STARTED", "RUNNING", 0), site.around)["db_saved"]
    assert (row(site, arn)["status"], row(site, arn)["startDate"]) == ({"S": "RUNNING"}, {"S": "x"})


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"ownerId": 5}, "FIELD_TYPE"),
        ({"timestamp": "soon"}, "FIELD_VALUE"),
        ({"timestamp": "2026-03-01"}, "FIELD_VALUE"),
    ],
)
def test_an_event_that_is_none_of_ours_is_refused(site: Site, arn: str, wrong: dict[str, Any], code: str) -> None:
    with pytest.raises(InputRefused) as refused:
        execution_progress_notifier.handle(notice(arn, "STARTED", "RUNNING", 0, **wrong), site.around)
    assert refused.value.code == code


def ended(arn: str, status: str, given: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    body = {"ownerId": OWNER, "workflowId": "w", **given}
    return {"detail": {"executionArn": arn, "status": status, "name": "e", "input": json.dumps(body), **more}}


def claimed(site: Site, key: str) -> Mapping[str, Any]:
    key_of = {"idempotency_key": {"S": key}}
    return site.around.dynamodb.get_item(TableName=site.around.name("idempotency_table"), Key=key_of)["Item"]


@pytest.mark.parametrize(
    ("status", "kept"),
    [("SUCCEEDED", "SUCCEEDED"), ("FAILED", "FAILED"), ("TIMED_OUT", "FAILED"), ("ABORTED", "FAILED")],
)
def test_the_end_settles_the_claim_of_its_execution(site: Site, arn: str, status: str, kept: str) -> None:
    key = f"k-{arn}"
    claim(site.around, key=key, execution_arn=arn, input_hash="h")
    more = {"output": '{"a":1}'} if status == "SUCCEEDED" else {"error": "E"}
    execution_finalizer.handle(ended("arn:other", status, {"idempotency_key": key}, **more), site.around)
    assert claimed(site, key)["status"] == {"S": "RUNNING"}
    execution_finalizer.handle(ended(arn, status, {"idempotency_key": key}, **more), site.around)
    item = claimed(site, key)
    until = int(NOW.timestamp()) + 86_400
    assert (item["status"], item["output"], item["ttl"]) == (
        {"S": kept},
        {"S": more.get("output", "")},
        {"N": str(until)},
    )


def test_an_execution_that_goes_on_settles_nothing(site: Site, arn: str) -> None:
    key = f"k-{arn}"
    claim(site.around, key=key, execution_arn=arn, input_hash="h")
    event = ended(arn, "RUNNING", {"idempotency_key": key})
    assert execution_finalizer.handle(event, site.around)["status"] == "ignored"
    with pytest.raises(RunConflict):
        claim(site.around, key=key, execution_arn="arn:other", input_hash="h")


def test_what_the_event_leaves_out_is_asked_of_the_service(site: Site, arn: str) -> None:
    client = site.stack.interpreter.client("stepfunctions")
    key, name = f"k-{arn}", arn.rpartition(":")[2]
    definition = {"StartAt": "End", "States": {"End": {"Type": "Pass", "Result": {"sum": 7}, "End": True}}}
    machine = client.create_state_machine(name=f"described-{name}", definition=json.dumps(definition), roleArn=ROLE)
    given = {"ownerId": OWNER, "workflowId": "w", "idempotency_key": key}
    real = client.start_execution(stateMachineArn=machine["stateMachineArn"], name=name, input=json.dumps(given))[
        "executionArn"
    ]
    pages = client.get_paginator("get_execution_history")
    while not any(
        e["type"] == "ExecutionSucceeded" for page in pages.paginate(executionArn=real) for e in page["events"]
    ):
        pass
    claim(site.around, key=key, execution_arn=real, input_hash="h")
    detail = {"executionArn": real, "status": "SUCCEEDED", "name": name, "input": None, "output": None}
    assert execution_finalizer.handle({"detail": detail}, site.around)["status"] == "done"
    assert json.loads(claimed(site, key)["output"]["S"]) == {"sum": 7}


def test_a_failure_is_not_told_twice_where_the_event_lacks_its_error(site: Site, arn: str) -> None:
    described = {"error": "WorkflowExecutionFailed", "cause": "X: y"}
    with mock.patch.object(site.around.step_functions, "describe_execution", return_value=described):
        execution_finalizer.handle(ended(arn, "FAILED", {}, error=None), site.around)
    assert site.events() == []


def test_what_a_failure_tells(site: Site, arn: str) -> None:
    cause = "LOOP_LIMIT_EXCEEDED: 5 segments were executed"
    execution_finalizer.handle(ended(arn, "FAILED", {}, error="LoopLimitExceeded", cause=cause), site.around)
    assert site.events() == [
        {
            "event_id": f"{arn}/FAILED/end",
            "event_type": "FAILED",
            "execution_id": arn,
            "ownerId": OWNER,
            "workflowId": "w",
            "timestamp": "2026-03-01T12:00:00.000+00:00",
            "status": "FAILED",
            "error_type": "LOOP_LIMIT_EXCEEDED",
            "error_message": "5 segments were executed",
            "execution_name": "e",
        }
    ]


def test_an_empty_key_hides_no_failure(site: Site, arn: str) -> None:
    event = ended(arn, "FAILED", {"idempotency_key": ""}, error="IdempotencyCheckFailed", cause="no")
    assert execution_finalizer.handle(event, site.around)["status"] == "done"
    assert [one["error_type"] for one in site.events()] == ["IDEMPOTENCY_UNVERIFIED"]


def test_notices_of_an_ended_run_are_closed_and_those_that_are_gone_stay_gone(site: Site, arn: str) -> None:
    put_question(site, arn)
    put_question(site, arn, pause_id="1-3", token="t2")
    table = site.around.name("pending_notifications_table")

    def notices() -> list[Mapping[str, Any]]:
        items = site.around.dynamodb.scan(TableName=table)["Items"]
        return [item for item in items if item.get("execution_id", {}).get("S") == arn or "execution_id" not in item]

    first, second = notices()
    key = {name: first[name] for name in ("ownerId", "notificationId")}
    found = {"Items": [first, second]}
    site.around.dynamodb.delete_item(TableName=table, Key=key)
    real = site.around.dynamodb.get_paginator

    def late(operation: str) -> Any:
        paginator = real(operation)
        pages = paginator.paginate

        def paginate(**given: Any) -> Any:
            return [found] if given["TableName"] == table else pages(**given)

        return mock.Mock(paginate=paginate)

    with mock.patch.object(site.around.dynamodb, "get_paginator", late):
        execution_finalizer.handle(ended(arn, "SUCCEEDED", {}, output="{}"), site.around)
    assert [(item["notificationId"], item["status"]) for item in notices()] == [
        (second["notificationId"], {"S": "completed"})
    ]
