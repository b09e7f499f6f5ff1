"""Answer a pause through the Update that the run has for it."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from temporalio.client import (
    WorkflowExecutionStatus,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.service import RPCError, RPCStatusCode

from statebag.app.failures import describe_failure, typed_rpc_errors
from statebag.app.start import Handle
from statebag.canonical import canonical_bytes, sha256_hex
from statebag.config import check_answer
from statebag.errors import InputRefused, RunFailed, StateBagError
from statebag.nodes.llm import example_of

__all__ = ["choose_answer", "describe_pause", "send_answer"]

_SHORTEST_TRY_SECONDS = 0.5
_FIRST_TRY_SECONDS = 2.0
_TRY_SECONDS = 10.0
_PAUSE_SECONDS = 0.5
_LATER = (
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.UNAVAILABLE,
    RPCStatusCode.CANCELLED,
    RPCStatusCode.RESOURCE_EXHAUSTED,
    RPCStatusCode.ABORTED,
)
"""The answer may have arrived or not: sending it again under the same id does no harm."""


async def send_answer(
    handle: Handle,
    answer: Mapping[str, Any],
    *,
    wait_seconds: float,
    on_wait: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Send the answer until the run has taken it or refused it.

    Every try has the same id, so that it is taken once however often it is sent. An answer that names its
    pause has the same id in every process: sent again later, it gets the answer that it got before.

    Args:
        handle: The run.
        answer: ``{"pause_id"?, "decision"?, "response"?, "responder"?}``.
        wait_seconds: How long to go on where no worker, or no server, answers.
        on_wait: Called once, when the first try has had no answer.

    Returns:
        ``{"pause_id", "decision", "responded_at"}``.

    Raises:
        StateBagError: the run's refusal, with its code and problems; ``RUN_NOT_FOUND``; ``NO_WORKER`` when the time
            is over: the server may still hand the answer to a worker that comes later.
    """
    update_id = sha256_hex(canonical_bytes(dict(answer)))[:32] if "pause_id" in answer else uuid.uuid4().hex
    deadline = time.monotonic() + wait_seconds
    told = False
    while True:
        seconds = min(deadline - time.monotonic(), _TRY_SECONDS if told else _FIRST_TRY_SECONDS)
        timeout = timedelta(seconds=max(_SHORTEST_TRY_SECONDS, seconds))
        try:
            return await handle.execute_update("respond", dict(answer), id=update_id, rpc_timeout=timeout)
        except WorkflowUpdateFailedError as refused:
            raise _refusal(describe_failure(refused.cause)) from refused
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            pass
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                await _explain_absence(handle)
            if error.status not in _LATER:
                with typed_rpc_errors(handle.id):
                    raise
        if deadline - time.monotonic() <= 0:
            raise StateBagError(
                f"{handle.id}: no worker has taken the answer within {wait_seconds:.0f} s. One that comes later may still take "
                f"it: start it (`python worker.py`), and look (`statebag status {handle.id}`) before you answer again.",
                code="NO_WORKER",
            )
        if not told:
            told = True
            on_wait()
        await asyncio.sleep(_PAUSE_SECONDS)


def choose_answer(pause: Mapping[str, Any], *, responder: str) -> dict[str, Any]:
    """An approval that the pause's own rules admit, the same each time.

    Raises:
        StateBagError: no such answer can be made.
    """
    answer: dict[str, Any] = {"pause_id": pause["pause_id"], "decision": "APPROVED", "responder": responder}
    options, schema = pause.get("options") or (), pause.get("schema")
    if options:
        fitting = [option for option in options if _fits({**answer, "response": option}, pause)]
        answer["response"] = fitting[0] if fitting else options[0]
    elif schema is not None:
        answer["response"] = example_of(schema, canonical_bytes(pause["pause_id"]))
    check_answer(answer, pause)
    return answer


def describe_pause(pause: Mapping[str, Any]) -> str:
    """``pause 1-1: "Publish?"``, with what may be answered."""
    text = f"pause {pause['pause_id']}"
    if pause.get("prompt"):
        text += f": {pause['prompt']}"
    if pause.get("options"):
        text += f" ({' / '.join(pause['options'])})"
    return text


def _fits(answer: Mapping[str, Any], pause: Mapping[str, Any]) -> bool:
    try:
        check_answer(answer, pause)
    except InputRefused:
        return False
    return True


def _refusal(body: Mapping[str, Any]) -> StateBagError:
    details = {name: value for name, value in body.items() if name not in ("code", "message", "retryable")}
    return StateBagError(body["message"], code=body["code"], details=details)


async def _explain_absence(handle: Handle) -> None:
    """Tell a run that is over from one that has never been.

    Raises:
        StateBagError: always.
    """
    with typed_rpc_errors(handle.id):
        described = await handle.describe()
    status = described.status or WorkflowExecutionStatus.RUNNING
    if status is WorkflowExecutionStatus.RUNNING:
        raise StateBagError(f"{handle.id}: the run is not there to answer. Try again.", code="SERVER_UNREACHABLE")
    ended = status.name.lower().replace("_", " ")
    raise RunFailed(f"{handle.id}: the run is {ended}: it waits for nobody.", code="PAUSE_UNKNOWN")
