"""Errors as Step Functions hands them on, in the form that bags keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from statebag.canonical import parse_json
from statebag.errors import CODES

__all__ = ["error_of_task", "failure_of", "outcome_of", "result_of_task"]


def error_of_task(caught: Mapping[str, Any]) -> dict[str, Any]:
    """``{"code", "message"}`` of ``{"Error", "Cause"}``, whose cause of a function is JSON with ``errorMessage``."""
    name, cause = str(caught.get("Error") or ""), caught.get("Cause")
    text = cause if isinstance(cause, str) else ""
    try:
        body = parse_json(text) if text.startswith("{") else None
    except ValueError:
        body = None
    if isinstance(body, dict) and isinstance(body.get("errorMessage"), str):
        text = body["errorMessage"]
    code, separator, message = text.partition(": ")
    if separator and code in CODES:
        return {"code": code, "message": message}
    return {"code": "RUN_FAILED", "message": f"{name}: {text}" if name and text else name or text or "no cause given"}


def result_of_task(given: Any) -> Any:
    """An execution result: where a task has failed instead, one that says so."""
    if isinstance(given, Mapping) and "Error" in given and "status" not in given:
        return {"status": "FAILED", "error_info": error_of_task(given)}
    return given


def outcome_of(result: Any) -> dict[str, Any]:
    """What a branch or a line has come to: ``{"position", "status"}``, and ``bag`` or ``error_info`` where there is one."""
    body: Mapping[str, Any] = result if isinstance(result, Mapping) else {"status": None}
    found = {name: body[name] for name in ("position", "status") if name in body}
    if body.get("bag"):
        found["bag"] = body["bag"]
    error = body.get("error_info") or body.get("error")
    if isinstance(error, Mapping) and error:
        found["error_info"] = error_of_task(error) if "Error" in error else dict(error)
    return found


def failure_of(error: Mapping[str, Any] | None) -> dict[str, str]:
    """The member ``failure`` of the document: both texts are empty where nothing is wrong."""
    if not error:
        return {"Error": "", "Cause": ""}
    return {"Error": str(error["code"]), "Cause": str(error["message"])}
