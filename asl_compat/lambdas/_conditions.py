"""Writes to tables that hold only under a condition."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from botocore.exceptions import ClientError

__all__ = ["write_if"]

Written = TypeVar("Written")


def write_if(write: Callable[[], Written]) -> Written | None:
    """What a conditional write gives; None where its condition did not hold, and nothing was written.

    Raises:
        ClientError: any other refusal.
    """
    try:
        return write()
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "ConditionalCheckFailedException":
            return None
        raise
