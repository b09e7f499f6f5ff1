"""Errors of Temporal's client as errors with our codes."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from temporalio.client import WorkflowFailureError
from temporalio.exceptions import (
    ApplicationError,
    CancelledError,
    FailureError,
    TerminatedError,
)
from temporalio.exceptions import (
    TimeoutError as TemporalTimeoutError,
)
from temporalio.service import RPCError, RPCStatusCode

from statebag.errors import CODES, RunFailed, StateBagError

__all__ = ["Ending", "describe_failure", "ending_of", "typed_rpc_errors"]

Ending = tuple[str, Mapping[str, Any]]
"""Status of a run that did not succeed, and its error: ``code``, ``message``, and what the machine adds."""


@contextmanager
def typed_rpc_errors(execution_id: str | None = None) -> Generator[None]:
    """Turn an RPC's failure into an error with a code.

    Args:
        execution_id: The run that the calls are about.
    """
    try:
        yield
    except RPCError as error:
        raise _typed(error, execution_id) from error


def ending_of(error: WorkflowFailureError) -> Ending:
    """Status and error of a run that did not succeed."""
    cause = error.cause
    if isinstance(cause, TerminatedError):
        return "FAILED", {
            "code": "RUN_FAILED",
            "message": f"the run was terminated: {cause.message or 'no reason given'}",
        }
    if isinstance(cause, CancelledError):
        return "CANCELED", {"code": "RUN_CANCELED", "message": "the run was canceled."}
    if isinstance(cause, TemporalTimeoutError):
        return "TIMED_OUT", {"code": "RUN_FAILED", "message": "the run's own time-out is over."}
    return "FAILED", describe_failure(cause)


def describe_failure(cause: BaseException | None) -> dict[str, Any]:
    """Code, message and details of a failure of a workflow, an activity or an Update."""
    if isinstance(cause, ApplicationError):
        given = cause.details[0] if cause.details and isinstance(cause.details[0], Mapping) else {}
        code = given.get("code") or cause.type or "RUN_FAILED"
        body = {"code": code if code in CODES else "RUN_FAILED", "message": cause.message, **dict(given)}
        nested = body.pop("details", None)
        return body | (dict(nested) if isinstance(nested, Mapping) else {})
    if isinstance(cause, FailureError) and cause.cause is not None:
        return describe_failure(cause.cause)
    return {"code": "RUN_FAILED", "message": str(cause) or type(cause).__name__}


def _typed(error: RPCError, execution_id: str | None) -> StateBagError:
    text = error.message
    lowered = text.lower()
    if error.status is RPCStatusCode.NOT_FOUND and "namespace" in lowered:
        message = f"{text}. Check TEMPORAL_NAMESPACE, or make it: `temporal operator namespace create`."
        return StateBagError(message, code="SETTING_INVALID")
    if error.status is RPCStatusCode.NOT_FOUND and execution_id is not None:
        message = f"{execution_id}: there is no such run in this namespace. `statebag list` shows those there are."
        return RunFailed(message, code="RUN_NOT_FOUND", details={"execution_id": execution_id})
    if error.status in (RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED):
        message = f"the Temporal server refuses access: {text}. Check TEMPORAL_API_KEY, TEMPORAL_NAMESPACE and TLS."
        return StateBagError(message, code="SETTING_INVALID")
    if error.status is RPCStatusCode.INVALID_ARGUMENT:
        return StateBagError(f"the Temporal server refuses the call: {text}", code="FIELD_VALUE")
    message = f"the Temporal server does not answer as it should: {error.status.name}: {text}. Try again."
    return StateBagError(message, code="SERVER_UNREACHABLE")
