"""Images and videos in S3, fetched by the worker for a provider which doesn't."""

from __future__ import annotations

import base64
import secrets
from typing import Any

import pytest

from statebag.config import Node
from statebag.errors import InputRefused, NodeFailed, ProviderUnavailable
from statebag.nodes import NodeContext, NodeOutput
from statebag.nodes.llm import MAX_INLINE_BYTES
from statebag.nodes.vision import Vision
from tests.nodes.loopback import Fields, Provider
from tests.seaweed import S3Server, answering, new_client

PNG = b"\x89PNG of the test"
GEMINI: dict[str, Any] = {"provider": "google", "model": "gemini-3-flash"}


class Bucket:
    """A folder of the server's bucket that the worker may fetch from."""

    def __init__(self, server: S3Server) -> None:
        self._server = server
        self._folder = f"media/{secrets.token_hex(4)}"
        self._client = new_client(server)
        self.url = f"s3://{server.bucket}/{self._folder}"

    def put(self, name: str, data: bytes, **options: Any) -> str:
        """Store an object; gives its address."""
        self._client.put_object(Bucket=self._server.bucket, Key=f"{self._folder}/{name}", Body=data, **options)
        return f"{self.url}/{name}"


@pytest.fixture
def bucket(s3_environment: S3Server, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    found = Bucket(s3_environment)
    monkeypatch.setenv("STATEBAG_MEDIA_ALLOW", f"s3://elsewhere,{found.url}")
    provider.says("A cat.")
    return found


def run(*, beats: list[Any] | None = None, state: dict[str, Any] | None = None, **config: Any) -> NodeOutput:
    defaults = {"provider": "openai", "model": "small-model", "prompt_content": "What is it?"}
    node = Node(id="look", type="vision", config=defaults | config)
    assert list(Vision().check(node, "$.nodes[0]")) == []
    heard = [] if beats is None else beats
    context = NodeContext(execution_id="run-1", segment_id="seg-1", heartbeat=heard.append)
    return Vision().run(node, Fields(state or {}), context)


def refusal(**config: Any) -> str:
    with pytest.raises(NodeFailed) as failure:
        run(**config)
    assert (failure.value.code, failure.value.retryable) == ("VISION_MEDIA_REFUSED", False)
    return failure.value.message


def shown(provider: Provider) -> list[str]:
    return [part["image_url"]["url"] for part in provider.asked[-1]["messages"][-1]["content"][:-1]]


def data_url(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def test_objects_are_sent_inline_in_their_place(bucket: Bucket, provider: Provider) -> None:
    stored = bucket.put("a b/c#1?ü%20.png", PNG)
    web = "https://pictures.example/dog.png"
    beats: list[Any] = []
    output = run(image_inputs=[web, "{{photo}}"], state={"photo": stored}, beats=beats)
    assert output.changes["look_output"] == "A cat."
    assert (output.changes["look_meta"]["image_count"], output.changes["look_meta"]["video_count"]) == (2, 0)
    assert shown(provider) == [web, data_url("image/png", PNG)]
    assert beats[0] == {"node_id": "look", "fetching": stored}


@pytest.mark.parametrize(
    ("name", "options", "media_type"),
    [
        ("cat", {"ContentType": "image/webp"}, "image/webp"),
        ("cat.png", {"ContentType": "Image/JPEG; q=1"}, "image/jpeg"),
        ("cat.gif", {}, "image/gif"),
        ("cat.webp", {"ContentType": "application/octet-stream"}, "image/webp"),
    ],
)
def test_media_type_is_the_stored_one_or_else_the_endings(
    bucket: Bucket, provider: Provider, name: str, options: dict[str, Any], media_type: str
) -> None:
    run(image_inputs=bucket.put(name, PNG, **options))
    assert shown(provider) == [data_url(media_type, PNG)]


def test_gemini_gets_images_and_videos(bucket: Bucket, google: Provider) -> None:
    google.body = {
        "candidates": [{"content": {"role": "model", "parts": [{"text": "Two."}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7},
    }
    run(**GEMINI, image_inputs=bucket.put("a.png", PNG), video_inputs=bucket.put("b.mp4", b"a film"))
    *parts, _ = google.asked[0]["contents"][0]["parts"]
    assert [part["inlineData"]["mime_type"] for part in parts] == ["image/png", "video/mp4"]
    assert base64.urlsafe_b64decode(parts[1]["inlineData"]["data"]) == b"a film"


def test_what_is_no_image_is_refused(bucket: Bucket, provider: Provider) -> None:
    html = bucket.put("page.html", b"<html>", ContentType="text/html")
    assert refusal(image_inputs=html) == (
        f"Node 'look': {html!r} is stored as 'text/html', and its ending is none of images. Store it with its content type."
    )
    film = bucket.put("film.mp4", b"abc", ContentType="video/mp4")
    assert "is stored as 'video/mp4'" in refusal(image_inputs=film)
    assert "has no bytes" in refusal(image_inputs=bucket.put("empty.png", b""))
    assert provider.asked == []


def test_no_object_larger_than_what_goes_inline_is_read(bucket: Bucket, provider: Provider) -> None:
    half = bucket.put("half.png", bytes(MAX_INLINE_BYTES // 2))
    run(image_inputs=[half, half])
    beats: list[Any] = []
    message = refusal(image_inputs=[half, data_url("image/png", PNG), half], beats=beats)
    left = MAX_INLINE_BYTES // 2 - len(PNG)
    assert f"has 10000000 bytes, and {left} of the 20000000 that go inline with a call are left" in message
    # One at the start of each, and the MiB of the first alone.
    assert len(beats) == 2 + -(-MAX_INLINE_BYTES // 2 // 2**20)
    assert len(provider.asked) == 1


def test_only_what_the_worker_allows_is_fetched(
    bucket: Bucket, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = bucket.put("cat.png", PNG)
    for url in (stored.replace("/media/", "/other/"), f"{bucket.url}-not/cat.png"):
        assert "STATEBAG_MEDIA_ALLOW doesn't cover it. Add `s3://statebag/" in refusal(image_inputs=url)
    assert "Write it without `.` and `..`" in refusal(image_inputs=f"{bucket.url}/a/../cat.png")
    monkeypatch.setenv("STATEBAG_MEDIA_ALLOW", "")
    assert f"Add `{bucket.url}` to it in the worker's environment" in refusal(image_inputs=stored)
    monkeypatch.setenv("STATEBAG_MEDIA_ALLOW", "statebag/media")
    with pytest.raises(InputRefused) as refused:
        run(image_inputs=stored)
    assert refused.value.code == "SETTING_INVALID"
    assert provider.asked == []


def test_what_is_not_there_or_not_readable_is_final(
    bucket: Bucket, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = bucket.put("cat.png", PNG)
    assert f"there is no object '{bucket.url}/dog.png'" in refusal(image_inputs=f"{bucket.url}/dog.png")
    assert "S3 doesn't let the worker read" in refusal(image_inputs="s3://elsewhere/cat.png")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    assert "Check its credentials and permissions" in refusal(image_inputs=stored)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert "Check its credentials and permissions" in refusal(image_inputs=stored)
    assert provider.asked == []


BUSY = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


@pytest.mark.parametrize(("status", "body", "length"), [(503, BUSY, len(BUSY)), (200, PNG, len(PNG) + 1)])
def test_a_fault_for_now_is_retryable(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, length: int
) -> None:
    monkeypatch.setenv("STATEBAG_MEDIA_ALLOW", "s3://pictures")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key-of-the-test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-test")
    with answering(status, body, length) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        with pytest.raises(ProviderUnavailable, match="can't be fetched for now") as busy:
            run(image_inputs="s3://pictures/cat.png")
    assert (busy.value.code, busy.value.retryable) == ("VISION_MEDIA_UNAVAILABLE", True)
    assert busy.value.details == {"node_id": "look", "url": "s3://pictures/cat.png"}
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    with pytest.raises(ProviderUnavailable):
        run(image_inputs="s3://pictures/cat.png")
    assert provider.asked == []
