"""A web service on the loopback interface, and what nodes run with."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpcore
import pytest

from statebag.config import Node
from statebag.nodes import NodeContext, NodeOutput
from statebag.nodes.api_call import ApiCall
from statebag.nodes.http import Network

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


class Fields(dict[str, Any]):
    """A scope over a plain dict."""

    def names(self) -> Iterator[str]:
        return iter(self)

    def whole(self) -> dict[str, Any]:
        return dict(self)


@dataclass(kw_only=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass(kw_only=True)
class Service:
    """Answers by path and keeps what it was asked."""

    port: int = 0
    answers: dict[str, Answer] = field(default_factory=dict[str, Answer])
    asked: list[Asked] = field(default_factory=list[Asked])
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def says(
        self,
        path: str,
        body: bytes | str = b"",
        *,
        status: int = 200,
        kind: str | None = "application/json",
        **headers: str,
    ) -> str:
        """Answer a path so; gives its URL."""
        data = body.encode() if isinstance(body, str) else body

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            if kind is not None:
                handler.send_header("Content-Type", kind)
            for name, value in headers.items():
                handler.send_header(name.replace("_", "-"), value)
            if "Content_Length" not in headers:
                handler.send_header("Content-Length", str(len(data)))
            handler.end_headers()
            if handler.command != "HEAD":
                handler.wfile.write(data)

        return self.does(path, answer)

    def does(self, path: str, answer: Answer) -> str:
        """Answer a path by a function; gives its URL."""
        self.answers[path] = answer
        return self.url + path


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A service that the worker's configuration allows."""
    state = Service()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            state.asked.append(Asked(method=self.command, path=self.path, headers=headers, body=body))
            self.close_connection = True
            state.answers[self.path.split("?", 1)[0]](self)

        def __getattr__(self, name: str) -> Any:
            if name.startswith("do_"):
                return self._answer
            raise AttributeError(name)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that goes in the middle is what some tests are about."""

    server = Quiet(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    state.port = server.server_port
    monkeypatch.setenv("STATEBAG_API_ALLOW", f"127.0.0.1:{state.port}")
    yield state
    state.closing.set()
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass(kw_only=True)
class Names:
    """A name server that gives one answer after another, and keeps what it was asked."""

    answers: list[Sequence[str]]
    asked: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        return self.answers.pop(0)


class Wires(httpcore.AsyncNetworkBackend):
    """Keeps which addresses were connected to, and leads all of them to one port of this machine."""

    def __init__(self, port: int | None, *, silent: Sequence[str] = ()) -> None:
        self.port = port
        self.silent = silent
        self.connected: list[tuple[str, int]] = []
        self._inner: Any = httpcore.AnyIOBackend()

    async def connect_tcp(self, host: str, port: int, *rest: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        self.connected.append((host, port))
        if self.port is None or host in self.silent:
            raise httpcore.ConnectError(f"{host} is silent")
        return await self._inner.connect_tcp("127.0.0.1", self.port, *rest, **options)


@pytest.fixture
def call() -> Callable[..., NodeOutput]:
    """Runs an ``api_call`` node; keyword arguments are its config."""

    def run_node(
        url: str | None = None,
        state: Mapping[str, Any] | None = None,
        *,
        mock: bool = False,
        attempt: int = 1,
        visit: int = 0,
        heartbeat: Callable[[object], None] = lambda _: None,
        network: Network | None = None,
        **config: Any,
    ) -> NodeOutput:
        node = Node(id="ask", type="api_call", config={"url": url} | config)
        node_type = ApiCall(network=network)
        context = NodeContext(
            execution_id="run-1",
            segment_id="seg-1",
            mock=mock,
            attempt=attempt,
            visit=visit,
            heartbeat=heartbeat,
            now=lambda: NOW,
        )
        return node_type.run(node, Fields(state or {}), context)

    return run_node


@pytest.fixture
def network() -> Callable[..., tuple[Network, Names, Wires]]:
    """A network with a fake name server and, behind every address, one port of this machine."""

    def make(
        *answers: Sequence[str], port: int | None = None, silent: Sequence[str] = ()
    ) -> tuple[Network, Names, Wires]:
        names, wires = Names(answers=list(answers)), Wires(port, silent=silent)
        return Network(resolve=names.resolve, connect=lambda: wires), names, wires

    return make


@pytest.fixture
def check() -> Callable[..., list[tuple[str, str]]]:
    """Path and code of each problem of a node with the config given."""

    def check_node(**config: Any) -> list[tuple[str, str]]:
        node = Node(id="ask", type="api_call", config=config)
        return [(problem.path, problem.code) for problem in ApiCall().check(node, "$.nodes[0]")]

    return check_node
