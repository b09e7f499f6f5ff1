"""A client of S3, and what its errors mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    ResponseStreamingError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["is_absent", "is_transient", "new_client", "status_of"]

_BUSY_CODES = frozenset(
    {"SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException"}
    | {"RequestTimeout", "RequestTimeoutException", "InternalError", "ServiceUnavailable", "OperationAborted"}
    | {"ConditionalRequestConflict", "BandwidthLimitExceeded"}
)
_BUSY_STATUS = frozenset({408, 409, 429, 500, 502, 503, 504})
_BUSY_ERRORS = (
    BotoConnectionError,
    HTTPClientError,
    IncompleteReadError,
    ResponseStreamingError,
    CredentialRetrievalError,
)
_CONNECTIONS = 32


def new_client(session: Mapping[str, Any]) -> S3Client:
    """A client for what the environment names, which repeats no call by itself.

    Args:
        session: Arguments of ``boto3.Session``.
    """
    # boto3 takes a fifth of a second to load, which users of the local store need not wait for.
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    config = Config(
        retries={"total_max_attempts": 1, "mode": "standard"},
        max_pool_connections=_CONNECTIONS,
        connect_timeout=5,
        read_timeout=30,
    )
    return boto3.Session(**session).client("s3", config=config)


def is_absent(error: ClientError | BotoCoreError) -> bool:
    """Whether it says that there is no such object."""
    if not isinstance(error, ClientError):
        return False
    code, status = _code_and_status(error)
    return code in ("NoSuchKey", "404", "NotFound") or (status == 404 and code == "")


def is_transient(error: ClientError | BotoCoreError) -> bool:
    """Whether the same call may succeed later."""
    if isinstance(error, ClientError):
        code, status = _code_and_status(error)
        return code in _BUSY_CODES or status in _BUSY_STATUS
    return isinstance(error, _BUSY_ERRORS)


def status_of(error: ClientError) -> int:
    """The HTTP status of an answer; 0 where there was none."""
    return _code_and_status(error)[1]


def _code_and_status(error: ClientError) -> tuple[str, int]:
    answer: Mapping[str, Any] = error.response
    code = str(answer.get("Error", {}).get("Code", ""))
    return code, int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
