"""A scenario on an interpreter of Step Functions, with the real handlers against its services."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from unittest import mock

from asl_compat.lambdas import (
    aggregate_distributed_results,
    async_llm_handler,
    execution_finalizer,
    initialize_state_data,
    load_latest_state,
    merge_callback,
    prepare_distributed_execution,
    process_segment_chunk,
    resume_chunk_processing,
    resume_handler,
    save_latest_state,
    segment_runner,
    state_data_manager,
    store_distributed_task_token,
    store_task_token,
)
from asl_compat.lambdas._answer import answer
from asl_compat.lambdas._surroundings import Surroundings
from asl_compat.machines import DISTRIBUTED as DISTRIBUTED_FILE
from asl_compat.machines import LEGACY_DISTRIBUTED, LEGACY_STANDARD, definitions
from asl_compat.machines import STANDARD as STANDARD_FILE
from statebag.bag import Bag
from statebag.blobs import Pointer
from statebag.canonical import size_of
from tests.aws.functions import ACCOUNT, REGION
from tests.aws.interpreters import Execution, Function, Interpreter
from tests.aws.ran import OWNER, WORKFLOW, Ran, bag_of, nested_of, state_of, told_of, top_of
from tests.aws.scenarios import Scenario
from tests.aws.services import EventTap, Resources, create
from tests.rig import DISTRIBUTED

__all__ = ["Stack", "definition_for", "make_stack", "run_on_aws"]

_KEYS: Mapping[str, tuple[str, ...]] = {
    "IDEMPOTENCY_TABLE": ("idempotency_key",),
    "TASK_TOKENS_TABLE": ("ownerId", "conversation_id"),
    "EXECUTIONS_TABLE": ("ownerId", "executionArn"),
    "CONNECTIONS_TABLE": ("connectionId",),
    "PENDING_NOTIFICATIONS_TABLE": ("ownerId", "notificationId"),
}
_INDEXES: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "TASK_TOKENS_TABLE": {"ExecutionIdIndex": ("ownerId", "execution_id")},
    "CONNECTIONS_TABLE": {"OwnerIdConnectionIndex": ("ownerId", "connectionId")},
    "PENDING_NOTIFICATIONS_TABLE": {"ExecutionIdIndex": ("ownerId", "execution_id")},
}
_FUNCTIONS: Mapping[str, Any] = {
    "InitializeStateDataArn": initialize_state_data,
    "ExecuteSegmentArn": segment_runner,
    "ExecuteBranchArn": segment_runner,
    "StateDataManagerArn": state_data_manager,
    "StoreTaskTokenArn": store_task_token,
    "StoreDistributedTaskTokenArn": store_distributed_task_token,
    "AsyncLLMHandlerArn": async_llm_handler,
    "PrepareDistributedExecutionArn": prepare_distributed_execution,
    "ProcessSegmentChunkArn": process_segment_chunk,
    "SegmentRunnerArn": segment_runner,
    "MergeCallbackArn": merge_callback,
    "AggregateResultsArn": aggregate_distributed_results,
    "AggregateDistributedResultsArn": aggregate_distributed_results,
    "LoadLatestStateArn": load_latest_state,
    "SaveLatestStateArn": save_latest_state,
    "ResumeChunkProcessingArn": resume_chunk_processing,
}
"""Placeholders, and whose handler is behind each."""


@dataclass(kw_only=True)
class Stack:
    """What a deployed stack has, beside one interpreter."""

    interpreter: Interpreter
    names: Mapping[str, str]
    tap: EventTap
    last_bag: dict[str, Any] = field(default_factory=dict[str, Any])
    """The newest bag of each execution that a function has returned."""


def make_stack(interpreter: Interpreter, stage: str) -> Stack:
    """Create the tables, the bucket and the bus."""
    names = {variable: f"{variable.lower().replace('_', '-')}-{stage}" for variable in _KEYS}
    names |= {"WORKFLOW_STATE_BUCKET": f"state-{stage}", "WORKFLOW_EVENT_BUS": f"bus-{stage}", "STAGE": stage}
    tables = [_table(names[variable], keys, _INDEXES.get(variable, {})) for variable, keys in _KEYS.items()]
    bucket, bus = names["WORKFLOW_STATE_BUCKET"], names["WORKFLOW_EVENT_BUS"]
    taps = create(interpreter, Resources(tables=tables, buckets=[bucket], buses=[bus]))
    return Stack(interpreter=interpreter, names=names, tap=taps[bus])


def run_on_aws(
    stack: Stack,
    scenario: Scenario,
    name: str,
    *,
    legacy: bool = False,
    remembers: bool = True,
    change: Callable[[dict[str, Any]], None] = lambda definition: None,
) -> Ran:
    """Run it as the execution ``name``, after ``change`` has been made to the definition.

    Args:
        stack: Beside an interpreter.
        scenario: What is run.
        name: Of the execution.
        legacy: Whether it runs on the machine before v3.
        remembers: Whether functions keep what they have read from call to call.
        change: Made to the definition before.
    """
    with mock.patch.dict(os.environ, {**stack.interpreter.environment, **stack.names}):
        around = Surroundings.from_environment(dict(os.environ), now=lambda: datetime.now(UTC))
        body = {"workflow_config": scenario.document, "ownerId": OWNER, "workflowId": WORKFLOW, "MOCK_MODE": "true"}
        body |= {**state_of(scenario, around.blobs(OWNER, WORKFLOW, name)), **scenario.given}
        given = {member: value for member, value in body.items() if value is not ...}
        if "idempotency_key" in given:
            given["idempotency_key"] += f"-{name}"
        if scenario.earlier:
            _have_claim(around, given["idempotency_key"], scenario.earlier)
        with _people(around, scenario, name, in_time=stack.interpreter.name == "moto") as answer_all:
            functions = {
                placeholder: _function(stack, around, module, answer_all, remembers=remembers)
                for placeholder, module in _FUNCTIONS.items()
            }
            definition = definition_for(stack, scenario, legacy=legacy)
            change(definition)
            began = time.perf_counter()
            ended = stack.interpreter.run(definition, given, functions, name=name)
            seconds = time.perf_counter() - began
        _finalize(around, ended, given, name)
        told = [event["detail"] for event in stack.tap.take()]
        events = [event for event in told if event["execution_id"].endswith(f":{name}")]
    last = stack.last_bag.pop(name, None)
    if legacy and ended.status == "SUCCEEDED" and last is not None:
        last = around.blobs(OWNER, WORKFLOW, name).get(Pointer.from_json(ended.output["final_state_s3_path"]))
    bag = None
    if last is not None:
        blobs = around.blobs(OWNER, WORKFLOW, name)
        bag = bag_of(Bag.from_json(last, blobs), blobs)
    code = (ended.cause or "").partition(":")[0] if ended.error else ""
    return Ran(
        status="SUCCEEDED" if ended.status == "SUCCEEDED" else "FAILED",
        error=ended.error or "",
        code=code,
        trace=top_of(ended.trace),
        nested=nested_of(ended.trace),
        events=tuple(told_of(event) for event in sorted(events, key=lambda event: event["timestamp"])),
        bag=bag,
        largest_bytes=ended.largest_bytes,
        transitions=ended.transitions,
        history_events=len(ended.history),
        history_bytes=sum(size_of(_plain(event)) for event in ended.history),
        seconds=seconds,
        log_ids=tuple(_id_of(entry) for event in events for entry in _logs_in(event)),
    )


def definition_for(stack: Stack, scenario: Scenario, *, legacy: bool = False) -> dict[str, Any]:
    """The definition that the scenario runs on, with the stack's names in it."""
    files = (LEGACY_DISTRIBUTED, LEGACY_STANDARD) if legacy else (DISTRIBUTED_FILE, STANDARD_FILE)
    file = files[scenario.machine != DISTRIBUTED]
    text = json.dumps(definitions()[file])
    values = {name: f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}" for name in _FUNCTIONS}
    values |= {
        "IdempotencyTable": stack.names["IDEMPOTENCY_TABLE"],
        "WorkflowStateBucket": stack.names["WORKFLOW_STATE_BUCKET"],
        "WorkflowEventBusArn": "no-such-bus" if scenario.without_bus else stack.names["WORKFLOW_EVENT_BUS"],
    }
    for placeholder, value in values.items():
        text = text.replace(f"${{{placeholder}}}", value)
    return json.loads(text)


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))


