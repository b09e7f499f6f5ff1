"""What a call's failure means: for now, or for good."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from statebag.errors import NodeFailed, ProviderUnavailable, StateBagError
from statebag.nodes.http._body import excerpt_of
from statebag.nodes.http._values import HttpAnswer, HttpRequest

__all__ = ["failure_of", "timed_out", "unreachable"]

_ASKS_TO_WAIT: Final = frozenset({429, 503})
_FAULTY_FOR_NOW: Final = frozenset({408, 500, 502, 504})
_FIRST_ERROR: Final = 400
_LONGEST_WAIT: Final = 3600.0
_SECONDS: Final = re.compile(r"[0-9]{1,12}")
_REPEATED: Final = "The call is repeated as `retry_config` says."


def failure_of(answer: HttpAnswer, now: Callable[[], datetime]) -> StateBagError | None:
    """The error that a status stands for; None where it is none.

    Args:
        answer: The response, with as much of its body as is to be told.
        now: The clock, for a date in ``Retry-After``.
    """
    if answer.status < _FIRST_ERROR:
        return None
    details: dict[str, Any] = {"status": answer.status, "body": excerpt_of(answer)}
    said = f"{answer.target.shown} answers with status {answer.status}"
    if answer.status not in _ASKS_TO_WAIT | _FAULTY_FOR_NOW:
        return NodeFailed(f"{said}. See `details.body` for what it says.", code="API_FAILED", details=details)
    wait = _wait_of(answer.headers, now)
    details |= {} if wait is None else {"retry_after_seconds": wait}
    asks = "" if wait is None else f" and asks to wait {wait:g} s"
    code = "API_RATE_LIMITED" if answer.status in _ASKS_TO_WAIT else "API_UNAVAILABLE"
    return ProviderUnavailable(f"{said}{asks}. {_REPEATED}", code=code, details=details)


def timed_out(request: HttpRequest) -> ProviderUnavailable:
    """The error of a call that isn't over in time."""
    return ProviderUnavailable(
        f"no whole response within {request.timeout_seconds:g} s. {_REPEATED} If it always takes that long, raise "
        "`timeout`.",
        code="API_TIMEOUT",
        details={"timeout_seconds": request.timeout_seconds},
    )


def unreachable(said: str) -> ProviderUnavailable:
    """The error of a connection that can't be made, or breaks."""
    return ProviderUnavailable(f"{said.rstrip('.')}. {_REPEATED}", code="API_UNREACHABLE")


def _wait_of(headers: Mapping[str, str], now: Callable[[], datetime]) -> float | None:
    text = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), _LONGEST_WAIT)
    try:
        then = parsedate_to_datetime(text)
    except ValueError:
        return None
    then = then if then.tzinfo is not None else then.replace(tzinfo=UTC)
    return min(max(0.0, (then - now()).total_seconds()), _LONGEST_WAIT)
