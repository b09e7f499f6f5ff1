"""A query as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from statebag.nodes.sql._connections import Connection

__all__ = ["Fetch", "Query"]

Fetch = Literal["all", "one", "count"]


@dataclass(frozen=True, kw_only=True)
class Query:
    """A query with everything rendered."""

    text: str
    params: Mapping[str, Any]
    """Scalars, or lists of them for an expanding IN."""
    connection: Connection
    fetch: Fetch
    max_rows: int
    read_only: bool
    timeout_seconds: float
    """For all of it: connecting, the query, reading its rows."""
