"""Calls of tables: writes that hold only under a condition, and faults that pass."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TypeVar

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own
    HTTPClientError,
)

from statebag.errors import StoreUnavailable

__all__ = ["passing_faults", "write_if"]

Written = TypeVar("Written")

_PASSING = frozenset(
    {
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
        "TransactionConflictException",
    }
)


def write_if(write: Callable[[], Written]) -> Written | None:
    """What a conditional write gives; None where its condition did not hold, and nothing was written.

    Raises:
        StoreUnavailable: the table does not answer, or is busy.
        ClientError: any other refusal.
    """
    try:
        with passing_faults():
            return write()
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "ConditionalCheckFailedException":
            return None
        raise


@contextmanager
def passing_faults() -> Generator[None]:
    """Give faults that may pass the name under which the definitions repeat a task.

    Raises:
        StoreUnavailable: the table does not answer, or is busy.
    """
    try:
        yield
    except (BotoCoreError, ClientError) as fault:
        if not _passes(fault):
            raise
        raise StoreUnavailable(f"a table does not answer: {fault}. The call is repeated; check the table.") from fault


def _passes(fault: BotoCoreError | ClientError) -> bool:
    if isinstance(fault, ClientError):
        status = fault.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or fault.response.get("Error", {}).get("Code") in _PASSING
    return isinstance(fault, ConnectionError | HTTPClientError)
