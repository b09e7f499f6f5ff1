"""ResumeHandler: ``POST /resume`` answers a pause, for the owner that the token of the request names."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from asl_compat.lambdas._people import send_answer
from asl_compat.lambdas._surroundings import Surroundings, surroundings
from asl_compat.lambdas._tokens import Tokens, WaitingPause
from statebag.canonical import canonical_bytes, parse_json, size_of
from statebag.config import check_answer
from statebag.errors import InputRefused, Problem, StateBagError

__all__ = ["handle", "handler"]

OUTPUT_BYTES = 250 * 1024
"""Step Functions takes 256 KiB of an answer, with what stands beside it."""
_EXECUTION = ("execution_id", "executionId", "conversation_id")
_RESPONSE = ("response", "feedback", "user_response", "text", "response_text")
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
        pause = _find(tokens.of_execution(owner_id, execution_id), body.get("pause_id"), execution_id)
        check_answer(answer, pause.spec)
        _check_size(answer)
    except StateBagError as refused:
        return _refused(_STATUS.get(refused.code, 400), refused)
    if not tokens.take(pause):
        text = f"pause {pause.pause_id}: already answered."
        return _refused(409, StateBagError(text, code="PAUSE_ANSWERED"))
    return _deliver(around, tokens, pause, answer)


_STATUS = {"PAUSE_UNKNOWN": 404, "PAUSE_AMBIGUOUS": 409, "PAUSE_ANSWERED": 409}


def _deliver(around: Surroundings, tokens: Tokens, pause: WaitingPause, answer: Mapping[str, Any]) -> dict[str, Any]:
    try:
        taken = send_answer(around, pause, answer)
    except ClientError as error:
        gone = _GONE.get(error.response.get("Error", {}).get("Code", ""))
        if gone is not None:
            status, code, text = gone
            message = f"pause {pause.pause_id}: {text}"
            body = {"error_code": code, "action": "START_NEW_RUN", "recoverable": False, "message": message}
            return _response(status, body)
        tokens.give_back(pause)
        message = f"pause {pause.pause_id}: the answer could not be delivered: {error}. Send it again."
        return _response(500, {"error_code": "RESUME_FAILED", "recoverable": True, "message": message})
    told = {name: taken[name] for name in ("decision", "responded_at")}
    return _response(200, {"message": "The run goes on.", "pause_id": pause.pause_id, **told})


def _owner_of(event: Mapping[str, Any]) -> str | None:
    claims: Any = event.get("requestContext", {}).get("authorizer", {}).get("jwt", {}).get("claims", {})
    owner = claims.get("sub") if isinstance(claims, Mapping) else None
    return owner if isinstance(owner, str) and owner else None


def _body_of(event: Mapping[str, Any]) -> Mapping[str, Any]:
    text = event.get("body") or ""
    if event.get("isBase64Encoded"):
        text = base64.b64decode(text).decode("utf-8", errors="replace")
    try:
        body = parse_json(text)
    except ValueError as error:
        problem = Problem(path="$", code="INPUT_NOT_JSON", message=f"is not JSON: {error}")
        raise InputRefused([problem], what="body") from error
    if not isinstance(body, dict):
        problem = Problem(path="$", code="RESPONSE_INVALID", message="must be a JSON object")
        raise InputRefused([problem], what="body")
    return body


def _read(body: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The execution, and the answer. What else a client sends, state above all, is not read."""
    execution_id = next((body[name] for name in _EXECUTION if body.get(name)), None)
    if not isinstance(execution_id, str):
        text = "must name the execution that waits: its ARN."
        raise InputRefused([Problem(path="$.execution_id", code="FIELD_MISSING", message=text)], what="body")
    answer = {name: body[name] for name in ("decision", "responder") if name in body}
    said = [name for name in _RESPONSE if name in body]
    return execution_id, answer | ({"response": body[said[0]]} if said else {})


def _find(pauses: Sequence[WaitingPause], wanted: Any, execution_id: str) -> WaitingPause:
    waiting = [pause for pause in pauses if pause.status == "WAITING"]
    names = [pause.pause_id for pause in waiting]
    if wanted is None:
        if len(waiting) == 1:
            return waiting[0]
        if waiting:
            text = f"the run waits at {len(waiting)} pauses: {', '.join(names)}. Name one as `pause_id`."
            raise StateBagError(text, code="PAUSE_AMBIGUOUS", details={"pending": names})
        if pauses:
            raise StateBagError("the pause was answered already.", code="PAUSE_ANSWERED")
        raise StateBagError(f"execution {execution_id}: is not waiting for anybody.", code="PAUSE_UNKNOWN")
    for pause in pauses:
        if pause.pause_id == wanted:
            if pause.status == "WAITING":
                return pause
            raise StateBagError(f"pause {wanted}: already answered.", code="PAUSE_ANSWERED")
    there = f"it waits at {', '.join(names)}" if names else "it is not waiting for anybody"
    raise StateBagError(f"pause {wanted!r}: unknown; {there}.", code="PAUSE_UNKNOWN", details={"pending": names})


def _check_size(answer: Mapping[str, Any]) -> None:
    # The response stands there four times, under the names of old consumers too.
    size = 4 * size_of(answer.get("response"))
    if size > OUTPUT_BYTES:
        text = (
            f"has {size // 4} bytes; {OUTPUT_BYTES // 4} are allowed. Upload what is large, and answer with its name."
        )
        raise InputRefused([Problem(path="$.response", code="RESPONSE_INVALID", message=text)], what="answer")


def _refused(status: int, error: StateBagError) -> dict[str, Any]:
    return _response(status, {"error_code": error.code, "message": error.message, **error.details})


def _response(status: int, body: Mapping[str, Any]) -> dict[str, Any]:
    headers = {"content-type": "application/json"}
    return {"statusCode": status, "headers": headers, "body": canonical_bytes(dict(body)).decode()}
