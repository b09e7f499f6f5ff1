"""The workflow document as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Document", "Edge", "Node", "PauseSpec"]


@dataclass(frozen=True, kw_only=True)
class Node:
    """One node of a document, with its type resolved."""

    id: str
    type: str
    """Canonical type name: aliases are resolved, case and spaces are gone."""
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    label: str = ""
    hitp: bool = False
    """Whether a person is asked before this node runs."""

    def to_json(self) -> dict[str, Any]:
        """The stored form; defaults are left out."""
        body: dict[str, Any] = {"id": self.id, "type": self.type, "config": dict(self.config)}
        if self.label:
            body["label"] = self.label
        return body | ({"hitp": True} if self.hitp else {})

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> Node:
        """Read the stored form."""
        return Node(
            id=body["id"],
            type=body["type"],
            config=body.get("config", {}),
            label=body.get("label", ""),
            hitp=body.get("hitp", False),
        )


@dataclass(frozen=True, kw_only=True)
class PauseSpec:
    """What a pause asks of a person; from a hitp edge's ``metadata`` (or a node's ``hitp: true``)."""

    prompt: str = ""
    timeout_seconds: float = 86400.0
    """Time to answer; a day, since people sleep."""
    options: tuple[str, ...] = ()
    """Texts a response may be; empty for any."""
    schema: Mapping[str, Any] | None = None
    """JSON Schema of the response."""
    output_key: str | None = None
    """User field that takes the response, besides ``last_hitp_response``."""
    on_reject: str | None = None
    """Node to go to after a rejection; without it a rejection fails the run."""
    on_timeout: str | None = None
    """Node to go to when time is up; without it the run fails with ``HITP_TIMEOUT``."""

    def to_json(self) -> dict[str, Any]:
        """The stored form; defaults are left out."""
        body: dict[str, Any] = {"prompt": self.prompt} if self.prompt else {}
        if self.timeout_seconds != PauseSpec.timeout_seconds:
            body["timeout_seconds"] = self.timeout_seconds
        if self.options:
            body["options"] = list(self.options)
        if self.schema is not None:
            body["schema"] = dict(self.schema)
        for name in ("output_key", "on_reject", "on_timeout"):
            if getattr(self, name) is not None:
                body[name] = getattr(self, name)
        return body

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> PauseSpec:
        """Read the stored form."""
        return PauseSpec(
            prompt=body.get("prompt", ""),
            timeout_seconds=float(body.get("timeout_seconds", PauseSpec.timeout_seconds)),
            options=tuple(body.get("options", ())),
            schema=body.get("schema"),
            output_key=body.get("output_key"),
            on_reject=body.get("on_reject"),
            on_timeout=body.get("on_timeout"),
        )


@dataclass(frozen=True, kw_only=True)
class Edge:
    """One edge of a document."""

    source: str
    target: str
    pause: PauseSpec | None = None
    """Set on hitp edges."""


@dataclass(frozen=True, kw_only=True)
class Document:
    """A document that has passed validation: it can be planned and run."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    workflow_name: str = ""
    description: str = ""
    start_node: str | None = None
    initial_state: Mapping[str, Any] = field(default_factory=dict[str, Any])
    max_loop_iterations: int | None = None
    max_branch_iterations: int | None = None
    execution_mode: str = "SEQUENTIAL"
