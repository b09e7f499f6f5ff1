"""Where interpreters call the functions of this process."""

from __future__ import annotations

import json
import threading
import traceback
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.aws.interpreters import Functions

ACCOUNT = "123456789012"
REGION = "us-east-1"

Answer = Callable[[Any], Any]
"""Takes what an interpreter posted, gives what it is to get."""


@dataclass(frozen=True, kw_only=True)
class LambdaContext:
    """What a handler finds in its second argument."""

    function_name: str
    aws_request_id: str
    memory_limit_in_mb: int = 512

    @property
    def invoked_function_arn(self) -> str:
        return function_arn(self.function_name)

    def get_remaining_time_in_millis(self) -> int:
        return 300_000


def function_arn(name: str) -> str:
    """What a definition calls the function by."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


def call(functions: Functions, name: str, event: Any, *, request_id: str) -> dict[str, Any]:
    """The result as JSON has it, or the error as Lambda tells it; neither where there is no such function."""
    if name not in functions:
        return {}
    try:
        result = functions[name](event, LambdaContext(function_name=name, aws_request_id=request_id))
        return {"result": json.loads(json.dumps(result, allow_nan=False))}
    except Exception as error:  # noqa: BLE001 - Lambda tells any
        told = {"errorMessage": str(error), "errorType": type(error).__name__, "requestId": request_id}
        return {"error": told | {"stackTrace": traceback.format_tb(error.__traceback__)}}


class FunctionServer:
    """Serves one set of functions at a time, and what else its interpreters ask for."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._functions: Functions = {}
        self._answers: dict[str, Answer] = {}
        self._ended: dict[str, threading.Event] = {}
        self._calls = 0
        self._lock = threading.Lock()

    @contextmanager
    def serving(
        self, functions: Functions, *, name: str, answers: Mapping[str, Answer] | None = None
    ) -> Generator[threading.Event]:
        """Serve these for an execution of that name; the event is set when it has ended."""
        self._functions, self._answers = functions, dict(answers or {})
        ended = self._ended[name] = threading.Event()
        try:
            yield ended
        finally:
            self._functions, self._answers = {}, {}
            del self._ended[name]

    def answer(self, path: str, body: Any) -> Any:
        """What to say to an interpreter."""
        if path.startswith("/functions/"):
            return self.call(path.removeprefix("/functions/"), body)
        if path == "/ended":
            if ended := self._ended.get(body["execution"]):
                ended.set()
            return {}
        # An item may still call when another has failed its Map, and so ended the execution.
        return self._answers[path](body) if path in self._answers else {}

    def call(self, name: str, event: Any) -> dict[str, Any]:
        """Call one of the functions."""
        with self._lock:
            self._calls += 1
            request_id = f"request-{self._calls}"
        return call(self._functions, name, event, request_id=request_id)


class Listener(ThreadingHTTPServer):
    """Takes as many calls at once as a Map makes."""

    request_queue_size = 512
    daemon_threads = True


@contextmanager
def function_server() -> Generator[FunctionServer]:
    """A server on a port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            given = json.loads(self.rfile.read(int(self.headers["Content-Length"] or 0)))
            body = json.dumps(served.answer(self.path, given)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with Listener(("127.0.0.1", 0), Handler) as listener:
        served = FunctionServer(f"http://127.0.0.1:{listener.server_port}")
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield served
        finally:
            listener.shutdown()
            thread.join()
