"""Calls from a server into the test process that started it. Runs in that server's environment: standard library only."""

from __future__ import annotations

import http.client
import json
import os
import sys
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

LONGEST_CALL = 600
"""Seconds that a function of a test may take."""


def post(path: str, body: Any) -> Any:
    """What the test process answers."""
    address = urlsplit(os.environ["TEST_PROCESS_URL"])
    assert address.hostname
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=LONGEST_CALL)
    try:
        connection.request("POST", path, json.dumps(body))
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def call_function(reference: str, event: Any) -> dict[str, Any]:
    """Either ``{"result": ...}`` or ``{"error": {"errorType", "errorMessage", ...}}``, or neither for an unknown function."""
    return post("/functions/" + name_of(reference), event)


def name_of(reference: str) -> str:
    """The name in a function's ARN, which may end in a version."""
    return reference.rsplit(":function:", maxsplit=1)[-1].split(":", maxsplit=1)[0]


def announce(port: int) -> None:
    """Tell the test process that the server is ready, and end with it."""
    print(json.dumps({"port": port}), flush=True)
    threading.Thread(target=end_with, args=(sys.stdin.read,), daemon=True).start()


def end_with(wait: Callable[[], Any]) -> None:
    """End this process when the wait is over: its other threads may wait for what never comes."""
    wait()
    os._exit(0)
