"""The optimised service integrations, and how each can be waited for."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["INTEGRATIONS", "SERVICES", "is_plain_invoke"]

_SYNC = ("sync",)
_CALLBACK = ("waitForTaskToken",)
_TABLE: Mapping[tuple[str, ...], Mapping[str, tuple[str, ...]]] = {
    (): {
        "athena": ("getQueryExecution", "getQueryResults", "stopQueryExecution"),
        "codebuild": (
            "batchDeleteBuilds",
            "batchGetBuildBatches",
            "batchGetReports",
            "deleteBuildBatch",
            "retryBuildBatch",
            "stopBuild",
            "stopBuildBatch",
        ),
        "dynamodb": ("deleteItem", "getItem", "putItem", "updateItem"),
        "elasticmapreduce": (
            "cancelStep",
            "modifyInstanceFleetByName",
            "modifyInstanceGroupByName",
            "setClusterTerminationProtection",
        ),
        "http": ("invoke",),
        "sagemaker": ("createEndpoint", "createEndpointConfig", "createModel", "updateEndpoint"),
    },
    _SYNC: {
        "athena": ("startQueryExecution",),
        "batch": ("submitJob",),
        "codebuild": ("startBuild", "startBuildBatch"),
        "databrew": ("startJobRun",),
        "elasticmapreduce": ("addStep", "createCluster", "terminateCluster"),
        "emr-containers": ("createVirtualCluster", "deleteVirtualCluster", "startJobRun"),
        "emr-serverless": (
            "createApplication",
            "deleteApplication",
            "startApplication",
            "startJobRun",
            "stopApplication",
        ),
        "glue": ("startJobRun",),
        "mediaconvert": ("createJob",),
        "sagemaker": (
            "createHyperParameterTuningJob",
            "createLabelingJob",
            "createProcessingJob",
            "createTrainingJob",
            "createTransformJob",
        ),
    },
    _CALLBACK: {
        "apigateway": ("invoke",),
        "bedrock": ("invokeModel",),
        "events": ("putEvents",),
        "lambda": ("invoke",),
        "sns": ("publish",),
        "sqs": ("sendMessage",),
    },
    (*_SYNC, *_CALLBACK): {"bedrock": ("createModelCustomizationJob",), "ecs": ("runTask",)},
    (*_SYNC, "sync:2", *_CALLBACK): {"states": ("startExecution",)},
}
INTEGRATIONS: Mapping[tuple[str, str], tuple[str, ...]] = {
    (service, action): patterns
    for patterns, services in _TABLE.items()
    for service, actions in services.items()
    for action in actions
}
"""Service and action to the patterns that can be added behind a dot; an action that is not here may have any."""
SERVICES = frozenset(service for service, _ in INTEGRATIONS) | {"eks", "s3"}
"""Services with optimised integrations; all others are called through ``aws-sdk:``."""


def is_plain_invoke(resource: str | None) -> bool:
    """Whether a resource calls a function through the integration and waits for its answer alone."""
    return resource is not None and resource.startswith("arn:") and resource.endswith(":states:::lambda:invoke")
