"""A person's answer to a pause, checked before anything takes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from statebag.config.schemas import validator_of
from statebag.errors import InputRefused, Problem

__all__ = ["DECISIONS", "check_answer"]

DECISIONS = ("APPROVED", "REJECTED", "ANSWER")
"""What a person may decide; ANSWER gives a response without approving anything."""

_KNOWN = frozenset({"pause_id", "decision", "response", "responder"})


def check_answer(answer: Any, pause: Mapping[str, Any]) -> None:
    """Refuse an answer that breaks the contract or the pause's own rules.

    Args:
        answer: ``{"pause_id"?, "decision"?, "response"?, "responder"?}``; the decision is APPROVED where absent.
        pause: ``options`` that a text response must be one of, and ``schema`` that any response must satisfy.

    Raises:
        InputRefused: ``RESPONSE_INVALID`` problems, all of them.
    """
    if not isinstance(answer, Mapping):
        raise InputRefused([_problem("$", f"is a {type(answer).__name__}, not an object")], what="answer")
    problems = [
        _problem(f"$.{name}", f"does not belong to an answer. It has {', '.join(sorted(_KNOWN))}.")
        for name in sorted(set(answer) - _KNOWN)
    ]
    decision = answer.get("decision", "APPROVED")
    if decision not in DECISIONS:
        problems.append(_problem("$.decision", f"is {decision!r}, not one of {', '.join(DECISIONS)}"))
    if not isinstance(answer.get("responder", ""), str):
        problems.append(_problem("$.responder", "must be a text: who answers"))
    options, schema = pause.get("options") or (), pause.get("schema")
    if "response" in answer:
        response = answer["response"]
        if options and response not in options:
            problems.append(_problem("$.response", f"is {response!r}, not one of {', '.join(options)}"))
        if schema is not None:
            problems += [
                _problem(error.json_path.replace("$", "$.response", 1), error.message)
                for error in sorted(validator_of(schema).iter_errors(response), key=lambda e: e.json_path)
            ]
    elif decision == "ANSWER" or (schema is not None and decision != "REJECTED"):
        problems.append(_problem("$.response", "is missing, and the pause asks for one"))
    if problems:
        raise InputRefused(problems, what="answer")


def _problem(path: str, message: str) -> Problem:
    return Problem(path=path, code="RESPONSE_INVALID", message=message)
