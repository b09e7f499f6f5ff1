"""How a map over many items is spread over workers: the options of a distributed ``for_each``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from statebag.config._reading import read_fields
from statebag.errors import Problem

__all__ = [
    "DEFAULT_PERCENTAGE",
    "MAP_KEYS",
    "MAP_STRATEGIES",
    "MapSpec",
    "asks_for_distribution",
    "check_map_options",
    "is_distributed",
]

MAP_STRATEGIES = ("MAP_REDUCE", "BATCHED", "SAFE")
DEFAULT_PERCENTAGE = 10.0
"""Of the items, that may fail where a map says nothing."""


@dataclass(frozen=True, kw_only=True)
class MapSpec:
    """The options, with their defaults. Names are those of Step Functions' distributed map."""

    strategy: str = "MAP_REDUCE"
    """``MAP_REDUCE``: a window of chunks that slides; ``BATCHED``: a batch of them behind another; ``SAFE``: one chunk
    after another."""
    chunk_size: int | None = None
    """Items of a chunk; None for a size that suits the number of items: 10 to 100."""
    max_concurrency: int | None = None
    """Chunks at the same time; None for 100, or 10 where they are ``BATCHED``."""
    item_concurrency: int = 8
    """Items of a chunk at the same time, where they call the outside world."""
    windows: int = 1
    """Coordinators that start chunks beside each other."""
    tolerated_failure_percentage: float | None = None
    """Share of the items that may fail: more than that fails the run. None for 10, or for 100 where a count is given."""
    tolerated_failure_count: int | None = None
    """Number of items that may fail."""
    minimum_successes: int | None = None
    """Number of items that must succeed."""
    fail_fast: bool = True
    """Whether the map ends as soon as it can't succeed any more."""
    depends_on: str | None = None
    """Member of an item that lists the ids of the items which must be done before it."""
    id_key: str = "id"
    """Member of an item that is its id."""
    chunk_timeout_seconds: float | None = None
    """Time for a chunk from its start to its end, pauses included; None for no limit."""

    @property
    def percentage(self) -> float:
        """The tolerated percentage that holds."""
        if self.tolerated_failure_percentage is not None:
            return self.tolerated_failure_percentage
        return 100.0 if self.tolerated_failure_count is not None else DEFAULT_PERCENTAGE

    @property
    def concurrency(self) -> int:
        """Chunks at the same time."""
        usual = {"MAP_REDUCE": 100, "BATCHED": 10, "SAFE": 1}[self.strategy]
        return 1 if self.strategy == "SAFE" else self.max_concurrency or usual

    def to_json(self) -> dict[str, Any]:
        """The stored form; defaults are left out."""
        return {name: getattr(self, name) for name in MAP_KEYS if getattr(self, name) != getattr(MapSpec, name)}

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> MapSpec:
        """Read the stored form, or a ``config`` in which :func:`check_map_options` finds nothing wrong."""
        given = {name: body[name] for name in MAP_KEYS if body.get(name) is not None}
        if body.get("on_error") == "continue":
            given.setdefault("tolerated_failure_percentage", 100.0)
        elif body.get("on_error") == "fail":
            given.setdefault("tolerated_failure_percentage", 0.0)
        return MapSpec(**given)


MAP_KEYS = tuple(one.name for one in fields(MapSpec))
"""Members of a ``config`` that are options of a map."""


class _Options(BaseModel):
    model_config = ConfigDict(strict=True)

    distributed: bool | None = Field(None, description="true or false")
    strategy: Literal["MAP_REDUCE", "BATCHED", "SAFE"] | None = Field(
        None, description="`MAP_REDUCE`, `BATCHED` or `SAFE`"
    )
    chunk_size: int | None = Field(None, ge=1, le=10_000, description="a whole number from 1 to 10000")
    item_concurrency: int | None = Field(None, ge=1, le=100, description="a whole number from 1 to 100")
    windows: int | None = Field(None, ge=1, le=20, description="a whole number from 1 to 20")
    tolerated_failure_percentage: float | None = Field(None, ge=0, le=100, description="a number from 0 to 100")
    tolerated_failure_count: int | None = Field(None, ge=0, description="a whole number from 0")
    minimum_successes: int | None = Field(None, ge=0, description="a whole number from 0")
    fail_fast: bool | None = Field(None, description="true or false")
    depends_on: str | None = Field(None, min_length=1, description="the name of a member of the items")
    id_key: str | None = Field(None, min_length=1, description="the name of a member of the items")
    chunk_timeout_seconds: float | None = Field(
        None, gt=0, le=31_536_000, description="a number of seconds above 0, up to a year"
    )


def is_distributed(config: Mapping[str, Any]) -> bool:
    """Whether a ``for_each`` is spread over workers: it says so, or its items are in a file."""
    return config.get("distributed") is True or config.get("item_reader") is not None


def asks_for_distribution(*places: Any) -> bool:
    """Whether the document, or a state that comes with it, has ``distributed_mode`` set."""
    return any(isinstance(place, Mapping) and place.get("distributed_mode") is True for place in places)


def check_map_options(config: Mapping[str, Any], path: str) -> list[Problem]:
    """Everything wrong with the options of a map in ``config``; ``path`` is its JSON path."""
    given = {name: config[name] for name in _Options.__pydantic_fields__ if config.get(name) is not None}
    problems = read_fields(_Options, given, path)[1]
    if not is_distributed(config):
        problems += [
            Problem(
                path=f"{path}.{name}",
                code="FIELD_VALUE",
                message="has no effect unless the map is distributed. Set `distributed` to true, or remove it.",
            )
            for name in given
            if name != "distributed"
        ]
    elif config.get("distributed") is False:
        message = "a map over a file (`item_reader`) is always distributed. Remove it, or set it to true."
        problems.append(Problem(path=f"{path}.distributed", code="FIELD_VALUE", message=message))
    return problems
