"""How long a provider asks to wait, in the forms that providers use."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pydantic_ai.exceptions import ModelAPIError

__all__ = ["wait_of"]

_UNITS: Final = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[dhms]))+")
_PART = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>ms|[dhms])")
_SECONDS = re.compile(r"\d+(?:\.\d+)?")


def wait_of(error: ModelAPIError) -> float | None:
    """Seconds to wait, where the provider says so.

    The first of: ``retry-after-ms``; ``Retry-After`` in seconds, fractions too, or as a date; Google's ``RetryInfo``
    in the body; and, for a rate limit, the time until the limits reset: ``x-ratelimit-reset-requests`` and
    ``-tokens`` (OpenAI and many servers like it: ``6m0s``), ``anthropic-ratelimit-…-reset`` (a time).
    """
    from pydantic_ai.exceptions import ModelHTTPError, ModelRateLimitError  # noqa: PLC0415

    if error.retry_after is not None:
        return error.retry_after
    if not isinstance(error, ModelHTTPError):
        return None
    headers = error.headers or {}
    given = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(given):
        return float(given)
    if not isinstance(error, ModelRateLimitError):
        return None
    wait = _reset(headers, "x-ratelimit-reset-{}", "x-ratelimit-remaining-{}", ("requests", "tokens"), _duration)
    if wait is not None:
        return wait
    kinds = ("requests", "tokens", "input-tokens", "output-tokens")
    return _reset(headers, "anthropic-ratelimit-{}-reset", "anthropic-ratelimit-{}-remaining", kinds, _until)


def _reset(
    headers: Mapping[str, str], reset: str, remaining: str, kinds: Iterable[str], read: Callable[[str], float | None]
) -> float | None:
    """The longest time until a limit that is used up resets; of all of them where none says that it is."""
    waits = {kind: wait for kind in kinds if (wait := read(headers.get(reset.format(kind), "").strip())) is not None}
    used_up = [wait for kind, wait in waits.items() if headers.get(remaining.format(kind), "").strip() == "0"]
    return max(used_up or waits.values(), default=None)


def _duration(text: str) -> float | None:
    if _SECONDS.fullmatch(text):
        return float(text)
    if not _DURATION.fullmatch(text):
        return None
    return sum(float(part["number"]) * _UNITS[part["unit"]] for part in _PART.finditer(text))


def _until(text: str) -> float | None:
    try:
        then = datetime.fromisoformat(text)
    except ValueError:
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    return max(0.0, (then - datetime.now(UTC)).total_seconds())
