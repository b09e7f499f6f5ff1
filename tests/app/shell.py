"""Commands in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCRIPTS = Path(sysconfig.get_path("scripts"))


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def body(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        (line,) = self.out.splitlines()
        return json.loads(line)


Call = Callable[..., Ended]
"""``call("status", "ID", TEMPORAL_NAMESPACE="x")``."""


@dataclass(kw_only=True)
class Shell:
    """Starts ``statebag`` in a folder and an environment."""

    folder: Path
    environment: dict[str, str]
    started: list[subprocess.Popen[str]] = field(default_factory=list[subprocess.Popen[str]])

    def write(self, name: str, value: Any) -> str:
        """A JSON file in the folder, by its name."""
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        (self.folder / name).write_text(text, encoding="utf-8")
        return name

    def run(self, *arguments: str, stdin: str = "", **more: str) -> Ended:
        """Run a command to its end."""
        ended = subprocess.run(
            [str(SCRIPTS / "statebag"), *arguments],
            cwd=self.folder,
            env=self.environment | more,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in ended.stderr
        return Ended(status=ended.returncode, out=ended.stdout, err=ended.stderr)

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        """Start a command and leave it running; it is killed at the end of the test."""
        return self.start_process([str(SCRIPTS / "statebag"), *arguments], **more)

    def start_process(self, command: list[str], **more: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment | more,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def finish(self, process: subprocess.Popen[str]) -> Ended:
        """Wait for the end of a started command."""
        out, err = process.communicate(timeout=60)
        assert "Traceback" not in err
        return Ended(status=process.returncode, out=out, err=err)


def wait_for_line(process: subprocess.Popen[str], text: str) -> str:
    """The next line on stderr that has the text in it."""
    assert process.stderr is not None
    seen: list[str] = []
    for line in process.stderr:
        seen.append(line)
        if text in line:
            return line.rstrip("\n")
    raise AssertionError(f"{text!r} is in none of {seen}")
