"""The calling convention of node types: ``run(node, scope, context) -> NodeOutput``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, Protocol

from statebag.config import Node
from statebag.errors import Problem

__all__ = ["NodeContext", "NodeOutput", "NodeType", "Scope"]


class Scope(Protocol):
    """What a node can see of the user state. Fields are fetched when asked for, never before."""

    def __contains__(self, name: object) -> bool: ...

    def __getitem__(self, name: str) -> Any:
        """The field's value; treat it as immutable, copy before changing. KeyError where absent."""
        ...

    def get(self, name: str, default: Any = None) -> Any: ...

    def names(self) -> Iterator[str]: ...

    def whole(self) -> dict[str, Any]:
        """All fields. Fetches each one: only for nodes that really read everything."""
        ...


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _ignore(_: object) -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class NodeContext:
    """What a node may know of the run around it."""

    execution_id: str
    segment_id: str
    visit: int = 0
    """How many segments the run had executed before: tells two passes over one segment apart."""
    attempt: int = 1
    """1-based try of this segment."""
    mock: bool = False
    """Answer outside calls locally and deterministically."""
    now: Callable[[], datetime] = _utc_now
    heartbeat: Callable[[object], None] = _ignore
    """Call it in waits of more than a few seconds; it also delivers cancellation."""

    def seed(self, *parts: str) -> bytes:
        """32 bytes that stay the same when the segment is tried again, and differ everywhere else."""
        text = "\x1f".join((self.execution_id, self.segment_id, str(self.visit), *parts))
        return hashlib.sha256(text.encode()).digest()


@dataclass(frozen=True, kw_only=True)
class NodeOutput:
    """What a node changes."""

    changes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Top-level user fields to set; lists and objects replace what was there."""
    logs: tuple[Mapping[str, Any], ...] = ()
    """History entries: JSON objects with at least ``type`` and ``node_id``."""
    step: str | None = None
    """What to add to the timeline's step list, such as ``operator_official:echo``."""


class NodeType(Protocol):
    """One node type. Stateless; an instance serves all runs of a worker."""

    name: ClassVar[str]
    """The canonical type name."""
    outside: ClassVar[bool]
    """Whether it calls the outside world: then its segment runs as a retried activity with heartbeats."""

    def check(self, node: Node, path: str) -> Iterable[Problem]:
        """Everything wrong with ``node``; ``path`` is its JSON path, such as ``$.nodes[3]``."""
        ...

    def reads(self, node: Node) -> frozenset[str] | None:
        """The user fields it will ask for, so that they can be fetched together; None where it reads all."""
        ...

    def run(self, node: Node, scope: Scope, context: NodeContext) -> NodeOutput:
        """Do the work.

        Raises:
            NodeFailed: for good. ProviderUnavailable, StoreUnavailable: for now.
        """
        ...
