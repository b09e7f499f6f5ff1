"""What the command prints: one JSON object or text on stdout, errors and notes on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from statebag.errors import InputRefused, Problem, StateBagError

__all__ = [
    "error_body",
    "exit_status_of",
    "failure_body",
    "print_error",
    "print_json",
    "print_note",
    "print_text",
    "print_warnings",
]

_REFUSALS = frozenset({"SETTING_INVALID", "FILE_UNREADABLE", "USAGE", "INIT_INVALID_CONFIG", "PORT_TAKEN"})
_REFUSED_ANSWERS = frozenset({"PAUSE_UNKNOWN", "PAUSE_AMBIGUOUS", "PAUSE_ANSWERED", "RESPONSE_INVALID"})


def exit_status_of(error: StateBagError) -> int:
    """2 where something that came in was refused and nothing has happened, else 1."""
    refused = isinstance(error, InputRefused) or error.code in _REFUSALS or error.code in _REFUSED_ANSWERS
    return 2 if refused else 1


def error_body(error: StateBagError) -> dict[str, Any]:
    """Code, message, and what a program can act on, such as ``problems`` or ``execution_id``."""
    return {"code": error.code, "message": error.message, **error.details}


def failure_body(error: StateBagError, **more: Any) -> dict[str, Any]:
    """The JSON form of an error that ends a command."""
    status = "REFUSED" if exit_status_of(error) == 2 else "FAILED"
    return {"status": status, **more, "error": error_body(error)}


def print_json(body: Any, *, pretty: bool = False) -> None:
    """Print one JSON value on stdout, as UTF-8 whatever the terminal's own encoding is."""
    print_text(json.dumps(body, ensure_ascii=False, indent=2 if pretty else None, allow_nan=False))


def print_text(text: str) -> None:
    """Print text on stdout, as UTF-8 whatever the terminal's own encoding is."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode(errors="surrogatepass") + b"\n")
    sys.stdout.buffer.flush()


def print_note(text: str) -> None:
    """Print a line on stderr."""
    encoding = sys.stderr.encoding or "utf-8"
    sys.stderr.write(f"{text}\n".encode(encoding, errors="backslashreplace").decode(encoding))
    sys.stderr.flush()


def print_error(error: StateBagError | Mapping[str, Any]) -> None:
    """Print ``code: message``; where there are several problems, a line for each with its place."""
    body = error_body(error) if isinstance(error, StateBagError) else error
    problems: Sequence[Mapping[str, Any]] = body.get("problems") or ()
    print_note(f"{body['code']}: {body['message']}")
    for problem in problems if len(problems) > 1 else ():
        place = problem.get("path") or problem.get("field") or "$"
        print_note("  " + ": ".join(str(part) for part in (place, problem.get("code"), problem["message"]) if part))


def print_warnings(warnings: Iterable[Problem]) -> None:
    """Print each warning with its place."""
    for warning in warnings:
        print_note(f"warning: {warning.path}: {warning.code}: {warning.message}")
