"""The names that a node's templates can use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from statebag.nodes._base import NodeContext, Scope

__all__ = ["VisibleNames"]


class VisibleNames:
    """What the templates of a node see: the user's fields, then ``attempt_count`` and ``context.attempt``."""

    def __init__(self, scope: Scope, context: NodeContext) -> None:
        self._scope = scope
        self._own: Mapping[str, Any] = {"attempt_count": context.attempt, "context": {"attempt": context.attempt}}

    def __contains__(self, name: object) -> bool:
        return name in self._scope or name in self._own

    def __getitem__(self, name: str) -> Any:
        return self._scope[name] if name in self._scope else self._own[name]

    def get(self, name: str) -> Any:
        """The value, or None."""
        try:
            return self[name]
        except KeyError:
            return None

    def whole(self) -> dict[str, Any]:
        return self._scope.whole()
