"""The calling convention of node types: ``run(node, scope, context) -> NodeOutput``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, Protocol

from statebag.config import Node
from statebag.errors import Problem
from statebag.nodes._tokens import Tokens

__all__ = ["NodeContext", "NodeOutput", "NodeType", "Scope", "Steps"]


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


class Steps(Protocol):
    """Results of calls of the outside world, kept as soon as they are there.

    When a segment is tried again, what has been kept is not called again. A key names a call within its segment.
    """

    def recall(self, key: str) -> Any:
        """What an earlier try kept under ``key``; None where there is nothing."""
        ...

    def keep(self, key: str, value: Any) -> None:
        """Keep a JSON value that is not None; returns once it is stored."""
        ...


class _Unkept:
    def recall(self, key: str) -> Any:  # noqa: ARG002
        return None

    def keep(self, key: str, value: Any) -> None:
        """Outside of a run there is no later try."""


_UNKEPT = _Unkept()


@dataclass(frozen=True, kw_only=True)
class NodeContext:
    """What a node may know of the run around it."""

    execution_id: str
    segment_id: str
    visit: int = 0
    """How many segments the run, or the branch, had executed before: tells two passes over one segment apart."""
    forked_at: tuple[int, ...] = ()
    """In a branch, the same of the run and of each branch around it: tells two passes over one fork apart."""
    attempt: int = 1
    """1-based try of this segment."""
    mock: bool = False
    """Answer outside calls locally and deterministically."""
    now: Callable[[], datetime] = _utc_now
    heartbeat: Callable[[object], None] = _ignore
    """Call it in waits of more than a few seconds; it also delivers cancellation."""
    types: Mapping[str, NodeType] = field(default_factory=dict[str, "NodeType"])
    """The node types, for a node that runs others."""
    steps: Steps = field(default_factory=lambda: _UNKEPT)
    """What earlier tries of this segment have finished."""
    inside: tuple[str, ...] = ()
    """Where in the segment this is: ids of the nodes around it, and numbers of their items or passes."""

    def seed(self, *parts: str) -> bytes:
        """32 bytes that stay the same when the segment is tried again, and differ everywhere else."""
        visits = map(str, (*self.forked_at, self.visit))
        text = "\x1f".join((self.execution_id, self.segment_id, *visits, *self.inside, *parts))
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
    next_node: str | None = None
    """Id of the node to go on with, from one that routes; one of its ``targets``."""
    unset: tuple[str, ...] = ()
    """Top-level user fields to remove; none of them is in ``changes``."""
    warnings: tuple[Problem, ...] = ()
    """What a node that runs others has to say of theirs, such as reserved keys."""
    tokens: Tokens = field(default_factory=Tokens)
    """What the model calls inside of a node used; a call itself says it in ``usage``."""

    def to_json(self) -> dict[str, Any]:
        """The stored form of a call's result; defaults are left out."""
        body: dict[str, Any] = {"changes": dict(self.changes)}
        optional = {"logs": [dict(log) for log in self.logs], "step": self.step, "unset": list(self.unset)}
        return body | {name: value for name, value in optional.items() if value}

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> NodeOutput:
        """Read the stored form."""
        return NodeOutput(
            changes=body["changes"],
            logs=tuple(body.get("logs", ())),
            step=body.get("step"),
            unset=tuple(body.get("unset", ())),
        )


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
