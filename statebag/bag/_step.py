"""What travels through an engine's history: where a bag is, and what the router reads of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Place", "Step"]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Which bag of which run an action is for."""

    owner_id: str
    workflow_id: str
    execution_id: str
    version: int
    root: Mapping[str, Any]
    """Pointer to the sealed bag."""
    lineage: str = "main"
    """Separates histories that count the same versions: the Temporal run id, a branch's id."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """An action's answer."""

    version: int
    root: Mapping[str, Any]
    next_action: str
    segment_to_run: int
    loop_counter: int
    next: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """How to run the next segment: ``mode`` (local, activity, async), ``label``, and what differs from the default."""
    pause: Mapping[str, Any] | None = None
    """What the pause asks, where the next action is a pause."""
    error: Mapping[str, Any] | None = None
    warnings: tuple[Mapping[str, Any], ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def to_json(self) -> dict[str, Any]:
        """The form in history; what is empty is left out."""
        body: dict[str, Any] = {
            "bag": {"version": self.version, "root": self.root},
            "next_action": self.next_action,
            "segment_to_run": self.segment_to_run,
            "loop_counter": self.loop_counter,
        }
        optional = {"next": self.next, "pause": self.pause, "error": self.error, "extra": self.extra}
        body |= {name: value for name, value in optional.items() if value}
        return body | ({"warnings": list(self.warnings)} if self.warnings else {})

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> Step:
        """Read the form in history."""
        return Step(
            version=body["bag"]["version"],
            root=body["bag"]["root"],
            next_action=body["next_action"],
            segment_to_run=body["segment_to_run"],
            loop_counter=body["loop_counter"],
            next=body.get("next", {}),
            pause=body.get("pause"),
            error=body.get("error"),
            warnings=tuple(body.get("warnings", ())),
            extra=body.get("extra", {}),
        )
