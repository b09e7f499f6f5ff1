"""ResumeHandler: ``POST /resume`` answers a pause, for the owner that the token of the request names."""

from __future__ import annotations

import base64
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from asl_compat.lambdas._people import callback_of, send_answer
from asl_compat.lambdas._surroundings import Surroundings, surroundings
from asl_compat.lambdas._tokens import Tokens, WaitingPause
from statebag.canonical import canonical_bytes, parse_json, size_of
from statebag.config import check_answer
from statebag.errors import InputRefused, Problem, StateBagError

__all__ = ["handle", "handler"]

_log = logging.getLogger("statebag.people")
OUTPUT_BYTES = 96 * 1024
"""Of an answer as the machine gets it. A state takes 256 KiB, and the bag is there too: what is above ends the run."""
_NAME_BYTES = 2048
"""Of a key in a table."""
_EXECUTION = ("execution_id", "executionId", "conversation_id")
_RESPONSE = ("response", "feedback", "user_response", "text", "response_text")
_UNREAD = frozenset({"pause_id", "ownerId", "workflowId", "state_data", "current_state", "state_s3_path"}) | {
    f"{name}{end}" for name in ("final_state", "previous_final_state") for end in ("", "_path", "_s3_path")
}
"""Members that are no part of an answer: where it goes, whose it is, and state, which no client may give."""
_STATUS = {"PAUSE_UNKNOWN": 404, "PAUSE_AMBIGUOUS": 409, "PAUSE_ANSWERED": 409}
_GONE = {
    "TaskTimedOut": (410, "TASK_TIMED_OUT", "the pause's time is over. Start a new run."),
    "TaskDoesNotExist": (404, "TASK_NOT_FOUND", "the execution does not wait any more."),
    "InvalidToken": (404, "TASK_NOT_FOUND", "the execution does not wait any more."),
}


def handler(event: Any, context: Any) -> Any:  # noqa: ARG001 - the signature that Lambda calls
    """An event of an HTTP API: ``{"execution_id", "pause_id"?, "decision"?, "response"?, "responder"?}`` in its body."""
    return handle(event, surroundings())


def handle(event: Mapping[str, Any], around: Surroundings) -> dict[str, Any]:
    """As :func:`handler`; whatever is wrong is a response with a status and a code."""
    owner_id = _owner_of(event)
    if owner_id is None:
        return _response(401, {"error_code": "UNAUTHENTICATED", "message": "The request has no valid token."})
    try:
        body = _body_of(event)
        execution_id, answer = _read(body)
    except StateBagError as refused:
        return _refused(400, refused)
    tokens = Tokens(around)
    try:
        return _answer(around, tokens, owner_id, execution_id, body.get("pause_id"), answer)
    except StateBagError as refused:
        return _undelivered(execution_id) if refused.retryable else _refused(_STATUS.get(refused.code, 400), refused)
    except (BotoCoreError, ClientError):
        return _undelivered(execution_id)


def _answer(
    around: Surroundings, tokens: Tokens, owner_id: str, name: str, wanted: Any, answer: Mapping[str, Any]
) -> dict[str, Any]:
    # Names of executions have no `#`; the conversations that notices name do.
    pauses = tokens.of_conversation(owner_id, name) if "#" in name else tokens.of_execution(owner_id, name)
    pause = _find(pauses, wanted, name, now=around.now().timestamp())
    check_answer(answer, pause.spec)
    callback = callback_of(around, pause, answer)
    _check_size(callback)
    taken = tokens.take(pause)
    if taken is None:
        raise StateBagError(f"pause {pause.pause_id}: already answered.", code="PAUSE_ANSWERED")
    try:
        send_answer(around, taken, callback)
    except (BotoCoreError, ClientError) as error:
        # Also where the token is dead: a task that is tried again asks the same thing with another one.
        tokens.give_back(taken)
        gone = _GONE.get(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else None
        if gone is None:
            raise
        status, code, text = gone
        message = f"pause {taken.pause_id}: {text}"
        return _response(
            status, {"error_code": code, "action": "START_NEW_RUN", "recoverable": False, "message": message}
        )
    _settle(tokens, taken)
    told = {member: callback[member] for member in ("decision", "responded_at")}
    return _response(200, {"message": "The run goes on.", "pause_id": taken.pause_id, **told})


def _owner_of(event: Mapping[str, Any]) -> str | None:
    found: Any = event
    for name in ("requestContext", "authorizer", "jwt", "claims", "sub"):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, str) and found else None


