"""A provider on the loopback interface, and what nodes run with."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from statebag.config import Node
from statebag.nodes import NodeContext, NodeOutput
from statebag.nodes.llm_chat import LlmChat


class Fields(dict[str, Any]):
    """A scope over a plain dict."""

    def names(self) -> Iterator[str]:
        return iter(self)

    def whole(self) -> dict[str, Any]:
        return dict(self)


@dataclass
class Provider:
    """Answers each call with the same answer and keeps what it was asked."""

    url: str = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Any = None
    silent: bool = False
    paths: list[str] = field(default_factory=list[str])
    asked: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    closing: threading.Event = field(default_factory=threading.Event)

    def says(self, text: str | None, *, finish_reason: str = "stop", **more: Any) -> None:
        """Answer as the OpenAI chat API does."""
        self.body = {
            "id": "answer-1",
            "object": "chat.completion",
            "created": 1,
            "model": "served-model",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": finish_reason,
                    "message": {"role": "assistant", "content": text} | more,
                }
            ],
            "usage": {
                "prompt_tokens": 11,
                "completion_tokens": 7,
                "total_tokens": 18,
                "prompt_tokens_details": {"cached_tokens": 3},
            },
        }

    def refuses(self, status: int, message: str, *, code: str | None = None, **headers: str) -> None:
        """Answer with an error."""
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.body = {"error": {"message": message, "type": "error", "code": code}}


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    state = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            state.paths.append(self.path)
            state.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            if state.silent:
                state.closing.wait()
                return
            data = state.body if isinstance(state.body, bytes) else json.dumps(state.body).encode()
            self.send_response(state.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            for name, value in state.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("OPENAI_BASE_URL", f"{state.url}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-the-test")
    yield state
    state.closing.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def run() -> Callable[..., NodeOutput]:
    """Runs an ``llm_chat`` node; keyword arguments are its config, on top of the loopback provider's."""

    def run_node(
        state: Mapping[str, Any] | None = None,
        *,
        mock: bool = False,
        attempt: int = 1,
        heartbeat: Callable[[object], None] = lambda _: None,
        label: str = "",
        **config: Any,
    ) -> NodeOutput:
        node = Node(
            id="ask", type="llm_chat", label=label, config={"provider": "openai", "model": "small-model"} | config
        )
        context = NodeContext(execution_id="run-1", segment_id="seg-1", mock=mock, attempt=attempt, heartbeat=heartbeat)
        assert list(LlmChat().check(node, "$.nodes[0]")) == []
        return LlmChat().run(node, Fields(state or {}), context)

    return run_node


@pytest.fixture
def check() -> Callable[..., list[tuple[str, str]]]:
    """Path and code of each problem of a node with the config given."""

    def check_node(**config: Any) -> list[tuple[str, str]]:
        node = Node(id="ask", type="llm_chat", config=config)
        return [(problem.path, problem.code) for problem in LlmChat().check(node, "$.nodes[0]")]

    return check_node
