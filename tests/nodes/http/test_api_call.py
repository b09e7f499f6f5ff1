"""Calls of a real server."""

from __future__ import annotations

import gzip
import json
import threading
import time
import zlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from statebag.config import Node
from statebag.errors import NodeFailed, ProviderUnavailable, StateBagError
from statebag.nodes import NodeContext
from statebag.nodes.api_call import ApiCall

JSON = '{"n": 12345678901234567890, "list": [1, null, "ü"]}'


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "application/problem+json"])
def test_json_is_parsed(kind: str, service: Any, call: Callable[..., Any]) -> None:
    output = call(service.says("/a", JSON, kind=kind))
    assert output.changes == {
        "ask_status": 200,
        "ask_response": {"n": 12345678901234567890, "list": [1, None, "ü"]},
    }
    assert output.step == "api_call:GET"
    assert output.logs[0] == {
        "type": "tool_usage",
        "name": "ask",
        "node_id": "ask",
        "status": "COMPLETED",
        "input": {"method": "GET"},
        "output": {"status": 200, "url": f"{service.url}/a", "response_bytes": len(JSON.encode())},
    }


@pytest.mark.parametrize(
    ("body", "kind", "value"),
    [
        (b"[1]", "text/plain", "[1]"),
        ("grün".encode(), None, "grün"),
        ("grün".encode("latin-1"), "text/html; charset=iso-8859-1", "grün"),
        ("grün".encode("utf-16"), "text/plain; charset=utf-16", "grün"),
        (b"", "text/plain", ""),
        (b"", "application/json", None),
        (b"a,b", "application/octet-stream", "a,b"),
        (b"<a/>", "image/svg+xml", "<a/>"),
    ],
)
def test_the_rest_is_text(body: bytes, kind: str | None, value: Any, service: Any, call: Callable[..., Any]) -> None:
    assert call(service.says("/a", body, kind=kind), output_key="got").changes == {"ask_status": 200, "got": value}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n\xff", "image/png"),
        (b"\xff\xfe", "text/plain"),
        (b"a\0b", "application/octet-stream"),
        (b"{", "application/json"),
        (b"NaN", "application/json"),
        (b"x", "text/plain; charset=no-such"),
        (b"x", "text/plain; charset=rot13"),
    ],
)
def test_what_is_neither_is_refused(body: bytes, kind: str, service: Any, call: Callable[..., Any]) -> None:
    with pytest.raises(NodeFailed) as failed:
        call(service.says("/a", body, kind=kind))
    assert failed.value.code == "API_RESPONSE_UNREADABLE"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "post"])
def test_methods(method: str, service: Any, call: Callable[..., Any]) -> None:
    output = call(service.says("/a", "1", status=201), method=method)
    assert service.asked[0].method == method.upper()
    assert output.changes == {"ask_status": 201, "ask_response": None if method == "HEAD" else 1}


def test_everything_is_rendered(service: Any, call: Callable[..., Any]) -> None:
    service.says("/orders/7", "1")
    call(
        f"{service.url}/orders/{{{{id}}}}?a=1#top",
        {"id": 7, "tags": ["x y", "&"], "order": {"total": 1.5}, "on": True},
        method="PUT",
        headers={"X-Id": "{{id}}", "Content-Type": "application/vnd.x+json", "X-None": None},
        params={"tag": "{{tags}}", "on": "{{on}}", "none": "{{none}}", "ü": 1},
        json={"order": "{{order}}", "note": "no. {{id}}"},
    )
    (asked,) = service.asked
    assert asked.path == "/orders/7?a=1&tag=x+y&tag=%26&on=true&%C3%BC=1"
    assert json.loads(asked.body) == {"order": {"total": 1.5}, "note": "no. 7"}
    assert (asked.headers["x-id"], asked.headers["content-type"]) == ("7", "application/vnd.x+json")
    assert "x-none" not in asked.headers
    assert asked.headers["user-agent"] == "statebag"


