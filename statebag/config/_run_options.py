"""Members of a node's ``config`` that every type shares: how long it may take, and how often it is tried."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from statebag.config._model import Node
from statebag.config._reading import child_path, read_fields
from statebag.config._resource_policy import check_resource_policy
from statebag.errors import Problem

__all__ = ["check_run_options"]

_A_YEAR = 31_536_000
_TOLERATE = re.compile(r"tolerate:\d+(?:\.\d+)?", re.ASCII)


class _Retry(BaseModel):
    model_config = ConfigDict(strict=True)

    max_retries: Annotated[int, Field(ge=0, le=100)] | None = None
    base_delay: Annotated[float, Field(gt=0, le=3600)] | None = None
    max_delay: Annotated[float, Field(gt=0, le=86400)] | None = None


def _check_failure(text: str) -> str:
    if text in ("fail_if_all", "fail_on_any", "fail_on_majority") or _TOLERATE.fullmatch(text):
        return text
    raise PydanticCustomError("failure_value", "unknown policy")


class _BranchPolicy(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    on_conflict: Literal["last_wins", "keep_first", "error"] | None = None
    failure: Annotated[str, AfterValidator(_check_failure)] | None = None
    append_keys: list[str] | None = None


class _RunOptions(BaseModel):
    model_config = ConfigDict(strict=True)

    timeout_seconds: float | None = Field(
        None, gt=0, le=_A_YEAR, description="a number of seconds above 0, up to a year"
    )
    heartbeat_seconds: float | None = Field(
        None, gt=0, le=_A_YEAR, description="a number of seconds above 0, up to a year"
    )
    retry_config: _Retry | None = Field(
        None,
        description="an object with `max_retries` (0 to 100), `base_delay` (seconds above 0, up to 3600) and "
        "`max_delay` (seconds above 0, up to a day)",
    )
    branch_policy: _BranchPolicy | None = Field(
        None,
        description="an object with `on_conflict` (last_wins, keep_first, error), `failure` (fail_if_all, fail_on_any, "
        "fail_on_majority, tolerate:PERCENT) and `append_keys` (a list of names or patterns)",
    )
    max_concurrency: int | None = Field(None, ge=1, le=1000, description="a whole number from 1 to 1000")
    asynchronous: bool | None = Field(None, alias="async", description="true or false")
    async_mode: bool | None = Field(None, description="true or false")
    force_async: bool | None = Field(None, description="true or false")


def check_run_options(node: Node, path: str) -> list[Problem]:
    """Everything wrong with the shared members of ``node.config``; ``path`` is the node's."""
    at = child_path(path, "config")
    problems = read_fields(_RunOptions, dict(node.config), at)[1]
    return problems + check_resource_policy(node.config.get("resource_policy"), child_path(path, "resource_policy"))
