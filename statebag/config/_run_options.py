"""Members of a node's ``config`` that every type shares: how long it may take, and how often it is tried."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from statebag.config._model import Node
from statebag.config._reading import child_path, read_fields
from statebag.errors import Problem

__all__ = ["check_run_options"]

_A_YEAR = 31_536_000


class _Retry(BaseModel):
    model_config = ConfigDict(strict=True)

    max_retries: Annotated[int, Field(ge=0, le=100)] | None = None
    base_delay: Annotated[float, Field(gt=0, le=3600)] | None = None


class _RunOptions(BaseModel):
    model_config = ConfigDict(strict=True)

    timeout_seconds: float | None = Field(
        None, gt=0, le=_A_YEAR, description="a number of seconds above 0, up to a year"
    )
    heartbeat_seconds: float | None = Field(
        None, gt=0, le=_A_YEAR, description="a number of seconds above 0, up to a year"
    )
    retry_config: _Retry | None = Field(
        None, description="an object with `max_retries` (0 to 100) and `base_delay` (seconds above 0, up to 3600)"
    )
    asynchronous: bool | None = Field(None, alias="async", description="true or false")
    async_mode: bool | None = Field(None, description="true or false")
    force_async: bool | None = Field(None, description="true or false")


def check_run_options(node: Node, path: str) -> list[Problem]:
    """Everything wrong with the shared members of ``node.config``; ``path`` is the node's."""
    return read_fields(_RunOptions, dict(node.config), child_path(path, "config"))[1]
