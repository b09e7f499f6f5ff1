from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statebag.config._expression_terms import Combined, Compared, Constant, ListOf, Negated, Reference, Term
from statebag.config.expressions import (
    MAX_LENGTH,
    Expression,
    ExpressionError,
    json_equal,
    literal_of,
    parse_expression,
)
from statebag.errors import NodeFailed

ORDER = {
    "score": 0.95,
    "n": 1,
    "yes": True,
    "no": False,
    "nothing": None,
    "text": "hello 세계",
    "tags": ["a", "b", 3],
    "a b": {"c.d": 7},
    "items": [{"price": 10}, {"price": 20}],
    "0": "zero",
    "and": "word",
    "node-1": 5,
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$.score", 0.95),
        ("$", ORDER),
        ("$.items[0].price", 10),
        ("$.items[-1].price", 20),
        ("$.items.1.price", 20),
        ("$.items[2].price", None),
        ("$.items[-3]", None),
        ("$['a b']['c.d']", 7),
        ('$["node-1"]', 5),
        ("$.0", "zero"),
        ("$.and", "word"),
        ("$.missing.deeper[0]", None),
        ("$.text[0]", None),
        ("$.text.__class__", None),
        ("$.items.append", None),
        (r"'it\'s'", "it's"),
        (r'"\"\\\n\u00e9\ud83d\ude00"', '"\\\né😀'),
        ("-1.5e2", -150.0),
        ("12345678901234567890", 12345678901234567890),
        ("TRUE", True),
        ("False", False),
        ("None", None),
        ("null", None),
        ("[1, 'x', $.n, [true]]", [1, "x", 1, [True]]),
        ("[]", []),
        ("($.n)", 1),
        ("$.score > 0.9 and $.n == 1", True),
        ("$.score > 0.99 or $.n == 1", True),
        ("$.n == 2 or $.yes and $.no", False),
        ("$.yes or $.yes and $.no", True),
        ("($.yes or $.yes) and $.no", False),
        ("not $.n == 2", True),
        ("not not $.n", True),
        ("NOT $.no AND $.yes", True),
        ("$.n == 1.0", True),
        ("$.yes == 1", False),
        ("$.yes == true", True),
        ("$.no == 0", False),
        ("$.n == '1'", False),
        ("$.nothing == null", True),
        ("$.missing == null", True),
        ("$.missing != 'x'", True),
        ("$.tags == ['a', 'b', 3.0]", True),
        ("$.tags != ['a', 'b']", True),
        ("$.nothing < 1", False),
        ("$.nothing >= 1", False),
        ("$.text > 1", False),
        ("$.yes > 0", False),
        ("$.tags > 0", False),
        ("'b' > 'a'", True),
        ("2 >= 2.0", True),
        ("1 <= 0", False),
        ("1 < 2", True),
        ("'a' in $.tags", True),
        ("$.n in $.tags", False),
        ("3.0 in $.tags", True),
        ("$.n in [1, 2]", True),
        ("true in [1]", False),
        ("$.n not in [1, 2]", False),
        ("'세계' in $.text", True),
        ("1 in $.text", False),
        ("'price' in $.items[0]", True),
        ("1 in $.items[0]", False),
        ("1 in $.missing", False),
        ("1 not in $.missing", True),
    ],
)
def test_expressions_mean_what_they_say(text: str, expected: Any) -> None:
    value = parse_expression(text).evaluate(ORDER)
    assert json_equal(value, expected)
    assert isinstance(value, type(expected))


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("score > 0.9", "write `$.score`"),
        ("state.x == 1", "write `$.state`"),
        ("state.get('n', 0) < 3", "paths start with `$.`"),
        ("$.status == active", "quote it"),
        ("always take this branch", "paths start with `$.`"),
        ("$.a = 1", "write `==`"),
        ("$.a && $.b", "write `and`"),
        ("$.a || $.b", "write `or`"),
        ("!$.a", "write `not`"),
        ("$.a == 1 == 2", "join them with `and`"),
        ("$.a $.b", "join conditions"),
        ("$.a + 1 > 2", "math_expression"),
        ("$.a-1 > 2", "$['a-b']"),
        ("$.", "write `$.name`"),
        ("$..a", "write `$.name`"),
        ("$. a", "write `$.name`"),
        ("$[a]", "write `[0]`"),
        ("$[1.5]", "write `[0]`"),
        ("$[0", "close the bracket"),
        ("($.a", "close the parenthesis"),
        ("$.a)", "join conditions"),
        ("[1 2]", "by commas"),
        ("[,]", "in quotes"),
        ("$.a ==", "write a path"),
        ("and $.a", "write a path"),
        ("$.a not 1", "not in"),
        ("'open", "not closed"),
        (r"'\q'", "two of them"),
        (r"'\ud83d'", "both halves"),
        ("1e999", "no JSON form"),
        ("$.x == {}", "single fields"),
        ("$.x is defined", "join conditions"),
        ("  ", "such as `$.score > 0.9`"),
        ("(" * 60 + "1" + ")" * 60, "40 levels"),
        ("not " * 60 + "1", "40 levels"),
        ("$" + ".a" * 21, "20 parts"),
        ("1" * 400, "300 digits"),
        ("1 or " * MAX_LENGTH + "1", "Split it"),
    ],
)
def test_what_is_not_of_the_language_is_refused_with_a_remedy(text: str, remedy: str) -> None:
    with pytest.raises(ExpressionError) as refusal:
        parse_expression(text)
    assert refusal.value.code == "EXPRESSION_SYNTAX"
    assert remedy in refusal.value.message


