"""A call as values: what is sent, what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from statebag.nodes.http._guard import Target

__all__ = ["HttpAnswer", "HttpRequest"]


@dataclass(frozen=True, kw_only=True)
class HttpRequest:
    """A call with everything rendered."""

    method: str
    target: Target
    headers: tuple[tuple[str, str], ...] = ()
    """Names as they were written; none is twice."""
    content: bytes | None = None
    timeout_seconds: float = 10.0
    """For all of it: the lookup, redirects, the whole body."""
    max_response_bytes: int = 5 * 1024 * 1024
    """Of the body, as it is sent and as it is unpacked."""


@dataclass(frozen=True, kw_only=True)
class HttpAnswer:
    """A response that was read whole, or the beginning of one that reports an error."""

    status: int
    target: Target
    """Where it came from, after redirects."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Names in lower case; values of a name that came twice are joined by commas."""
    body: bytes = b""
    """Unpacked."""
