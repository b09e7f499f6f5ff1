"""A window that stops ends what it has taken over from an earlier history, whatever comes to its end meanwhile."""

from __future__ import annotations

from typing import Any, cast

import pytest
from temporalio import workflow

from workflows._window import Window, WindowPlan


async def test_units_that_end_while_others_are_cancelled_are_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    carried = {"next": 4, "barrier": 4, "succeeded": 0, "failed": 0, "stopped": False, "in_flight": [0, 1, 2, 3]}
    plan = WindowPlan(prefix="run/3/", waves=((4, 1),), limit=4)
    window = Window(cast("Any", None), plan, task_of=lambda _: {}, close=cast("Any", None), carried=carried)
    canceled: list[str] = []

    class External:
        """A child; the first one that is cancelled comes to its end with all others."""

        def __init__(self, child: str) -> None:
            self._child = child

        async def cancel(self) -> None:
            canceled.append(self._child)
            if len(canceled) == 1:
                for unit in range(4):
                    await window._take(unit, {"report": {"succeeded": 1, "failed": 0}})

    monkeypatch.setattr(workflow, "get_external_workflow_handle", External)
    await window._stop()
    assert canceled == [f"run/3/{unit}" for unit in range(4)]
    assert (window.stopped, window.succeeded, window.counts()["in_flight"]) == (True, 4, 0)
