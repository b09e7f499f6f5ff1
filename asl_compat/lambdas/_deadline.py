"""How much time a call has left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["has_time"]

_RESERVE_MILLISECONDS = 60_000
"""A segment is not begun with less: it may take that long, and what was done is kept."""


def has_time(context: Any) -> Callable[[], bool]:
    """Whether another segment can be begun in this call; always, where nothing limits it."""
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    if remaining is None:
        return lambda: True
    begun: int = remaining()
    reserve = min(_RESERVE_MILLISECONDS, begun // 2)
    return lambda: remaining() > reserve
