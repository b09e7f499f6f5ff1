"""What tasks call, and what they pass to it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.asl.model.building import chain, invoke, machine, mapping, told


def call(resource: str, **parameters: Any) -> dict[str, Any]:
    return chain({"Type": "Task", "Resource": f"arn:aws:states:::{resource}", "Parameters": parameters})


@pytest.mark.parametrize(
    ("raw", "path", "code"),
    [
        (chain({"Type": "Task"}), "$.States.A", "ASL_FIELD_MISSING"),
        (chain(invoke(Resource="my-function")), "$.States.A.Resource", "ASL_RESOURCE"),
        (call("lambda:invoke", Payload={}), "$.States.A.Parameters", "ASL_INTEGRATION"),
        (call("lambda:invoke", FunctionName="f", Body={}), "$.States.A.Parameters.Body", "ASL_INTEGRATION"),
        (call("lambda:invoke", FunctionNane="f"), "$.States.A.Parameters.FunctionNane", "ASL_INTEGRATION"),
        (
            call("dynamodb:getItem.waitForTaskToken", **{"T.$": "$$.Task.Token"}),
            "$.States.A.Resource",
            "ASL_INTEGRATION",
        ),
        (call("lambda:invoke.sync", FunctionName="f"), "$.States.A.Resource", "ASL_INTEGRATION"),
        (call("aws-sdk:s3:getObject.sync"), "$.States.A.Resource", "ASL_INTEGRATION"),
        (call("lambda:invoke.waitForTaskToken", FunctionName="f"), "$.States.A", "ASL_INTEGRATION"),
        (call("aws-sdk:s3:listBuckets.waitForTaskToken"), "$.States.A", "ASL_SUSPECT"),
        (call("lamda:invoke"), "$.States.A.Resource", "ASL_SUSPECT"),
        (call("lambda:invok", FunctionName="f"), "$.States.A.Resource", "ASL_SUSPECT"),
    ],
)
def test_a_broken_call_is_told_where_it_is_broken(raw: Any, path: str, code: str) -> None:
    assert told(raw) == [(path, code)]


@pytest.mark.parametrize("action", ["bedrock:invokeModel", "eks:runJob", "aws-sdk:sqs:sendMessage"])
def test_what_can_be_waited_for_with_a_token(action: str) -> None:
    assert told(call(f"{action}.waitForTaskToken", Body={"t.$": "$$.Task.Token"})) == []


@pytest.mark.parametrize(
    "resource",
    [
        "${SegmentRunnerArn}",
        "arn:aws:lambda:us-east-1:123456789012:function:f",
        "arn:aws-cn:lambda:cn-north-1:123456789012:function:f:$LATEST",
        "arn:aws:states:us-east-1:123456789012:activity:wait for it",
        "arn:${AWS::Partition}:states:::sqs:sendMessage",
        "arn:aws:states:::aws-sdk:s3:getObject",
        "arn:aws:states:::ecs:runTask.sync",
        "arn:aws:states:::codebuild:stopBuildBatch",
        "arn:aws:states:::eks:call",
        "arn:aws:states:::states:startExecution.sync:2",
        "arn:aws:states:us-east-1:123456789012:glue:startJobRun.sync",
        "arn:aws:lambda:your-region:your-account-id:function:${Name}",
    ],
)
def test_resources_of_all_kinds(resource: str) -> None:
    assert told(chain({"Type": "Task", "Resource": resource, "Parameters": {"x": 1}})) == []


@pytest.mark.parametrize(
    "value", ["$$.Task.Token", "$$", "$$.Task", "States.Format('{}', $$.Task.Token)", "$$['Task'].Token"]
)
def test_a_token_may_be_passed_in_many_ways(value: str) -> None:
    assert told(call("sqs:sendMessage.waitForTaskToken", MessageBody={"t": [{"x.$": value}]})) == []


def test_a_token_that_is_only_a_text_is_not_passed() -> None:
    raw = call("sqs:sendMessage.waitForTaskToken", MessageBody={"t": "$$.Task.Token", "u.$": "$.Task.Token"})
    assert told(raw) == [("$.States.A", "ASL_INTEGRATION"), ("$.States.A.Parameters.MessageBody.t", "ASL_SUSPECT")]


@pytest.mark.parametrize(
    ("value", "passed"),
    [
        ("{% $states.context.Task.Token %}", True),
        ("{% $states %}", True),
        ({"a": ["{% {'t': $states.context.Task.Token} %}"]}, True),
        ("{% $states.input.x %}", False),
        ({"a": "Token"}, False),
    ],
)
def test_a_token_in_jsonata(value: Any, passed: bool) -> None:
    task = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "Arguments": value}
    raw = machine(query_language="JSONata", A={**task, "End": True})
    assert told(raw) == ([] if passed else [("$.States.A", "ASL_INTEGRATION")])


def test_an_express_machine_can_not_wait_for_what_it_calls() -> None:
    waits = call("sqs:sendMessage.waitForTaskToken", **{"t.$": "$$.Task.Token"})
    assert told(waits) == []
    assert told(waits, express=True) == [("$.States.A.Resource", "ASL_INTEGRATION")]
    inside = mapping({"StartAt": "B", "States": {"B": waits["States"]["A"]}}, mode="DISTRIBUTED")
    assert told(chain(inside)) == []
    inside["ItemProcessor"]["ProcessorConfig"]["ExecutionType"] = "EXPRESS"
    assert told(chain(inside)) == [("$.States.A.ItemProcessor.States.B.Resource", "ASL_INTEGRATION")]