def test_a_text_is_sent_as_it_is(service: Any, call: Callable[..., Any]) -> None:
    call(service.says("/a", "1"), {"x": "ü"}, method="POST", body="a={{x}}", headers={"content-type": "text/csv"})
    assert (service.asked[0].body, service.asked[0].headers["content-type"]) == ("a=ü".encode(), "text/csv")
    call(service.says("/a", "1"), method="POST", body="x")
    assert service.asked[1].headers["content-type"] == "text/plain; charset=utf-8"


def test_a_value_breaks_out_of_no_header_and_no_parameter(service: Any, call: Callable[..., Any]) -> None:
    url = service.says("/a", "1")
    with pytest.raises(NodeFailed) as failed:
        call(url, {"x": "a\r\nX-Admin: 1"}, headers={"X-Name": "{{x}}"})
    assert failed.value.code == "API_REQUEST_INVALID"
    with pytest.raises(NodeFailed) as failed:
        call(url, {"x": {"a": 1}}, params={"q": "{{x}}"})
    assert failed.value.code == "API_REQUEST_INVALID"
    with pytest.raises(NodeFailed) as failed:
        call(url, {"x": "x" * 70_000}, params={"q": "{{x}}"})
    assert failed.value.code == "API_REQUEST_INVALID"
    assert service.asked == []


def test_headers_of_the_response_are_kept_when_asked_for(service: Any, call: Callable[..., Any]) -> None:
    url = service.says("/a", "1", X_Total="3", ETag='"v1"')
    headers = call(url, include_headers=True).changes["ask_headers"]
    assert (headers["x-total"], headers["etag"]) == ("3", '"v1"')
    assert "ask_headers" not in call(url).changes


def test_the_environment_names_no_proxy(
    service: Any, call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert call(service.says("/a", "1")).changes["ask_response"] == 1


@pytest.mark.parametrize("status", [400, 401, 404, 409, 422, 501, 599])
def test_a_rejection_is_final(status: int, service: Any, call: Callable[..., Any]) -> None:
    url = service.says("/a", "é" * 1000, status=status)
    with pytest.raises(NodeFailed) as failed:
        call(f"{url}?key=secret")
    assert (failed.value.code, failed.value.retryable) == ("API_FAILED", False)
    assert failed.value.details == {"status": status, "body": "é" * 500}
    assert failed.value.message == (
        f"node `ask`: GET: {url} answers with status {status}. See `details.body` for what it says."
    )


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (429, "API_RATE_LIMITED"),
        (503, "API_RATE_LIMITED"),
        *((status, "API_UNAVAILABLE") for status in (408, 500, 502, 504)),
    ],
)
def test_a_refusal_for_now_is_repeated(status: int, code: str, service: Any, call: Callable[..., Any]) -> None:
    for continuing in ("fail", "continue"):
        with pytest.raises(ProviderUnavailable) as failed:
            call(service.says("/a", "busy", status=status), on_error=continuing)
        assert (failed.value.code, failed.value.retryable) == (code, True)
        assert failed.value.details == {"status": status, "body": "busy"}


@pytest.mark.parametrize(
    ("given", "wait"),
    [
        ("17", 17.0),
        ("0", 0.0),
        ("999999999", 3600.0),
        ("Sun, 01 Mar 2026 12:01:30 GMT", 90.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("Mon, 02 Mar 2026 12:00:00 GMT", 3600.0),
        ("soon", None),
        ("-5", None),
        ("٣", None),
    ],
)
def test_the_wait_that_is_asked_for_is_told(
    given: str, wait: float | None, service: Any, call: Callable[..., Any]
) -> None:
    answer = f"HTTP/1.1 429 Slow Down\r\nRetry-After: {given}\r\nContent-Length: 0\r\n\r\n".encode()
    url = service.does("/a", lambda handler: handler.wfile.write(answer))
    with pytest.raises(ProviderUnavailable) as failed:
        call(url)
    assert failed.value.details.get("retry_after_seconds") == wait


def test_the_run_goes_on_after_a_final_error_where_the_node_says_so(service: Any, call: Callable[..., Any]) -> None:
    output = call(service.says("/a", '{"why": "gone"}', status=410), on_error="continue")
    assert output.changes["ask_status"] == 410
    assert output.changes["ask_error"]["code"] == "API_FAILED"
    assert output.changes["ask_error"]["details"] == {"status": 410, "body": '{"why": "gone"}'}
    assert set(output.changes) == {"ask_status", "ask_error"}
    output = call("http://10.0.0.1/", on_error="continue")
    assert (output.changes["ask_status"], output.changes["ask_error"]["code"]) == ("error", "API_ADDRESS_REFUSED")
    output = call(service.says("/b", b"\xff"), on_error="continue")
    assert (output.changes["ask_status"], output.changes["ask_error"]["code"]) == ("error", "API_RESPONSE_UNREADABLE")
    output = call(service.says("/a", "1"), on_error="continue")
    assert (output.changes, output.unset) == ({"ask_status": 200, "ask_response": 1}, ("ask_error",))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["/b?x=1", "{url}/b?x=1", "b?x=1", "//{netloc}/b?x=1"])
