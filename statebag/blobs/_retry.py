"""Repeating calls that failed for a passing reason."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from statebag.errors import StoreUnavailable

__all__ = ["RetryPolicy"]

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How often and after what pauses a call is repeated that raised StoreUnavailable.

    The pause before try ``n + 1`` is drawn evenly from 0 to ``min(cap, base * factor ** (n - 1))``
    seconds, so that many callers of a store that was down do not come back at once.
    """

    attempts: int = 3
    """Calls at most, the first one included."""
    base: float = 0.5
    """Seconds: the longest first pause."""
    factor: float = 2.0
    """Growth from one pause to the next."""
    cap: float = 8.0
    """Seconds: the longest pause."""
    sleep: Callable[[float], None] = time.sleep
    """What waits; tests put their own in its place."""

    def run(self, call: Callable[[], T]) -> T:
        """The result of ``call``, or the error of its last try."""
        try:
            return call()
        except StoreUnavailable as error:
            first = error
        # The loop costs more than a local write, so it is entered only now, with the first failure replayed into it.
        replayed: list[StoreUnavailable] = [first]

        def attempt() -> T:
            if replayed:
                raise replayed.pop()
            return call()

        return Retrying(
            stop=stop_after_attempt(self.attempts),
            wait=wait_random_exponential(multiplier=self.base, max=self.cap, exp_base=self.factor),
            retry=retry_if_exception_type(StoreUnavailable),
            sleep=self.sleep,
            reraise=True,
        )(attempt)
