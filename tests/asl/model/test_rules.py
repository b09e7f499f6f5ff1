"""Each rule of the language, broken once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.asl.model.building import chain, invoke, machine, mapping, told

PASS = {"Type": "Pass"}
DONE = {"Type": "Succeed"}
S3 = {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "JSON"}}


def of_a(**fields: Any) -> dict[str, Any]:
    return chain(invoke(**fields))


def retrying(**fields: Any) -> dict[str, Any]:
    return of_a(Retry=[{"ErrorEquals": ["x"], **fields}])


def choosing(**rule: Any) -> dict[str, Any]:
    return machine(A={"Type": "Choice", "Choices": [{**rule, "Next": "B"}]}, B=DONE)


def jsonata(**fields: Any) -> dict[str, Any]:
    return machine(query_language="JSONata", A={**fields, "End": True})


@pytest.mark.parametrize(
    ("raw", "path", "code"),
    [
        # How states lead to each other.
        (machine(), "$.States", "ASL_FIELD_MISSING"),
        ({"StartAt": "B", "States": {"A": DONE}}, "$.StartAt", "ASL_TARGET_UNKNOWN"),
        (machine(A={**PASS, "Next": "C"}, B=DONE), "$.States.A.Next", "ASL_TARGET_UNKNOWN"),
        (
            machine(A={"Type": "Choice", "Choices": [], "Default": "B"}, B=DONE),
            "$.States.A.Choices",
            "ASL_FIELD_MISSING",
        ),
        (of_a(Catch=[{"ErrorEquals": ["x"], "Next": "Z"}]), "$.States.A.Catch[0].Next", "ASL_TARGET_UNKNOWN"),
        (machine(A=DONE, B=DONE), "$.States.B", "ASL_STATE_UNREACHABLE"),
        (machine(A=DONE, B={**PASS, "Next": "C"}, C={**PASS, "Next": "B"}), "$.States.B", "ASL_STATE_UNREACHABLE"),
        (machine(A={**PASS, "Next": "B"}, B={**PASS, "Next": "A"}), "$.States", "ASL_NO_END"),
        (machine(A=PASS), "$.States.A", "ASL_FIELD_MISSING"),
        (machine(A={**PASS, "End": False}), "$.States.A", "ASL_FIELD_MISSING"),
        (machine(A={**PASS, "Next": "B", "End": True}, B=DONE), "$.States.A", "ASL_FIELD_CONFLICT"),
        (
            chain(mapping(machine(B={**PASS, "Next": "A"}))),
            "$.States.A.ItemProcessor.States.B.Next",
            "ASL_TARGET_UNKNOWN",
        ),
        (chain(mapping(chain(PASS))), "$.States.A.ItemProcessor.States.A", "ASL_NAME_DUPLICATE"),
        ({"StartAt": "x" * 81, "States": {"x" * 81: DONE}}, f"$.States.{'x' * 81}", "ASL_NAME_LENGTH"),
        # Fields.
        (of_a(Timeout=3), "$.States.A.Timeout", "ASL_FIELD_UNKNOWN"),
        (machine(A={"Type": "Fail", "Next": "A"}), "$.States.A.Next", "ASL_FIELD_UNKNOWN"),
        (retrying(Max=1), "$.States.A.Retry[0].Max", "ASL_FIELD_UNKNOWN"),
        ({**chain(PASS), "Timeout": 1}, "$.Timeout", "ASL_FIELD_UNKNOWN"),
        ({**chain(PASS), "ProcessorConfig": {"Mode": "INLINE"}}, "$.ProcessorConfig", "ASL_FIELD_UNKNOWN"),
        ({**chain(PASS), "TimeoutSeconds": 0}, "$.TimeoutSeconds", "ASL_FIELD_VALUE"),
        ({**chain(PASS), "Version": "2.0"}, "$.Version", "ASL_FIELD_VALUE"),
        (chain({**PASS, "Comment": None}), "$.States.A.Comment", "ASL_FIELD_VALUE"),
        (of_a(TimeoutSeconds=1.5), "$.States.A.TimeoutSeconds", "ASL_FIELD_VALUE"),
        (of_a(TimeoutSeconds="soon"), "$.States.A.TimeoutSeconds", "ASL_FIELD_VALUE"),
        (of_a(TimeoutSeconds=100_000_000), "$.States.A.TimeoutSeconds", "ASL_FIELD_VALUE"),
        (of_a(TimeoutSeconds=1, TimeoutSecondsPath="$.x"), "$.States.A", "ASL_FIELD_CONFLICT"),
        (of_a(TimeoutSeconds=5, HeartbeatSeconds=5), "$.States.A.HeartbeatSeconds", "ASL_FIELD_VALUE"),
        (machine(A={"Type": "Fail", "Cause": "x", "CausePath": "$.x"}), "$.States.A", "ASL_FIELD_CONFLICT"),
        (chain({"Type": "Wait"}), "$.States.A", "ASL_FIELD_MISSING"),
        (chain({"Type": "Wait", "Seconds": 1, "TimestampPath": "$.t"}), "$.States.A", "ASL_FIELD_CONFLICT"),
        (chain({"Type": "Wait", "Seconds": -1}), "$.States.A.Seconds", "ASL_FIELD_VALUE"),
        (chain({"Type": "Wait", "Timestamp": "tomorrow"}), "$.States.A.Timestamp", "ASL_FIELD_VALUE"),
        # Query languages.
        (chain({**PASS, "Output": 1}), "$.States.A.Output", "ASL_QUERY_LANGUAGE"),
        (of_a(Arguments={}), "$.States.A.Arguments", "ASL_QUERY_LANGUAGE"),
        (choosing(Condition="{% true %}"), "$.States.A.Choices[0].Condition", "ASL_QUERY_LANGUAGE"),
        (jsonata(Type="Pass", ResultPath="$.x"), "$.States.A.ResultPath", "ASL_QUERY_LANGUAGE"),
        (jsonata(Type="Wait", SecondsPath="$.x"), "$.States.A.SecondsPath", "ASL_QUERY_LANGUAGE"),
        (jsonata(Type="Pass", QueryLanguage="JSONPath"), "$.States.A.QueryLanguage", "ASL_QUERY_LANGUAGE"),
        # Errors.
        (of_a(Retry=[{"ErrorEquals": []}]), "$.States.A.Retry[0].ErrorEquals", "ASL_RETRY"),
        (of_a(Retry=[{"ErrorEquals": ["a", "States.ALL"]}]), "$.States.A.Retry[0].ErrorEquals", "ASL_ERROR_NAME"),
        (
            of_a(Retry=[{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["a"]}]),
            "$.States.A.Retry[0].ErrorEquals",
            "ASL_ERROR_NAME",
        ),
        (of_a(Retry=[{"ErrorEquals": ["States.Oops"]}]), "$.States.A.Retry[0].ErrorEquals[0]", "ASL_ERROR_NAME"),
        (retrying(BackoffRate=0.9), "$.States.A.Retry[0].BackoffRate", "ASL_RETRY"),
        (retrying(MaxAttempts=-1), "$.States.A.Retry[0].MaxAttempts", "ASL_RETRY"),
        (retrying(MaxAttempts=1.5), "$.States.A.Retry[0].MaxAttempts", "ASL_RETRY"),
        (retrying(IntervalSeconds=0), "$.States.A.Retry[0].IntervalSeconds", "ASL_RETRY"),
        (retrying(IntervalSeconds=5, MaxDelaySeconds=4), "$.States.A.Retry[0].MaxDelaySeconds", "ASL_RETRY"),
        (retrying(IntervalSeconds=5, MaxDelaySeconds=5), "$.States.A.Retry[0].MaxDelaySeconds", "ASL_RETRY"),
        (retrying(MaxDelaySeconds=31_622_400), "$.States.A.Retry[0].MaxDelaySeconds", "ASL_RETRY"),
        (retrying(JitterStrategy="SOME"), "$.States.A.Retry[0].JitterStrategy", "ASL_RETRY"),
        # Choices.
        (choosing(Variable="$.x"), "$.States.A.Choices[0]", "ASL_CHOICE_RULE"),
        (choosing(Variable="$.x", IsNull=True, IsPresent=True), "$.States.A.Choices[0]", "ASL_CHOICE_RULE"),
        (choosing(StringEquals="x"), "$.States.A.Choices[0]", "ASL_CHOICE_RULE"),
        (choosing(And=[]), "$.States.A.Choices[0].And", "ASL_CHOICE_RULE"),
        (choosing(Not={"Variable": "$.x"}), "$.States.A.Choices[0].Not", "ASL_CHOICE_RULE"),
        (
            choosing(Or=[{"Variable": "$.x", "IsNull": True, "Next": "B"}]),
            "$.States.A.Choices[0].Or[0].Next",
            "ASL_CHOICE_RULE",
        ),
        (
            choosing(Variable="$.x", Not={"Variable": "$.x", "IsNull": True}),
            "$.States.A.Choices[0].Variable",
            "ASL_CHOICE_RULE",
        ),
        (choosing(Variable="$.x", TimestampEquals="now"), "$.States.A.Choices[0].TimestampEquals", "ASL_CHOICE_RULE"),
        (
            machine(A={"Type": "Choice", "Choices": [{"Variable": "$.x", "IsNull": True}], "Default": "B"}, B=DONE),
            "$.States.A.Choices[0]",
            "ASL_FIELD_MISSING",
        ),
        (
            machine(
                query_language="JSONata", A={"Type": "Choice", "Choices": [{"Condition": "x > 1", "Next": "B"}]}, B=DONE
            ),
            "$.States.A.Choices[0].Condition",
            "ASL_CHOICE_RULE",
        ),
        # Maps and Parallels.
        (chain({"Type": "Map"}), "$.States.A", "ASL_FIELD_MISSING"),
        (chain({"Type": "Parallel", "Branches": []}), "$.States.A.Branches", "ASL_FIELD_MISSING"),
        (chain(mapping(machine(B=DONE), ItemReader=S3)), "$.States.A.ItemReader", "ASL_MAP"),
        (chain(mapping(machine(B=DONE), Label="x")), "$.States.A.Label", "ASL_MAP"),
        (chain(mapping(machine(B=DONE), ToleratedFailureCount=1)), "$.States.A.ToleratedFailureCount", "ASL_SUSPECT"),
        (chain(mapping(machine(B=DONE), mode="DISTRIBUTED", Label="x" * 41)), "$.States.A.Label", "ASL_FIELD_VALUE"),
        (
            chain(mapping(machine(B=DONE), mode="DISTRIBUTED", ToleratedFailurePercentage=101)),
            "$.States.A.ToleratedFailurePercentage",
            "ASL_FIELD_VALUE",
        ),
        (
            chain(
                mapping(machine(B=DONE), mode="DISTRIBUTED", ItemReader={**S3, "ReaderConfig": {"InputType": "XML"}})
            ),
            "$.States.A.ItemReader.ReaderConfig.InputType",
            "ASL_FIELD_VALUE",
        ),
        (
            chain(mapping(machine(B=DONE), mode="DISTRIBUTED", ItemBatcher={})),
            "$.States.A.ItemBatcher",
            "ASL_FIELD_MISSING",
        ),
        (
            chain(mapping(machine(B=DONE), mode="PARALLEL")),
            "$.States.A.ItemProcessor.ProcessorConfig.Mode",
            "ASL_FIELD_VALUE",
        ),
        (chain(mapping(machine(B=DONE), Iterator=machine(C=DONE))), "$.States.A", "ASL_FIELD_CONFLICT"),
        (chain(mapping(machine(B=DONE), ItemSelector={}, Parameters={})), "$.States.A", "ASL_FIELD_CONFLICT"),
        # Paths, templates and intrinsic functions.
        (chain({**PASS, "InputPath": "x"}), "$.States.A.InputPath", "ASL_PATH_SYNTAX"),
        (chain({**PASS, "ResultPath": "$.a[*]"}), "$.States.A.ResultPath", "ASL_PATH_SYNTAX"),
        (chain({**PASS, "ResultPath": "$$.x"}), "$.States.A.ResultPath", "ASL_PATH_SYNTAX"),
        (chain({**PASS, "ResultPath": "States.UUID()"}), "$.States.A.ResultPath", "ASL_PATH_SYNTAX"),
        (chain({**PASS, "Parameters": {"a.$": 1}}), "$.States.A.Parameters['a.$']", "ASL_TEMPLATE"),
        (chain({**PASS, "Parameters": {"a": [{"b.$": "x"}]}}), "$.States.A.Parameters.a[0]['b.$']", "ASL_TEMPLATE"),
        (chain({**PASS, "Parameters": {"a.$": "$.a["}}), "$.States.A.Parameters['a.$']", "ASL_PATH_SYNTAX"),
        (chain({**PASS, "Parameters": {"a.$": "States.Uuid()"}}), "$.States.A.Parameters['a.$']", "ASL_INTRINSIC"),
        (chain({**PASS, "Parameters": {"a": "$.b"}}), "$.States.A.Parameters.a", "ASL_SUSPECT"),
        (machine(A={"Type": "Fail", "ErrorPath": "oops"}), "$.States.A.ErrorPath", "ASL_INTRINSIC"),
        (of_a(ResultSelector={"x.$": "$.Payload[*].{a: a}"}), "$.States.A.ResultSelector['x.$']", "ASL_PATH_SYNTAX"),
    ],
)
def test_a_broken_rule_is_told_where_it_is_broken(raw: Any, path: str, code: str) -> None:
    assert told(raw) == [(path, code)]


def test_an_error_of_your_own_may_look_like_one_of_the_language() -> None:
    fails = machine(B={"Type": "Fail", "Error": "States.Enough"})
    catch = [{"ErrorEquals": ["States.Enough"], "Next": "C"}, {"ErrorEquals": ["States.Enuf"], "Next": "C"}]
    raw = machine(A={"Type": "Parallel", "Branches": [fails], "Catch": catch, "Next": "C"}, C=DONE)
    assert told(raw) == [
        ("$.States.A.Catch[0].ErrorEquals[0]", "ASL_SUSPECT"),
        ("$.States.A.Catch[1].ErrorEquals[0]", "ASL_ERROR_NAME"),
    ]


def test_more_broken_links_than_can_be_guessed_are_all_told() -> None:
    states = {f"state {index}": {**PASS, "Next": f"stat {index}"} for index in range(400)}
    raw = {"StartAt": "state 0", "States": states}
    assert told(raw) == [(f"$.States['{name}'].Next", "ASL_TARGET_UNKNOWN") for name in states]


def test_jsonata_definitions_that_use_what_they_have() -> None:
    raw = machine(
        query_language="JSONata",
        A={
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Arguments": "{% $merge([$states.input, {'FunctionName': 'f'}]) %}",
            "TimeoutSeconds": "{% $states.input.limit %}",
            "Assign": {"x": "{% $states.result.Payload %}"},
            "Output": {"y": "{% $x %}"},
            "Catch": [{"ErrorEquals": ["States.ALL"], "Output": "{% $states.errorOutput %}", "Next": "B"}],
            "Next": "B",
        },
        B={"Type": "Choice", "Choices": [{"Condition": "{% $x > 1 %}", "Output": 1, "Next": "C"}], "Default": "C"},
        C={"Type": "Map", "Items": "{% $x %}", "ItemProcessor": machine(D=DONE), "MaxConcurrency": 2, "End": True},
    )
    assert told(raw) == []


def test_a_placeholder_stands_for_anything() -> None:
    raw = chain(
        invoke(Parameters={"FunctionName": "${Name}", "Payload.$": "${Path}"}, TimeoutSeconds="${Limit}"),
        {"Type": "Wait", "SecondsPath": "${Path}"},
    )
    assert told(raw) == []


def test_a_state_that_a_broken_link_meant_is_not_told_as_lost() -> None:
    raw = machine(
        A={**PASS, "Next": "Brok"}, Broken={**PASS, "Next": "nowhere"}, C={**PASS, "Next": "D"}, D=DONE, E=DONE
    )
    assert told(raw) == [
        ("$.States.A.Next", "ASL_TARGET_UNKNOWN"),
        ("$.States.Broken.Next", "ASL_TARGET_UNKNOWN"),
        ("$.States.E", "ASL_STATE_UNREACHABLE"),
    ]
