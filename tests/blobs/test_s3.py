"""S3: which answers are worth repeating, what is sent, where it goes."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from statebag.blobs import BlobStore, RetryPolicy, S3Backend, Version, open_store
from statebag.errors import OffloadFailed, PointerNotFound, StateBagError, StoreUnavailable
from tests.seaweed import answering

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from tests.seaweed import S3Server


@pytest.fixture
def client() -> S3Client:
    return boto3.client("s3", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y")


@pytest.fixture
def stub(client: S3Client) -> Iterator[Stubber]:
    with Stubber(client) as stubber:
        yield stubber


FILE_CALLS: dict[str, Callable[[S3Backend], object]] = {
    "get_object": lambda backend: backend.read_range("o/a", 0, 5),
    "head_object": lambda backend: backend.version("o/a"),
    "put_object": lambda backend: backend.replace("o/a", io.BytesIO(b"1")),
}
CALLS: dict[str, Callable[[S3Backend], object]] = {
    "get_object": lambda backend: backend.read("o/a"),
    "put_object": lambda backend: backend.write_if_absent("o/a", b"1"),
    "head_object": lambda backend: backend.exists("o/a"),
    "list_objects_v2": lambda backend: list(backend.list("o/")),
    "delete_object": lambda backend: backend.delete("o/a"),
}


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("SlowDown", 503),
        ("Throttling", 400),
        ("RequestTimeout", 400),
        ("InternalError", 500),
        ("", 502),
        ("ServiceUnavailable", 503),
        ("TooManyRequests", 429),
        ("ConditionalRequestConflict", 409),
        ("OperationAborted", 409),
    ],
)
def test_busy_answers_are_retryable(client: S3Client, stub: Stubber, operation: str, code: str, status: int) -> None:
    stub.add_client_error(operation, service_error_code=code, http_status_code=status)
    with pytest.raises(StoreUnavailable) as caught:
        CALLS[operation](S3Backend("bucket", "pre", client=client))
    assert caught.value.retryable
    assert "s3://bucket/pre/" in caught.value.message
    stub.assert_no_pending_responses()


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("AccessDenied", 403),
        ("403", 403),
        ("InvalidRequest", 400),
        ("NoSuchBucket", 404),
        ("InvalidAccessKeyId", 403),
        ("SignatureDoesNotMatch", 403),
        ("ExpiredToken", 400),
        ("NotImplemented", 501),
        ("EntityTooLarge", 413),
    ],
)
def test_refusals_are_final(client: S3Client, stub: Stubber, operation: str, code: str, status: int) -> None:
    stub.add_client_error(operation, service_error_code=code, http_status_code=status)
    with pytest.raises(StateBagError) as caught:
        CALLS[operation](S3Backend("bucket", client=client))
    assert caught.value.code == "STORE_DENIED"
    assert not caught.value.retryable
    assert code in caught.value.message
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("operation", FILE_CALLS)
def test_calls_for_files_tell_busy_answers_from_refusals(client: S3Client, stub: Stubber, operation: str) -> None:
    backend = S3Backend("bucket", client=client)
    stub.add_client_error(operation, service_error_code="SlowDown", http_status_code=503)
    with pytest.raises(StoreUnavailable):
        FILE_CALLS[operation](backend)
    stub.add_client_error(operation, service_error_code="AccessDenied", http_status_code=403)
    with pytest.raises(StateBagError) as caught:
        FILE_CALLS[operation](backend)
    assert caught.value.code == "STORE_DENIED"
    stub.assert_no_pending_responses()


def test_a_server_without_ranges_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    with answering(200, b"all of it", 9) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        with pytest.raises(StateBagError, match="does not know ranges"):
            S3Backend("bucket").read_range("o/a", 0, 3)


def test_a_part_of_another_version_is_refused_where_the_server_sends_it(client: S3Client, stub: Stubber) -> None:
    backend = S3Backend("bucket", client=client)
    body = {"Body": io.BytesIO(b"other"), "ContentLength": 5, "ETag": '"other"'}
    stub.add_response("get_object", body)
    with pytest.raises(StateBagError) as caught:
        backend.read_range("o/a", 0, 5, version=Version(20, '"tag"'))
    assert caught.value.code == "ITEMS_CHANGED"


def test_a_part_is_asked_for_on_a_condition(client: S3Client, stub: Stubber) -> None:
    backend = S3Backend("bucket", "p", client=client)
    expected = {"Bucket": "bucket", "Key": "p/o/a", "Range": "bytes=10-14", "IfMatch": '"tag"'}
    stub.add_client_error("get_object", "PreconditionFailed", http_status_code=412, expected_params=expected)
    with pytest.raises(StateBagError) as caught:
        backend.read_range("o/a", 10, 5, version=Version(20, '"tag"'))
    assert caught.value.code == "ITEMS_CHANGED"


def test_absent_objects(client: S3Client, stub: Stubber) -> None:
    backend = S3Backend("bucket", client=client)
    stub.add_client_error("get_object", service_error_code="NoSuchKey", http_status_code=404)
    with pytest.raises(PointerNotFound):
        backend.read("o/a")
    stub.add_client_error("head_object", service_error_code="404", http_status_code=404)
    assert backend.exists("o/a") is False


@pytest.mark.parametrize(
    ("key", "sse", "sent"),
    [
        ("o/a.json.zst", None, {"ContentType": "application/zstd"}),
        ("o/a.json", "AES256", {"ContentType": "application/json", "ServerSideEncryption": "AES256"}),
    ],
)
def test_write_is_conditional(client: S3Client, stub: Stubber, key: str, sse: str | None, sent: dict[str, Any]) -> None:
    backend = S3Backend("bucket", "/some/prefix/", client=client, server_side_encryption=sse)
    expected = {"Bucket": "bucket", "Key": f"some/prefix/{key}", "Body": b"1", "IfNoneMatch": "*"} | sent
    stub.add_response("put_object", {"ETag": '"x"'}, expected)
    assert backend.write_if_absent(key, b"1") is True
    stub.add_client_error("put_object", service_error_code="PreconditionFailed", http_status_code=412)
    assert backend.write_if_absent(key, b"1") is False


def test_conflict_of_two_writers_is_resolved_by_repeating(client: S3Client, stub: Stubber) -> None:
    pauses: list[float] = []
    store = BlobStore(S3Backend("bucket", client=client), retry=RetryPolicy(sleep=pauses.append))
    stub.add_client_error("put_object", service_error_code="ConditionalRequestConflict", http_status_code=409)
    stub.add_client_error("put_object", service_error_code="PreconditionFailed", http_status_code=412)
    pointer = store.execution("o", "w", "e").put([1], kind="field")
    assert pointer.key.startswith("o/w/e/field/")
    assert len(pauses) == 1
    assert store.stats().bytes_written == 0


def test_throttled_three_times_is_an_offload_failure(client: S3Client, stub: Stubber) -> None:
    store = BlobStore(S3Backend("bucket", client=client), retry=RetryPolicy(sleep=lambda _: None))
    for _ in range(3):
        stub.add_client_error("put_object", service_error_code="SlowDown", http_status_code=503)
    with pytest.raises(OffloadFailed):
        store.execution("o", "w", "e").put([1], kind="field")
    stub.assert_no_pending_responses()


def test_missing_bucket_and_wrong_key_are_final_on_a_real_server(
    s3_environment: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for call in (lambda backend: backend.read("a"), lambda backend: backend.write_if_absent("a", b"1")):
        with pytest.raises(StateBagError) as caught:
            call(S3Backend("no-such-bucket"))
        assert caught.value.code == "STORE_DENIED"
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(StateBagError) as caught:
        S3Backend(s3_environment.bucket).write_if_absent("a", b"1")
    assert caught.value.code == "STORE_DENIED"


def test_no_credentials_are_final(s3_environment: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(StateBagError) as caught:
        S3Backend(s3_environment.bucket).exists("a")
    assert caught.value.code == "STORE_DENIED"


def test_server_that_is_down_is_retryable(s3_environment: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    # Port 1 of this machine: nothing listens there, and the refusal is immediate.
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    for call in CALLS.values():
        with pytest.raises(StoreUnavailable):
            call(S3Backend(s3_environment.bucket))


def test_body_that_breaks_off_is_retryable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    with answering(200, b"only a part", 1000) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        with pytest.raises(StoreUnavailable):
            S3Backend("bucket").read("a")


def test_store_opens_from_an_address_and_the_environment(s3_environment: S3Server) -> None:
    store = open_store(f"s3://{s3_environment.bucket}/from/address/")
    assert store.backend.location() == f"s3://{s3_environment.bucket}/from/address/"
    pointer = store.execution("o", "w", "e").put({"a": 1}, kind="field")
    whole = S3Backend(s3_environment.bucket)
    assert whole.exists(f"from/address/{pointer.key}")
    assert open_store(f"s3://{s3_environment.bucket}/from/address").execution("o", "w", "e").get(pointer) == {"a": 1}
