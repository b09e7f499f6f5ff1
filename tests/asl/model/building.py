"""Small definitions for tests."""

from __future__ import annotations

from typing import Any

from asl_compat.model import parse_definition, validate_definition


def machine(*, query_language: str | None = None, **states: Any) -> dict[str, Any]:
    """A definition that starts with the first of the states; where one names no way on, it ends there."""
    language = {} if query_language is None else {"QueryLanguage": query_language}
    return {**language, "StartAt": next(iter(states), ""), "States": states}


def chain(*states: dict[str, Any]) -> dict[str, Any]:
    """States A, B, C …, each leading to the next, the last to the end."""
    names = [chr(ord("A") + index) for index in range(len(states))]
    ends: list[dict[str, Any]] = [*({"Next": name} for name in names[1:]), {"End": True}]
    made: dict[str, Any] = {}
    for name, state, end in zip(names, states, ends, strict=True):
        made[name] = state if state["Type"] in ("Choice", "Succeed", "Fail") else state | end
    return machine(**made)


def invoke(**fields: Any) -> dict[str, Any]:
    """A Task that calls a Lambda function."""
    task = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f"}}
    return task | fields


def mapping(processor: dict[str, Any] | None = None, *, mode: str = "INLINE", **fields: Any) -> dict[str, Any]:
    """A Map over the items of its input."""
    inside = chain({"Type": "Pass"}) if processor is None else processor
    config = {"Mode": mode} | ({"ExecutionType": "STANDARD"} if mode == "DISTRIBUTED" else {})
    return {"Type": "Map", "ItemProcessor": {"ProcessorConfig": config, **inside}} | fields


def told(raw: Any, *, express: bool = False) -> list[tuple[str, str]]:
    """Place and code of each problem of a definition."""
    found = validate_definition(parse_definition(raw), express=express)
    return [(problem.path, problem.code) for problem in found]
