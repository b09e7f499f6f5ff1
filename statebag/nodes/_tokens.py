"""What model calls used, and how a node that makes several of them reports it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from statebag.nodes._base import Scope

__all__ = ["TOKEN_FIELDS", "TOTALS", "Tokens", "add_totals", "count_on"]

TOTALS: Final = ("total_input_tokens", "total_output_tokens", "total_tokens")
"""User fields in which containers count on from what is there."""

TOKEN_FIELDS: Final = frozenset(
    {*TOTALS, "usage", "iteration_token_details", "branch_token_details", "nested_token_details"}
)
"""User fields that say what was used, rather than what came of it."""


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """Tokens of some model calls together."""

    input_tokens: int = 0
    output_tokens: int = 0

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
        )

    def __bool__(self) -> bool:
        return bool(self.input_tokens or self.output_tokens)

    def to_json(self) -> dict[str, int]:
        """``{"input_tokens", "output_tokens", "total_tokens"}``."""
        return {
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "total_tokens": self.input_tokens + self.output_tokens,
        }

    @staticmethod
    def of_changes(changes: Mapping[str, Any]) -> Tokens:
        """What a model call says of itself in ``usage``; nothing where there is no such field."""
        usage = changes.get("usage")
        if not isinstance(usage, Mapping):
            return _NONE
        return Tokens(input_tokens=_count(usage.get("input_tokens")), output_tokens=_count(usage.get("output_tokens")))

    @staticmethod
    def sum_of(parts: Iterable[Tokens]) -> Tokens:
        """All of them together."""
        return sum(parts, _NONE)


_NONE = Tokens()


def add_totals(
    scope: Scope, parts: Sequence[Tokens], details_key: str, labels: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """Fields that tell what the parts of a node used; none where no part used anything.

    Args:
        scope: Has what was counted before.
        parts: One for each item, pass or branch.
        details_key: Field that lists them.
        labels: What each entry of that list says besides its tokens.
    """
    used = Tokens.sum_of(parts)
    if not used:
        return {}
    counts = (used.input_tokens, used.output_tokens, used.input_tokens + used.output_tokens)
    totals = {name: _count(scope.get(name)) + count for name, count in zip(TOTALS, counts, strict=True)}
    return {**totals, details_key: [{**label, **part.to_json()} for label, part in zip(labels, parts, strict=True)]}


def count_on(scope: Scope, changes: Mapping[str, Any]) -> dict[str, int]:
    """The totals in ``changes``, which were counted from nothing, on top of those of ``scope``."""
    return {name: _count(scope.get(name)) + _count(changes[name]) for name in TOTALS if name in changes}


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
