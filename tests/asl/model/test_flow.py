"""Paths that read what is not there, and those that only may."""

from __future__ import annotations

from typing import Any

import pytest

from tests.asl.model.building import chain, invoke, machine, mapping, told

DONE = {"Type": "Succeed"}
MAKES_X = {"Type": "Pass", "Parameters": {"x.$": "$.anything"}}
LOOKS_UP = {"Type": "Task", "Resource": "arn:aws:states:::dynamodb:getItem", "Parameters": {"TableName": "t"}}
BAG = {"ResultSelector": {"bag.$": "$.Payload"}, "ResultPath": "$"}


def reads(path: str) -> dict[str, Any]:
    return {"Type": "Pass", "Parameters": {"r.$": path}}


def choice(*rules: dict[str, Any], default: str = "Read") -> dict[str, Any]:
    return {"Type": "Choice", "Choices": list(rules), "Default": default}


def present(path: str = "$.err", held: bool = True, **more: Any) -> dict[str, Any]:
    return {"Variable": path, "IsPresent": held, **more}


HERE = "$.States.B.Parameters['r.$']"


@pytest.mark.parametrize(
    ("first", "path", "code"),
    [
        # What the document is replaced by.
        (MAKES_X, "$.x", ""),
        (MAKES_X, "$.x.anything[0]", ""),
        (MAKES_X, "$.y", "ASL_PATH_UNRESOLVED"),
        (MAKES_X, "States.Format('{}', $.y)", "ASL_PATH_UNRESOLVED"),
        (MAKES_X, "$['y']", "ASL_PATH_UNRESOLVED"),
        (MAKES_X, "$..y", ""),
        (MAKES_X, "$.y[*]", "ASL_PATH_UNRESOLVED"),
        (MAKES_X, "$$.y", ""),
        (MAKES_X, "$y", ""),
        ({**MAKES_X, "ResultPath": "$.z"}, "$.y", ""),
        ({**MAKES_X, "ResultPath": "$.z"}, "$.z.x", ""),
        ({**MAKES_X, "ResultPath": None}, "$.y", ""),
        ({**MAKES_X, "OutputPath": "$.x"}, "$.y", ""),
        ({**MAKES_X, "OutputPath": None}, "$.x", "ASL_PATH_UNRESOLVED"),
        ({"Type": "Pass", "Result": {"a": {"b": 1}, "c": [1]}}, "$.a.b", ""),
        ({"Type": "Pass", "Result": {"a": {"b": 1}, "c": [1]}}, "$.a.c", "ASL_PATH_UNRESOLVED"),
        ({"Type": "Pass", "Result": {"a": {"b": 1}, "c": [1]}}, "$.a.b.c", "ASL_PATH_UNRESOLVED"),
        ({"Type": "Pass", "Result": {"a": {"b": 1}, "c": [1]}}, "$.c[0].d", ""),
        ({"Type": "Pass", "Result": {"a.$": "$.x"}}, "$.a", "ASL_PATH_UNRESOLVED"),
        ({"Type": "Pass"}, "$.y", ""),
        ({"Type": "Pass", "InputPath": None}, "$.y", "ASL_PATH_UNRESOLVED"),
        (LOOKS_UP, "$.y", ""),
        (invoke(), "$.Payload.y", ""),
        (invoke(), "$.y", "ASL_PATH_UNRESOLVED"),
        (invoke(Resource="arn:aws:lambda:eu-west-1:123456789012:function:f"), "$.y", ""),
        (invoke(**BAG), "$.bag.y", ""),
        (invoke(**BAG), "$.y", "ASL_PATH_UNRESOLVED"),
        (invoke(ResultSelector={"bag.$": "$.Payload"}), "$.y", "ASL_PATH_UNRESOLVED"),
        (invoke(**BAG | {"ResultPath": "$.r"}), "$.y", ""),
        (mapping(machine(C=DONE), ResultSelector={"all.$": "$"}), "$.all[0].x", ""),
        (mapping(machine(C=DONE), ResultSelector={"all.$": "$"}), "$.some", "ASL_PATH_UNRESOLVED"),
    ],
)
def test_what_a_state_leaves_is_all_that_the_next_can_read(first: dict[str, Any], path: str, code: str) -> None:
    assert told(chain(first, reads(path))) == ([(HERE, code)] if code else [])


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"Type": "Wait", "SecondsPath": "$.y"}, "SecondsPath"),
        ({"Type": "Wait", "Seconds": 1, "OutputPath": "$.y"}, "OutputPath"),
        ({"Type": "Succeed", "InputPath": "$.y"}, "InputPath"),
        ({"Type": "Fail", "CausePath": "States.Format('{}', $.y)"}, "CausePath"),
        (invoke(TimeoutSecondsPath="$.y"), "TimeoutSecondsPath"),
        (invoke(Credentials={"RoleArn.$": "$.y"}), "Credentials['RoleArn.$']"),
        (invoke(ResultSelector={"r.$": "$.payload.y"}), "ResultSelector['r.$']"),
        (mapping(machine(C=DONE), ItemsPath="$.y"), "ItemsPath"),
        (mapping(machine(C=DONE), MaxConcurrencyPath="$.y"), "MaxConcurrencyPath"),
        (mapping(machine(C=DONE), ItemSelector={"i.$": "$.y"}), "ItemSelector['i.$']"),
    ],
)
def test_every_field_that_reads_is_followed(fields: dict[str, Any], path: str) -> None:
    assert told(chain(MAKES_X, fields)) == [(f"$.States.B.{path}", "ASL_PATH_UNRESOLVED")]


