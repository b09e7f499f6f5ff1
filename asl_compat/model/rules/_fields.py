"""Fields that a state has or lacks, and the ranges of their values."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from asl_compat.model._choice import ChoiceRule
from asl_compat.model._parts import Part, has_placeholder, is_jsonata, is_timestamp
from asl_compat.model._place import at
from asl_compat.model._states import Choice, Fail, Succeed, Task, Wait
from asl_compat.model._walking import StatePlace
from statebag.errors import Problem

__all__ = ["check_part", "check_transition", "check_wait"]

_LONGEST = 99_999_999
_RANGES: Mapping[str, tuple[float, float | None, bool]] = {
    "timeout_seconds": (1, _LONGEST, True),
    "heartbeat_seconds": (1, _LONGEST, True),
    "seconds": (0, _LONGEST, True),
    "max_concurrency": (0, None, True),
    "tolerated_failure_percentage": (0, 100, False),
    "tolerated_failure_count": (0, None, True),
    "max_items": (0, 100_000_000, True),
    "max_items_per_batch": (1, None, True),
    "max_input_bytes_per_batch": (1, 262_144, True),
    "interval_seconds": (1, _LONGEST, True),
    "max_attempts": (0, _LONGEST, True),
    "backoff_rate": (1, None, False),
    "max_delay_seconds": (1, 31_622_399, True),
}
"""Attribute to the least and the greatest value, and whether it is a whole number."""
_OF_RETRIERS = frozenset({"interval_seconds", "max_attempts", "backoff_rate", "max_delay_seconds"})
_WORDS: Mapping[str, tuple[str, ...]] = {
    "mode": ("INLINE", "DISTRIBUTED"),
    "execution_type": ("STANDARD", "EXPRESS"),
    "input_type": ("CSV", "JSON", "JSONL", "PARQUET", "MANIFEST"),
    "csv_header_location": ("FIRST_ROW", "GIVEN"),
    "csv_delimiter": ("COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB"),
    "manifest_type": ("ATHENA_DATA", "S3_INVENTORY"),
    "transformation": ("NONE", "COMPACT", "FLATTEN", "LOAD_AND_FLATTEN"),
    "output_type": ("JSON", "JSONL"),
    "jitter_strategy": ("FULL", "NONE"),
    "version": ("1.0",),
}
_NULLABLE = frozenset({"input_path", "output_path", "result_path"})
_NO_PAIR = frozenset({"result", "output", "items"})
"""Fields whose name with ``Path`` means something else, or is of the other query language."""


def check_part(part: Part) -> Iterator[Problem]:
    """Unknown fields, nulls, values out of range, and fields that exclude each other, of one object."""
    model = part.model
    yield from _report_unknown(part)
    for attribute, value in model.written.items():
        path = part.at(attribute)
        if value is None and attribute not in _NULLABLE and type(model).model_fields[attribute].annotation is not Any:
            message = f"`{model.name_of(attribute)}` is null. Give it a value, or remove it."
            yield Problem(path=path, code="ASL_FIELD_VALUE", message=message)
        elif attribute in _RANGES and isinstance(value, int | float):
            yield from _check_range(path, attribute, model.name_of(attribute), value)
        elif attribute in _RANGES and isinstance(value, str) and not is_jsonata(value) and not has_placeholder(value):
            message = f"`{model.name_of(attribute)}` is text. Make it a number."
            yield Problem(path=path, code="ASL_FIELD_VALUE", message=message)
        elif attribute in _WORDS and isinstance(value, str) and not has_placeholder(value):
            yield from _check_word(path, attribute, model.name_of(attribute), value)
    if not isinstance(model, ChoiceRule | Wait):
        yield from _check_pairs(part)
    if isinstance(model, Task):
        yield from _check_heartbeat(part, model)


def _report_unknown(part: Part) -> Iterator[Problem]:
    """Fields that the language does not have there."""
    kind = type(part.model).__name__
    known = [field.alias or name for name, field in type(part.model).model_fields.items()]
    for name in part.model.unknown:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean `{near[0]}`?" if near else "Remove it."
        message = f"`{name}` is no field of a {kind}. {hint}"
        yield Problem(path=at(part.path, name), code="ASL_FIELD_UNKNOWN", message=message)


def check_transition(found: StatePlace) -> Iterator[Problem]:
    """That a state either leads on or ends its machine."""
    state = found.state
    if isinstance(state, Choice | Succeed | Fail):
        return
    if state.next is not None and state.end is True:
        message = "This state has both `Next` and `End: true`. Keep one of them."
        yield Problem(path=found.path, code="ASL_FIELD_CONFLICT", message=message)
    elif state.next is None and state.end is not True and not state.has("next"):
        message = "This state has neither `Next` nor `End: true`. Add one of them."
        yield Problem(path=found.path, code="ASL_FIELD_MISSING", message=message)


def check_wait(found: StatePlace) -> Iterator[Problem]:
    """That a Wait state knows how long, once."""
    if not isinstance(found.state, Wait):
        return
    names = ("seconds", "seconds_path", "timestamp", "timestamp_path")
    given = [Wait.name_of(name) for name in names if found.state.has(name)]
    if not given:
        message = "This Wait has no `Seconds`, `SecondsPath`, `Timestamp` or `TimestampPath`. Add one of them."
        yield Problem(path=found.path, code="ASL_FIELD_MISSING", message=message)
    elif len(given) > 1:
        message = f"This Wait has {' and '.join(f'`{name}`' for name in given)}. Keep one of them."
        yield Problem(path=found.path, code="ASL_FIELD_CONFLICT", message=message)
    time = found.state.timestamp
    if time is not None and not is_timestamp(time) and not is_jsonata(time) and not has_placeholder(time):
        message = f"`Timestamp` is {time!r}, which is no time such as 2030-01-31T12:00:00Z. Correct it."
        yield Problem(path=at(found.path, "Timestamp"), code="ASL_FIELD_VALUE", message=message)


def _check_range(path: str, attribute: str, name: str, value: float) -> Iterator[Problem]:
    low, high, whole = _RANGES[attribute]
    code = "ASL_RETRY" if attribute in _OF_RETRIERS else "ASL_FIELD_VALUE"
    wanted = f"{low:g} or more" if high is None else f"{low:g} to {high:.0f}"
    if value < low or (high is not None and value > high):
        yield Problem(path=path, code=code, message=f"`{name}` is {value}. Make it {wanted}.")
    elif whole and value != int(value):
        yield Problem(path=path, code=code, message=f"`{name}` is {value}. Make it a whole number.")


def _check_word(path: str, attribute: str, name: str, value: str) -> Iterator[Problem]:
    if value not in _WORDS[attribute] and not is_jsonata(value):
        code = "ASL_RETRY" if attribute == "jitter_strategy" else "ASL_FIELD_VALUE"
        yield Problem(path=path, code=code, message=f"`{name}` is {value!r}. Use {' or '.join(_WORDS[attribute])}.")


def _check_pairs(part: Part) -> Iterator[Problem]:
    for attribute in part.model.written:
        other = f"{attribute}_path"
        if attribute not in _NO_PAIR and other in type(part.model).model_fields and part.model.has(other):
            one, two = part.model.name_of(attribute), part.model.name_of(other)
            message = f"There are both `{one}` and `{two}`. Keep one of them."
            yield Problem(path=part.path, code="ASL_FIELD_CONFLICT", message=message)


def _check_heartbeat(part: Part, task: Task) -> Iterator[Problem]:
    beat, limit = task.heartbeat_seconds, task.timeout_seconds
    if isinstance(beat, int | float) and isinstance(limit, int | float) and beat >= limit:
        message = f"`HeartbeatSeconds` is {beat}, which is not less than the `TimeoutSeconds` of {limit}. Lower it."
        yield Problem(path=part.at("heartbeat_seconds"), code="ASL_FIELD_VALUE", message=message)
