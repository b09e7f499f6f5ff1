"""Time-outs and retries of the engine's functions, in the terms of Step Functions."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from statebag.errors import OffloadFailed, ProviderUnavailable, StoreUnavailable
from statebag.machine import FUNCTIONS, PROVIDER_RETRIES, Retry

__all__ = ["patience", "retries"]

_INFRASTRUCTURE = (
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    StoreUnavailable.__name__,
    OffloadFailed.__name__,
)
"""Nothing has happened, or can be done again."""
_TRIES = (ProviderUnavailable.__name__, "Lambda.Unknown", "Sandbox.Timedout")
"""A try that a node grants: the provider refuses, or the function's process died or ran out of its time."""
_USUAL_GIVE_UP_SECONDS = 3600.0


def retries(function: str, *, tries: bool = False) -> list[dict[str, Any]]:
    """The ``Retry`` of a task that calls ``function``.

    Args:
        function: Key of ``FUNCTIONS``.
        tries: Whether the function calls outside, so that tries are counted.
    """
    facts = FUNCTIONS[function]
    give_up = facts.give_up_seconds or _USUAL_GIVE_UP_SECONDS
    found = [_retrier(_INFRASTRUCTURE, facts.retry, _attempts_within(facts.retry, give_up))]
    if tries:
        found.append(_retrier(_TRIES, facts.retry, PROVIDER_RETRIES))
    return found


def patience(function: str) -> int:
    """Seconds that a task may take whose function answers by a token: all tries of it together."""
    facts = FUNCTIONS[function]
    counted = facts.retry.retries or 0
    return int(facts.timeout_seconds * (counted + 1) + sum(itertools.islice(_intervals(facts.retry), counted)))


def _retrier(errors: tuple[str, ...], retry: Retry, attempts: int) -> dict[str, Any]:
    return {
        "ErrorEquals": list(errors),
        "IntervalSeconds": _whole(retry.initial_seconds),
        "BackoffRate": retry.backoff,
        "MaxDelaySeconds": _whole(retry.max_interval_seconds),
        "MaxAttempts": attempts,
        "JitterStrategy": "FULL",
    }


def _attempts_within(retry: Retry, seconds: float) -> int:
    waited = itertools.accumulate(_intervals(retry))
    return sum(1 for _ in itertools.takewhile(lambda total: total <= seconds, waited))


def _intervals(retry: Retry) -> Iterator[float]:
    interval: float = _whole(retry.initial_seconds)
    while True:
        yield min(interval, retry.max_interval_seconds)
        interval *= retry.backoff


def _whole(seconds: float) -> int:
    """Step Functions knows whole seconds only."""
    return max(1, round(seconds))
