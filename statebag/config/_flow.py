"""In which order nodes run: which follow one another, which beside each other, and where paths join again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from statebag.config._model import PauseSpec

__all__ = ["Flow", "Fork", "Gate", "Item"]

Gate: TypeAlias = tuple[str, str]
"""A pause on the edge between these two nodes, which has a place of its own."""

Item: TypeAlias = str | Gate


@dataclass(frozen=True, kw_only=True)
class Fork:
    """Branches that run beside each other behind a node."""

    branches: tuple[Flow, ...]
    positions: tuple[int, ...]
    """For each branch, the number of the node's edge that leads to it."""


@dataclass(frozen=True, kw_only=True)
class Flow:
    """Items that run one at a time, the first one first."""

    items: tuple[Item, ...] = ()
    links: Mapping[Item, Item | None] = field(default_factory=dict[Item, "Item | None"])
    """What follows an item, and behind its fork where it has one; None where the flow ends."""
    routes: Mapping[str, Mapping[str, Item | None]] = field(default_factory=dict[str, "Mapping[str, Item | None]"])
    """For a node that routes: target to item."""
    forks: Mapping[str, Fork] = field(default_factory=dict[str, Fork])
    pauses: Mapping[Item, PauseSpec] = field(default_factory=dict[Item, PauseSpec])
    """What is asked before an item."""
