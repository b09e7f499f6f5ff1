"""Fields of the query language that does not hold where they stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from asl_compat.model._choice import ChoiceRule
from asl_compat.model._parts import Part
from asl_compat.model._walking import StatePlace
from statebag.errors import Problem

__all__ = ["check_language", "check_state_language"]

_PATH_ONLY: Mapping[str, str] = {
    "input_path": "Use `$states.input` in its expressions.",
    "output_path": "Use `Output`.",
    "result_path": "Use `Output` or `Assign`.",
    "result_selector": "Use `Output`.",
    "parameters": "Use `Arguments`, or `Output` in a Pass and `ItemSelector` in a Map.",
    "result": "Use `Output`.",
    "items_path": "Use `Items`.",
    "variable": "Use `Condition`.",
    "and_": "Use `and` in the `Condition`.",
    "or_": "Use `or` in the `Condition`.",
    "not_": "Use `$not()` in the `Condition`.",
}
_JSONATA_ONLY: Mapping[str, str] = {
    "arguments": "Use `Parameters`.",
    "output": "Use `ResultSelector`, `ResultPath` or `OutputPath`.",
    "items": "Use `ItemsPath`.",
    "condition": "Use `Variable` with a comparison.",
}


def check_language(found: StatePlace, part: Part) -> Iterator[Problem]:
    """Fields of one object that the state's query language does not have."""
    if not found.language_sure:
        return
    wrong = _JSONATA_ONLY if found.language == "JSONPath" else _PATH_ONLY
    other = "JSONata" if found.language == "JSONPath" else "JSONPath"
    for attribute in part.model.written:
        name = part.model.name_of(attribute)
        hint = wrong.get(attribute)
        if (
            hint is None
            and other == "JSONPath"
            and attribute.endswith("_path")
            and not isinstance(part.model, ChoiceRule)
        ):
            hint = f"Write an expression in `{name.removesuffix('Path')}`."
        if hint is not None:
            message = f"`{name}` is of {other}, and this state uses {found.language}. {hint}"
            yield Problem(path=part.at(attribute), code="ASL_QUERY_LANGUAGE", message=message)


def check_state_language(found: StatePlace, whole: str) -> Iterator[Problem]:
    """That no state goes back to JSONPath in a definition that uses JSONata."""
    if whole == "JSONata" and found.state.query_language == "JSONPath":
        message = "The definition uses JSONata, and this state JSONPath. Set `QueryLanguage` on single states only."
        yield Problem(path=f"{found.path}.QueryLanguage", code="ASL_QUERY_LANGUAGE", message=message)
