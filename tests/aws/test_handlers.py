"""The handlers around people, keys and ends of executions, against real tables and a real bus."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import Any

import pytest

from asl_compat.lambdas import (
    aggregate_distributed_results,
    async_llm_handler,
    execution_finalizer,
    execution_progress_notifier,
    initialize_state_data,
    load_latest_state,
    merge_callback,
    prepare_distributed_execution,
    process_segment_chunk,
    resume_chunk_processing,
    save_latest_state,
    segment_runner,
    state_data_manager,
    store_distributed_task_token,
    store_task_token,
)
from asl_compat.lambdas._answer import answer
from asl_compat.lambdas._claims import claim, close_claim
from asl_compat.lambdas._tokens import Tokens
from statebag.errors import InputRefused, RunConflict, StateBagError
from tests.aws.site import NOW, OWNER, Site, put_question, resume
from tests.rig import chain, llm, sets

pytestmark = [pytest.mark.aws, pytest.mark.timeout(60)]


PLACE: dict[str, Any] = {"ownerId": OWNER, "workflowId": "w", "execution_id": "e", "version": 1, "root": {}}
FOREIGN: dict[str, Any] = {
    "$ptr": 1,
    "kind": "bag",
    "key": f"somebody/w/e/{'0' * 64}",
    "size_bytes": 1,
    "sha256": "0" * 64,
    "codec": "json",
}
ASKED: dict[str, Any] = {"TaskToken": "t", "execution_id": "e", "execution_name": "e", "state_data": {}}


def test_a_question_is_kept_told_and_noticed(site: Site, arn: str) -> None:
    put_question(site, arn, timeout_seconds=60)
    (event,) = site.events()
    assert event == {
        "event_id": f"{arn}/PAUSED_FOR_HITP/1-2",
        "event_type": "PAUSED_FOR_HITP",
        "execution_id": arn,
        "ownerId": OWNER,
        "workflowId": "w",
        "timestamp": "2026-03-01T12:00:00.000+00:00",
        "status": "PAUSED_FOR_HITP",
        "segment_to_run": 1,
        "pause_id": "1-2",
        "prompt": "ok?",
        "expires_at": "2026-03-01T12:01:00.000+00:00",
    }
    (pause,) = Tokens(site.around).of_execution(OWNER, arn)
    assert (pause.status, pause.token, pause.spec["prompt"]) == ("WAITING", "t1", "ok?")


def test_a_task_that_is_tried_again_gets_the_answer(site: Site, arn: str) -> None:
    put_question(site, arn, token="first")
    put_question(site, arn, token="second")
    (pause,) = Tokens(site.around).of_execution(OWNER, arn)
    assert pause.token == "second"


def test_of_two_answers_one_counts(site: Site, arn: str) -> None:
    put_question(site, arn)
    (pause,) = Tokens(site.around).of_execution(OWNER, arn)
    taken: list[bool] = []
    tokens = Tokens(site.around)
    threads = [threading.Thread(target=lambda: taken.append(tokens.take(pause) is not None)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == [False] * 7 + [True]


@pytest.mark.parametrize(
    ("body", "owner", "status", "code"),
    [
        ("{", OWNER, 400, "INPUT_NOT_JSON"),
        ("[]", OWNER, 400, "RESPONSE_INVALID"),
        ({}, OWNER, 400, "FIELD_MISSING"),
        ({"execution_id": "ARN"}, None, 401, "UNAUTHENTICATED"),
        ({"execution_id": "ARN"}, "somebody", 404, "PAUSE_UNKNOWN"),
        ({"execution_id": "ARN", "pause_id": "9-9"}, OWNER, 404, "PAUSE_UNKNOWN"),
        ({"execution_id": "ARN", "decision": "PERHAPS"}, OWNER, 400, "RESPONSE_INVALID"),
        ({"execution_id": "ARN", "response": "no such"}, OWNER, 400, "RESPONSE_INVALID"),
        ({"execution_id": "ARN", "response": "yes"}, OWNER, 404, "TASK_NOT_FOUND"),
    ],
)
def test_what_an_answer_is_told(site: Site, arn: str, body: Any, owner: str | None, status: int, code: str) -> None:
    put_question(site, arn, options=["yes", "no"])
    given = {**body, "execution_id": arn} if isinstance(body, dict) and "execution_id" in body else body
    got, told = resume(site, given, owner=owner)
    assert (got, told["error_code"]) == (status, code), told


def test_several_pauses_must_be_told_apart_and_an_answer_is_too_large(site: Site, arn: str) -> None:
    put_question(site, arn, pause_id="1-2")
    put_question(site, arn, pause_id="1-3", token="t2")
    status, told = resume(site, {"execution_id": arn})
    assert (status, told["pending"]) == (409, ["1-2", "1-3"])
    status, told = resume(site, {"execution_id": arn, "pause_id": "1-2", "response": "x" * 100_000})
    assert (status, told["error_code"]) == (400, "RESPONSE_INVALID")
    (first, _) = Tokens(site.around).of_execution(OWNER, arn)
    assert Tokens(site.around).take(first)
    status, told = resume(site, {"execution_id": arn, "pause_id": "1-2"})
    assert (status, told["error_code"]) == (409, "PAUSE_ANSWERED")


def test_a_key_has_one_execution(site: Site, arn: str) -> None:
    key = f"k-{arn}"
    claim(site.around, key=key, execution_arn=arn, input_hash="h")
    claim(site.around, key=key, execution_arn=arn, input_hash="h")
    for input_hash, code in (("h", "DUPLICATE_EXECUTION"), ("other", "IDEMPOTENCY_CONFLICT")):
        with pytest.raises(RunConflict) as refused:
            claim(site.around, key=key, execution_arn="arn:other", input_hash=input_hash)
        assert (refused.value.code, refused.value.details["execution_id"]) == (code, arn)
    close_claim(site.around, key=key, execution_arn="arn:other", status="FAILED", output="")
    with pytest.raises(RunConflict):
        claim(site.around, key=key, execution_arn="arn:other", input_hash="h")
    close_claim(site.around, key=key, execution_arn=arn, status="FAILED", output="")
    claim(site.around, key=key, execution_arn="arn:other", input_hash="h")


def test_a_result_answers_for_its_key_as_long_as_it_is_kept(site: Site, arn: str) -> None:
    key = f"k-{arn}"
    claim(site.around, key=key, execution_arn=arn, input_hash="h")
    close_claim(site.around, key=key, execution_arn=arn, status="SUCCEEDED", output="{}")
    with pytest.raises(RunConflict):
        claim(site.around, key=key, execution_arn="arn:other", input_hash="h")
    site.now = NOW + timedelta(days=2)
    claim(site.around, key=key, execution_arn="arn:other", input_hash="h")


def ends(arn: str, status: str, **more: Any) -> dict[str, Any]:
    given = json.dumps({"ownerId": OWNER, "workflowId": "w"})
    return {"detail": {"executionArn": arn, "status": status, "name": "e", "input": given, **more}}


@pytest.mark.parametrize(
    ("status", "error", "told"),
    [
        ("SUCCEEDED", None, []),
        ("FAILED", "WorkflowExecutionFailed", []),
        ("FAILED", "InitializationFailed", []),
        ("FAILED", "LoopLimitExceeded", [("FAILED", "LOOP_LIMIT_EXCEEDED")]),
        ("FAILED", "DuplicateExecution", [("FAILED", "DUPLICATE_EXECUTION")]),
        ("FAILED", "States.Runtime", [("FAILED", "RUN_FAILED")]),
        ("TIMED_OUT", None, [("FAILED", "RUN_FAILED")]),
        ("ABORTED", None, [("ABORTED", None)]),
    ],
)
def test_the_end_of_an_execution_is_told_once(
    site: Site, arn: str, status: str, error: str | None, told: list[tuple[str, str | None]]
) -> None:
    put_question(site, arn)
    site.events()
    event = ends(arn, status, output="{}", **({"error": error, "cause": "why"} if error else {}))
    assert execution_finalizer.handle(event, site.around)["pauses_closed"] == 1
    found = site.events()
    assert [(one["event_type"], one.get("error_type")) for one in found] == told
    execution_finalizer.handle(event, site.around)
    assert [one["event_id"] for one in site.events()] == [one["event_id"] for one in found]
    assert Tokens(site.around).of_execution(OWNER, arn) == []


def notice(arn: str, event_id: str, seconds: int, status: str, event_type: str = "STARTED") -> dict[str, Any]:
    body = {"event_id": event_id, "event_type": event_type, "execution_id": arn, "ownerId": OWNER, "workflowId": "w"}
    moment = (NOW + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")
    return {"detail": {**body, "timestamp": moment, "status": status, "total_segments": 3}}


def test_where_a_run_stands_never_goes_back(site: Site, arn: str) -> None:
    def saved(event: dict[str, Any]) -> bool:
        return execution_progress_notifier.handle(event, site.around)["db_saved"]

    assert saved(notice(arn, "1", 1, "RUNNING"))
    assert not saved(notice(arn, "1", 1, "RUNNING"))
    assert not saved(notice(arn, "0", 0, "RUNNING"))
    assert saved(notice(arn, "2", 2, "PAUSED_FOR_HITP", "PAUSED_FOR_HITP"))
    assert saved(notice(arn, "3", 3, "SUCCEEDED", "COMPLETED"))
    assert not saved(notice(arn, "4", 4, "RUNNING"))
    key = {"ownerId": {"S": OWNER}, "executionArn": {"S": arn}}
    item = site.around.dynamodb.get_item(TableName=site.around.name("executions_table"), Key=key)["Item"]
    assert (item["status"].get("S"), item["eventType"].get("S")) == ("SUCCEEDED", "COMPLETED")


def test_a_detail_may_be_a_text_and_a_request_is_none(site: Site, arn: str) -> None:
    text = json.dumps(notice(arn, "1", 1, "RUNNING")["detail"])
    assert execution_progress_notifier.handle({"detail": text}, site.around)["db_saved"]
    forbidden = execution_progress_notifier.handle({"requestContext": {}}, site.around)
    assert forbidden == {"status": "error", "message": "Forbidden"}


@pytest.mark.parametrize(
    ("module", "event", "code"),
    [
        (initialize_state_data, [], "FIELD_TYPE"),
        (initialize_state_data, {"input": {"workflow_config": {}}, "execution_id": "e"}, "INIT_INVALID_CONFIG"),
        (segment_runner, {}, "FIELD_MISSING"),
        (segment_runner, {"branch_state": {}}, "FIELD_MISSING"),
        (state_data_manager, {"action": "no_such"}, "ACTION_UNKNOWN"),
        (state_data_manager, {"action": "sync", "state_data": 1}, "BAG_MALFORMED"),
        (prepare_distributed_execution, {"state_data": {}}, "FIELD_MISSING"),
        (process_segment_chunk, {"chunk": {}}, "FIELD_MISSING"),
        (process_segment_chunk, {"chunk": {}, "bag": {}, "resume": {}}, "FIELD_MISSING"),
        (process_segment_chunk, {"chunk": {}, "bag": PLACE, "resume": {}}, "FIELD_MISSING"),
        (segment_runner, {"branch": {}, "bag": PLACE}, "FIELD_MISSING"),
        (segment_runner, {"chunk": {}, "bag": PLACE}, "FIELD_MISSING"),
        (store_task_token, {"TaskToken": "t"}, "FIELD_MISSING"),
        (store_distributed_task_token, {"TaskToken": "t", "execution_id": "e", "bag": {}}, "FIELD_MISSING"),
        (segment_runner, {"state_s3_path": "s3://somewhere"}, "FIELD_VALUE"),
        (segment_runner, {"state_s3_path": {**PLACE, "root": {}}}, "POINTER_MALFORMED"),
        (segment_runner, {"state_s3_path": {**PLACE, "root": FOREIGN}}, "POINTER_FORBIDDEN"),
        (store_task_token, {**ASKED, "state_s3_path": {}}, "FIELD_VALUE"),
        (async_llm_handler, {"state_s3_path": {}}, "FIELD_MISSING"),
        (async_llm_handler, {"TaskToken": "t"}, "FIELD_MISSING"),
        (merge_callback, {"callback_result": {}}, "FIELD_MISSING"),
        (merge_callback, {"previous_final_state_s3_path": []}, "FIELD_VALUE"),
        (aggregate_distributed_results, {"distributed_results": {}}, "FIELD_MISSING"),
        (load_latest_state, {"chunk": {}}, "FIELD_MISSING"),
        (load_latest_state, {"chunk": {"unit": 0}, "bag": {}}, "FIELD_MISSING"),
        (save_latest_state, {"chunk": {}, "bag": {}}, "FIELD_MISSING"),
        (save_latest_state, {"chunk": {}, "bag": PLACE, "final_state": {}}, "FIELD_MISSING"),
        (resume_chunk_processing, {"chunk": {}, "bag": {}}, "FIELD_MISSING"),
        (execution_finalizer, {"detail": {}}, "FIELD_MISSING"),
        (execution_progress_notifier, {"detail": {"event_id": "1"}}, "FIELD_MISSING"),
        (execution_progress_notifier, {"detail": "{"}, "INPUT_NOT_JSON"),
    ],
)
def test_bad_input_has_a_named_error(site: Site, module: Any, event: Any, code: str) -> None:
    with pytest.raises(StateBagError) as refused:
        module.handle(event, site.around)
    assert refused.value.code == code
    with pytest.raises(Exception, match=f"^{code}: ") as raised:
        answer(lambda: module.handle(event, site.around))
    assert type(raised.value).__name__ == code


def test_a_segment_of_a_legacy_machine_that_is_tried_again_is_merged_once(site: Site) -> None:
    given = {"ownerId": OWNER, "workflowId": "w", "MOCK_MODE": "true", "initial_state": {"word": "hi"}}
    given["workflow_config"] = chain(llm("a", "Say {{word}}", output_key="said"), sets("b", done=1))
    begun = initialize_state_data.handle({"input": given, "execution_id": "e", "bag_format": "flat"}, site.around)
    event = {"state_s3_path": begun["state_s3_path"], "execution_mode": "SAFE"}
    first = segment_runner.handle(event, site.around)
    site.now = NOW + timedelta(seconds=10)
    again = segment_runner.handle(event, site.around)
    assert again == first
    assert (first["status"], first["next_segment_to_run"], first["loop_counter"]) == ("CONTINUE", 1, 1)
    assert len(first["new_history_logs"]) == len({entry["log_id"] for entry in first["new_history_logs"]})
    assert first["final_state"]["word"] == "hi"


def test_all_that_is_missing_is_named_at_once(site: Site) -> None:
    with pytest.raises(InputRefused) as refused:
        prepare_distributed_execution.handle({}, site.around)
    assert len(refused.value.problems) == 4
