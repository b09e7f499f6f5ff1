"""Parsing and printing lose nothing."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from asl_compat.model import FIELD_ORDER, OPERATORS, parse_definition, print_definition, to_json
from tests.asl.model.building import chain, invoke, machine, mapping

TEXT = st.text(max_size=8)
NUMBER = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.just(10**40)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
# Names of attributes, of fields of other objects, and any: what can be taken for a known field.
UNKNOWN = TEXT | st.sampled_from(["comment", "next", "and_", "_names", "model_extra", "Seconds", "Type ", "States.x"])
OTHERS = ("", "Seconds")
"""Names that stand in the printing order and are fields of nothing that is made here."""
NAMES = st.lists(TEXT, max_size=3)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with any of the fields, and any unknown ones, in any order."""
    known = st.fixed_dictionaries({}, optional=fields)
    unknown = st.dictionaries(UNKNOWN.filter(lambda name: name not in FIELD_ORDER or name in OTHERS), JSON, max_size=2)
    return st.builds(lambda one, two: one | two, known, unknown).flatmap(
        lambda made: st.permutations(list(made.items())).map(dict)
    )


def with_fields(made: st.SearchStrategy[dict[str, Any]], **fields: Any) -> st.SearchStrategy[dict[str, Any]]:
    return made.map(lambda one: one | fields)


NULL = st.none()
RETRIER = with_fields(some(IntervalSeconds=NUMBER | NULL, BackoffRate=NUMBER, JitterStrategy=TEXT), ErrorEquals=["a"])
CATCHER = st.builds(
    lambda one, names: one | {"Next": "x", "ErrorEquals": names}, some(ResultPath=TEXT | NULL, Output=JSON), NAMES
)
OPERAND = {name: TEXT for name in OPERATORS.values() if name.startswith("String") or name.endswith("Path")}
OPERAND |= {"IsPresent": st.booleans(), "NumericEquals": NUMBER, "BooleanEqualsPath": TEXT}
RULE = st.recursive(
    some(Variable=TEXT, Next=TEXT, Condition=st.booleans() | TEXT, Output=JSON, **OPERAND),
    lambda inner: some(And=st.lists(inner, max_size=2), Or=st.lists(inner, max_size=2), Not=inner, Next=TEXT),
    max_leaves=3,
)
DATA: dict[str, st.SearchStrategy[Any]] = {
    "Comment": TEXT | NULL,
    "InputPath": TEXT | NULL,
    "ResultPath": TEXT | NULL,
    "Parameters": JSON,
    "Assign": st.dictionaries(TEXT, JSON, max_size=2) | TEXT,
    "Output": JSON,
    "Next": TEXT,
    "End": st.booleans(),
}
FALLIBLE = DATA | {"Retry": st.lists(RETRIER, max_size=2), "Catch": st.lists(CATCHER, max_size=2)}
LEAVES = (
    with_fields(some(TimeoutSeconds=NUMBER | TEXT, Resource=TEXT, Arguments=JSON, **FALLIBLE), Type="Task")
    | with_fields(some(Result=JSON, **DATA), Type="Pass")
    | with_fields(some(Choices=st.lists(RULE, max_size=2), Default=TEXT), Type="Choice")
    | with_fields(some(Cause=TEXT | NULL, ErrorPath=TEXT), Type="Fail")
)


def machines(states: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    made = some(Comment=TEXT, QueryLanguage=st.sampled_from(["JSONPath", "JSONata", None]))
    return st.builds(
        lambda one, start, inside: one | {"StartAt": start, "States": inside},
        made,
        TEXT,
        st.dictionaries(TEXT, states, max_size=3),
    )


READER = some(Resource=TEXT, Parameters=JSON, ReaderConfig=some(CSVHeaders=NAMES, MaxItems=NUMBER | TEXT))
STATES = st.recursive(
    LEAVES,
    lambda inner: (
        with_fields(some(Branches=st.lists(machines(inner), max_size=2), **FALLIBLE), Type="Parallel")
        | with_fields(
            some(ItemProcessor=machines(inner), Items=JSON, ItemReader=READER, Label=TEXT, **FALLIBLE), Type="Map"
        )
    ),
    max_leaves=4,
)


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal, and of equal types."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(same(*pair) for pair in zip(one, other, strict=True))
    return one == other


@given(machines(STATES))
def test_any_definition_is_printed_as_it_was_parsed(raw: dict[str, Any]) -> None:
    definition = parse_definition(raw)
    printed = print_definition(definition)
    assert same(json.loads(printed), raw)
    again = parse_definition(json.loads(printed))
    assert again == definition
    assert print_definition(again) == printed
    assert list(json.loads(printed)["States"]) == list(raw["States"])


@given(JSON)
def test_payloads_keep_their_order(payload: Any) -> None:
    raw = chain(invoke(Parameters=payload, Odd=payload), {"Type": "Pass", "Result": payload})
    printed = json.loads(print_definition(parse_definition(raw)))["States"]
    for found in (printed["A"]["Parameters"], printed["A"]["Odd"], printed["B"]["Result"]):
        assert json.dumps(found) == json.dumps(payload)


def test_an_attribute_is_not_taken_for_a_field() -> None:
    definition = parse_definition(machine(A={"Type": "Pass", "comment": 1, "End": True}))
    state = definition.states["A"]
    assert (state.comment, state.has("comment"), state.unknown) == (None, False, {"comment": 1})


def test_null_is_not_absent() -> None:
    first, second = parse_definition(chain({"Type": "Pass", "ResultPath": None}, {"Type": "Pass"})).states.values()
    assert (first.has("result_path"), second.has("result_path")) == (True, False)
    assert to_json(first) == {"Type": "Pass", "ResultPath": None, "Next": "B"}


def test_fields_are_printed_in_the_order_of_the_language() -> None:
    raw = {
        "States": {
            "Z": {"Next": "A", "Odd": 1, "Retry": [{"MaxAttempts": 1, "ErrorEquals": ["x"]}], **invoke(Comment="c")},
            "A": {"End": True, "Type": "Pass", "Assign": {}, "More": 2},
        },
        "TimeoutSeconds": 3,
        "StartAt": "Z",
        "Comment": "all",
    }
    assert print_definition(parse_definition(raw)) == (
        """{
  "Comment": "all",
  "TimeoutSeconds": 3,
  "StartAt": "Z",
  "States": {
    "Z": {
      "Comment": "c",
      "Type": "Task",
      "Resource": "arn:aws:states:::lambda:invoke",
      "Parameters": {
        "FunctionName": "f"
      },
      "Retry": [
        {
          "ErrorEquals": [
            "x"
          ],
          "MaxAttempts": 1
        }
      ],
      "Odd": 1,
      "Next": "A"
    },
    "A": {
      "Type": "Pass",
      "Assign": {},
      "More": 2,
      "End": true
    }
  }
}
"""
    )


def test_parts_are_printed_alone() -> None:
    state = parse_definition(chain(mapping(MaxConcurrency=2))).states["A"]
    assert to_json(state) == chain(mapping(MaxConcurrency=2))["States"]["A"]
