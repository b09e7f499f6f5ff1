"""The README's commands do what it says, typed as it writes them."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def commands_under(heading: str) -> list[str]:
    """The lines behind ``$`` of the heading's console blocks."""
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"```console\n(.*?)```", section, re.DOTALL)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]


@contextmanager
def background(command: str, environment: dict[str, str], log: Path) -> Iterator[None]:
    """A command in a terminal of its own, until the block ends."""
    with log.open("wb") as out:
        process = subprocess.Popen(["bash", "-c", f"exec {command}"], cwd=ROOT, env=environment, stdout=out, stderr=out)
        try:
            yield
        finally:
            process.terminate()
            process.wait(40)


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on {port}")


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Any]:
    """Runs a line as a person would, in a home of its own."""
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith(("TEMPORAL_", "STATEBAG_"))},
        "HOME": str(tmp_path),
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}",
    }

    def run(line: str, *, check: bool = True) -> str:
        done = subprocess.run(
            ["bash", "-c", line], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert not check or done.returncode == 0, (line, done.stdout, done.stderr)
        return done.stdout

    run.environment = environment  # type: ignore[attr-defined]
    return run


def test_three_terminals(shell: Any, tmp_path: Path) -> None:
    export, server, worker, start, status, query, update, result, show, history, *prices = commands_under(
        "Run it for real"
    )
    assert export == 'export PATH="$PWD/.venv/bin:$PATH"'
    with background(server, shell.environment, tmp_path / "server.log"):
        wait_for_port(7233)
        with background(worker, shell.environment, tmp_path / "worker.log"):
            assert "review-1" in shell(start)
            deadline = time.monotonic() + 40
            while "3-1" not in shell(status, check=False):
                assert time.monotonic() < deadline, (tmp_path / "worker.log").read_text()
                time.sleep(0.2)
            assert "What shall we do?" in shell(query)
            assert "APPROVED" in shell(update)
            assert "SUCCEEDED" in shell(result)
            shown = shell(show)
            assert "execute_segment" in shown or "MarkerRecorded" in shown
            payloads = json.loads(shell(f"{show} --output json"))
            assert "json/plain" in json.dumps(payloads) or "anNvbi9wbGFpbg==" in json.dumps(payloads)
            assert "Write to the supplier" in shell(history) or "letter" in shell(history)
            letter = shell("statebag history review-1 --json")
            assert json.loads(letter)
            upload, map_rows, look, redrive = prices
            shell(upload)
            assert '"P-200"' in shell(map_rows)
            assert "SUCCEEDED" in shell(look)
            assert "REDRIVE_REFUSED" in shell(f"{redrive} --json", check=False)


def test_the_first_workflow_of_your_own(shell: Any, tmp_path: Path) -> None:
    document = re.search(r"```json\n(.*?)```", README, re.DOTALL)
    assert document is not None
    path = tmp_path / "reply.json"
    path.write_text(document[1])
    (command,) = commands_under("Write one")
    ran = shell(command.replace("reply.json", str(path)) + " --auto-approve --json")
    outcome = json.loads(ran)
    assert outcome["status"] == "SUCCEEDED"
    assert outcome["final_state"]["sent"] == f"Sent: {outcome['final_state']['draft']}"
    assert outcome["pauses"] == 1


def test_what_is_emitted_for_aws_passes_its_check(shell: Any) -> None:
    (command,) = commands_under("Take it to AWS")
    try:
        assert shell(command).splitlines()[-1] == "ALL CHECKS PASSED"
    finally:
        shutil.rmtree(ROOT / "out", ignore_errors=True)
