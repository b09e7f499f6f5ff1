"""Pauses of a run: who may answer what, and what has been answered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from workflows._machine import describe

with workflow.unsafe.imports_passed_through():
    from statebag.config import check_answer
    from statebag.errors import StateBagError
    from statebag.machine import HITP_TIMEOUT_SECONDS

__all__ = ["Pauses"]


class Pauses:
    """The open pauses, their answers, and those that are over.

    Args:
        closed: Ids of the pauses that are over, to whether they were answered.
    """

    def __init__(self, closed: Mapping[str, bool] | None = None) -> None:
        self._open: dict[str, dict[str, Any]] = {}
        self._answers: dict[str, dict[str, Any]] = {}
        self._closed = dict(closed or {})

    @property
    def closed(self) -> dict[str, bool]:
        """The pauses that are over, for the next run of a chain."""
        return dict(self._closed)

    def open(self, pause_id: str, segment: int, spec: Mapping[str, Any]) -> dict[str, Any]:
        """Open a pause now."""
        now = workflow.now()
        seconds = float(spec.get("timeout_seconds", HITP_TIMEOUT_SECONDS))
        pause = {
            "pause_id": pause_id,
            "segment": segment,
            "prompt": spec.get("prompt", ""),
            "options": list(spec.get("options", ())),
            "schema": spec.get("schema"),
            "opened_at": _text(now),
            "expires_at": _text(now + timedelta(seconds=seconds)),
            "timeout_seconds": seconds,
        }
        self._open[pause_id] = pause
        return pause

    def close(self, pause_id: str) -> dict[str, Any] | None:
        """End a pause, so that nobody can answer it any more, and give the answer that it got."""
        answer = self._answers.pop(pause_id, None)
        self._open.pop(pause_id, None)
        self._closed[pause_id] = answer is not None
        return answer

    def close_all(self) -> None:
        """End all pauses: the run ends."""
        for pause_id in list(self._open):
            self.close(pause_id)

    def pending(self) -> list[dict[str, Any]]:
        """The pauses that wait for an answer."""
        return [pause for pause_id, pause in self._open.items() if pause_id not in self._answers]

    def is_answered(self, pause_id: str) -> bool:
        """Whether an answer was taken."""
        return pause_id in self._answers

    def check(self, answer: Any) -> str:
        """Refuse an answer that can't be taken, else give the id of its pause. Changes nothing.

        Raises:
            ApplicationError: typed with the code.
        """
        try:
            pause_id = self._find(answer)
            check_answer(answer, self._open[pause_id])
        except StateBagError as refused:
            raise ApplicationError(
                refused.message, describe(refused), type=refused.code, non_retryable=True
            ) from refused
        return pause_id

    def take(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """Take an answer that has been checked."""
        pause_id = self.check(answer)
        taken: dict[str, Any] = {
            "token_id": pause_id,
            "decision": answer.get("decision", "APPROVED"),
            "responder": answer.get("responder") or "",
            "responded_at": _text(workflow.now()),
        }
        if "response" in answer:
            taken["user_response"] = answer["response"]
        self._answers[pause_id] = taken
        return {"pause_id": pause_id, "decision": taken["decision"], "responded_at": taken["responded_at"]}

    def _find(self, answer: Any) -> str:
        wanted = answer.get("pause_id") if isinstance(answer, Mapping) else None
        waiting = [pause["pause_id"] for pause in self.pending()]
        there = f"it waits at {', '.join(waiting)}" if waiting else "it is not waiting for anybody"
        if wanted is None:
            if len(waiting) == 1:
                return waiting[0]
            if waiting:
                text = f"the run waits at {len(waiting)} pauses: {', '.join(waiting)}. Name one as `pause_id`."
                raise StateBagError(text, code="PAUSE_AMBIGUOUS", details={"pending": waiting})
            if self._answers:
                raise StateBagError("the pause was answered already; the run goes on.", code="PAUSE_ANSWERED")
            raise StateBagError("the run is not waiting for anybody.", code="PAUSE_UNKNOWN")
        if wanted in waiting:
            return wanted
        details = {"pending": waiting}
        if isinstance(wanted, str) and (wanted in self._answers or self._closed.get(wanted)):
            raise StateBagError(f"pause {wanted}: already answered; {there}.", code="PAUSE_ANSWERED", details=details)
        if isinstance(wanted, str) and wanted in self._closed:
            text = f"pause {wanted}: its time ran out before this answer; {there}."
            raise StateBagError(text, code="PAUSE_UNKNOWN", details=details)
        text = f"pause {wanted!r}: the run has no such pause; {there}."
        raise StateBagError(text, code="PAUSE_UNKNOWN", details=details)


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
