"""Child workflows that ended without a result: how, in words."""

from __future__ import annotations

from temporalio.exceptions import ChildWorkflowError, FailureError, TerminatedError, is_cancelled_exception
from temporalio.exceptions import TimeoutError as TemporalTimeoutError

__all__ = ["how_it_ended"]


def how_it_ended(failure: FailureError) -> str:
    """What became of the child workflow that failed so: ``was terminated from outside``."""
    cause = failure.cause if isinstance(failure, ChildWorkflowError) else failure
    if isinstance(cause, TerminatedError):
        return "was terminated from outside"
    if isinstance(cause, TemporalTimeoutError):
        return "ran out of its time"
    if is_cancelled_exception(failure):
        return "was cancelled from outside"
    return f"ended without a result: {cause or failure}"