def _body_of(event: Mapping[str, Any]) -> Mapping[str, Any]:
    text = event.get("body") or ""
    try:
        if event.get("isBase64Encoded"):
            text = base64.b64decode(text, validate=True)
        body = parse_json(text)
    except ValueError as error:
        problem = Problem(path="$", code="INPUT_NOT_JSON", message=f"is not JSON: {error}")
        raise InputRefused([problem], what="body") from error
    if not isinstance(body, dict):
        problem = Problem(path="$", code="RESPONSE_INVALID", message="must be a JSON object")
        raise InputRefused([problem], what="body")
    return body


def _read(body: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The execution, and the answer. State that a client sends is not read.

    What nobody knows stays in the answer, and is refused with it: of a misspelt `decision`, the default would count.
    """
    execution_id = next((body[name] for name in _EXECUTION if body.get(name)), None)
    if not isinstance(execution_id, str) or len(execution_id.encode()) > _NAME_BYTES:
        text = "must name the execution that waits: its ARN."
        raise InputRefused([Problem(path="$.execution_id", code="FIELD_MISSING", message=text)], what="body")
    apart = {*_EXECUTION, *_RESPONSE, *_UNREAD}
    answer = {name: value for name, value in body.items() if name not in apart}
    said = [name for name in _RESPONSE if name in body]
    return execution_id, answer | ({"response": body[said[0]]} if said else {})


def _find(pauses: Sequence[WaitingPause], wanted: Any, execution_id: str, *, now: float) -> WaitingPause:
    # One whose time is over stays until the execution ends. Whoever does not ask for it does not mean it.
    waiting = [pause for pause in pauses if pause.waits(now) and pause.expires_at > now]
    names = [pause.pause_id for pause in waiting]
    if wanted is None:
        if len(waiting) == 1:
            return waiting[0]
        if waiting:
            text = f"the run waits at {len(waiting)} pauses: {', '.join(names)}. Name one as `pause_id`."
            raise StateBagError(text, code="PAUSE_AMBIGUOUS", details={"pending": names})
        if pauses and pauses[-1].waits(now):
            return pauses[-1]
        if pauses:
            raise StateBagError("the pause was answered already.", code="PAUSE_ANSWERED")
        raise StateBagError(f"execution {execution_id}: is not waiting for anybody.", code="PAUSE_UNKNOWN")
    for pause in pauses:
        if pause.pause_id == wanted:
            if pause.waits(now):
                return pause
            raise StateBagError(f"pause {wanted}: already answered.", code="PAUSE_ANSWERED")
    there = f"it waits at {', '.join(names)}" if names else "it is not waiting for anybody"
    raise StateBagError(f"pause {wanted!r}: unknown; {there}.", code="PAUSE_UNKNOWN", details={"pending": names})


def _check_size(callback: Mapping[str, Any]) -> None:
    size = size_of(callback)
    if size > OUTPUT_BYTES:
        text = (
            f"is too large: the answer has {size} bytes with the response under all four of its names; "
            f"{OUTPUT_BYTES} are allowed. Upload what is large, and answer with its name."
        )
        raise InputRefused([Problem(path="$.response", code="RESPONSE_INVALID", message=text)], what="answer")


def _settle(tokens: Tokens, taken: WaitingPause) -> None:
    try:
        tokens.settle(taken)
    except (BotoCoreError, ClientError, StateBagError):
        # Delivered is delivered: who answers once more is told by the service.
        _log.exception("pause %s of %s: was answered, which is not recorded", taken.pause_id, taken.execution_id)


def _undelivered(execution_id: str) -> dict[str, Any]:
    _log.exception("execution %s: an answer was not delivered", execution_id)
    message = f"execution {execution_id}: the answer was not delivered. Send it again."
    return _response(500, {"error_code": "RESUME_FAILED", "recoverable": True, "message": message})


def _refused(status: int, error: StateBagError) -> dict[str, Any]:
    return _response(status, {"error_code": error.code, "message": error.message, **error.details})


def _response(status: int, body: Mapping[str, Any]) -> dict[str, Any]:
    headers = {"content-type": "application/json"}
    return {"statusCode": status, "headers": headers, "body": canonical_bytes(dict(body)).decode()}