def _id_of(entry: Mapping[str, Any]) -> str:
    return entry.get("log_id") or json.dumps(entry, sort_keys=True)


def _logs_in(event: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*event.get("state_history", ()), *event.get("new_history_logs", ())]


def _function(
    stack: Stack, warm: Surroundings, module: Any, answer_all: Callable[[], None], *, remembers: bool
) -> Function:
    def call(event: Any, context: Any) -> Any:
        around = warm if remembers else Surroundings.from_environment(warm.environment, now=warm.now)
        takes_context = module in (segment_runner, process_segment_chunk, resume_chunk_processing)
        given = (event, around, context) if takes_context else (event, around)
        result = answer(lambda: module.handle(*given))
        if isinstance(result, Mapping) and isinstance(result.get("state_data"), Mapping):
            stack.last_bag[result["state_data"]["execution_id"]] = dict(result["state_data"])
        _remember_flat(stack, around, result)
        answer_all()
        return result

    return call


def _remember_flat(stack: Stack, around: Surroundings, result: Any) -> None:
    """Results of legacy machines name their bag."""
    found = result.get("execution_result", result) if isinstance(result, Mapping) else {}
    where = found.get("final_state_s3_path")
    if isinstance(where, Mapping) and "root" in where:
        blobs = around.blobs(where["ownerId"], where["workflowId"], where["execution_id"])
        stack.last_bag[where["execution_id"]] = blobs.get(Pointer.from_json(where["root"]))