def test_a_choice_reads_what_it_compares() -> None:
    rule = {"Variable": "$.y", "StringEqualsPath": "$.z", "Next": "B"}
    raw = machine(A={**MAKES_X, "Next": "C"}, C=choice(rule, default="B"), B=DONE)
    assert told(raw) == [
        ("$.States.C.Choices[0].Variable", "ASL_PATH_UNRESOLVED"),
        ("$.States.C.Choices[0].StringEqualsPath", "ASL_PATH_UNRESOLVED"),
    ]


def two_ways(last: dict[str, Any], **between: Any) -> dict[str, Any]:
    """A bag, with ``err`` beside it on one of two ways to what is between."""
    catch = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.err", "Next": "Join"}]
    return machine(
        Begin=invoke(**BAG, Next="Try"),
        Try=invoke(ResultPath=None, Catch=catch, Next="Join"),
        Join={"Type": "Pass", "Next": next(iter(between), "Read")},
        **between,
        Read={**last, "End": True},
    )


def test_what_only_one_way_provides_is_a_warning() -> None:
    assert told(two_ways(reads("$.bag"))) == []
    assert told(two_ways(reads("$.err.Cause"))) == [("$.States.Read.Parameters['r.$']", "ASL_PATH_UNCERTAIN")]
    assert told(two_ways(reads("$.err.Message"))) == [("$.States.Read.Parameters['r.$']", "ASL_PATH_UNRESOLVED")]
    assert told(two_ways(reads("$.other"))) == [("$.States.Read.Parameters['r.$']", "ASL_PATH_UNRESOLVED")]


@pytest.mark.parametrize(
    ("rules", "default", "sure"),
    [
        ([present(Next="Read")], "Other", True),
        ([present(held=False, Next="Other")], "Read", True),
        ([{"Not": present(held=False), "Next": "Read"}], "Other", True),
        ([{"Not": present(), "Next": "Other"}], "Read", True),
        ([{"And": [present(), {"Variable": "$.bag", "IsNull": False}], "Next": "Read"}], "Other", True),
        ([{"And": [present(), {"Variable": "$.err.Error", "StringEquals": "x"}], "Next": "Read"}], "Other", True),
        (
            [{"Or": [present(held=False), {"Variable": "$.err.Error", "StringEquals": "x"}], "Next": "Other"}],
            "Read",
            True,
        ),
        ([present("$.err.Cause", Next="Read")], "Other", True),
        ([{"Or": [present(), {"Variable": "$.bag", "IsNull": True}], "Next": "Read"}], "Other", False),
        ([{"And": [present(), {"Variable": "$.bag", "IsNull": True}], "Next": "Other"}], "Read", False),
        ([present("$.bag", Next="Read")], "Other", False),
    ],
)
def test_a_test_for_presence_makes_a_path_sure(rules: list[dict[str, Any]], default: str, sure: bool) -> None:
    raw = two_ways(reads("$.err.Cause"), Ask=choice(*rules, default=default), Other=DONE)
    assert told(raw) == ([] if sure else [("$.States.Read.Parameters['r.$']", "ASL_PATH_UNCERTAIN")])


def test_what_a_test_has_ruled_out_is_not_there() -> None:
    raw = two_ways(reads("$.err"), Ask=choice(present(Next="Other")), Other=DONE)
    assert told(raw) == [("$.States.Read.Parameters['r.$']", "ASL_PATH_UNRESOLVED")]


