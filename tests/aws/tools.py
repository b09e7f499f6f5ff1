"""What ``make aws-tools`` has installed, and how to start it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / ".aws"
LAUNCHERS = Path(__file__).parent / "launchers"
NODE_MODULES = TOOLS / "node" / "node_modules"
SECONDS_TO_END = 10


def program(environment: str, name: str) -> str:
    """Path of a program in one of the environments."""
    path = TOOLS / environment / "bin" / name
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: make aws-tools installs it")
    return str(path)


@contextmanager
def conversing(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Generator[subprocess.Popen[str]]:
    """A process that answers each line of JSON with one. It ends with the context, or with this process."""
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=os.environ | environment,
            text=True,
            bufsize=1,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        end(process)


def ask(process: subprocess.Popen[str], question: Any) -> Any:
    """The answer of such a process."""
    assert process.stdin
    assert process.stdout
    process.stdin.write(json.dumps(question) + "\n")
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{process.args} has ended with status {process.wait(SECONDS_TO_END)}")
    return json.loads(line)


@contextmanager
def started(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Generator[int]:
    """The port of a server that prints it as JSON when it is ready. It ends with the context, or with this process."""
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=os.environ | environment,
            start_new_session=True,
        )
    try:
        assert process.stdout
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"{' '.join(command)} has not started:\n{log.read_text()[-4000:]}")
        yield json.loads(line)["port"]
    finally:
        end(process)


def end(process: subprocess.Popen[Any]) -> None:
    """End the process with all that it has started."""
    assert process.stdin
    assert process.stdout
    try:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    except ProcessLookupError:
        process.wait()
    process.stdin.close()
    process.stdout.close()
