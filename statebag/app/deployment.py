"""Which version of the worker this process is, in the variables that Temporal's worker controller sets."""

from __future__ import annotations

import os
from collections.abc import Mapping

from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import WorkerDeploymentConfig

from statebag.errors import InputRefused, Problem

__all__ = ["BUILD_ID", "DEPLOYMENT_NAME", "read_deployment"]

DEPLOYMENT_NAME = "TEMPORAL_DEPLOYMENT_NAME"
"""What all versions of a worker have in common, such as ``statebag``."""
BUILD_ID = "TEMPORAL_WORKER_BUILD_ID"
"""The version, such as ``1.4.0`` or the id of a commit."""
_RESERVED_START = "__"
_RESERVED_IN_NAMES = ".:"


def read_deployment(environment: Mapping[str, str] = os.environ) -> WorkerDeploymentConfig | None:
    """Read the variables; None, which is a worker without versions, where both are missing or empty.

    Every run is pinned: it ends on the version that it began with, and so do its children and the runs that it
    continues as.

    Raises:
        InputRefused: ``SETTING_INVALID`` problems: one variable without the other, or a value that a server refuses.
            It would refuse it at each poll, unheard: the worker would look ready and get no work.
    """
    name, build = environment.get(DEPLOYMENT_NAME, ""), environment.get(BUILD_ID, "")
    problems = [*_check_pair(name, build), *_check_name(name), *_check_build(build)]
    if problems:
        raise InputRefused(problems, what="environment")
    if not name:
        return None
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(deployment_name=name, build_id=build),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.PINNED,
    )


def _check_pair(name: str, build: str) -> list[Problem]:
    if bool(name) == bool(build):
        return []
    missing, there = (BUILD_ID, DEPLOYMENT_NAME) if name else (DEPLOYMENT_NAME, BUILD_ID)
    return [_problem(missing, f"is not set, but {there} is. Set both, or none for a worker without versions.")]


def _check_name(name: str) -> list[Problem]:
    if name.startswith(_RESERVED_START) or any(mark in name for mark in _RESERVED_IN_NAMES) or name != name.strip():
        wanted = "a name without `.`, `:` and blanks around it that does not begin with `__`"
        return [_problem(DEPLOYMENT_NAME, f"is {name!r}, which is not {wanted}.")]
    return []


def _check_build(build: str) -> list[Problem]:
    if build.startswith(_RESERVED_START) or build != build.strip():
        wanted = "an id without blanks around it that does not begin with `__`"
        return [_problem(BUILD_ID, f"is {build!r}, which is not {wanted}.")]
    return []


def _problem(variable: str, message: str) -> Problem:
    return Problem(path=f"${variable}", code="SETTING_INVALID", message=f"{variable} {message}")
