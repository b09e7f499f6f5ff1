"""Definitions as JSON again, every field and value as it came."""

from __future__ import annotations

import json
from typing import Any, cast

from asl_compat.model._base import AslModel
from asl_compat.model._choice import OPERATORS
from asl_compat.model._states import Definition

__all__ = ["FIELD_ORDER", "print_definition", "to_json"]

FIELD_ORDER = (
    "Comment",
    "Type",
    "QueryLanguage",
    "Version",
    "TimeoutSeconds",
    "TimeoutSecondsPath",
    "HeartbeatSeconds",
    "HeartbeatSecondsPath",
    "ProcessorConfig",
    "Mode",
    "ExecutionType",
    "StartAt",
    "Resource",
    "Credentials",
    "InputPath",
    "Result",
    "Seconds",
    "SecondsPath",
    "Timestamp",
    "TimestampPath",
    "Error",
    "ErrorPath",
    "Cause",
    "CausePath",
    "Label",
    "Items",
    "ItemsPath",
    "ItemReader",
    "ReaderConfig",
    "InputType",
    "CSVHeaderLocation",
    "CSVHeaders",
    "CSVDelimiter",
    "ItemsPointer",
    "ManifestType",
    "Transformation",
    "OutputType",
    "MaxItems",
    "MaxItemsPath",
    "ItemSelector",
    "Parameters",
    "Arguments",
    "ItemBatcher",
    "BatchInput",
    "MaxItemsPerBatch",
    "MaxItemsPerBatchPath",
    "MaxInputBytesPerBatch",
    "MaxInputBytesPerBatchPath",
    "MaxConcurrency",
    "MaxConcurrencyPath",
    "ToleratedFailurePercentage",
    "ToleratedFailurePercentagePath",
    "ToleratedFailureCount",
    "ToleratedFailureCountPath",
    "Branches",
    "ItemProcessor",
    "Iterator",
    "ResultWriter",
    "WriterConfig",
    "States",
    "Condition",
    "Variable",
    *OPERATORS.values(),
    "And",
    "Or",
    "Not",
    "Choices",
    "ErrorEquals",
    "IntervalSeconds",
    "MaxAttempts",
    "BackoffRate",
    "MaxDelaySeconds",
    "JitterStrategy",
    "ResultSelector",
    "ResultPath",
    "OutputPath",
    "Output",
    "Assign",
    "Retry",
    "Catch",
    "",
    "Default",
    "Next",
    "End",
)
"""The order in which the fields of the language are printed: what something is, what it takes, what it does, what it
gives, and where it leads last. The empty name stands for unknown fields, which keep the order they came in."""

_RANK = {name: rank for rank, name in enumerate(FIELD_ORDER)}


def to_json(definition: AslModel) -> dict[str, Any]:
    """The JSON object that the definition, or a part of it, was parsed from, its fields in printing order.

    Payloads are the very objects that were parsed, not copies.
    """
    known = {definition.name_of(attribute): _value(value) for attribute, value in definition.written.items()}
    fields = [(name, known[name]) for name in known] + list(definition.unknown.items())
    fields.sort(key=lambda field: _RANK[field[0] if field[0] in known else ""])
    return dict(fields)


def print_definition(definition: Definition) -> str:
    """The definition as JSON text, indented by two spaces, with a line break at its end."""
    return json.dumps(to_json(definition), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _value(value: Any) -> Any:
    # A payload holds no model, so that this ends where payloads begin.
    if isinstance(value, AslModel):
        return to_json(value)
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return [to_json(item) for item in items] if items and isinstance(items[0], AslModel) else items
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        first = next(iter(members.values()), None)
        return {key: to_json(item) for key, item in members.items()} if isinstance(first, AslModel) else members
    return value
