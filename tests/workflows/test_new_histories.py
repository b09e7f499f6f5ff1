"""What comes in as a new history begins meets everything that the run holds: it is handled before the run goes on."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from temporalio import workflow
from temporalio.exceptions import ApplicationError

from workflows import WorkflowDistributedOrchestrator, WorkflowOrchestrator

HISTORY = Path(__file__).parent.parent / "histories" / "map-continued-2.json"

OPEN = ["0/I0:1-1", "0/I1:1-1"]


@pytest.fixture(params=[WorkflowOrchestrator, WorkflowDistributedOrchestrator])
def begun(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A run with open pauses of items in a new history, before its first step."""
    monkeypatch.setattr(workflow, "info", lambda: SimpleNamespace(continued_run_id="an-earlier-one", workflow_id="r"))
    started = json.loads(HISTORY.read_text())["events"][0]["workflowExecutionStartedEventAttributes"]
    return request.param(json.loads(base64.b64decode(started["input"]["payloads"][0]["data"])))


def test_an_answer_is_taken(begun: Any) -> None:
    assert [pause["pause_id"] for pause in begun.pending()] == OPEN
    begun._check_answer({"pause_id": OPEN[0]})
    with pytest.raises(ApplicationError) as refused:
        begun._check_answer({"pause_id": "0/I2:1-1"})
    assert refused.value.type == "PAUSE_UNKNOWN"
    assert "it waits at 0/I0:1-1, 0/I1:1-1" in refused.value.message


async def test_the_end_of_an_item_ends_its_pause(begun: Any) -> None:
    (child,) = [name for pause_id, name in begun._pauses.open_for_others() if pause_id == OPEN[0]]
    await begun._forget_pauses(child)
    assert [pause["pause_id"] for pause in begun.pending()] == OPEN[1:]


def test_its_status_is_that_of_the_history_before(begun: Any) -> None:
    assert begun.progress()["status"] == "PAUSED_FOR_HITP"


def test_an_input_that_only_looks_like_a_history_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workflow, "info", lambda: SimpleNamespace(continued_run_id=None))
    assert WorkflowOrchestrator({"$continued": {}})._goes_on is None
