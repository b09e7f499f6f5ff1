"""Serves MiniStack as it comes, but for the Python of its functions: that which ``LAMBDA_PYTHON`` names."""

from __future__ import annotations

import os
import threading

from ministack.core import lambda_runtime
from ministack_server import announce_when_listening, serve_as_a_command

found = lambda_runtime._detect_runtime_binary


def on_their_python(runtime: str) -> tuple[str, str]:
    """The program for a runtime, and the script that it runs: MiniStack takes its own Python for any."""
    program, script = found(runtime)
    return (os.environ["LAMBDA_PYTHON"], script) if runtime.startswith("python") else (program, script)


def main() -> None:
    """Serve until the test process has ended."""
    lambda_runtime._detect_runtime_binary = on_their_python
    port = int(os.environ["GATEWAY_PORT"])
    threading.Thread(target=announce_when_listening, args=(port,), daemon=True).start()
    serve_as_a_command()


if __name__ == "__main__":
    main()