def test_the_refusal_names_the_place() -> None:
    with pytest.raises(ExpressionError, match=r"position 8, at 'y == 2'") as refusal:
        parse_expression("$.x or y == 2")
    assert refusal.value.details == {"position": 7}


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("$.a.b > $.c[0]", {"a", "c"}),
        ("1 == 1", set()),
        ("not ($.a in [$.b, 1] or $['x y'])", {"a", "b", "x y"}),
        ("$ == 1 and $.a", None),
        ("$[0] == 1", None),
    ],
)
def test_fields_are_the_top_level_names_read(text: str, fields: set[str] | None) -> None:
    assert parse_expression(text).fields() == (None if fields is None else frozenset(fields))


class RecordingScope:
    def __init__(self, held: dict[str, Any]) -> None:
        self.held = held
        self.fetched: list[str] = []

    def __contains__(self, name: object) -> bool:
        return name in self.held

    def __getitem__(self, name: str) -> Any:
        self.fetched.append(name)
        return self.held[name]

    def whole(self) -> dict[str, Any]:
        self.fetched.append("*")
        return self.held


def test_only_the_fields_asked_for_are_fetched() -> None:
    scope = RecordingScope({"a": 1, "b": 2, "huge": 3})
    assert parse_expression("$.a == 1 or $.huge == 3").holds(scope)
    assert scope.fetched == ["a"]
    assert parse_expression("$").evaluate(scope) == {"a": 1, "b": 2, "huge": 3}
    assert scope.fetched == ["a", "*"]


def test_names_can_be_searched_elsewhere_than_in_the_root() -> None:
    expression = parse_expression("$ == 5 and $.total == 5 and $.missing == null")

    def lookup(name: str) -> Any:
        return {"total": 5}[name]

    assert expression.holds(5, lookup)
    assert expression.holds(lambda: 5, {"total": 5})


def test_evaluation_is_bounded() -> None:
    expression = parse_expression("$.a == $.b")
    long = list(range(1000))
    assert expression.holds({"a": long, "b": list(long)}, limit=2000)
    with pytest.raises(NodeFailed, match="after 500 steps") as failure:
        expression.holds({"a": long, "b": list(long)}, limit=500)
    assert failure.value.code == "EVALUATION_LIMIT"


def test_deep_values_are_compared_without_recursion() -> None:
    def nest(leaf: int) -> Any:
        value: Any = leaf
        for _ in range(5000):
            value = [value]
        return value

    assert not parse_expression("$.a == $.b").holds({"a": nest(1), "b": nest(2)})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
encodable = st.text(st.characters(codec="utf-8"), max_size=6)
names = st.sampled_from(["a", "b", "a b", "'", '"', "\\", "0", "", "가", "in"])
constants = st.builds(
    Constant,
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | encodable,
)
references = st.builds(
    lambda head, tail: Reference((head, *tail)), names, st.lists(names | st.integers(-3, 3), max_size=3).map(tuple)
) | st.just(Reference(()))


def grow(inner: st.SearchStrategy[Term]) -> st.SearchStrategy[Term]:
    return (
        st.builds(Negated, inner)
        | st.builds(ListOf, st.lists(inner, max_size=3).map(tuple))
        | st.builds(Combined, st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3).map(tuple))
        | st.builds(Compared, st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in", "not in"]), inner, inner)
    )


terms: st.SearchStrategy[Term] = st.recursive(constants | references, grow, max_leaves=12)


@given(term=terms, root=st.dictionaries(names, json_values, max_size=4))
@settings(max_examples=200, deadline=None)
def test_printing_and_parsing_gives_the_same_expression(term: Term, root: Any) -> None:
    parsed = parse_expression(str(term))
    assert parsed.term == term
    assert str(parsed) == str(term)
    assert json_equal(parsed.evaluate(root), Expression(text="", term=term).evaluate(root))


@given(text=st.text(max_size=60) | st.text("$.ab[]()'\"\\ 01-=!<>,notandri", max_size=40))
@settings(max_examples=400, deadline=None)
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        parsed = parse_expression(text)
    except ExpressionError:
        return
    parsed.evaluate({"a": [1]})
    assert parse_expression(str(parsed)).term == parsed.term


@given(value=json_values, other=json_values)
@settings(deadline=None)
def test_json_equality_is_reflexive_and_symmetric(value: Any, other: Any) -> None:
    assert json_equal(value, value)
    assert json_equal(value, other) is json_equal(other, value)


@given(
    value=st.recursive(st.none() | st.booleans() | st.integers(-99, 99) | encodable, lambda x: st.lists(x, max_size=3))
)
@settings(deadline=None)
def test_literals_are_read_back(value: Any) -> None:
    assert parse_expression(literal_of(value)).evaluate(None) == value
