"""What a run is asked to do, read from the command line and checked before any server is contacted."""

from __future__ import annotations

import json
import re
import sys
import unicodedata
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from statebag.canonical import canonical_bytes, parse_json, sha256_hex
from statebag.config import asks_for_distribution, load_document, merge_initial_state, parse_execution_input
from statebag.errors import InputRefused, Problem, StateBagError, Unserialisable
from statebag.nodes import NodeRegistry
from statebag.plan import plan_document

__all__ = [
    "RunRequest",
    "check_execution_id",
    "read_bytes",
    "read_json_argument",
    "read_request",
    "read_response",
    "slug_of",
]

_ID_BYTES = 512
"""Longest execution id; the server's own limit is 1000 bytes."""
_SLUG_LENGTH = 60


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """A document and an input that a run can be started with."""

    execution_id: str
    named: bool
    """Whether the caller chose the execution id: then it is an idempotency key."""
    owner_id: str
    workflow_id: str
    workflow_name: str
    document: Mapping[str, Any]
    state: Mapping[str, Any] | None
    mock: bool
    total_segments: int
    distributed: bool = False
    """Whether the machine for documents with many segments runs it."""
    warnings: tuple[Problem, ...] = ()

    def execution_input(self) -> dict[str, Any]:
        """The whole input of the run, with nothing of it in the store."""
        body: dict[str, Any] = {
            "ownerId": self.owner_id,
            "workflowId": self.workflow_id,
            "workflow_config": self.document,
            "MOCK_MODE": "true" if self.mock else "false",
        }
        return body | ({"initial_state": self.state} if self.state is not None else {})

    @property
    def input_hash(self) -> str:
        """Tells inputs apart, wherever their parts are kept."""
        return sha256_hex(canonical_bytes(self.execution_input()))


def read_request(
    file: str, given: str | None, *, registry: NodeRegistry, mock: bool, owner_id: str, execution_id: str | None
) -> RunRequest:
    """Read and check everything that ``statebag run`` is given.

    Args:
        file: Path of the document, ``-`` for stdin.
        given: The initial state: JSON, or ``@`` and a path.
        registry: What node types there are.
        mock: Whether outside calls are answered locally.
        owner_id: Whom the run belongs to.
        execution_id: The run's id; one is made where it is None.

    Raises:
        InputRefused: with all problems of all of these together.
        StateBagError: ``FILE_UNREADABLE``.
    """
    raw = read_bytes(file)
    problems: list[Problem] = []
    warnings: list[Problem] = []
    document: Mapping[str, Any] = {}
    name, total, large, defaults = "", 0, False, {}
    try:
        loaded = load_document(raw, registry)
        plan = plan_document(loaded.document, registry)
        document, name = parse_json(raw), loaded.document.workflow_name
        total, large = plan.total_segments, plan.is_large
        defaults = loaded.document.initial_state
        warnings += loaded.warnings
    except InputRefused as refused:
        problems += refused.problems
    state = None if given is None else _read_state(given, problems)
    if state is not None:
        warnings += merge_initial_state(defaults, state).warnings
    workflow_id = slug_of(name or ("" if file == "-" else Path(file).name.split(".")[0]))
    request = RunRequest(
        execution_id=execution_id if execution_id is not None else f"{workflow_id}-{uuid.uuid4().hex[:8]}",
        named=execution_id is not None,
        owner_id=owner_id,
        workflow_id=workflow_id,
        workflow_name=name or workflow_id,
        document=document,
        state=state,
        mock=mock,
        total_segments=total,
        distributed=large or asks_for_distribution(document, document.get("initial_state"), state),
        warnings=tuple(warnings),
    )
    problems += check_execution_id(request.execution_id)
    try:
        parse_execution_input({**request.execution_input(), "workflow_config": document or {"nodes": []}})
    except InputRefused as refused:
        problems += refused.problems
    if problems:
        raise InputRefused(problems, what="document" if not document else "input")
    return request


def check_execution_id(execution_id: str) -> list[Problem]:
    """What is wrong with an execution id."""
    size = len(execution_id.encode(errors="surrogateescape"))
    wrong = None
    if not execution_id.strip():
        wrong = "is empty"
    elif size > _ID_BYTES:
        wrong = f"has {size} bytes; {_ID_BYTES} are allowed"
    elif any(unicodedata.category(character) in ("Cc", "Cs") for character in execution_id):
        wrong = "has characters that can't be printed"
    if wrong is None:
        return []
    return [Problem(path="$.execution_id", code="FIELD_VALUE", message=f"The execution id {wrong}. Choose another.")]


def read_bytes(file: str) -> bytes:
    """A file's content; ``-`` is stdin.

    Raises:
        StateBagError: ``FILE_UNREADABLE``.
    """
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except (OSError, ValueError) as cause:
        reason = getattr(cause, "strerror", None) or cause
        raise StateBagError(f"{file}: can't be read: {reason}. Check the path.", code="FILE_UNREADABLE") from cause


def read_json_argument(given: str, *, path: str) -> Any:
    """JSON from the command line: itself, or ``@`` and the path of a file that has it.

    Args:
        given: The argument.
        path: The JSON path that problems name.

    Raises:
        InputRefused: ``INPUT_NOT_JSON``, ``UNSERIALISABLE_FIELD``.
        StateBagError: ``FILE_UNREADABLE``.
    """
    raw: bytes | str = read_bytes(given[1:]) if given.startswith("@") else given
    where = given[1:] if given.startswith("@") else "the argument"
    try:
        value = parse_json(raw)
        canonical_bytes(value)
    except Unserialisable as cause:
        raise InputRefused([Problem(path=path, code=cause.code, message=cause.message)]) from cause
    except json.JSONDecodeError as cause:
        message = (
            f"{where} is not JSON: {cause.msg} at line {cause.lineno}, column {cause.colno}. Fix the syntax there."
        )
        raise InputRefused([Problem(path=path, code="INPUT_NOT_JSON", message=message)]) from cause
    except (ValueError, RecursionError) as cause:
        message = f"{where} is not JSON: {cause}. Fix the syntax there."
        raise InputRefused([Problem(path=path, code="INPUT_NOT_JSON", message=message)]) from cause
    return value


def read_response(given: str) -> Any:
    """A person's response: JSON, ``@`` and the path of a file, or plain text.

    Raises:
        InputRefused: ``INPUT_NOT_JSON``: it starts as JSON does, and is not.
        StateBagError: ``FILE_UNREADABLE``.
    """
    try:
        return read_json_argument(given, path="$.response")
    except InputRefused as refused:
        text = read_bytes(given[1:]).decode(errors="replace") if given.startswith("@") else given
        if refused.code != "INPUT_NOT_JSON" or text.lstrip().startswith(("{", "[", '"')):
            raise
        return text


def slug_of(text: str) -> str:
    """A name that can stand in an id and on a command line: lower case, words joined by hyphens."""
    words: Iterable[str] = re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", text).lower())
    return "-".join(words)[:_SLUG_LENGTH].strip("-") or "workflow"


def _read_state(given: str, problems: list[Problem]) -> Mapping[str, Any] | None:
    place = "$.initial_state"
    try:
        state = read_json_argument(given, path=place)
    except InputRefused as refused:
        problems += refused.problems
        return None
    if not isinstance(state, dict):
        message = "The input is not an object. Give the variables that the run starts with as one JSON object."
        problems.append(Problem(path=place, code="INPUT_NOT_OBJECT", message=message))
        return None
    return state
