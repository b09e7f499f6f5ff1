"""JSON values as definitions, or all that keeps them from being one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from asl_compat.model._place import place
from asl_compat.model._states import Definition
from statebag.canonical import canonical_bytes
from statebag.errors import InputRefused, Problem, Unserialisable

__all__ = ["Step", "find_shape_problems", "parse_definition"]

Step = str | int
_KINDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}
_TYPES = "Task, Pass, Choice, Wait, Succeed, Fail, Parallel, Map"


def parse_definition(raw: Any) -> Definition:
    """Read a definition.

    Args:
        raw: A JSON value.

    Raises:
        InputRefused: it is not shaped as a definition; with every place where it is not.
    """
    try:
        canonical_bytes(raw)
    except Unserialisable as cause:
        raise InputRefused([Problem(path="$", code=cause.code, message=cause.message)], what="definition") from cause
    try:
        return Definition.model_validate(raw)
    except ValidationError as cause:
        problems = [problem for _, problem in _tell(raw, cause)]
        raise InputRefused(problems, what="definition") from cause


def find_shape_problems(raw: Any) -> list[tuple[tuple[Step, ...], Problem]]:
    """What keeps ``raw`` from being a definition: the steps that lead there, and the problem."""
    try:
        Definition.model_validate(raw)
    except ValidationError as refused:
        return _tell(raw, refused)
    return []


def _tell(raw: Any, refused: ValidationError) -> list[tuple[tuple[Step, ...], Problem]]:
    grouped: dict[tuple[Step, ...], list[ErrorDetails]] = {}
    for error in refused.errors(include_url=False):
        grouped.setdefault(_steps(raw, error["loc"], missing=error["type"] == "missing"), []).append(error)
    return [(steps, _explain(place(steps), steps, errors)) for steps, errors in grouped.items()]


def _steps(raw: Any, location: Iterable[Step], *, missing: bool) -> tuple[Step, ...]:
    """The steps through ``raw``; a location of pydantic also names members of unions, which are no steps."""
    steps: list[Step] = []
    todo = list(location)
    value = raw
    while todo:
        step = todo.pop(0)
        if _leads(value, step):
            steps.append(step)
            value = value[step]
            if len(steps) >= 2 and steps[-2] == "States" and todo:
                todo.pop(0)  # the type of the state
        elif missing and not todo:
            steps.append(step)
    return tuple(steps)


def _leads(value: Any, step: Step) -> bool:
    if isinstance(step, int):
        return isinstance(value, list)
    return isinstance(value, Mapping) and step in cast("Mapping[str, Any]", value)


def _explain(path: str, steps: Sequence[Step], errors: Sequence[ErrorDetails]) -> Problem:
    first = errors[0]
    name = f"`{steps[-1]}`" if steps and isinstance(steps[-1], str) else "this item" if steps else "the definition"
    given = _kind_of(first["input"])
    match first["type"]:
        case "missing":
            return Problem(path=path, code="ASL_FIELD_MISSING", message=f"{name} is missing. Add it.")
        case "union_tag_invalid" | "union_tag_not_found":
            if not isinstance(first["input"], Mapping):
                return Problem(path=path, code="ASL_SHAPE", message=f"{name} is {given}. Make it an object.")
            raw = cast("Mapping[str, Any]", first["input"])
            if "Type" not in raw:
                message = f"{name} has no `Type`. Give it one of {_TYPES}."
                return Problem(path=path, code="ASL_FIELD_MISSING", message=message)
            message = f"{name} has the `Type` {raw['Type']!r}, which does not exist. Use one of {_TYPES}."
            return Problem(path=path, code="ASL_SHAPE", message=message)
        case "literal_error":
            allowed = str(first.get("ctx", {}).get("expected", "")).replace("'", "")
            message = f"{name} is {first['input']!r}. Use {allowed}."
            return Problem(path=path, code="ASL_SHAPE", message=message)
        case _:
            wanted = list(dict.fromkeys(_KINDS.get(error["type"], error["msg"]) for error in errors))
            if wanted[:2] == ["a whole number", "a number"]:
                wanted = wanted[1:]
            message = f"{name} is {given}. Make it {' or '.join(wanted)}."
            return Problem(path=path, code="ASL_SHAPE", message=message)


def _kind_of(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {value}"
        case str():
            return "text"
        case list():
            return "a list"
        case _:
            return "an object"
