"""Which texts are paths and calls of intrinsic functions, told through what validation says of them."""

from __future__ import annotations

import pytest

from asl_compat.model import parse_definition, validate_definition
from tests.asl.model.building import chain, told


def read(text: str) -> list[str]:
    """Codes of what is wrong with a text where a path or a call may stand."""
    return [code for _, code in told(chain({"Type": "Pass", "Parameters": {"x.$": text}}))]


@pytest.mark.parametrize(
    "text",
    [
        "$",
        "$$",
        "$.a.b",
        "$.a[0].b",
        "$.a[-1]",
        "$.a[1:5]",
        "$.a[:1]",
        "$.a[::2]",
        "$.a[0, 1]",
        "$.a[*].b",
        "$.*",
        "$..a",
        "$.a..b[0]",
        "$['a b']",
        '$["a.b"].c',
        "$['a', 'b']",
        "$.abc.['def ghi']",
        "$['it\\'s']",
        "$.users[?(@.status == 0)].name",
        "$.a[?(@['x y'] == ')]' && (@.b || @.c))][0]",
        "$.a.length()",
        "$.delivery-partner",
        "$.@type",
        "$.ünï",
        "$$.Map.Item.Value",
        "$variable",
        "$variable.a[0]",
        "$.a ",
    ],
)
def test_paths(text: str) -> None:
    assert read(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "$.",
        "$..",
        "$.a.",
        "$.a..",
        "$a.",
        "$.a b",
        "$ .a",
        "$.a[",
        "$.a[]",
        "$.a[b]",
        "$.a]",
        "$.a['b'",
        "$.a['b]",
        "$[1,]",
        "$.a[?]",
        "$.a[?()]",
        "$.a[?(@.x]",
        "$.a[?(@.x == 'y)]",
        "$.a(1",
        "$.a{b}",
        "$.a[*].{b: b}",
    ],
)
def test_no_paths(text: str) -> None:
    assert read(text) == ["ASL_PATH_SYNTAX"]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("$", True),
        ("$.a['b c'][0]", True),
        ("$.a[-1]", False),
        ("$.a[*]", False),
        ("$..a", False),
        ("$.a[?(@.b)]", False),
        ("$['a', 'b']", False),
        ("$.a.length()", False),
        ("$variable", False),
        ("$$.a", False),
    ],
)
def test_a_result_goes_to_one_place(path: str, allowed: bool) -> None:
    raw = chain({"Type": "Pass", "ResultPath": path})
    assert told(raw) == ([] if allowed else [("$.States.A.ResultPath", "ASL_PATH_SYNTAX")])


@pytest.mark.parametrize(
    "text",
    [
        "States.Format('{} of {}', $.a, 3)",
        r"States.Format('\{\} it\'s {}', $.a)",
        "States.Format($template, 1, 2)",
        "States.StringToJson($.a)",
        "States.JsonToString($)",
        "States.Array()",
        "States.Array(1, -2.5e3, 'x', null, true, $.a, $$.State, States.UUID())",
        "States.ArrayPartition($.a, 2)",
        "States.ArrayContains($.a, $.b[?(@.c == ',')])",
        "States.ArrayRange(1, 9, -2)",
        "States.ArrayGetItem($.a, 0)",
        "States.ArrayLength($.a)",
        "States.ArrayUnique($.a)",
        "States.Base64Encode('x')",
        "States.Base64Decode($.a)",
        "States.Hash($.a, 'SHA-256')",
        """States.JsonMerge(States.StringToJson('{"a": "b"}'), $.a, false)""",
        "States.MathRandom(1, 9)",
        "States.MathRandom(1, 9, 5)",
        "States.MathAdd(States.MathAdd($.a, 1), -1)",
        "States.StringSplit('a\nb', '\n')",
        "States.UUID( )",
    ],
)
def test_calls(text: str) -> None:
    assert read(text) == []


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("States.Formt('x')", "did you mean States.Format?"),
        ("States.UUID", "is not of the form States.Name(…)"),
        ("States.UUID(1)", "gives States.UUID 1 arguments; it takes 0"),
        ("States.MathRandom(1)", "gives States.MathRandom 1 arguments; it takes 2 to 3"),
        ("States.Format()", "gives States.Format 0 arguments; it takes 1 or more"),
        ("States.Format('{}')", "has 1 {} in the template of States.Format and 0 arguments for them"),
        ("States.Format('{x}', 1)", "has a brace in the template of States.Format that is not escaped"),
        ("States.Format(1)", "gives States.Format a template that is no text"),
        ('States.Array("x")', "where an argument is expected"),
        ("States.Array(1", "has 'its end' where a `,` or `)` is expected"),
        ("States.Array(1,)", "where an argument is expected"),
        ("States.Array(1 2)", "where a `,` or `)` is expected"),
        ("States.Array(x)", "where an argument is expected"),
        ("States.Array($.)", "has a path that has ')' where a name is expected"),
        ("States.Array() + 1", "has ' + 1' behind its end"),
        ("States.Array(" * 11 + ")" * 11, "deeper than 10"),
    ],
)
def test_no_calls(text: str, because: str) -> None:
    raw = chain({"Type": "Pass", "Parameters": {"x.$": text}})
    (problem,) = validate_definition(parse_definition(raw))
    assert problem.code == "ASL_INTRINSIC"
    assert because in problem.message