def test_a_comparison_is_told_unless_a_test_stands_before_it() -> None:
    after = {"Variable": "$.err.Error", "StringEquals": "x"}
    raw = two_ways(reads("$"), Ask=choice({"And": [after, present()], "Next": "Other"}), Other=DONE)
    assert told(raw) == [("$.States.Ask.Choices[0].And[0].Variable", "ASL_PATH_UNCERTAIN")]


def test_a_loop_is_followed_until_nothing_changes() -> None:
    again = choice({"Variable": "$.n", "NumericLessThan": 3, "Next": "Nest"}, default="Read")
    nest = {"Type": "Pass", "Parameters": {"n": 1, "before.$": "$"}, "Next": "Again"}
    raw = machine(Nest=nest, Again=again, Read={**reads("$.before.before.before"), "End": True})
    assert told(raw) == []
    raw["States"]["Read"] = {**reads("$.after"), "End": True}
    assert told(raw) == [("$.States.Read.Parameters['r.$']", "ASL_PATH_UNRESOLVED")]


def test_a_document_that_grows_in_every_state_is_still_followed() -> None:
    grows = {f"S{n}": {"Type": "Pass", "Parameters": {"all.$": "$"}, "ResultPath": f"$.k{n}"} for n in range(60)}
    names = [*grows, "Read"]
    for name, following in zip(grows, names[1:], strict=True):
        grows[name]["Next"] = following
    raw = machine(Begin={**MAKES_X, "Next": "S0"}, **grows, Read={**reads("$.k59.all.k0"), "End": True})
    assert told(raw) == []
    raw["States"]["Read"] = {**reads("$.k60"), "End": True}
    assert told(raw) == [("$.States.Read.Parameters['r.$']", "ASL_PATH_UNRESOLVED")]


def test_a_catcher_sees_the_input_of_the_state() -> None:
    task = invoke(**BAG, Catch=[{"ErrorEquals": ["x"], "Next": "Read"}], Next="Done")
    whole = machine(Begin={**MAKES_X, "Next": "Try"}, Try=task, Read={**reads("$.x"), "End": True}, Done=DONE)
    assert told(whole) == [("$.States.Read.Parameters['r.$']", "ASL_PATH_UNRESOLVED")]
    task["Catch"][0]["ResultPath"] = "$.err"
    assert told(whole) == []


def test_machines_inside_begin_with_what_they_are_given() -> None:
    inner = machine(I={**reads("$.item.x"), "Next": "J"}, J={**reads("$.x"), "End": True})
    assert told(chain(mapping(inner, ItemSelector={"item.$": "$$.Map.Item.Value"}))) == [
        ("$.States.A.ItemProcessor.States.J.Parameters['r.$']", "ASL_PATH_UNRESOLVED")
    ]
    assert told(chain(mapping(machine(I={**reads("$.x"), "End": True})))) == []
    branch = machine(I={**reads("$.y"), "End": True})
    assert told(chain(MAKES_X, {"Type": "Parallel", "Branches": [branch]})) == [
        ("$.States.B.Branches[0].States.I.Parameters['r.$']", "ASL_PATH_UNRESOLVED")
    ]


def test_what_a_function_answers_with_a_token_is_not_known() -> None:
    waits = {"Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken"}
    passed = {"Parameters": {"FunctionName": "f", "Payload": {"t.$": "$$.Task.Token"}}}
    assert told(chain(invoke(**waits, **passed, ResultSelector={"r.$": "$.y"}))) == []


def test_a_batch_has_items_and_what_is_given_beside_them() -> None:
    inner = machine(I={**reads("$.Items[0].x"), "Next": "J"}, J={**reads("$.BatchInput.y"), "End": True})
    raw = chain(mapping(inner, mode="DISTRIBUTED", ItemBatcher={"MaxItemsPerBatch": 2}))
    inner["States"]["I"] = {"Type": "Pass", "Parameters": {"a.$": "$.Items[0].x"}, "ResultPath": None, "Next": "J"}
    raw["States"]["A"]["ItemProcessor"]["States"] = inner["States"]
    assert told(raw) == [("$.States.A.ItemProcessor.States.J.Parameters['r.$']", "ASL_PATH_UNRESOLVED")]
    raw["States"]["A"]["ItemBatcher"]["BatchInput"] = {"y": 1}
    assert told(raw) == []


def test_nothing_is_known_behind_an_expression() -> None:
    jsonata = {"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% $states.input %}"}
    assert told(chain(MAKES_X, jsonata, reads("$.y"))) == []
    waiting = {"Type": "Wait", "QueryLanguage": "JSONata", "Seconds": 1}
    assert told(chain(MAKES_X, waiting, reads("$.y"))) == [("$.States.C.Parameters['r.$']", "ASL_PATH_UNRESOLVED")]
