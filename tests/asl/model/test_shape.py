"""What is no definition at all, and how states are found in one."""

from __future__ import annotations

from typing import Any

import pytest

from asl_compat.model import check_definition, count_states, parse_definition, walk_states
from statebag.errors import InputRefused
from tests.asl.model.building import chain, invoke, machine, mapping


@pytest.mark.parametrize(
    ("raw", "path", "code"),
    [
        ([], "$", "ASL_SHAPE"),
        ({"StartAt": "A"}, "$.States", "ASL_FIELD_MISSING"),
        ({"States": {}}, "$.StartAt", "ASL_FIELD_MISSING"),
        (machine(A=3), "$.States.A", "ASL_SHAPE"),
        (machine(A={"End": True}), "$.States.A", "ASL_FIELD_MISSING"),
        (machine(A={"Type": "Tsak"}), "$.States.A", "ASL_SHAPE"),
        (machine(A={"Type": "Pass", "type": "Task", "Next": 1}), "$.States.A.Next", "ASL_SHAPE"),
        (
            {"StartAt": "A", "States": {"say 'hi'": {"Type": "Pass", "End": "yes"}}},
            r"$.States['say \'hi\''].End",
            "ASL_SHAPE",
        ),
        (chain(invoke(TimeoutSeconds=[])), "$.States.A.TimeoutSeconds", "ASL_SHAPE"),
        (chain(invoke(Retry=[{"MaxAttempts": 1}])), "$.States.A.Retry[0].ErrorEquals", "ASL_FIELD_MISSING"),
        (chain(invoke(Catch=[{"ErrorEquals": ["x"]}])), "$.States.A.Catch[0].Next", "ASL_FIELD_MISSING"),
        (chain(mapping({"States": {}})), "$.States.A.ItemProcessor.StartAt", "ASL_FIELD_MISSING"),
        (chain({"Type": "Choice", "Choices": [{"Not": []}]}), "$.States.A.Choices[0].Not", "ASL_SHAPE"),
        (
            chain({"Type": "Choice", "Choices": [{"And": [{"NumericEquals": "1"}]}]}),
            "$.States.A.Choices[0].And[0].NumericEquals",
            "ASL_SHAPE",
        ),
        (machine(query_language="SQL", A={"Type": "Succeed"}), "$.QueryLanguage", "ASL_SHAPE"),
        (chain({"Type": "Pass", "Result": float("nan")}), "$", "UNSERIALISABLE_FIELD"),
    ],
)
def test_a_misshapen_part_is_refused_with_its_place(raw: Any, path: str, code: str) -> None:
    with pytest.raises(InputRefused) as refused:
        parse_definition(raw)
    assert [(problem.path, problem.code) for problem in refused.value.problems] == [(path, code)]


def test_all_misshapen_parts_are_told_at_once() -> None:
    raw = {"States": {"A": {"Type": "Wait", "Seconds": {}}, "B": {"Type": "Map", "ItemReader": 1}, "C": {"Type": ""}}}
    with pytest.raises(InputRefused) as refused:
        parse_definition(raw)
    found = {problem.path: problem.message for problem in refused.value.problems}
    assert found == {
        "$.StartAt": "`StartAt` is missing. Add it.",
        "$.States.A.Seconds": "`Seconds` is an object. Make it a number or text.",
        "$.States.B.ItemReader": "`ItemReader` is the number 1. Make it an object.",
        "$.States.C": "`C` has the `Type` '', which does not exist. Use one of Task, Pass, Choice, Wait, Succeed, "
        "Fail, Parallel, Map.",
    }


def check(text: str) -> list[tuple[str, str]]:
    return [(problem.path, problem.code) for problem in check_definition(text.encode()).problems]


def test_the_rest_is_checked_in_spite_of_misshapen_parts() -> None:
    found = check(
        """{"StartAt": "A", "States": {
          "A": {"Type": "Task", "Resource": "nowhere", "Retry": [{"BackoffRate": 2}], "Next": 4},
          "B": {"Type": "Cho"},
          "C": {"Type": "Wait", "Next": "B"}
        }}"""
    )
    assert found == [
        ("$.States.A.Next", "ASL_SHAPE"),
        ("$.States.A.Retry[0].ErrorEquals", "ASL_FIELD_MISSING"),
        ("$.States.B", "ASL_SHAPE"),
        ("$.States.A.Resource", "ASL_RESOURCE"),
        ("$.States.C", "ASL_FIELD_MISSING"),
    ]


def test_a_key_that_is_there_twice_is_told() -> None:
    found = check('{"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": [{"x": 1, "x": 2}], "End": true}}}')
    assert found == [("$.States.A.Result[0].x", "ASL_KEY_DUPLICATE")]


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (b'{"StartAt": "A",\n }', "line 2, column 2"),
        (b"", "line 1, column 1"),
        (b'{\n"a": "\xff"}', "byte 0xff is not UTF-8 at line 2, column 7"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b"[" * 100_000, "recursion"),
    ],
)
def test_what_is_not_json_is_refused_with_its_place(data: bytes, where: str) -> None:
    with pytest.raises(InputRefused) as refused:
        check_definition(data)
    assert refused.value.code == "ASL_NOT_JSON"
    assert where in refused.value.problems[0].message


def test_a_byte_order_mark_is_no_mistake() -> None:
    assert check_definition(b'\xef\xbb\xbf{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}').valid


def test_states_inside_of_others_are_walked_and_counted() -> None:
    inside = chain({"Type": "Parallel", "Branches": [chain({"Type": "Pass"}), chain({"Type": "Succeed"})]})
    definition = parse_definition(chain(mapping(inside, mode="DISTRIBUTED"), {"Type": "Wait", "Seconds": 1}))
    found = [(place.path, place.name, place.depth) for place in walk_states(definition)]
    assert found == [
        ("$.States.A", "A", 0),
        ("$.States.B", "B", 0),
        ("$.States.A.ItemProcessor.States.A", "A", 1),
        ("$.States.A.ItemProcessor.States.A.Branches[0].States.A", "A", 2),
        ("$.States.A.ItemProcessor.States.A.Branches[1].States.A", "A", 2),
    ]
    assert [place.machine.states[place.name] is place.state for place in walk_states(definition)] == [True] * 5
    assert count_states(definition) == (5, 2)


def test_the_query_language_is_that_of_what_a_state_stands_in() -> None:
    raw = machine(A=mapping(QueryLanguage="JSONata", End=True), B={"Type": "Pass", "QueryLanguage": "JSONata"})
    found = {place.path: (place.language, place.language_sure) for place in walk_states(parse_definition(raw))}
    assert found == {
        "$.States.A": ("JSONata", True),
        "$.States.B": ("JSONata", True),
        "$.States.A.ItemProcessor.States.A": ("JSONata", False),
    }
