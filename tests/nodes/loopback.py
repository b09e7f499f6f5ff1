"""A provider of models on the loopback interface, and a state to run nodes on."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Fields", "Provider", "openai_answer", "openai_call", "serve"]


class Fields(dict[str, Any]):
    """A scope over a plain dict."""

    def names(self) -> Iterator[str]:
        return iter(self)

    def whole(self) -> dict[str, Any]:
        return dict(self)


def openai_answer(text: str | None, *, finish_reason: str = "stop", **more: Any) -> dict[str, Any]:
    """An answer of the OpenAI chat API."""
    return {
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


def openai_call(call_id: str, name: str, arguments: Any) -> dict[str, Any]:
    """A tool call within an answer of the OpenAI chat API; a text goes as it is."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": text}}


@dataclass
class Provider:
    """Answers each call with the same answer, after those of the script, and keeps what it was asked."""

    url: str = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Any = None
    script: list[Any] = field(default_factory=list[Any])
    silent: bool = False
    paths: list[str] = field(default_factory=list[str])
    asked: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    closing: threading.Event = field(default_factory=threading.Event)

    def says(self, text: str | None, *, finish_reason: str = "stop", **more: Any) -> None:
        """Answer as the OpenAI chat API does."""
        self.body = openai_answer(text, finish_reason=finish_reason, **more)

    def calls(self, *calls: dict[str, Any], text: str | None = None) -> None:
        """Add a turn that calls tools to the script."""
        self.script.append(openai_answer(text, finish_reason="tool_calls", tool_calls=list(calls)))

    def refuses(self, status: int, message: str, *, code: str | None = None, **headers: str) -> None:
        """Answer with an error."""
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.body = {"error": {"message": message, "type": "error", "code": code}}


@contextmanager
def serve() -> Iterator[Provider]:
    """A provider, as long as the block runs."""
    state = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            state.paths.append(self.path)
            state.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            if state.silent:
                state.closing.wait()
                return
            body = state.script.pop(0) if state.script else state.body
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
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
    try:
        yield state
    finally:
        state.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
