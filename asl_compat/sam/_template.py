"""The template as a whole, and how it is deployed."""

from __future__ import annotations

from typing import Any

import yaml

from asl_compat.sam._events import alarms, events, resume_api
from asl_compat.sam._functions import functions
from asl_compat.sam._layer import Architecture
from asl_compat.sam._machines import Generation, machines
from asl_compat.sam._names import ENVIRONMENT, MADE_WITH, MODEL_KEYS, get
from asl_compat.sam._storage import storage
from statebag.machine import FUNCTIONS

__all__ = ["print_template", "samconfig", "template"]

_PARAMETERS: dict[str, Any] = {
    "StageName": {"Type": "String", "Default": "dev", "AllowedPattern": "[a-z][a-z0-9-]{0,15}"},
    "WorkflowStateBucket": {
        "Type": "String",
        "Default": "",
        "Description": "A bucket that there is already; empty for one of the stack's own.",
    },
    "FunctionTimeout": {
        "Type": "Number",
        "Default": int(FUNCTIONS["state_data_manager"].timeout_seconds),
        "MinValue": 30,
        "MaxValue": 900,
        "Description": "Seconds that StateDataManager may take.",
    },
    "LogRetentionDays": {"Type": "Number", "Default": 30, "AllowedValues": [7, 14, 30, 60, 90, 180, 365]},
    "AlarmTopicArn": {"Type": "String", "Default": "", "Description": "Where alarms go; empty for nowhere."},
    "CognitoIssuerUrl": {
        "Type": "String",
        "Default": "",
        "Description": "Issuer of the tokens that POST /resume takes; empty for no such API.",
    },
    "CognitoAudience": {"Type": "String", "Default": ""},
    "WebsocketEndpoint": {
        "Type": "String",
        "Default": "",
        "MaxLength": 80,
        "Description": "https://… of a WebSocket API's stage, for notices; empty for none.",
    },
    "Revision": {
        "Type": "String",
        "Default": "1",
        "MaxLength": 16,
        "Description": "Change it together with a key, which changes no function by itself.",
    },
    **{
        name: {
            "Type": "String",
            "Default": "",
            "NoEcho": True,
            "Description": "Key of a provider of models, or a dynamic reference to a secret; empty for none.",
        }
        for name in MODEL_KEYS.values()
    },
}


def template(architecture: Architecture = "x86_64", generation: Generation = "v3") -> dict[str, Any]:
    """The template as JSON.

    Args:
        architecture: What the functions run on, and the layer has packages for: one for both, so not a parameter.
        generation: Which machines are deployed. All functions are, so that going back changes the machines alone.
    """
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Transform": "AWS::Serverless-2016-10-31",
        "Description": "Smart StateBag: workflow documents on Step Functions, their data in a state bag.",
        # A function hands its policies on to its versions: those that are replaced stay, and one that is deleted goes.
        "Metadata": {"cfn-lint": {"config": {"ignore_checks": ["W3011"]}}},
        "Parameters": _PARAMETERS,
        "Conditions": {
            "MakesBucket": {"Fn::Equals": [{"Ref": "WorkflowStateBucket"}, ""]},
            "HasAlarmTopic": {"Fn::Not": [{"Fn::Equals": [{"Ref": "AlarmTopicArn"}, ""]}]},
            "HasIssuer": {"Fn::Not": [{"Fn::Equals": [{"Ref": "CognitoIssuerUrl"}, ""]}]},
            **{f"Has{name}": {"Fn::Not": [{"Fn::Equals": [{"Ref": name}, ""]}]} for name in MODEL_KEYS.values()},
        },
        "Globals": {
            "Function": {
                "Runtime": "python3.12",
                "Architectures": [architecture],
                "Tracing": "Active",
                "Layers": [{"Ref": "DependenciesLayer"}],
                "Environment": {"Variables": {**ENVIRONMENT, "MADE_WITH": MADE_WITH}},
            }
        },
        "Resources": {
            **machines(generation),
            "DependenciesLayer": {
                "Type": "AWS::Serverless::LayerVersion",
                "Properties": {
                    "Description": "Packages that the functions need.",
                    "ContentUri": "dependencies/",
                    "CompatibleRuntimes": ["python3.12"],
                    "CompatibleArchitectures": [architecture],
                    "RetentionPolicy": "Delete",
                },
                "Metadata": {"BuildMethod": "makefile", "BuildArchitecture": architecture},
            },
            **functions(),
            **storage(),
            **events(),
            **resume_api(),
            **alarms(),
        },
        "Outputs": {
            "StandardMachineArn": {"Value": {"Ref": "StepFunctionOrchestrator"}},
            "DistributedMachineArn": {"Value": {"Ref": "StepFunctionDistributedOrchestrator"}},
            "StateBucketName": {"Value": ENVIRONMENT["WORKFLOW_STATE_BUCKET"]},
            "EventBusArn": {"Value": get("WorkflowEventBus")},
            "IdempotencyTableName": {"Value": {"Ref": "IdempotencyTable"}},
            "ResumeUrl": {
                "Condition": "HasIssuer",
                "Value": {"Fn::Sub": "https://${ResumeApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}/resume"},
            },
        },
    }


def print_template(architecture: Architecture = "x86_64", generation: Generation = "v3") -> str:
    """The template as YAML."""
    return yaml.dump(template(architecture, generation), Dumper=_Plain, sort_keys=False, width=120, allow_unicode=True)


def samconfig() -> str:
    """``samconfig.toml``: a stage for development, and production."""
    return _SAMCONFIG


class _Plain(yaml.SafeDumper):
    """Writes what stands in several places in each of them."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the signature of the base
        return True


_SAMCONFIG = """\
version = 0.1

[default.global.parameters]
stack_name = "statebag-dev"

[default.build.parameters]
cached = true

[default.deploy.parameters]
capabilities = "CAPABILITY_IAM CAPABILITY_AUTO_EXPAND"
confirm_changeset = true
resolve_s3 = true
parameter_overrides = "StageName=dev"

[production.global.parameters]
stack_name = "statebag-production"

[production.build.parameters]
cached = true

[production.deploy.parameters]
capabilities = "CAPABILITY_IAM CAPABILITY_AUTO_EXPAND"
confirm_changeset = true
resolve_s3 = true
parameter_overrides = "StageName=production LogRetentionDays=90"
"""