def test_a_redirect_on_the_same_host_is_followed(
    status: int, location: str, service: Any, call: Callable[..., Any]
) -> None:
    target = location.format(url=service.url, netloc=f"127.0.0.1:{service.port}")
    service.says("/b", '"there"')
    output = call(
        service.says("/a", status=status, Location=target), method="POST", json={"n": 1}, headers={"X-Key": "k"}
    )
    assert output.changes == {"ask_status": 200, "ask_response": "there"}
    second = service.asked[1]
    assert (second.path, second.headers["x-key"]) == ("/b?x=1", "k")
    if status in (307, 308):
        assert (second.method, second.body) == ("POST", b'{"n":1}')
    else:
        assert (second.method, second.body, "content-type" in second.headers) == ("GET", b"", False)


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("https://example.com/", "API_REDIRECT_REFUSED"),
        ("http://8.8.8.8/", "API_REDIRECT_REFUSED"),
        ("https://127.0.0.1:{port}/", "API_REDIRECT_REFUSED"),
        ("http://127.0.0.1:{other}/", "API_ADDRESS_REFUSED"),
        ("http://169.254.169.254/latest/meta-data/", "API_ADDRESS_REFUSED"),
        ("http://[::1]/", "API_ADDRESS_REFUSED"),
        ("http://localhost:{port}/", "API_ADDRESS_REFUSED"),
        ("http://2130706433:{port}/", "API_ADDRESS_REFUSED"),
        ("http://user:pass@127.0.0.1:{port}/", "API_ADDRESS_REFUSED"),
        ("file:///etc/passwd", "API_ADDRESS_REFUSED"),
        ("http://[", "API_REDIRECT_REFUSED"),
        ("http://a:b/", "API_REDIRECT_REFUSED"),
    ],
)
def test_a_redirect_to_another_host_is_refused(
    location: str, code: str, service: Any, call: Callable[..., Any]
) -> None:
    target = location.format(port=service.port, other=service.port + 1)
    with pytest.raises(NodeFailed) as failed:
        call(service.says("/a", status=302, Location=target))
    assert failed.value.code == code
    assert "redirects to" in failed.value.message
    assert len(service.asked) == 1


def test_five_redirects_are_followed_and_no_sixth(service: Any, call: Callable[..., Any]) -> None:
    for hop in range(1, 6):
        service.says(f"/{hop}", status=302, Location=f"/{hop + 1}")
    service.says("/6", '"end"')
    assert call(f"{service.url}/1").changes["ask_response"] == "end"
    with pytest.raises(NodeFailed) as failed:
        call(service.says("/loop", status=302, Location="/loop"))
    assert failed.value.code == "API_REDIRECT_REFUSED"
    assert sum(asked.path == "/loop" for asked in service.asked) == 6


def test_a_redirect_without_a_place_is_an_answer(service: Any, call: Callable[..., Any]) -> None:
    for status in (302, 304, 204):
        assert call(service.says("/a", status=status, kind=None)).changes == {"ask_status": status, "ask_response": ""}


