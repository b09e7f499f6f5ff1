"""The workflow document as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from statebag.config._flow import Flow

__all__ = ["Body", "Document", "Edge", "Node", "PauseSpec"]


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
    bodies: tuple[Body, ...] = ()
    """The nodes inside of it: a loop's body, a group's branches. Its ``config`` no longer has them."""
    fork: bool = False
    """Whether its bodies are branches that run beside each other, rather than inside of its own segment."""
    targets: tuple[str, ...] = ()
    """Ids of the nodes that it chooses between, for one that routes."""

    def to_json(self) -> dict[str, Any]:
        """The stored form; defaults are left out."""
        body: dict[str, Any] = {"id": self.id, "type": self.type, "config": dict(self.config)}
        if self.label:
            body["label"] = self.label
        if self.bodies:
            body["bodies"] = [one.to_json() for one in self.bodies]
        if self.targets:
            body["targets"] = list(self.targets)
        return body | {name: True for name in ("hitp", "fork") if getattr(self, name)}

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> Node:
        """Read the stored form."""
        return Node(
            id=body["id"],
            type=body["type"],
            config=body.get("config", {}),
            label=body.get("label", ""),
            hitp=body.get("hitp", False),
            bodies=tuple(Body.from_json(one) for one in body.get("bodies", ())),
            fork=body.get("fork", False),
            targets=tuple(body.get("targets", ())),
        )


@dataclass(frozen=True, kw_only=True)
class Body:
    """Nodes inside of a node, in running order."""

    nodes: tuple[Node, ...] = ()
    name: str = ""
    """Id of the branch; empty where a node has but one body."""
    edges: tuple[Edge, ...] = ()
    """Empty: the nodes run one behind another as they are listed."""

    def to_json(self) -> dict[str, Any]:
        """The stored form; defaults are left out."""
        body: dict[str, Any] = {"nodes": [node.to_json() for node in self.nodes]}
        body |= {"name": self.name} if self.name else {}
        return body | ({"edges": [edge.to_json() for edge in self.edges]} if self.edges else {})

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> Body:
        """Read the stored form."""
        return Body(
            nodes=tuple(Node.from_json(node) for node in body["nodes"]),
            name=body.get("name", ""),
            edges=tuple(Edge.from_json(edge) for edge in body.get("edges", ())),
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

    def to_json(self) -> dict[str, Any]:
        """The stored form."""
        body: dict[str, Any] = {"source": self.source, "target": self.target}
        return body | ({"pause": self.pause.to_json()} if self.pause is not None else {})

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> Edge:
        """Read the stored form."""
        pause = body.get("pause")
        return Edge(
            source=body["source"],
            target=body["target"],
            pause=None if pause is None else PauseSpec.from_json(pause),
        )


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
    flow: Flow | None = field(default=None, compare=False, repr=False)
    """What its nodes and edges make, where it has been found to be something that can be run."""
