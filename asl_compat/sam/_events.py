"""The bus, its rules, the API for answers, and alarms."""

from __future__ import annotations

from typing import Any

from asl_compat.sam._functions import LAMBDAS
from asl_compat.sam._machines import MACHINES
from asl_compat.sam._names import get, named
from statebag.events import DETAIL_TYPE, SOURCE, EventType

__all__ = ["alarms", "events", "resume_api"]

_ENDS = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")
_DELIVERY = {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 3}


def events() -> dict[str, Any]:
    """The bus, and who gets what is put on it, and what Step Functions tells of executions."""
    lifecycle = {
        "source": [SOURCE],
        "detail-type": [DETAIL_TYPE],
        "detail": {"event_type": [str(event) for event in EventType]},
    }
    ended = {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {
            "status": list(_ENDS),
            "stateMachineArn": [{"Ref": logical_id} for logical_id in MACHINES],
        },
    }
    return {
        "WorkflowEventBus": {
            "Type": "AWS::Events::EventBus",
            "Properties": {"Name": {"Fn::Sub": "backend-workflow-${StageName}-event-bus"}},
        },
        "EventDeadLetters": {
            "Type": "AWS::SQS::Queue",
            "Properties": {
                "QueueName": {"Fn::Sub": "backend-workflow-${StageName}-eventbridge-dlq"},
                "MessageRetentionPeriod": 1_209_600,
                "SqsManagedSseEnabled": True,
            },
        },
        "EventDeadLettersPolicy": {
            "Type": "AWS::SQS::QueuePolicy",
            "Properties": {
                "Queues": [{"Ref": "EventDeadLetters"}],
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "events.amazonaws.com"},
                            "Action": "sqs:SendMessage",
                            "Resource": get("EventDeadLetters"),
                            "Condition": {
                                "ArnEquals": {"aws:SourceArn": [get("LifecycleRule"), get("ExecutionEndedRule")]}
                            },
                        }
                    ],
                },
            },
        },
        **_rule("Lifecycle", lifecycle, "ExecutionProgressNotifier", bus={"Ref": "WorkflowEventBus"}),
        **_rule("ExecutionEnded", ended, "ExecutionFinalizer", bus=None),
    }


def _rule(name: str, pattern: dict[str, Any], function: str, *, bus: Any) -> dict[str, Any]:
    alias = {"Ref": f"{function}Function.Alias"}
    target = {
        "Id": function,
        "Arn": alias,
        "DeadLetterConfig": {"Arn": get("EventDeadLetters")},
        "RetryPolicy": _DELIVERY,
    }
    return {
        f"{name}Rule": {
            "Type": "AWS::Events::Rule",
            "Properties": {
                **({"EventBusName": bus} if bus else {}),
                "EventPattern": pattern,
                "State": "ENABLED",
                "Targets": [target],
            },
        },
        f"{name}RulePermission": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "Action": "lambda:InvokeFunction",
                "FunctionName": alias,
                "Principal": "events.amazonaws.com",
                "SourceArn": get(f"{name}Rule"),
            },
        },
    }


def resume_api() -> dict[str, Any]:
    """``POST /resume``, where an issuer of tokens is named: without one, nobody could tell whose request it is."""
    made: dict[str, Any] = {
        "ResumeApi": {
            "Type": "AWS::ApiGatewayV2::Api",
            "Properties": {"Name": named("statebag-resume"), "ProtocolType": "HTTP"},
        },
        "ResumeAuthorizer": {
            "Type": "AWS::ApiGatewayV2::Authorizer",
            "Properties": {
                "ApiId": {"Ref": "ResumeApi"},
                "Name": "jwt",
                "AuthorizerType": "JWT",
                "IdentitySource": ["$request.header.Authorization"],
                "JwtConfiguration": {"Issuer": {"Ref": "CognitoIssuerUrl"}, "Audience": [{"Ref": "CognitoAudience"}]},
            },
        },
        "ResumeIntegration": {
            "Type": "AWS::ApiGatewayV2::Integration",
            "Properties": {
                "ApiId": {"Ref": "ResumeApi"},
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": {"Ref": "ResumeHandlerFunction.Alias"},
                "PayloadFormatVersion": "2.0",
            },
        },
        "ResumeRoute": {
            "Type": "AWS::ApiGatewayV2::Route",
            "Properties": {
                "ApiId": {"Ref": "ResumeApi"},
                "RouteKey": "POST /resume",
                "AuthorizationType": "JWT",
                "AuthorizerId": {"Ref": "ResumeAuthorizer"},
                "Target": {"Fn::Sub": "integrations/${ResumeIntegration}"},
            },
        },
        "ResumeStage": {
            "Type": "AWS::ApiGatewayV2::Stage",
            "Properties": {
                "ApiId": {"Ref": "ResumeApi"},
                "StageName": "$default",
                "AutoDeploy": True,
                "DefaultRouteSettings": {"ThrottlingBurstLimit": 100, "ThrottlingRateLimit": 50},
            },
        },
        "ResumePermission": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "Action": "lambda:InvokeFunction",
                "FunctionName": {"Ref": "ResumeHandlerFunction.Alias"},
                "Principal": "apigateway.amazonaws.com",
                "SourceArn": {
                    "Fn::Sub": "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${ResumeApi}/*/*/resume"
                },
            },
        },
    }
    return {
        name: {"Type": body["Type"], "Condition": "HasIssuer", "Properties": body["Properties"]}
        for name, body in made.items()
    }


def alarms() -> dict[str, Any]:
    """For what somebody must look into."""
    made: dict[str, Any] = {}
    for logical_id, name in MACHINES.items():
        for metric in ("ExecutionsFailed", "ExecutionsTimedOut", "ExecutionThrottled"):
            dimension = {"Name": "StateMachineArn", "Value": {"Ref": logical_id}}
            made[f"{name}{metric}"] = _alarm("AWS/States", metric, dimension, f"{name}: {metric}")
    for one in LAMBDAS:
        dimension = {"Name": "FunctionName", "Value": {"Ref": one.logical_id}}
        for metric in ("Errors", "Throttles"):
            made[f"{one.name}{metric}"] = _alarm("AWS/Lambda", metric, dimension, f"{one.name}: {metric}")
    queue = {"Name": "QueueName", "Value": get("EventDeadLetters", "QueueName")}
    text = "Events that no function has taken"
    made["DeadLetters"] = _alarm("AWS/SQS", "ApproximateNumberOfMessagesVisible", queue, text, statistic="Maximum")
    return made


def _alarm(
    namespace: str, metric: str, dimension: dict[str, Any], text: str, *, statistic: str = "Sum"
) -> dict[str, Any]:
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmDescription": text,
            "Namespace": namespace,
            "MetricName": metric,
            "Dimensions": [dimension],
            "Statistic": statistic,
            "Period": 300,
            "EvaluationPeriods": 1,
            "Threshold": 1,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "TreatMissingData": "notBreaching",
            "AlarmActions": {"Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]},
        },
    }
