"""Answers that say something else than was meant, and services that are away for a while or do not answer."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from asl_compat.lambdas._answer import answer
from asl_compat.lambdas._claims import claim
from asl_compat.lambdas._connections import push
from asl_compat.machines._policies import retries
from tests.aws.site import NOW, Site, put_question, resume

pytestmark = [pytest.mark.aws, pytest.mark.timeout(120)]

SHORTEST_FUNCTION = 30


@contextmanager
def silence() -> Iterator[str]:
    """An endpoint that takes connections and says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_misspelt_decision_is_no_approval(site: Site, arn: str) -> None:
    put_question(site, arn)
    with mock.patch.object(site.around.step_functions, "send_task_success") as sent:
        status, told = resume(site, {"execution_id": arn, "descision": "REJECTED"})
    assert (status, told.get("error_code"), sent.call_count) == (400, "RESPONSE_INVALID", 0)


@pytest.mark.parametrize(
    "fault",
    [
        EndpointConnectionError(endpoint_url="https://dynamodb"),
        ClientError({"Error": {"Code": "ThrottlingException", "Message": "no"}}, "PutItem"),
        ClientError({"Error": {"Code": "InternalServerError", "Message": "no"}}, "PutItem"),
    ],
    ids=["unreachable", "throttled", "broken"],
)
@pytest.mark.parametrize("what", ["question", "claim"])
def test_a_table_that_is_away_for_a_while_is_tried_again(site: Site, arn: str, what: str, fault: Exception) -> None:
    def work() -> None:
        if what == "question":
            put_question(site, arn)
        else:
            claim(site.around, key=arn, execution_arn=arn, input_hash="h")

    repeated = {name for one in retries("state_data_manager") for name in one["ErrorEquals"]}
    with (
        mock.patch.object(site.around.dynamodb, "put_item", side_effect=fault),
        pytest.raises(Exception) as raised,  # noqa: PT011 - its name is what counts
    ):
        answer(work)
    assert type(raised.value).__name__ in repeated


def test_a_gateway_that_says_nothing_holds_no_question_up(site: Site) -> None:
    owner, table = "patient", site.around.name("connections_table")
    for number in range(7):
        item = {"connectionId": {"S": f"hang-{number}"}, "ownerId": {"S": owner}}
        site.around.dynamodb.put_item(TableName=table, Item=item)
    with silence() as endpoint:
        around = replace(site.around, environment={**site.around.environment, "WEBSOCKET_ENDPOINT": endpoint})
        began = time.monotonic()
        assert push(around, owner, {"type": "x"}) == 0
        took = time.monotonic() - began
    for number in range(7):
        site.around.dynamodb.delete_item(TableName=table, Key={"connectionId": {"S": f"hang-{number}"}})
    assert took < SHORTEST_FUNCTION / 2, took


@pytest.mark.parametrize("service", ["events", "step_functions", "dynamodb"])
def test_no_client_waits_longer_than_its_function_may(site: Site, service: str) -> None:
    config: Any = getattr(site.around, service).meta.config
    longest = max(config.connect_timeout, config.read_timeout) * config.retries["total_max_attempts"]
    assert longest <= SHORTEST_FUNCTION / 2


def test_state_that_a_client_sends_is_not_read(site: Site, arn: str) -> None:
    put_question(site, arn)
    state = {name: {"evil": 1} for name in ("state_data", "current_state", "final_state", "previous_final_state_path")}
    with mock.patch.object(site.around.step_functions, "send_task_success") as sent:
        assert resume(site, {"execution_id": arn, **state})[0] == 200
    assert "evil" not in sent.call_args.kwargs["output"]


def test_an_answer_whose_function_died_is_not_taken_for_given(site: Site, arn: str) -> None:
    put_question(site, arn)
    with (
        mock.patch.object(site.around.step_functions, "send_task_success", side_effect=SystemExit),
        pytest.raises(SystemExit),
    ):
        resume(site, {"execution_id": arn})
    assert resume(site, {"execution_id": arn})[0] == 409
    site.now = NOW + timedelta(seconds=61)
    with mock.patch.object(site.around.step_functions, "send_task_success"):
        assert resume(site, {"execution_id": arn})[0] == 200
    site.now = NOW + timedelta(minutes=10)
    assert resume(site, {"execution_id": arn})[0] == 409
