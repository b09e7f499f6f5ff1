"""A slow HTTP server that knows how often it was asked for what, and how many of its answers are still due."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["CountingServer", "serve_counting"]


class CountingServer:
    """Answers ``GET /x`` with ``{"path": "/x"}``, each after a while of its own."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.asked: Counter[str] = Counter()
        self.due = 0
        self.url = ""
        self.open = threading.Event()
        """While it is not set, answers stay due."""
        self.open.set()
        self._lock = threading.Lock()

    def answer(self, path: str) -> bytes:
        with self._lock:
            self.asked[path] += 1
            self.due += 1
        # Calls begun together end one after another.
        time.sleep(self.seconds * (1 + len(path) % 3 + sum(path.encode()) % 7 / 7))
        self.open.wait()
        with self._lock:
            self.due -= 1
        return json.dumps({"path": path}).encode()


@contextmanager
def serve_counting(seconds: float) -> Iterator[CountingServer]:
    """A server in this process, as long as the block runs."""
    counting = CountingServer(seconds)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = counting.answer(self.path)
            try:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                pass  # who asked has been killed

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    counting.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield counting
    finally:
        counting.open.set()
        server.shutdown()
        server.server_close()
        thread.join()