@contextmanager
def _people(around: Surroundings, scenario: Scenario, name: str, *, in_time: bool) -> Iterator[Callable[[], None]]:
    """People who answer what the scenario says, as soon as they are asked.

    Where the interpreter does not let the time of a task run out (``in_time``), that is told to it.
    """
    lock, late = threading.Lock(), set[str]()

    def answer_all() -> None:
        with lock:
            for item in _waiting(around, name):
                wanted = scenario.answers[json.loads(item["spec"]["S"])["prompt"]]
                if wanted:
                    _respond(around, item, wanted)
                elif not in_time and item["taskToken"]["S"] not in late:
                    late.add(item["taskToken"]["S"])
                    around.step_functions.send_task_failure(taskToken=item["taskToken"]["S"], error="States.Timeout")

    yield answer_all


def _waiting(around: Surroundings, name: str) -> list[dict[str, Any]]:
    found = around.dynamodb.query(
        TableName=around.name("task_tokens_table"),
        KeyConditionExpression="ownerId = :owner AND begins_with(conversation_id, :run)",
        ExpressionAttributeValues={":owner": {"S": OWNER}, ":run": {"S": f"{name}#"}},
    )["Items"]
    return [dict(item) for item in found if item["status"].get("S") == "WAITING"]


def _respond(around: Surroundings, item: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    body = {"execution_id": item["execution_id"]["S"], "pause_id": item["pause_id"]["S"], **wanted}
    event = {
        "body": json.dumps(body),
        "requestContext": {
            "authorizer": {"jwt": {"claims": {"sub": OWNER}}},
            "http": {"method": "POST", "path": "/resume"},
        },
    }
    response = resume_handler.handle(event, around)
    assert response["statusCode"] == 200, response


def _have_claim(around: Surroundings, key: str, status: str) -> None:
    item = {"idempotency_key": key, "executionArn": "arn:earlier", "status": status, "output": "{}"}
    around.dynamodb.put_item(
        TableName=around.name("idempotency_table"), Item={name: {"S": value} for name, value in item.items()}
    )


def _finalize(around: Surroundings, ended: Execution, given: Mapping[str, Any], name: str) -> None:
    """Tell of the execution's end, as the service does; interpreters don't."""
    detail: dict[str, Any] = {
        "executionArn": f"arn:aws:states:{REGION}:{ACCOUNT}:execution:machine:{name}",
        "name": name,
        "status": ended.status,
        "input": json.dumps(given),
    }
    if ended.error:
        detail |= {"error": ended.error, "cause": ended.cause or ""}
    else:
        detail["output"] = json.dumps(ended.output)
    execution_finalizer.handle({"source": "aws.states", "detail": detail}, around)


def _table(name: str, keys: tuple[str, ...], indexes: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    attributes = sorted({*keys, *(key for pair in indexes.values() for key in pair)})
    made: dict[str, Any] = {
        "TableName": name,
        "KeySchema": _schema(keys),
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key in attributes],
    }
    if indexes:
        made["GlobalSecondaryIndexes"] = [
            {"IndexName": index, "KeySchema": _schema(pair), "Projection": {"ProjectionType": "ALL"}}
            for index, pair in indexes.items()
        ]
    return made


def _schema(keys: tuple[str, ...]) -> list[dict[str, str]]:
    return [{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)]
