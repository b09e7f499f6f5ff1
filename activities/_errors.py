"""Typed errors of the domain as Temporal failures: the code is the failure's type."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError, FailureError

from statebag.errors import ProviderUnavailable, StateBagError

__all__ = ["as_failures"]

TRIES_OF_UNKNOWN = 3
"""Tries of an activity that raises something that is no error of ours, such as a bug's TypeError."""


@contextmanager
def as_failures(*, max_retries: int | None = None) -> Generator[None]:
    """Turn what the block raises into an ``ApplicationError`` that Temporal repeats, or not.

    Args:
        max_retries: further tries that a node grants a provider which refuses; None for no limit but the activity's.
    """
    try:
        yield
    except FailureError:
        raise
    except StateBagError as error:
        # A try that has got on is none of those that a node grants: a long list may meet more refusals than that.
        got_on = bool(error.details.get("progress"))
        refused = isinstance(error, ProviderUnavailable) and max_retries is not None and not got_on
        final = not error.retryable or (refused and _attempt() > (max_retries or 0))
        delay = error.details.get("retry_after_seconds")
        raise ApplicationError(
            error.message,
            error.to_json(),
            type=error.code,
            non_retryable=final,
            next_retry_delay=None if final or delay is None else timedelta(seconds=float(delay)),
        ) from error
    except Exception as error:
        # Whatever else it is, a bug here or in a library: it must not be repeated for ever.
        text = f"{type(error).__name__}: {error}"
        raise ApplicationError(
            f"{activity.info().activity_type}: {text}",
            {"code": "RUN_FAILED", "message": text, "retryable": False},
            type="RUN_FAILED",
            non_retryable=_attempt() >= TRIES_OF_UNKNOWN,
        ) from error


def _attempt() -> int:
    return activity.info().attempt
