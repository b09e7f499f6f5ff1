"""Answers of people on their way to the token: late ones, repeated ones, and those that the service does not take."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from asl_compat.lambdas import resume_handler, store_distributed_task_token, store_task_token
from asl_compat.lambdas._tokens import Tokens
from statebag.errors import InputRefused
from tests.aws.functions import function_arn
from tests.aws.interpreters import Execution
from tests.aws.site import NOW, OWNER, Site, put_question, resume

pytestmark = [pytest.mark.aws, pytest.mark.timeout(60)]

ASKING = {
    "StartAt": "Ask",
    "States": {
        "Ask": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
            "Parameters": {"FunctionName": function_arn("ask"), "Payload": {"TaskToken.$": "$$.Task.Token"}},
            "End": True,
        }
    },
}


def wait(site: Site, ask: Any) -> Execution:
    """An execution that waits for a token, which the function ``ask`` gets."""
    name = f"asks-{uuid.uuid4().hex[:8]}"
    return site.stack.interpreter.run(ASKING, {}, {"ask": lambda event, _: ask(event["TaskToken"])}, name=name)


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "SendTaskSuccess")


def statuses(site: Site, arn: str) -> list[tuple[str, str]]:
    return [(pause.status, pause.token) for pause in Tokens(site.around).of_execution(OWNER, arn)]


def test_an_answer_reaches_the_run_under_every_name_and_is_told(site: Site, arn: str) -> None:
    told: list[tuple[int, Mapping[str, Any]]] = []

    def ask(token: str) -> None:
        put_question(site, arn, token=token)
        site.events()
        site.now = NOW + timedelta(seconds=5)
        body = {"execution_id": arn, "response": {"sum": 0}, "responder": "kim", "state_data": {"evil": 1}}
        told.append(resume(site, body))

    ended = wait(site, ask)
    moment = "2026-03-01T12:00:05.000+00:00"
    assert told == [
        (200, {"message": "The run goes on.", "pause_id": "1-2", "decision": "APPROVED", "responded_at": moment})
    ]
    assert ended.output == {
        "token_id": "1-2",
        "decision": "APPROVED",
        "responder": "kim",
        "responded_at": moment,
        "ownerId": OWNER,
        "workflowId": "w",
        "conversation_id": f"{arn.rpartition(':')[2]}#1-2",
        **{name: {"sum": 0} for name in ("user_response", "userResponse", "human_response", "user_callback_result")},
    }
    assert site.events() == [
        {
            "event_id": f"{arn}/RESUMED/1-2",
            "event_type": "RESUMED",
            "execution_id": arn,
            "ownerId": OWNER,
            "workflowId": "w",
            "timestamp": moment,
            "status": "RUNNING",
            "pause_id": "1-2",
            "decision": "APPROVED",
        }
    ]
    assert resume(site, {"execution_id": arn})[0] == 409


@pytest.mark.parametrize("name", ["response", "feedback", "user_response", "text", "response_text"])
def test_a_response_may_have_any_of_its_old_names(site: Site, arn: str, name: str) -> None:
    put_question(site, arn)
    with mock.patch.object(site.around.step_functions, "send_task_success") as sent:
        assert resume(site, {"executionId": arn, name: "fine"})[0] == 200
    assert json.loads(sent.call_args.kwargs["output"])["user_response"] == "fine"


def test_an_answer_without_a_response_hands_none_on(site: Site, arn: str) -> None:
    put_question(site, arn)
    with mock.patch.object(site.around.step_functions, "send_task_success") as sent:
        assert resume(site, {"execution_id": arn, "decision": "REJECTED"})[1]["decision"] == "REJECTED"
    assert "user_response" not in json.loads(sent.call_args.kwargs["output"])


def test_the_conversation_that_a_notice_names_can_be_answered(site: Site, arn: str) -> None:
    put_question(site, arn)
    put_question(site, arn, pause_id="1-3", token="t2")
    items: Any = site.around.dynamodb.scan(TableName=site.around.name("pending_notifications_table"))["Items"]
    notices = [json.loads(item["notification"]["S"]) for item in items]
    (notice,) = [one for one in notices if one["execution_id"] == arn and one["pause_id"] == "1-3"]
    answer = {"conversation_id": notice["conversation_id"]}
    assert resume(site, answer, owner="somebody")[0] == 404
    with mock.patch.object(site.around.step_functions, "send_task_success") as sent:
        assert resume(site, answer)[1]["pause_id"] == "1-3"
    assert sent.call_args.kwargs["taskToken"] == "t2"
    assert resume(site, answer)[0] == 409


@pytest.mark.parametrize(
    ("fault", "status", "code", "recoverable"),
    [
        (refusal("TaskTimedOut"), 410, "TASK_TIMED_OUT", False),
        (refusal("TaskDoesNotExist"), 404, "TASK_NOT_FOUND", False),
        (refusal("InvalidToken"), 404, "TASK_NOT_FOUND", False),
        (refusal("ThrottlingException"), 500, "RESUME_FAILED", True),
        (EndpointConnectionError(endpoint_url="https://states"), 500, "RESUME_FAILED", True),
    ],
)
def test_an_answer_that_is_not_delivered_leaves_the_pause_waiting(
    site: Site, arn: str, fault: Exception, status: int, code: str, recoverable: bool
) -> None:
    put_question(site, arn)
    site.events()
    with mock.patch.object(site.around.step_functions, "send_task_success", side_effect=fault):
        for _ in range(2):
            got, told = resume(site, {"execution_id": arn})
            assert (got, told["error_code"], told["recoverable"]) == (status, code, recoverable)
            assert ("action" in told) == (not recoverable)
    assert statuses(site, arn) == [("WAITING", "t1")]
    assert site.events() == []


def test_a_table_that_is_away_is_told_as_such(site: Site, arn: str) -> None:
    put_question(site, arn)
    with mock.patch.object(site.around.dynamodb, "update_item", side_effect=refusal("ThrottlingException")):
        status, told = resume(site, {"execution_id": arn})
    assert (status, told["error_code"], told["recoverable"]) == (500, "RESUME_FAILED", True)


def test_a_task_that_is_tried_again_behind_an_answer_still_gets_one(site: Site, arn: str) -> None:
    put_question(site, arn, token="first")
    (pause,) = Tokens(site.around).of_execution(OWNER, arn)
    taken = Tokens(site.around).take(pause)
    assert taken is not None
    put_question(site, arn, token="second")
    # The answer that was on its way when the first task ended comes to nothing, and disturbs nothing.
    Tokens(site.around).give_back(taken)
    with mock.patch.object(site.around.step_functions, "send_task_success") as sent:
        assert resume(site, {"execution_id": arn})[0] == 200
    assert sent.call_args.kwargs["taskToken"] == "second"
    assert statuses(site, arn) == [("ANSWERED", "second")]


def test_the_same_token_is_not_asked_for_again_behind_its_answer(site: Site, arn: str) -> None:
    put_question(site, arn)
    (pause,) = Tokens(site.around).of_execution(OWNER, arn)
    assert Tokens(site.around).take(pause)
    site.events()
    put_question(site, arn)
    assert (statuses(site, arn), site.events()) == ([("ANSWERED", "t1")], [])


def test_an_answer_goes_to_the_newest_token_whatever_the_index_tells(site: Site, arn: str) -> None:
    put_question(site, arn, token="old")
    stale = Tokens(site.around).of_execution(OWNER, arn)
    put_question(site, arn, token="new")
    with (
        mock.patch.object(Tokens, "of_execution", return_value=stale),
        mock.patch.object(site.around.step_functions, "send_task_success") as sent,
    ):
        assert resume(site, {"execution_id": arn})[0] == 200
    assert sent.call_args.kwargs["taskToken"] == "new"


def test_a_pause_whose_time_is_over_is_in_no_ones_way(site: Site, arn: str) -> None:
    put_question(site, arn, pause_id="1-2", token="late", timeout_seconds=60)
    site.now = NOW + timedelta(seconds=61)
    with mock.patch.object(site.around.step_functions, "send_task_success", side_effect=refusal("TaskTimedOut")):
        assert resume(site, {"execution_id": arn})[0] == 410
    put_question(site, arn, pause_id="1-4", token="open", timeout_seconds=60)
    with mock.patch.object(site.around.step_functions, "send_task_success") as sent:
        assert resume(site, {"execution_id": arn})[1]["pause_id"] == "1-4"
        assert sent.call_args.kwargs["taskToken"] == "open"
        assert resume(site, {"execution_id": arn})[0] == 409
    with mock.patch.object(site.around.step_functions, "send_task_success", side_effect=refusal("TaskTimedOut")):
        assert resume(site, {"execution_id": arn, "pause_id": "1-2"})[0] == 410


def test_all_that_is_wrong_with_an_answer_is_told(site: Site, arn: str) -> None:
    put_question(site, arn, schema={"type": "object", "required": ["a", "b"]})
    status, told = resume(site, {"execution_id": arn, "decision": "PERHAPS", "responder": 5, "response": {}})
    assert status == 400
    assert [problem["path"] for problem in told["problems"]] == ["$.decision", "$.responder", *["$.response"] * 2]
    assert statuses(site, arn) == [("WAITING", "t1")]


@pytest.mark.parametrize("large", [{"response": "x" * 25_000}, {"responder": "x" * 100_000}])
def test_an_answer_that_would_not_fit_beside_the_bag_is_refused(site: Site, arn: str, large: dict[str, str]) -> None:
    put_question(site, arn)
    status, told = resume(site, {"execution_id": arn, **large})
    assert (status, told["error_code"]) == (400, "RESPONSE_INVALID")
    assert statuses(site, arn) == [("WAITING", "t1")]


def test_a_body_may_come_in_base64(site: Site, arn: str) -> None:
    coded = base64.b64encode(json.dumps({"execution_id": arn}).encode()).decode()
    assert resume(site, coded, isBase64Encoded=True)[0] == 404
    assert resume(site, "no base64!", isBase64Encoded=True)[1]["error_code"] == "INPUT_NOT_JSON"
    assert resume(site, {"execution_id": "x" * 3000})[1]["error_code"] == "FIELD_MISSING"


@pytest.mark.parametrize("context", [None, {}, {"authorizer": None}, {"authorizer": {"jwt": {"claims": {"sub": ""}}}}])
def test_nobody_answers_without_a_name(site: Site, context: Any) -> None:
    body = json.dumps({"execution_id": "e", "ownerId": OWNER})
    assert resume_handler.handle({"body": body, "requestContext": context}, site.around)["statusCode"] == 401


BAG = {"ownerId": OWNER, "workflowId": "w", "execution_id": "e"}
RESULT = {"pause_id": "0:1-2", "segment": 1, "pause": {"prompt": "ok?"}}


def test_a_chunk_and_a_branch_ask_for_the_run(site: Site, arn: str) -> None:
    for member, pause_id in (("chunk_result", "c:1-2"), ("branch_result", "b:1-2")):
        event = {"TaskToken": pause_id, "execution_id": arn, "bag": BAG, member: {**RESULT, "pause_id": pause_id}}
        store_distributed_task_token.handle(event, site.around)
    assert {event["pause_id"] for event in site.events()} == {"c:1-2", "b:1-2"}
    assert sorted(resume(site, {"execution_id": arn})[1]["pending"]) == ["b:1-2", "c:1-2"]


@pytest.mark.parametrize(
    ("module", "event"),
    [
        (store_distributed_task_token, {"bag": {}, "chunk_result": RESULT}),
        (store_distributed_task_token, {"bag": BAG, "chunk_result": {"pause_id": "1-2"}}),
        (store_task_token, {"execution_name": "e", "state_data": {}}),
        (store_task_token, {"execution_name": "e", "state_data": BAG}),
    ],
)
def test_a_question_without_its_run_is_refused(site: Site, module: Any, event: dict[str, Any]) -> None:
    with pytest.raises(InputRefused) as refused:
        module.handle({"TaskToken": "t", "execution_id": "a", **event}, site.around)
    assert refused.value.code == "FIELD_MISSING"
    assert site.events() == []
