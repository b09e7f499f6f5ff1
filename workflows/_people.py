"""People: who is asked what, and how answers get to where they are waited for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Generator, Mapping
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from workflows._maps import Maps
from workflows._pauses import Pauses

with workflow.unsafe.imports_passed_through():
    from statebag.events import EventType

__all__ = ["People"]


class People(Maps):
    """A run that holds its own pauses, and those of its branches and of the items of its maps."""

    def __init__(self) -> None:
        super().__init__()
        self._pauses = Pauses()
        self._busy = 0
        """Pauses that are being opened, or whose answer is on its way: neither may meet the end of a history."""
        self._ready = False
        self._held_again: set[asyncio.Task[None]] = set()

    @workflow.update(name="respond")
    async def respond(self, answer: Any = None) -> dict[str, Any]:
        """Answer a pause: ``{"pause_id"?, "decision"?, "response"?, "responder"?}``."""
        return self._pauses.take(answer)

    @respond.validator
    def _check_answer(self, answer: Any = None) -> None:
        self._pauses.check(answer)

    @workflow.signal(name="branch_pause", unfinished_policy=workflow.HandlerUnfinishedPolicy.ABANDON)
    async def branch_pause(self, child: str, question: dict[str, Any]) -> None:
        """The branch workflow ``child`` asks a person: ``question`` is ``{"pause_id", "segment", "spec"}``.

        Where a fork is passed again, the ids of its branches' pauses repeat: people see them with a number then.
        """
        if not self._ready:
            # A new history may begin with a question that came to the end of the one before.
            await workflow.wait_condition(lambda: self._ready)
        if self._pauses.is_over(child) or not self._is_mine(child):
            return
        pause_id = self._pauses.new_id(question["pause_id"])
        self._pauses.ask_as(pause_id, question["pause_id"])
        with self._undisturbed():
            times = await self._open(pause_id, question["segment"], question["spec"], child=child)
        await self._attend(pause_id, child, times)

    @workflow.signal(name="branch_over")
    async def _forget_pauses(self, child: str) -> None:
        """The branch workflow ``child`` is over, and so is what it asked."""
        if self._pauses.drop(child):
            self._show_waiting()

    @workflow.query(name="pending")
    def pending(self) -> list[dict[str, Any]]:
        """The pauses that wait for an answer."""
        return self._pauses.pending()

    async def _ask(self, pause_id: str, spec: Mapping[str, Any]) -> dict[str, Any]:
        times = await self._open(pause_id, self._now.segment_to_run, spec)
        answer = await self._hold(pause_id, times)
        return answer or {"decision": "TIMEOUT", "token_id": pause_id}

    async def _open(
        self, pause_id: str, segment: int, spec: Mapping[str, Any], *, child: str = ""
    ) -> tuple[float, float]:
        """Open a pause, and tell; when it was opened, and how many seconds it has."""
        self._status, self._held = "PAUSED_FOR_HITP", self._held + 1
        pause = self._pauses.open(pause_id, segment, spec, child=child)
        times = self._pauses.time_of(pause_id)
        self._poke()
        shown = {name: pause[name] for name in ("pause_id", "prompt", "expires_at")}
        await self.publish(EventType.PAUSED_FOR_HITP, self._status, segment_to_run=segment, **shown)
        return times

    async def _attend(self, pause_id: str, child: str, times: tuple[float, float]) -> None:
        """Hold the pause of a branch, and tell it the answer."""
        asked_as = self._pauses.asked_as(pause_id)
        answer = await self._hold(pause_id, times)
        if answer is None:
            return
        with self._undisturbed():
            try:
                handle = workflow.get_external_workflow_handle(child)
                await handle.signal("pause_over", args=[asked_as, answer])
            except ApplicationError as gone:
                workflow.logger.warning("branch %s: is over; its answer has no use: %s", child, gone)

    async def _hold(self, pause_id: str, times: tuple[float, float]) -> dict[str, Any] | None:
        """Hold an open pause until it is answered or its time is up; None where its branch is over."""
        opened, seconds = times
        left = max(seconds - (workflow.time() - opened), 0.0)
        # Closing the pause tells how it ended, also where an answer came at the last moment.
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._pauses.is_settled(pause_id),
                timeout=timedelta(seconds=left),
                timeout_summary=f"pause {pause_id}",
            )
        if self._pauses.is_dropped(pause_id):
            return None
        # Closed before anything else is awaited: an answer that is accepted is an answer that counts.
        with self._undisturbed():
            answer = self._pauses.close(pause_id)
            self._show_waiting()
            self._poke()
            if answer is None:
                await self.publish(EventType.HITP_TIMEOUT, self._status, pause_id=pause_id)
                return {"decision": "TIMEOUT", "token_id": pause_id}
            await self.publish(EventType.RESUMED, self._status, pause_id=pause_id, decision=answer["decision"])
            return answer

    def _hold_open_pauses(self) -> None:
        """Hold those that an earlier history has opened for branches and items."""
        for pause_id, child in self._pauses.open_for_others():
            task = asyncio.create_task(self._attend(pause_id, child, self._pauses.time_of(pause_id)))
            self._held_again.add(task)
            task.add_done_callback(self._held_again.discard)

    @contextlib.contextmanager
    def _undisturbed(self) -> Generator[None]:
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1

    def _waiting_chunks(self) -> int:
        prefix = f"{workflow.info().workflow_id}/{self._map['version']}/"
        children = (child for _, child in self._pauses.open_for_others() if child.startswith(prefix))
        return len({child.removeprefix(prefix).partition("/")[0] for child in children})

    def _poke(self) -> None:
        if self._window is not None:
            self._window.poke()

    def _show_waiting(self) -> None:
        self._status = "PAUSED_FOR_HITP" if self._pauses.pending() else "RUNNING"
