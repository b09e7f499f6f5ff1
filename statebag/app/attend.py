"""Stay with a run until it ends: show it, and see to it that its pauses are answered."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import shlex
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from statebag.app.answers import choose_answer, describe_pause, send_answer
from statebag.app.display import Display
from statebag.app.output import print_error
from statebag.app.progress import Progress, follow
from statebag.app.prompt import Lines, ask_person
from statebag.app.start import Handle
from statebag.errors import StateBagError

__all__ = ["attend", "person"]

_SETTLED = frozenset({"PAUSE_ANSWERED", "PAUSE_UNKNOWN"})
"""Refusals that say that somebody else was quicker."""


async def attend(
    handle: Handle,
    display: Display,
    *,
    auto_approve: bool,
    address: str | None,
    ensure_worker: Callable[[], Awaitable[None]],
) -> None:
    """Show what happens, and see to it that pauses are answered.

    Args:
        handle: The run.
        display: Where it is shown.
        auto_approve: Approve each pause; otherwise the person at the terminal is asked, or told how to answer.
        address: Of the server, where the environment of another terminal does not name it.
        ensure_worker: Called while no worker answers.
    """
    attendant = _Attendant(handle, display, auto_approve=auto_approve, address=address)
    try:
        async for progress in follow(handle):
            display.show(progress)
            if progress.silent:
                await ensure_worker()
            await attendant.see(progress)
    finally:
        await attendant.leave()


class _Attendant:
    """Answers each pause once, asks for each once, or says once how to answer it."""

    def __init__(self, handle: Handle, display: Display, *, auto_approve: bool, address: str | None) -> None:
        self._prefix = f"TEMPORAL_ADDRESS={address} " if address else ""
        self._handle = handle
        self._display = display
        self._auto_approve = auto_approve
        self._seen: set[str] = set()
        self._asking: dict[str, asyncio.Task[None]] = {}

    async def see(self, progress: Progress) -> None:
        open_now = {pause["pause_id"]: pause for pause in progress.pending}
        for pause_id in [pause_id for pause_id in self._asking if pause_id not in open_now]:
            await self._stop_asking(pause_id)
        for pause_id, pause in open_now.items():
            if pause_id in self._seen:
                continue
            if self._auto_approve:
                await self._send(choose_answer(pause, responder="auto-approve"))
            elif sys.stdin.isatty() and sys.stderr.isatty():
                if self._asking:
                    continue
                self._asking[pause_id] = asyncio.create_task(self._ask(pause))
            else:
                self._display.note(f"waiting for a person: {describe_pause(pause)}")
                self._display.note(f"answer with: {self._command(pause)}")
            self._seen.add(pause_id)

    async def leave(self) -> None:
        for pause_id in list(self._asking):
            await self._stop_asking(pause_id)

    async def _stop_asking(self, pause_id: str) -> None:
        task = self._asking.pop(pause_id)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def _ask(self, pause: Mapping[str, Any]) -> None:
        """Ask the person here, again after each refusal."""
        command = self._command(pause)
        with self._display.aside():
            async with Lines() as lines:
                answered = False
                while not answered:
                    answer = await ask_person(pause, lines, responder=person())
                    if answer is None:
                        self._display.note(f"nobody is at the terminal. Answer with: {command}")
                        return
                    try:
                        await self._send(answer)
                        answered = True
                    except StateBagError as refused:
                        print_error(refused)

    async def _send(self, answer: Mapping[str, Any]) -> None:
        try:
            taken = await send_answer(self._handle, answer, wait_seconds=float("inf"))
        except StateBagError as refused:
            if refused.code not in _SETTLED:
                raise
            self._display.note(f"pause {answer['pause_id']}: {refused.message}")
            return
        by = f" by {answer['responder']}" if answer.get("responder") else ""
        self._display.note(f"pause {taken['pause_id']}: {taken['decision']}{by}")

    def _command(self, pause: Mapping[str, Any]) -> str:
        run = shlex.quote(self._handle.id)
        text = f"{self._prefix}statebag respond {run} --pause {pause['pause_id']} --decision APPROVED"
        if pause.get("options"):
            return f"{text} --response {shlex.quote(pause['options'][0])}"
        return f"{text} --response JSON" if pause.get("schema") is not None else text


def person() -> str:
    """Who sits at this terminal, as the system calls them."""
    with contextlib.suppress(OSError, KeyError, ImportError):
        return getpass.getuser()
    return ""