def test_more_than_the_limit_is_refused_however_it_is_sent(service: Any, call: Callable[..., Any]) -> None:
    def chunked(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for _ in range(1000):
            handler.wfile.write(b"400\r\n" + b"x" * 1024 + b"\r\n")

    urls = [
        service.says("/length", b"x" * 2001, kind="text/plain"),
        service.says("/lie", b"", Content_Length="99999999"),
        service.does("/chunked", chunked),
        service.says("/close", b"x" * 2001, kind="text/plain", Content_Length="", Connection="close"),
    ]
    for url in urls[:3]:
        with pytest.raises(NodeFailed) as failed:
            call(url, max_response_bytes=2000)
        assert (failed.value.code, failed.value.details) == ("API_RESPONSE_TOO_LARGE", {"limit_bytes": 2000})
    assert call(urls[0], max_response_bytes=2001).changes["ask_response"] == "x" * 2001


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("GZIP", lambda data: gzip.compress(data[:10]) + gzip.compress(data[10:]) + b"\0\0"),
        ("deflate", zlib.compress),
        ("deflate", lambda data: zlib.compress(data)[2:-4]),
        ("identity", bytes),
    ],
)
def test_packed_responses_are_unpacked_up_to_the_limit(
    encoding: str, pack: Callable[[bytes], bytes], service: Any, call: Callable[..., Any]
) -> None:
    data = b"x" * 5000
    url = service.says("/a", pack(data), kind="text/plain", Content_Encoding=encoding)
    assert call(url, max_response_bytes=5000).changes["ask_response"] == data.decode()
    assert service.asked[0].headers["accept-encoding"] == "gzip, deflate"
    with pytest.raises(NodeFailed) as failed:
        call(url, max_response_bytes=4999)
    assert failed.value.code == "API_RESPONSE_TOO_LARGE"


def test_a_bomb_is_refused_without_being_unpacked(service: Any, call: Callable[..., Any]) -> None:
    import resource

    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    megabyte = b"\0" * (1 << 20)
    bomb = b"".join(packer.compress(megabyte) for _ in range(150)) + packer.flush()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(NodeFailed) as failed:
        call(service.says("/a", bomb, Content_Encoding="gzip"))
    assert failed.value.code == "API_RESPONSE_TOO_LARGE"
    assert len(bomb) < 1 << 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60 * 1024  # KiB
    output = call(service.says("/b", bomb, status=404, Content_Encoding="gzip"), on_error="continue")
    assert output.changes["ask_error"]["details"] == {"status": 404, "body": "\ufffd" * 500}


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("br", b"x"),
        ("zstd", b"x"),
        ("gzip, gzip", b"x"),
        ("gzip", b"no gzip"),
        ("gzip", gzip.compress(b"x" * 99, mtime=0)[:-9]),
    ],
)
def test_a_response_that_can_not_be_unpacked_is_refused(
    encoding: str, body: bytes, service: Any, call: Callable[..., Any]
) -> None:
    with pytest.raises(NodeFailed) as failed:
        call(service.says("/a", body, Content_Encoding=encoding))
    assert failed.value.code == "API_RESPONSE_UNREADABLE"
    with pytest.raises(ProviderUnavailable) as busy:
        call(service.says("/a", body, status=503, Content_Encoding=encoding))
    assert busy.value.code == "API_RATE_LIMITED"


@pytest.mark.parametrize("part", ["connection", "headers", "body"])
def test_a_slow_drip_ends_when_time_is_up(part: str, service: Any, call: Callable[..., Any]) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        if part == "body":
            handler.send_response(200)
            handler.send_header("Content-Length", "1000000")
            handler.end_headers()
        elif part == "headers":
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while part != "connection" and not service.closing.wait(0.02):
            handler.wfile.write(b"x")
        service.closing.wait()

    started = time.monotonic()
    with pytest.raises(ProviderUnavailable) as failed:
        call(service.does("/a", drip), timeout=0.3)
    assert (failed.value.code, failed.value.details) == ("API_TIMEOUT", {"timeout_seconds": 0.3})
    assert 0.25 < time.monotonic() - started < 30


