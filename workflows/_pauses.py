"""Pauses of a run: who may answer what, and what has been answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
        carried: What :meth:`carry` gave in an earlier history.
    """

    def __init__(self, closed: Mapping[str, bool] | None = None, carried: Mapping[str, Any] | None = None) -> None:
        carried = carried or {}
        self._open: dict[str, dict[str, Any]] = dict(carried.get("open", {}))
        self._answers: dict[str, dict[str, Any]] = dict(carried.get("answers", {}))
        self._closed = dict(closed or {})
        self._children: dict[str, str] = dict(carried.get("children", {}))
        self._asked_as: dict[str, str] = dict(carried.get("asked_as", {}))
        self._opened: dict[str, float] = dict(carried.get("opened", {}))
        self._dropped: set[str] = set(carried.get("dropped", ()))
        self._over: set[str] = set(carried.get("over", ()))

    def carry(self) -> dict[str, Any]:
        """The pauses that are open, for the next run of a chain."""
        return {
            "open": self._open,
            "answers": self._answers,
            "children": self._children,
            "asked_as": self._asked_as,
            "opened": self._opened,
            "dropped": sorted(self._dropped),
            "over": sorted(self._over),
        }

    def ask_as(self, pause_id: str, name: str) -> None:
        """The branch that asks knows the pause ``pause_id`` as ``name``."""
        self._asked_as[pause_id] = name

    def asked_as(self, pause_id: str) -> str:
        """The name by which the branch knows the pause."""
        return self._asked_as.get(pause_id, pause_id)

    def open_for_others(self) -> list[tuple[str, str]]:
        """The open pauses of branches, each with the workflow that it stops."""
        return [(pause_id, child) for pause_id, child in self._children.items() if child]

    def time_of(self, pause_id: str) -> tuple[float, float]:
        """When an open pause was opened, epoch seconds, and how many seconds it has."""
        return self._opened[pause_id], self._open[pause_id]["timeout_seconds"]

    @property
    def closed(self) -> dict[str, bool]:
        """The pauses that are over, for the next run of a chain."""
        return dict(self._closed)

    def new_id(self, pause_id: str) -> str:
        """``pause_id``, or, where a pause of this run had that already, one made of it."""
        taken, wanted, number = self._open.keys() | self._closed.keys(), pause_id, 1
        while wanted in taken:
            number += 1
            wanted = f"{pause_id}.{number}"
        return wanted

    def is_over(self, child: str) -> bool:
        """Whether the workflow ``child``, or one that it is inside of, can't be answered any more."""
        return any(f"{child}/".startswith(f"{one}/") for one in self._over)

    def open(self, pause_id: str, segment: int, spec: Mapping[str, Any], *, child: str = "") -> dict[str, Any]:
        """Open a pause now; ``child`` is the workflow of the branch that it stops."""
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
        self._opened[pause_id] = workflow.time()
        self._children[pause_id] = child
        return pause

    def drop(self, child: str) -> bool:
        """End what the workflow ``child``, and those that it has started, wait for; whether that was anything.

        Its questions may still be on their way.
        """
        self._over.add(child)
        return self._drop([name for name, owner in self._children.items() if f"{owner}/".startswith(f"{child}/")])

    def close(self, pause_id: str) -> dict[str, Any] | None:
        """End a pause, so that nobody can answer it any more, and give the answer that it got."""
        answer = self._answers.pop(pause_id, None)
        self._open.pop(pause_id, None)
        self._children.pop(pause_id, None)
        self._asked_as.pop(pause_id, None)
        self._opened.pop(pause_id, None)
        self._closed[pause_id] = answer is not None
        return answer

    def close_all(self) -> None:
        """End all pauses: the run ends."""
        self._drop(list(self._open))

    def pending(self) -> list[dict[str, Any]]:
        """The pauses that wait for an answer."""
        return [pause for pause_id, pause in self._open.items() if pause_id not in self._answers]

    def is_settled(self, pause_id: str) -> bool:
        """Whether an answer was taken, or nobody waits for one any more."""
        return pause_id in self._answers or pause_id not in self._open

    def is_dropped(self, pause_id: str) -> bool:
        """Whether the branch that it stopped was over before an answer came."""
        return pause_id in self._dropped

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

    def _drop(self, pause_ids: Sequence[str]) -> bool:
        for pause_id in pause_ids:
            self.close(pause_id)
            self._dropped.add(pause_id)
        return bool(pause_ids)

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
            why = "what it stopped was over" if wanted in self._dropped else "its time ran out"
            text = f"pause {wanted}: {why} before this answer; {there}."
            raise StateBagError(text, code="PAUSE_UNKNOWN", details=details)
        text = f"pause {wanted!r}: the run has no such pause; {there}."
        raise StateBagError(text, code="PAUSE_UNKNOWN", details=details)


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
