"""``statebag codec``: Temporal's own tools read compressed and stored payloads, and nobody else does."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import secrets
import shlex
import signal
import socket
import subprocess
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import zstandard
from google.protobuf.json_format import MessageToDict, ParseDict
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload
from temporalio.api.sdk.v1 import ExternalStorageReference
from temporalio.converter import JSONProtoPayloadConverter

from statebag.app.codec_reader import PayloadReader
from statebag.app.codec_server import CodecOptions, _parse, _print, make_app, serve_app
from statebag.app.temporal import ZstdCodec, make_converter
from statebag.blobs import BlobStore, LocalBackend, Pointer, RetryPolicy
from statebag.canonical import canonical_bytes
from statebag.errors import StoreUnavailable
from tests.app.shell import Call, Shell, wait_for_line
from tests.rig import chain, events_of, local_store, sets, start_rig

ROOT = Path(__file__).parents[2]
MIB = 1024 * 1024
PAGE = "http://127.0.0.1:8233"
TOKEN = "the-secret-of-this-test"
JSON = {"Content-Type": "application/json"}


def commands() -> list[str]:
    page = (ROOT / "docs/operations.md").read_text()
    section = page.split("\n## Read payloads in the UI and the command line\n")[1].split("\n## ")[0]
    blocks = re.findall(r"```console\n(.*?)```", section, re.DOTALL)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]


START, SHOW, START_FOR_PAGE, SET_TOKEN, START_EXPOSED, SHOW_WITH_TOKEN = commands()


def noise(size: int) -> str:
    return secrets.token_urlsafe(size)[:size]


def start(shell: Shell, line: str, **more: str) -> tuple[subprocess.Popen[str], str]:
    """The server that a documented line starts, on a free port, and its address."""
    name, *arguments = shlex.split(line)
    assert name == "statebag"
    process = shell.start(*arguments, "--port", "0", **more)
    return process, wait_for_line(process, "codec ").split()[1]


async def ask_temporal(shell: Shell, line: str, **more: str) -> str:
    """What a documented line says."""
    path = {"PATH": f"{ROOT}/.venv/bin:{shell.environment['PATH']}"}
    done = await asyncio.to_thread(
        subprocess.run,
        ["bash", "-c", line],
        env=shell.environment | path | more,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, (line, done.stdout, done.stderr)
    return done.stdout


async def test_the_command_line_shows_what_is_compressed_or_stored(
    shared: Shell, dev_server: str, tmp_path: Path
) -> None:
    served, url = start(shared, START)
    asked = SHOW.replace("http://127.0.0.1:8081", url)
    async with start_rig(dev_server, tmp_path / "store") as rig:
        for text in ("a needle in the hay " * 400, noise(200_000)):
            handle = await rig.start(chain(sets("a", x=1)), initial_state={"text": text})
            await handle.result()
            line = re.sub(r"\bID\b", handle.id, asked)
            assert f"initial_state.text: {text.strip()}" in await ask_temporal(shared, line)
            assert text[:1000] not in await ask_temporal(shared, line.split(" --codec-endpoint")[0])
            whole = json.loads(await ask_temporal(shared, line.replace("--detailed", "--output json")))
            (given,) = whole["events"][0]["workflowExecutionStartedEventAttributes"]["input"]["payloads"]
            assert json.loads(base64.b64decode(given["data"]))["initial_state"] == {"text": text}
        body = {
            "workflow_config": chain(sets("a", x=1)),
            "ownerId": "acme",
            "workflowId": "review",
            "MOCK_MODE": "true",
        }
        shared.write("big.json", body | {"initial_state": {"text": "typed " * 2_000}})
        name = f"typed-{secrets.token_hex(4)}"
        begin = (
            f"temporal workflow start --type WorkflowOrchestrator --task-queue {rig.task_queue} --workflow-id {name}"
        )
        await ask_temporal(shared, f"{begin} --input-file {shared.folder}/big.json --codec-endpoint {url}")
        typed = rig.client.get_workflow_handle(name)
        assert rig.user_state(await typed.result()) == {"text": "typed " * 2_000, "x": 1}
        (began,) = await events_of(typed, "WORKFLOW_EXECUTION_STARTED")
        (sent,) = began.workflow_execution_started_event_attributes.input.payloads
        assert sent.metadata["encoding"] == b"binary/zstd"
    served.send_signal(signal.SIGTERM)
    ended = shared.finish(served)
    assert (ended.status, ended.out) == (0, "")
    assert ended.err.endswith("stopped\n")


async def test_beyond_this_machine_it_wants_its_token(shared: Shell, dev_server: str, tmp_path: Path) -> None:
    token = (await ask_temporal(shared, f'{SET_TOKEN}; printf %s "$STATEBAG_CODEC_TOKEN"')).strip()
    assert len(token) == 64
    served, url = start(shared, START_EXPOSED, STATEBAG_CODEC_TOKEN=token)
    assert "TLS" in wait_for_line(served, "plain HTTP")
    here = url.replace("0.0.0.0", "127.0.0.1")
    async with start_rig(dev_server, tmp_path / "store") as rig:
        handle = await rig.start(chain(sets("a", x=1)), initial_state={"text": "needle " * 1000})
        await handle.result()
    line = re.sub(r"\bID\b", handle.id, SHOW_WITH_TOKEN).replace("http://127.0.0.1:8081", here)
    shown = await ask_temporal(shared, line, STATEBAG_CODEC_TOKEN=token)
    assert "needle needle" in shown
    refused = httpx.post(f"{here}/decode", json={"payloads": []})
    assert (refused.status_code, refused.json()["code"]) == (401, "CODEC_REQUEST_DENIED")
    served.send_signal(signal.SIGINT)
    ended = shared.finish(served)
    assert (ended.status, token in ended.err) == (0, False)
    assert "/decode 401: CODEC_REQUEST_DENIED" in ended.err


def test_the_web_page_of_the_development_server_may_ask_where_it_is_named(shared: Shell) -> None:
    _, url = start(shared, START_FOR_PAGE)
    asked = {"Origin": PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-namespace"}
    assert httpx.options(f"{url}/decode", headers=asked).headers["access-control-allow-origin"] == PAGE
    answer = httpx.post(f"{url}/decode", json={"payloads": []}, headers={"Origin": PAGE})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, PAGE)


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        (("--host", "0.0.0.0"), {}, "SETTING_INVALID: STATEBAG_CODEC_TOKEN is not set"),
        (("--host", "::"), {}, "SETTING_INVALID: STATEBAG_CODEC_TOKEN is not set"),
        ((), {"STATEBAG_CODEC_TOKEN": "too short"}, "16 or more letters"),
        ((), {"STATEBAG_CODEC_TOKEN": ""}, "16 or more letters"),
        (("--host", "no such host"), {}, "USAGE: --host no such host: no address"),
        (("--allow-origin", "*"), {}, "USAGE: --allow-origin *: no origin"),
        (("--allow-origin", "http://127.0.0.1:8233/"), {}, "USAGE: --allow-origin http://127.0.0.1:8233/: no origin"),
        (("--port", "70000"), {}, "USAGE: "),
    ],
)
def test_what_can_not_be_served_is_told(
    call: Call, arguments: tuple[str, ...], environment: dict[str, str], expected: str
) -> None:
    ended = call("codec", *arguments, **environment)
    assert (ended.status, ended.out) == (2, "")
    assert expected in ended.err
    assert "too short" not in ended.err


def test_a_port_that_is_taken_is_told(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("statebag.app.codec.set_up_logging", lambda _: None)
    with socket.create_server(("127.0.0.1", 0)) as other:
        ended = call("codec", "--port", str(other.getsockname()[1]))
    assert ended.status == 2
    assert "PORT_TAKEN: " in ended.err


@asynccontextmanager
async def serving(store: BlobStore, **options: Any) -> AsyncGenerator[httpx.AsyncClient]:
    """The server on a port of its own, and a client of it."""
    stop = asyncio.Event()
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    task = asyncio.create_task(serve_app(make_app(store, CodecOptions(**options)), listening, stop))
    async with httpx.AsyncClient(base_url=url, timeout=20) as client:
        try:
            yield client
        finally:
            stop.set()
            await task


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> BlobStore:
    return local_store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
async def server(store: BlobStore) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(store, body_bytes=MIB, decoded_bytes=4 * MIB) as client:
        yield client


def body_of(payloads: Sequence[Payload]) -> dict[str, Any]:
    return {"payloads": [MessageToDict(payload) for payload in payloads]}


def payloads_of(answer: httpx.Response) -> list[Payload]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return [ParseDict(payload, Payload()) for payload in answer.json()["payloads"]]


def refusal_of(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()
    assert set(body) == {"code", "message"}
    assert body["message"]
    return answer.status_code, body["code"]


def plain(text: str, encoding: bytes = b"json/plain") -> Payload:
    return Payload(metadata={"encoding": encoding}, data=json.dumps(text).encode())


def zipped(size: int) -> Payload:
    """A few KB that inflate to so many bytes."""
    inner = Payload(metadata={"encoding": b"binary/plain"}, data=bytes(size)).SerializeToString()
    return Payload(metadata={"encoding": b"binary/zstd"}, data=zstandard.ZstdCompressor().compress(inner))


def reference(claim: Mapping[str, str], driver: str = "statebag") -> Payload:
    made = JSONProtoPayloadConverter().to_payload(ExternalStorageReference(driver_name=driver, claim_data=claim))
    assert made is not None
    return made


async def stored(store: BlobStore, text: str) -> Payload:
    (payload,) = await make_converter(store).encode([text])
    assert payload.metadata["messageType"] == b"temporal.api.sdk.v1.ExternalStorageReference"
    return payload


async def test_a_web_page_gets_references_and_downloads_them(store: BlobStore) -> None:
    text = noise(100_000)
    held = await stored(store, text)
    (packed,) = await ZstdCodec().encode([plain("x" * 9_000)])
    async with serving(store, origins=(PAGE,)) as server:
        headers = {"Origin": PAGE, "X-Namespace": "default"}
        asked = {
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,authorization-extras,content-type,x-namespace",
            "Access-Control-Request-Private-Network": "true",
        }
        before = await server.options("/decode", headers={"Origin": PAGE, **asked})
        assert (before.status_code, before.headers["access-control-allow-origin"]) == (200, PAGE)
        assert before.headers["access-control-allow-private-network"] == "true"
        assert "access-control-allow-credentials" not in before.headers
        given = body_of([held, packed])
        shown = await server.post("/decode?preserveStorageRefs=true", json=given, headers=headers)
        assert payloads_of(shown) == [held, plain("x" * 9_000)]
        assert shown.headers["access-control-allow-origin"] == PAGE
        whole = await server.post("/decode", json=given, headers=headers)
        assert payloads_of(whole) == [plain(text), plain("x" * 9_000)]
        loaded = await server.post("/download", json=body_of([held]), headers=headers)
        assert payloads_of(loaded) == [plain(text)]
        other = await server.post("/download", json=given, headers=headers)
        assert refusal_of(other) == (400, "CODEC_REQUEST_INVALID")
        assert "payloads[1]" in other.json()["message"]
        assert other.headers["access-control-allow-origin"] == PAGE


@pytest.mark.parametrize("origins", [(), (PAGE,)])
async def test_other_web_pages_get_nothing(store: BlobStore, origins: tuple[str, ...]) -> None:
    evil = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    async with serving(store, origins=origins) as server:
        before = await server.options("/decode", headers=evil)
        assert before.status_code == 400
        answer = await server.post("/decode", json={"payloads": []}, headers={"Origin": "http://evil.example"})
        for one in (before, answer):
            assert "access-control-allow-origin" not in one.headers
        assert refusal_of(answer) == (403, "CODEC_REQUEST_DENIED")
        # What a page may send without asking first: no type of its own choice.
        simple = await server.post("/decode", content=b'{"payloads": []}', headers={"Content-Type": "text/plain"})
        assert refusal_of(simple) == (415, "CODEC_REQUEST_INVALID")


async def test_a_token_is_wanted_before_the_body(store: BlobStore) -> None:
    async with serving(store, token=TOKEN, body_bytes=100) as server:
        for wrong in (None, TOKEN, f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer", "Bearer ü".encode()):
            headers = JSON if wrong is None else {**JSON, "Authorization": wrong}
            answer = await server.post("/decode", content=b"x" * 500, headers=headers)
            assert refusal_of(answer) == (401, "CODEC_REQUEST_DENIED")
            assert answer.headers["www-authenticate"] == "Bearer"
            assert TOKEN not in answer.text
        for right in (f"Bearer {TOKEN}", f"bearer {TOKEN}"):
            answer = await server.post("/encode", json={"payloads": []}, headers={"Authorization": right})
            assert (answer.status_code, answer.json()) == (200, {"payloads": []})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"no JSON",
        b"[]",
        b"null",
        b'{"payloads": {}}',
        b'{"payloads": [null]}',
        b'{"payloads": ["x"]}',
        b'{"payloads": [{"more": 1}]}',
        b'{"payloads": [], "more": 1}',
        b'{"payloads": [{"data": 5}]}',
        b'{"payloads": [{"data": "a word"}]}',
        b'{"payloads": [{"data": "abcde"}]}',
        b'{"payloads": [{"metadata": {"encoding": "!"}}]}',
        b'{"payloads": [{"metadata": {"encoding": null}}]}',
        b'{"payloads": [{"metadata": []}]}',
        b'{"payloads": [{"externalPayloads": [{"sizeBytes": "x"}]}]}',
        b'{"payloads": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        b'{"payloads": ' + b"9" * 5_000 + b"}",
    ],
)
@pytest.mark.parametrize("path", ["/encode", "/decode"])
async def test_a_malformed_body_is_refused(server: httpx.AsyncClient, path: str, body: bytes) -> None:
    answer = await server.post(path, content=body, headers=JSON)
    assert refusal_of(answer) == (400, "CODEC_REQUEST_INVALID")


async def test_what_does_not_exist_is_refused(server: httpx.AsyncClient) -> None:
    assert refusal_of(await server.get("/decode")) == (405, "CODEC_REQUEST_INVALID")
    assert refusal_of(await server.post("/nothing", json={})) == (404, "CODEC_REQUEST_INVALID")
    assert refusal_of(await server.get("/")) == (404, "CODEC_REQUEST_INVALID")


async def test_a_body_over_its_limit_is_refused(server: httpx.AsyncClient) -> None:
    async def in_parts(size: int) -> AsyncIterator[bytes]:
        for _ in range(size // 1024):
            yield b" " * 1024

    fits = b'{"payloads": []}'.ljust(MIB)
    assert (await server.post("/decode", content=fits, headers=JSON)).status_code == 200
    for content in (fits + b" ", in_parts(MIB + 1024)):
        answer = await server.post("/decode", content=content, headers=JSON)
        assert refusal_of(answer) == (413, "CODEC_TOO_LARGE")
        assert "--max-body" in answer.json()["message"]
    many = b'{"payloads": [' + b"{}," * 100_000 + b"{}]}"
    assert refusal_of(await server.post("/decode", content=many, headers=JSON)) == (413, "CODEC_TOO_LARGE")


async def test_an_endless_body_is_refused(server: httpx.AsyncClient) -> None:
    reader, writer = await asyncio.open_connection(server.base_url.host, server.base_url.port)
    writer.write(b"POST /decode HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
    writer.write(b"Transfer-Encoding: chunked\r\n\r\n")
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    for _ in range(33):
        writer.write(chunk)
        await writer.drain()
    assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
    writer.close()


async def test_what_inflates_over_the_limit_is_refused(server: httpx.AsyncClient, store: BlobStore) -> None:
    allowed = zipped(3 * MIB)
    (inflated,) = payloads_of(await server.post("/decode", json=body_of([allowed])))
    assert inflated.data == bytes(3 * MIB)
    # Noise makes it large enough to be stored; what is stored is a bomb all the same.
    bomb = zipped(200 * MIB)
    bomb.data += secrets.token_bytes(100_000)
    (held,) = await make_converter(store)._external_store_payload_sequence([bomb])
    assert held.metadata["encoding"] == b"json/protobuf"
    for payloads in ([zipped(5 * MIB)], [zipped(200 * MIB)], [allowed] * 2, [held]):
        answer = await server.post("/decode", json=body_of(payloads))
        assert refusal_of(answer) == (413, "CODEC_TOO_LARGE")
        assert "--max-decoded" in answer.json()["message"]
    many = body_of([await stored(store, noise(100_000))] * 50)
    for path in ("/decode", "/download"):
        assert refusal_of(await server.post(path, json=many)) == (413, "CODEC_TOO_LARGE")
    kept = await server.post("/decode?preserveStorageRefs=true", json=many)
    assert kept.json() == many


@pytest.mark.parametrize(
    "data", [b"", b"other", zstandard.ZstdCompressor(write_content_size=False).compress(b"x" * 99)]
)
async def test_a_damaged_payload_is_told(server: httpx.AsyncClient, data: bytes) -> None:
    damaged = Payload(metadata={"encoding": b"binary/zstd"}, data=data)
    answer = await server.post("/decode", json=body_of([plain("x"), damaged]))
    assert refusal_of(answer) == (422, "POINTER_CORRUPT")


async def test_other_encodings_and_other_drivers_pass_as_they_are(server: httpx.AsyncClient) -> None:
    others = [
        Payload(),
        plain("x" * 9_000),
        plain("x", b"binary/encrypted"),
        Payload(metadata={"encoding": b"\xff\x00", "more": b""}, data=b"\x00\xff"),
        reference({"key": "x"}, driver="aws.s3driver"),
        Payload(metadata={"encoding": b"json/protobuf", "messageType": b"other"}, data=b"{}"),
    ]
    others[4].external_payloads.add().size_bytes = 2**40
    assert payloads_of(await server.post("/decode", json=body_of(others))) == others


async def test_what_is_sent_is_compressed_and_never_stored(tmp_path: Path) -> None:
    store = local_store(tmp_path)
    small, large, noisy = plain("x"), plain("x" * 9_000), plain(noise(200_000))
    async with serving(store) as server:
        encoded = payloads_of(await server.post("/encode", json=body_of([small, large, noisy])))
    assert encoded[0] == small
    assert [one.metadata["encoding"] for one in encoded[1:]] == [b"binary/zstd"] * 2
    assert await make_converter(store).decode(encoded) == [json.loads(one.data) for one in (small, large, noisy)]
    assert list(store.backend.list("")) == []


async def test_a_reference_that_can_not_be_followed_is_told(server: httpx.AsyncClient, store: BlobStore) -> None:
    held = await stored(store, noise(100_000))
    claim = dict(json.loads(held.data)["claimData"])
    bag = store.execution("acme", "review", "run").put({"secret": 1}, kind="field")
    odd = store.execution("temporal", claim["namespace"], claim["id"]).put({"no": "payload"}, kind="payload")

    def changed(**more: str) -> Payload:
        return reference(claim | more)

    def leading_to(pointer: Pointer) -> Payload:
        return changed(pointer=canonical_bytes(pointer.to_json()).decode())

    for payload, expected in [
        (changed(id="elsewhere"), (422, "POINTER_FORBIDDEN")),
        (changed(namespace="../.."), (422, "POINTER_FORBIDDEN")),
        (leading_to(bag), (422, "POINTER_FORBIDDEN")),
        (leading_to(odd), (422, "POINTER_CORRUPT")),
        (changed(pointer="[]"), (422, "POINTER_MALFORMED")),
        (changed(pointer="no JSON"), (422, "POINTER_MALFORMED")),
        (reference({"id": "x"}), (400, "CODEC_REQUEST_INVALID")),
        (Payload(metadata=held.metadata, data=b"no JSON"), (400, "CODEC_REQUEST_INVALID")),
        (Payload(metadata=held.metadata, data=b"\xff"), (400, "CODEC_REQUEST_INVALID")),
    ]:
        for path in ("/decode", "/download"):
            answer = await server.post(path, json=body_of([payload]))
            assert refusal_of(answer) == expected
            assert "secret" not in answer.text


async def test_a_reference_into_another_store_is_told(server: httpx.AsyncClient, tmp_path: Path) -> None:
    held = await stored(local_store(tmp_path), noise(100_000))
    assert refusal_of(await server.post("/decode", json=body_of([held]))) == (422, "POINTER_NOT_FOUND")


async def test_a_store_that_does_not_answer_is_told(tmp_path: Path) -> None:
    class Away(LocalBackend):
        def read(self, key: str, *, max_bytes: int | None = None) -> bytes:
            raise StoreUnavailable("the store is away.")

    held = await stored(local_store(tmp_path), noise(100_000))
    away = BlobStore(Away(tmp_path), retry=RetryPolicy(attempts=1))
    async with serving(away) as server:
        assert refusal_of(await server.post("/decode", json=body_of([held]))) == (503, "STORE_UNAVAILABLE")


@given(
    st.lists(
        st.builds(
            lambda metadata, data, times: Payload(metadata=metadata, data=data * times),
            st.dictionaries(st.text(max_size=20), st.binary(max_size=20), max_size=3),
            st.binary(max_size=200),
            st.sampled_from([1, 50]),
        ),
        max_size=4,
    )
)
def test_what_is_encoded_is_decoded_to_the_same(payloads: list[Payload]) -> None:
    payloads = [payload for payload in payloads if payload.metadata.get("encoding") != b"binary/zstd"]
    reader = PayloadReader(BlobStore(LocalBackend(Path("/nonexistent"))), decoded_bytes=MIB)

    async def there_and_back() -> list[Payload]:
        encoded = _parse(_print(await reader.encode(_parse(_print(payloads)))))
        return _parse(_print(await reader.decode(encoded)))

    assert asyncio.run(there_and_back()) == payloads


async def test_base64_of_either_alphabet_is_read(server: httpx.AsyncClient) -> None:
    data = bytes(range(256))
    for text in (base64.b64encode(data), base64.urlsafe_b64encode(data), base64.b64encode(data).rstrip(b"=")):
        answer = await server.post("/decode", json={"payloads": [{"data": text.decode()}]})
        assert payloads_of(answer) == [Payload(data=data)]
