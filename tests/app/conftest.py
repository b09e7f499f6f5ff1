"""The command as a user starts it: processes of its own, on servers of their own or the shared one."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from temporalio.client import Client

from statebag.app.command import run_command
from tests.app.shell import Call, Ended, Shell


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """No server is named: each run has its own."""
    folder = tmp_path / "here"
    folder.mkdir()
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("TEMPORAL_", "STATEBAG_"))}
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    home = {"HOME": str(tmp_path / "home"), "XDG_DATA_HOME": str(tmp_path / "data"), "TMPDIR": str(temporary)}
    made = Shell(folder=folder, environment=clean | home)
    yield made
    for process in made.started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def shared(shell: Shell, dev_server: str, tmp_path: Path) -> Shell:
    """The shared server is named, with a task queue that nobody else uses."""
    shell.environment |= {
        "TEMPORAL_ADDRESS": dev_server,
        "STATEBAG_TASK_QUEUE": f"queue-{secrets.token_hex(4)}",
        "STATEBAG_STORE": (tmp_path / "store").as_uri(),
    }
    return shell


@pytest.fixture
def call(shared: Shell, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """Run the command in this process: what it does is the same, and it starts faster."""
    monkeypatch.setattr("statebag.app.command.set_up_logging", lambda _: None)
    monkeypatch.chdir(shared.folder)
    for name in ("TEMPORAL_ADDRESS", "STATEBAG_TASK_QUEUE", "STATEBAG_STORE"):
        monkeypatch.setenv(name, shared.environment[name])

    def run(*arguments: str, **environment: str) -> Ended:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["statebag", *arguments])
            for name, value in environment.items():
                patch.setenv(name, value)
            status = run_command()
        shown = capfd.readouterr()
        assert "Traceback" not in shown.err
        return Ended(status=status, out=shown.out, err=shown.err)

    return run


@pytest.fixture
async def client(dev_server: str) -> Client:
    """A plain client of the shared server."""
    return await Client.connect(dev_server)


@pytest.fixture
def worker_command() -> list[str]:
    """``python worker.py``."""
    return [sys.executable, str(Path(__file__).parents[2] / "worker.py")]
