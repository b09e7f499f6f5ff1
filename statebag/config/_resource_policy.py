"""How much of a parallel group may run at the same time: its ``resource_policy``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from statebag.config._reading import read_fields, report_unknown
from statebag.errors import Problem

__all__ = ["ResourcePolicy", "check_resource_policy"]

_STRATEGIES = ("SPEED_OPTIMIZED", "RESOURCE_OPTIMIZED", "COST_OPTIMIZED")
_ALIASES: Mapping[str, str] = {"BALANCED": "RESOURCE_OPTIMIZED"}
_NAMED = "`SPEED_OPTIMIZED`, `RESOURCE_OPTIMIZED` (also written `BALANCED`) or `COST_OPTIMIZED`"
_COUNT = "a whole number of at least 1"


@dataclass(frozen=True, kw_only=True)
class ResourcePolicy:
    """What the branches of a parallel group may use together."""

    strategy: str = "RESOURCE_OPTIMIZED"
    """``SPEED_OPTIMIZED``, ``RESOURCE_OPTIMIZED`` or ``COST_OPTIMIZED``."""
    max_concurrent_memory_mb: int = 3072
    """Megabytes, as estimated; three quarters of a worker with 4 GB."""
    max_concurrent_tokens: int = 100_000
    """Tokens of model calls, as estimated."""
    max_concurrent_branches: int = 10

    def to_json(self) -> dict[str, Any]:
        """The stored form; defaults are left out."""
        return {name: getattr(self, name) for name in _FIELDS if getattr(self, name) != getattr(ResourcePolicy, name)}

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> ResourcePolicy:
        """Read the stored form, or what a document has where :func:`check_resource_policy` finds nothing wrong."""
        given = {name: body[name] for name in _FIELDS if body.get(name) is not None}
        if "strategy" in given:
            given["strategy"] = _ALIASES.get(given["strategy"], given["strategy"])
        return ResourcePolicy(**given)


_FIELDS = ("strategy", "max_concurrent_memory_mb", "max_concurrent_tokens", "max_concurrent_branches")


def _check_strategy(name: str) -> str:
    if name in _STRATEGIES or name in _ALIASES:
        return name
    raise PydanticCustomError("strategy_value", "unknown strategy")


class _Policy(BaseModel):
    model_config = ConfigDict(strict=True)

    strategy: Annotated[str, AfterValidator(_check_strategy)] | None = Field(None, description=_NAMED)
    max_concurrent_memory_mb: int | None = Field(None, ge=1, description=_COUNT)
    max_concurrent_tokens: int | None = Field(None, ge=1, description=_COUNT)
    max_concurrent_branches: int | None = Field(None, ge=1, description=_COUNT)


def check_resource_policy(raw: Any, path: str) -> list[Problem]:
    """Everything wrong with a ``resource_policy``, and what has no effect in it.

    Args:
        raw: What the document has; null is no policy.
        path: Its JSON path.
    """
    if raw is None:
        return []
    return read_fields(_Policy, raw, path)[1] + report_unknown(raw, _Policy.model_fields, path)
