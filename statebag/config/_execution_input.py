"""The input of a run, checked without I/O: workflow code calls this while it is replayed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from statebag.config._reading import describe_kind, report_unknown
from statebag.config.reserved import drop_reserved
from statebag.errors import InputRefused, Problem

__all__ = ["ExecutionInput", "MergedState", "merge_initial_state", "parse_execution_input"]

_NAME_LIMIT = 256
_KEY_LIMIT = 512

_QUIET = frozenset({"orchestrator_selection"})
_BECAUSE = {
    name: f"`{name}` is made from the document, never taken from the input."
    for name in ("partition_map", "total_segments", "llm_segments", "hitp_segments")
}


@dataclass(frozen=True, kw_only=True)
class ExecutionInput:
    """What a run is started with."""

    owner_id: str = ""
    workflow_id: str = ""
    user_id: str = ""
    initial_state: Mapping[str, Any] | None = None
    initial_state_pointer: Mapping[str, Any] | str | None = None
    """Where the initial state is stored: a pointer, or the key of a pointer record."""
    workflow_config: Mapping[str, Any] | None = None
    """The document as it was given, not yet checked."""
    workflow_config_pointer: Mapping[str, Any] | None = None
    """Where the document is stored."""
    mock_mode: bool = False
    idempotency_key: str | None = None
    quota_reservation_id: str | None = None
    allow_unsafe_execution: bool = False
    """Skips the check that a run with this key is the only one."""
    warnings: tuple[Problem, ...] = field(default=(), compare=False)
    """Members of the input that have no effect."""


@dataclass(frozen=True, kw_only=True)
class MergedState:
    """The user fields that a run starts with."""

    state: Mapping[str, Any]
    warnings: tuple[Problem, ...] = ()
    """Reserved keys that were dropped."""


def merge_initial_state(document_state: Mapping[str, Any], input_state: Mapping[str, Any]) -> MergedState:
    """Lay the input's fields over the document's, which are defaults; null is a value like any other."""
    state: dict[str, Any] = {}
    warnings: list[Problem] = []
    for given, source in ((document_state, "the document's"), (input_state, "the input's")):
        kept, dropped = drop_reserved(given)
        state |= kept
        warnings += [
            Problem(
                path=f"$.initial_state.{name}",
                code="RESERVED_KEY",
                message=f"`{name}` in {source} initial state is reserved. It is dropped; rename it to keep it.",
            )
            for name in dropped
        ]
    return MergedState(state=state, warnings=tuple(warnings))


def parse_execution_input(raw: Any) -> ExecutionInput:
    """Read an execution input; null members count as absent.

    Raises:
        InputRefused: with every problem.
    """
    if not isinstance(raw, dict):
        message = f"The input is {describe_kind(raw)}. Make it one object."
        raise InputRefused([Problem(path="$", code="INPUT_NOT_OBJECT", message=message)])
    body = cast("dict[str, Any]", raw)
    given = {key: value for key, value in body.items() if value is not None}
    problems: list[Problem] = []
    for name, check in _CHECKS.items():
        if name in given:
            wrong = check(given[name])
            if wrong is not None:
                code, allowed = wrong
                message = f"`{name}` is {_show(given[name])}. It must be {allowed}."
                problems.append(Problem(path=f"$.{name}", code=code, message=message))
    problems += _check_sources(given)
    if problems:
        raise InputRefused(problems)
    return ExecutionInput(
        owner_id=given.get("ownerId", ""),
        workflow_id=given.get("workflowId", ""),
        user_id=given.get("user_id", ""),
        initial_state=given.get("initial_state"),
        initial_state_pointer=given.get("initial_state_s3_path"),
        workflow_config=given.get("test_workflow_config", given.get("workflow_config")),
        workflow_config_pointer=given.get("workflow_config_s3_path"),
        mock_mode=given.get("MOCK_MODE", False) in (True, "true"),
        idempotency_key=given.get("idempotency_key"),
        quota_reservation_id=given.get("quota_reservation_id"),
        allow_unsafe_execution=given.get("ALLOW_UNSAFE_EXECUTION", False),
        warnings=tuple(report_unknown(body, _CHECKS, "$", quiet=_QUIET, because=_BECAUSE)),
    )


def _check_sources(given: Mapping[str, Any]) -> list[Problem]:
    problems: list[Problem] = []
    states = [name for name in ("initial_state", "initial_state_s3_path") if name in given]
    documents = ("workflow_config", "test_workflow_config", "workflow_config_s3_path")
    configs = [name for name in documents if name in given]
    for names in (states, configs):
        if len(names) > 1:
            message = f"{' and '.join(f'`{name}`' for name in names)} were given for the same thing. Give one."
            problems.append(Problem(path=f"$.{names[-1]}", code="INPUT_CONFLICT", message=message))
    empty = [name for name in configs if given[name] == {}]
    if not configs:
        message = "No workflow document was given. Put it under `workflow_config`, or its pointer under"
        message += " `workflow_config_s3_path`."
        problems.append(Problem(path="$.workflow_config", code="INIT_INVALID_CONFIG", message=message))
    for name in empty:
        message = f"`{name}` is empty. Give a document with `nodes` and `edges`, or a pointer to one."
        problems.append(Problem(path=f"$.{name}", code="INIT_INVALID_CONFIG", message=message))
    return problems


def _show(value: Any) -> str:
    if isinstance(value, str):
        return repr(value) if len(value) <= 60 else f"text of {len(value)} characters"
    return describe_kind(value)


_Check = Callable[[Any], tuple[str, str] | None]


def _text(least: int, most: int) -> _Check:
    allowed = f"text of {least} to {most} characters"

    def check(value: Any) -> tuple[str, str] | None:
        if not isinstance(value, str):
            return "FIELD_TYPE", allowed
        return None if least <= len(value) <= most else ("FIELD_VALUE", allowed)

    return check


def _object(allowed: str) -> _Check:
    def check(value: Any) -> tuple[str, str] | None:
        return None if isinstance(value, dict) else ("FIELD_TYPE", allowed)

    return check


def _check_state_pointer(value: Any) -> tuple[str, str] | None:
    allowed = "a pointer object, or the key of a pointer record"
    if isinstance(value, str):
        return None if value else ("FIELD_VALUE", allowed)
    return None if isinstance(value, dict) else ("FIELD_TYPE", allowed)


def _check_mock_mode(value: Any) -> tuple[str, str] | None:
    if isinstance(value, bool) or value in ("true", "false"):
        return None
    return "FIELD_VALUE" if isinstance(value, str) else "FIELD_TYPE", '"true" or "false"'


def _check_flag(value: Any) -> tuple[str, str] | None:
    return None if isinstance(value, bool) else ("FIELD_TYPE", "true or false, a boolean")


_CHECKS: Mapping[str, _Check] = {
    "ownerId": _text(0, _NAME_LIMIT),
    "workflowId": _text(0, _NAME_LIMIT),
    "user_id": _text(0, _NAME_LIMIT),
    "initial_state": _object("an object of user fields"),
    "initial_state_s3_path": _check_state_pointer,
    "workflow_config": _object("a workflow document, an object"),
    "test_workflow_config": _object("a workflow document, an object"),
    "workflow_config_s3_path": _object("a pointer object"),
    "MOCK_MODE": _check_mock_mode,
    "idempotency_key": _text(1, _KEY_LIMIT),
    "quota_reservation_id": _text(0, _KEY_LIMIT),
    "ALLOW_UNSAFE_EXECUTION": _check_flag,
}
