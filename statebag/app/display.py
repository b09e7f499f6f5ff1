"""Show a run's progress on stderr: live on a terminal, one line for each change elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from statebag.app.output import print_note
from statebag.app.progress import Progress

__all__ = ["Display", "LineDisplay", "LiveDisplay", "choose_display"]

_MAP_SECONDS = 5.0
"""Between two lines about the same map."""


class Display(Protocol):
    """Where progress is shown."""

    def show(self, progress: Progress) -> None:
        """The run has changed."""
        ...

    def note(self, text: str) -> None:
        """Something has happened that is worth a line."""
        ...

    def aside(self) -> contextlib.AbstractContextManager[None]:
        """Leave the terminal to somebody else for a while."""
        ...

    def close(self) -> None:
        """The run is over."""
        ...


def choose_display() -> Display:
    """By what stderr is."""
    return LiveDisplay(Console(stderr=True)) if sys.stderr.isatty() else LineDisplay()


class LineDisplay:
    """Plain lines, each with the time: ``12:00:01 segment 2 of 5: llm_review``.

    Args:
        clock: Seconds, from any moment on.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._last = Progress(segment=-1)
        self._clock = clock
        self._told = clock()

    def show(self, progress: Progress) -> None:
        """Print a line where the segment is another one, or what keeps the run up; of a map now and then one."""
        lines = _news(self._last, progress)
        if not lines and progress.map not in (None, self._last.map):
            due = self._clock() - self._told >= _MAP_SECONDS
            lines = [progress.describe()] if due else []
        for line in lines:
            self.note(line)
            self._told = self._clock()
        self._last = progress

    def note(self, text: str) -> None:
        """Print a line."""
        print_note(f"{datetime.now().astimezone():%H:%M:%S} {text}")

    def aside(self) -> contextlib.AbstractContextManager[None]:
        """Nothing is in the way."""
        return contextlib.nullcontext()

    def close(self) -> None:
        """Nothing is open."""


class LiveDisplay:
    """One line that moves, below the lines of what has happened."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = Progress(segment=-1)
        self._since = time.monotonic()
        self._spinner = Spinner("dots", self._line())
        self._live = Live(get_renderable=self._render, console=console, refresh_per_second=8, transient=True)
        self._live.start()

    def show(self, progress: Progress) -> None:
        """Keep a line of what is new, and let the moving one follow."""
        for line in _news(self._last, progress):
            self.note(line)
        if progress.step != self._last.step or progress.current_state != self._last.current_state:
            self._since = time.monotonic()
        self._last = progress

    def note(self, text: str) -> None:
        """Print a line above the moving one."""
        stamp = Text(f"{datetime.now().astimezone():%H:%M:%S} ", style="dim")
        self._console.print(stamp.append(text, style="default"), highlight=False, soft_wrap=True)

    @contextmanager
    def _stopped(self) -> Generator[None]:
        self._live.stop()
        try:
            yield
        finally:
            self._live.start()

    def aside(self) -> contextlib.AbstractContextManager[None]:
        """Take the moving line away for a while."""
        return self._stopped()

    def close(self) -> None:
        """Take the moving line away."""
        self._live.stop()

    def _render(self) -> Spinner:
        self._spinner.update(text=self._line())
        return self._spinner

    def _line(self) -> Text:
        now = self._last
        text = Text(now.describe() if now.segment >= 0 else "starting", style="bold")
        text.append(f"  {now.current_state}" if now.current_state else "", style="cyan")
        return text.append(f"  {time.monotonic() - self._since:.1f} s", style="dim")


def _news(last: Progress, now: Progress) -> list[str]:
    """What is worth a line at ``now``."""
    if now.silent:
        text = "no worker answers; the run waits. Start one: `python worker.py`, or look: `statebag status`."
        return [] if last.silent else [text]
    goes_on = now.total_segments and now.status not in ("SUCCEEDED", "FAILED", "CANCELED")
    lines = [now.describe()] if goes_on and now.step != last.step else []
    if now.stuck is not None and now.stuck != last.stuck:
        lines.append(f"{now.describe()}: try {now.stuck.attempt} is under way: {now.stuck.message}")
    return lines