def test_a_name_server_that_is_silent_ends_when_time_is_up(
    call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [] if release.wait() else None)
    try:
        with pytest.raises(ProviderUnavailable) as failed:
            call("http://api.example.com/", timeout=0.2)
    finally:
        release.set()
    assert failed.value.code == "API_TIMEOUT"


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", b"no http at all\r\n\r\n"])
def test_a_connection_that_breaks_is_repeated(answer: bytes, service: Any, call: Callable[..., Any]) -> None:
    with pytest.raises(ProviderUnavailable) as failed:
        call(service.does("/a", lambda handler: handler.wfile.write(answer)))
    assert failed.value.code == "API_UNREACHABLE"
    assert failed.value.message.startswith("node `ask`: GET: the connection to ")


def test_nobody_at_the_port_and_no_such_host(
    service: Any, call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        monkeypatch.setenv("STATEBAG_API_ALLOW", f"127.0.0.1:{port}")
        with pytest.raises(ProviderUnavailable) as failed:
            call(f"http://127.0.0.1:{port}/")
    assert failed.value.code == "API_UNREACHABLE"

    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", unknown)
    with pytest.raises(ProviderUnavailable, match=r"api\.example\.com is not found: Name or service not known"):
        call("http://api.example.com/")


def test_a_repeated_call_has_the_key_of_the_first(service: Any, call: Callable[..., Any]) -> None:
    url = service.says("/a", "1")

    def key(**more: Any) -> str | None:
        call(url, **more)
        return service.asked[-1].headers.get("idempotency-key")

    first = key(method="POST", attempt=1)
    assert first is not None
    assert (len(first), key(method="POST", attempt=2)) == (64, first)
    assert key(method="POST", visit=1) not in (None, first)
    assert key(method="PATCH") == first
    assert key(method="POST", headers={"idempotency-key": "mine"}) == "mine"
    assert [key(method=method) for method in ("GET", "PUT", "DELETE")] == [None, None, None]


def test_passes_of_a_loop_have_keys_of_their_own(service: Any) -> None:
    node = Node(id="ask", type="api_call", config={"url": service.says("/a", "1"), "method": "POST"})
    for item in ("0", "1"):
        context = NodeContext(execution_id="r", segment_id="s", inside=("each", item))
        ApiCall().run(node, {}, context)  # pyright: ignore[reportArgumentType]
    first, second = (asked.headers["idempotency-key"] for asked in service.asked)
    assert first != second


def test_a_cancellation_arrives_with_the_heartbeat(service: Any, call: Callable[..., Any]) -> None:
    beats: list[object] = []

    class Canceled(Exception):
        pass

    def beat(detail: object) -> None:
        beats.append(detail)
        if len(beats) == 3:
            raise Canceled

    started = time.monotonic()
    with pytest.raises(Canceled):
        call(service.does("/a", lambda _: service.closing.wait()), timeout=4, heartbeat=beat)
    assert time.monotonic() - started < 3.9
    assert len(beats) == 3


def test_mock_mode_calls_nothing(call: Callable[..., Any]) -> None:
    output = call("http://10.0.0.{{n}}/?q=1", {"n": 1}, mock=True, method="post")
    mocked = {"mock": True, "method": "POST", "url": "http://10.0.0.1/?q=1"}
    assert output.changes == {"ask_status": 200, "ask_response": mocked}
    output = call("http://x/", {"n": 1}, mock=True, mock_response={"n": "{{n}}"}, output_key="o", include_headers=True)
    assert output.changes == {"ask_status": 200, "o": {"n": 1}, "ask_headers": {}}


def test_what_a_call_reads_is_known_before_it_runs() -> None:
    config = {
        "url": "https://a/{{a}}",
        "headers": {"H": "{{b.x}}"},
        "params": {"p": "{{c}}"},
        "json": [{"j": "{{d[0]}}"}],
        "mock_response": "{{e}}",
    }
    assert ApiCall().reads(Node(id="ask", type="api_call", config=config)) == {"a", "b", "c", "d", "e"}
    whole = {"url": "https://a/", "body": "{{__state_json}}"}
    assert ApiCall().reads(Node(id="ask", type="api_call", config=whole)) is None


def test_errors_are_of_this_project_and_name_the_node(call: Callable[..., Any]) -> None:
    with pytest.raises(StateBagError, match=r"^node `ask`: GET: 10\.0\.0\.1 is private"):
        call("http://10.0.0.1/")
