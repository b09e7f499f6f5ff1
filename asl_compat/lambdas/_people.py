"""Ask a person: keep the token, tell the bus, and whoever is connected."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from asl_compat.lambdas._connections import push
from asl_compat.lambdas._publish import publish
from asl_compat.lambdas._surroundings import Surroundings
from asl_compat.lambdas._tokens import Tokens, WaitingPause
from statebag.canonical import canonical_bytes
from statebag.errors import StateBagError
from statebag.events import EventType

__all__ = ["ask", "callback_of", "pause_id_of", "send_answer", "tell_timeout", "text_of_time"]

_log = logging.getLogger("statebag.people")
_NOTICE_SECONDS = 30 * 86_400


def pause_id_of(state_data: Mapping[str, Any]) -> str:
    """The id of the pause that a run waits at: by the bag, so that a task that is tried again asks the same thing."""
    return f"{state_data['segment_to_run']}-{state_data['bag_version']}"


def ask(
    around: Surroundings,
    *,
    token: str,
    execution_id: str,
    owner_id: str,
    workflow_id: str,
    execution_name: str,
    pause_id: str,
    segment: int,
    spec: Mapping[str, Any],
) -> None:
    """Ask, also in mock mode, which answers for services and not for people.

    Args:
        around: Has the tables.
        token: What the answer goes to.
        execution_id: The execution's ARN.
        owner_id: Whose run it is.
        workflow_id: Of the run.
        execution_name: Name of the execution.
        pause_id: Tells the pauses of an execution apart.
        segment: Before which it waits.
        spec: What is asked.
    """
    pause = WaitingPause(
        owner_id=owner_id,
        workflow_id=workflow_id,
        execution_id=execution_id,
        execution_name=execution_name,
        pause_id=pause_id,
        token=token,
        segment=segment,
        spec=spec,
        opened_at=around.now().timestamp(),
    )
    tokens = Tokens(around)
    if not tokens.keep(pause):
        _log.warning("pause %s of %s: was answered already", pause_id, execution_id)
        return
    publish(
        around,
        EventType.PAUSED_FOR_HITP,
        execution_id=execution_id,
        owner_id=owner_id,
        workflow_id=workflow_id,
        status="PAUSED_FOR_HITP",
        number=pause_id,
        segment_to_run=segment,
        pause_id=pause_id,
        prompt=spec.get("prompt", ""),
        expires_at=text_of_time(pause.expires_at),
    )
    _notify(around, pause)


def tell_timeout(around: Surroundings, *, execution_id: str, owner_id: str, workflow_id: str, pause_id: str) -> None:
    """Tell that nobody has answered in time."""
    publish(
        around,
        EventType.HITP_TIMEOUT,
        execution_id=execution_id,
        owner_id=owner_id,
        workflow_id=workflow_id,
        status="RUNNING",
        number=pause_id,
        pause_id=pause_id,
    )


def callback_of(around: Surroundings, pause: WaitingPause, answer: Mapping[str, Any]) -> dict[str, Any]:
    """What a person's answer is to the machine: the names of old consumers stand beside ours."""
    taken: dict[str, Any] = {
        "token_id": pause.pause_id,
        "decision": answer.get("decision", "APPROVED"),
        "responder": answer.get("responder") or "",
        "responded_at": text_of_time(around.now().timestamp()),
        "ownerId": pause.owner_id,
        "workflowId": pause.workflow_id,
        "conversation_id": pause.conversation_id,
    }
    if "response" in answer:
        response = answer["response"]
        old = ("userResponse", "human_response", "user_callback_result")
        taken |= {"user_response": response, **dict.fromkeys(old, response)}
    return taken


def send_answer(around: Surroundings, pause: WaitingPause, taken: Mapping[str, Any]) -> None:
    """Answer the token of a pause that was taken, with what :func:`callback_of` gave, and tell.

    Raises:
        ClientError: The service refuses; ``TaskTimedOut`` and ``TaskDoesNotExist`` are final.
        BotoCoreError: The service can't be reached.
    """
    around.step_functions.send_task_success(taskToken=pause.token, output=canonical_bytes(dict(taken)).decode())
    publish(
        around,
        EventType.RESUMED,
        execution_id=pause.execution_id,
        owner_id=pause.owner_id,
        workflow_id=pause.workflow_id,
        status="RUNNING",
        number=pause.pause_id,
        # The run goes on before the answer to this call comes: what it tells next must not seem older.
        at=datetime.fromisoformat(taken["responded_at"]),
        pause_id=pause.pause_id,
        decision=taken["decision"],
    )


def text_of_time(seconds: float) -> str:
    """UTC, ISO 8601."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _notify(around: Surroundings, pause: WaitingPause) -> None:
    """Leave a notice for the owner, and push it to whoever is connected. A notice that fails ends no run."""
    now = around.now().timestamp()
    notice = {
        "type": "hitp_pause",
        "action": "hitp_pause",
        "conversation_id": pause.conversation_id,
        "execution_id": pause.execution_id,
        "workflowId": pause.workflow_id,
        "pause_id": pause.pause_id,
        "segment_to_run": pause.segment,
        "status": "PAUSED_FOR_HITP",
        "message": pause.spec.get("prompt", ""),
        "timestamp": int(now),
    }
    try:
        around.dynamodb.put_item(
            TableName=around.name("pending_notifications_table"),
            Item={
                "ownerId": {"S": pause.owner_id},
                "notificationId": {"S": str(uuid.uuid5(uuid.NAMESPACE_URL, pause.conversation_id))},
                "timestamp": {"N": str(int(now * 1000))},
                "type": {"S": "hitp_pause"},
                "status": {"S": "pending"},
                "execution_id": {"S": pause.execution_id},
                "conversation_id": {"S": pause.conversation_id},
                "notification": {"S": canonical_bytes(notice).decode()},
                "ttl": {"N": str(int(now) + _NOTICE_SECONDS)},
            },
        )
        push(around, pause.owner_id, {"type": "workflow_status", "payload": notice})
    except (
        BotoCoreError,
        ClientError,
        StateBagError,
    ):  # the pause itself is kept: it can be answered without the notice
        _log.exception("pause %s of %s: its notice could not be left", pause.pause_id, pause.execution_id)
