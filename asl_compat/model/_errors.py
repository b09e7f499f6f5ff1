"""What a state does about errors."""

from __future__ import annotations

from asl_compat.model._base import JSON, AslModel, Names, Number, Text

__all__ = ["Catcher", "Retrier"]


class Retrier(AslModel):
    """When and how often a state is tried again."""

    comment: Text | None = None
    error_equals: Names
    interval_seconds: Number | None = None
    """Wait before the first retry; 1 where absent."""
    max_attempts: Number | None = None
    """Retries, not counting the first try; 3 where absent."""
    backoff_rate: Number | None = None
    """Factor by which the wait grows; 2.0 where absent."""
    max_delay_seconds: Number | None = None
    """Longest wait."""
    jitter_strategy: Text | None = None
    """FULL or NONE, which is what holds where absent."""


class Catcher(AslModel):
    """Where an error leads."""

    comment: Text | None = None
    error_equals: Names
    result_path: Text | None = None
    """Where the error goes in the state's input; null discards it; ``$``, which holds where absent, replaces all."""
    assign: dict[str, JSON] | Text | None = None
    output: JSON = None
    next: Text
