"""Instances made from JSON Schemas."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for

from statebag.canonical import canonical_bytes
from statebag.errors import NodeFailed
from statebag.nodes.llm import example_of

NAMES = st.sampled_from(["id", "name", "a b", "größe", "x-y", "$z", "items", "type"])
SEEDS = st.binary(min_size=0, max_size=32)


def holds(value: Any, schema: Any) -> bool:
    kind: Any = validator_for(schema, default=Draft202012Validator)
    kind.check_schema(schema)
    return kind(schema, format_checker=kind.FORMAT_CHECKER).is_valid(value)


def bounds(low: str, high: str, most: int) -> st.SearchStrategy[dict[str, int]]:
    pairs = st.tuples(st.integers(0, most), st.integers(0, most)).map(sorted)
    return st.one_of(
        st.just({}),
        pairs.map(lambda pair: {low: pair[0]}),
        pairs.map(lambda pair: {high: pair[1]}),
        pairs.map(lambda pair: {low: pair[0], high: pair[1]}),
    )


@st.composite
def number_schemas(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["integer", "number"]))
    low = draw(st.integers(-1000, 1000))
    high = low + draw(st.integers(3, 50))
    open_low, open_high = draw(st.booleans()), draw(st.booleans())
    schema: dict[str, Any] = {"type": kind}
    if draw(st.booleans()):
        schema["exclusiveMinimum" if open_low else "minimum"] = low
    if draw(st.booleans()):
        schema["exclusiveMaximum" if open_high else "maximum"] = high
    if draw(st.booleans()):
        schema["multipleOf"] = draw(st.sampled_from([1, 0.5, 0.25, 0.1, 0.01] if kind == "number" else [1, 2]))
    return schema


STRINGS = st.one_of(
    bounds("minLength", "maxLength", 40).map(lambda more: {"type": "string"} | more),
    st.sampled_from(
        [
            *("^[a-z]+$", "^[A-Z]{3}-\\d{4}$", "^(red|green|blue)$", "\\w+@\\w+\\.com", "^[^0-9]{2,5}$", "^.{8}$"),
            *("^(?:\\+\\d{1,3} )?\\d{3}-\\d{4}$", "^(a|b)\\1$", "^\\S+\\s\\S+$", "^[\\u4e00-\\u9fa5]{2}$", "x", "^$"),
        ]
    ).map(lambda pattern: {"type": "string", "pattern": pattern}),
    st.sampled_from(
        ["date-time", "date", "time", "duration", "email", "hostname", "ipv4", "ipv6", "uri", "uri-reference", "uuid"]
    ).map(lambda name: {"type": "string", "format": name}),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e6, 1e6) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
LEAVES = st.one_of(
    st.sampled_from([{}, True, {"type": "boolean"}, {"type": "null"}, {"type": ["null", "integer"]}]),
    VALUES.map(lambda value: {"const": value}),
    st.lists(VALUES, min_size=1, max_size=4).map(lambda values: {"enum": values}),
    VALUES.map(lambda value: {"default": value}),
    number_schemas(),
    STRINGS,
)


@st.composite
def object_schemas(draw: st.DrawFn, inner: st.SearchStrategy[Any]) -> dict[str, Any]:
    properties = draw(st.dictionaries(NAMES, inner, max_size=4))
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    schema["required"] = draw(st.lists(st.sampled_from(sorted(properties)), unique=True)) if properties else []
    extra = draw(st.sampled_from([None, False, True, {"type": "integer"}]))
    if extra is not None:
        schema["additionalProperties"] = extra
    if extra is not False:
        schema["minProperties"] = draw(st.integers(0, 6))
        schema["required"] += draw(st.sampled_from([[], ["more"]]))
    if properties and draw(st.booleans()):
        schema["maxProperties"] = max(len(schema["required"]), schema.get("minProperties", 0))
    return schema


@st.composite
def array_schemas(draw: st.DrawFn, inner: st.SearchStrategy[Any]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "array", "items": draw(inner)} | draw(bounds("minItems", "maxItems", 5))
    if draw(st.booleans()):
        schema["prefixItems"] = draw(st.lists(inner, min_size=1, max_size=3))
    return schema


def combined_schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        object_schemas(inner),
        array_schemas(inner),
        st.lists(inner, min_size=1, max_size=3).map(lambda some: {"anyOf": some}),
        st.lists(inner, min_size=1, max_size=3).map(
            lambda some: {
                "oneOf": [
                    {"type": "object", "properties": {"kind": {"const": at}, "of": schema}, "required": ["kind", "of"]}
                    for at, schema in enumerate(some)
                ]
            }
        ),
        st.tuples(inner, inner).map(
            lambda two: {
                "allOf": [
                    {"type": "object", "properties": {"left": two[0]}, "required": ["left"]},
                    {"type": "object", "properties": {"right": two[1]}, "required": ["right"]},
                ]
            }
        ),
        inner.map(lambda schema: {"allOf": [schema, {"description": "the same"}], "title": "t"}),
        inner.map(lambda schema: {"$defs": {}, "anyOf": [{"type": "null"}, schema]}),
        st.tuples(inner, inner).map(
            lambda two: {
                "type": "object",
                "properties": {"kind": {"enum": ["a", "b"]}},
                "required": ["kind"],
                "if": {"properties": {"kind": {"const": "a"}}},
                "then": {"properties": {"a": two[0]}, "required": ["a"]},
                "else": {"properties": {"b": two[1]}, "required": ["b"]},
            }
        ),
    )


SCHEMAS = st.recursive(LEAVES, combined_schemas, max_leaves=8)


@settings(max_examples=250, deadline=None)
@given(schema=SCHEMAS, seed=SEEDS)
def test_example_satisfies_its_schema_and_stays_the_same(schema: Any, seed: bytes) -> None:
    value = example_of(schema, seed)
    assert holds(value, schema)
    assert canonical_bytes(example_of(schema, seed)) == canonical_bytes(value)


@settings(max_examples=60, deadline=None)
@given(definition=SCHEMAS, seed=SEEDS)
def test_references_and_recursion_end(definition: Any, seed: bytes) -> None:
    schema = {
        "$defs": {
            "leaf": definition,
            "tree": {
                "type": "object",
                "properties": {
                    "leaf": {"$ref": "#/$defs/leaf"},
                    "twigs": {"type": "array", "items": {"$ref": "#/$defs/tree"}},
                    "next": {"anyOf": [{"$ref": "#/$defs/tree"}, {"type": "null"}]},
                },
                "required": ["leaf", "twigs", "next"],
            },
        },
        "$ref": "#/$defs/tree",
    }
    assert holds(example_of(schema, seed), schema)


@pytest.mark.parametrize(
    "schema",
    [
        False,
        {"type": "string", "minLength": 3, "maxLength": 2},
        {"type": "integer", "minimum": 5, "maximum": 4},
        {"type": "integer", "exclusiveMinimum": 4, "exclusiveMaximum": 5},
        {"enum": [1, 2], "type": "string"},
        {"allOf": [{"type": "string"}, {"type": "integer"}]},
        {"type": "object", "required": ["a"], "additionalProperties": False},
        {"type": "array", "items": {"enum": [1, 2]}, "uniqueItems": True, "minItems": 3},
        {"anyOf": [False, {"const": 1, "type": "string"}]},
        {"type": "string", "pattern": "^a$", "minLength": 2},
        {"not": {}},
        {"$ref": "#"},
        {"anyOf": [{"$ref": "#"}, {"type": "string"}]},
        {"$ref": "#/$defs/absent"},
        {"$ref": "http://127.0.0.1:9/schema"},
        {"type": "string", "minLength": 10**12},
        {"type": "array", "minItems": 10**12},
    ],
)
def test_what_has_no_example_is_refused(schema: Any) -> None:
    with pytest.raises(NodeFailed, match="No example of the JSON Schema can be made"):
        example_of(schema, b"seed")


@pytest.mark.parametrize(
    "schema",
    [
        {"not": {"type": "string"}},
        {"type": "array", "contains": {"const": 7}, "minContains": 2, "items": {"type": "integer"}},
        {"type": "array", "items": {"type": "integer"}, "uniqueItems": True, "minItems": 200},
        {"type": "object", "propertyNames": {"pattern": "^k_"}, "minProperties": 2},
        {"type": "object", "patternProperties": {"^n\\d$": {"type": "integer"}}, "minProperties": 2},
        {"type": "object", "properties": {"a": {}}, "required": ["a"], "dependentRequired": {"a": ["b"]}},
        {
            "type": "object",
            "required": ["a"],
            "dependentSchemas": {"a": {"properties": {"b": {"const": 1}}, "required": ["b"]}},
        },
        {"allOf": [{"multipleOf": 4}, {"multipleOf": 6}, {"type": "integer", "minimum": 13, "maximum": 30}]},
        {
            "allOf": [{"properties": {"a": {}}, "additionalProperties": False}, {"properties": {"b": {}}}],
            "type": "object",
        },
        {
            "$schema": "http://json-schema.org/draft-04/schema#",
            "maximum": 5,
            "exclusiveMaximum": True,
            "type": "number",
        },
        {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "definitions": {"n": {"type": "integer"}},
            "items": [{"$ref": "#/definitions/n"}, {"type": "string"}],
            "additionalItems": False,
            "minItems": 2,
        },
        {"$defs": {"a": {"$anchor": "here", "type": "integer"}}, "type": "array", "items": {"$ref": "#here"}},
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1e-9},
        {"type": "string", "minLength": 5000},
    ],
)
def test_rarer_keywords(schema: Any) -> None:
    for number in range(5):
        assert holds(example_of(schema, bytes([number])), schema)


def test_default_is_taken_where_it_fits() -> None:
    assert example_of({"type": "string", "default": "as usual"}, b"1") == "as usual"
    assert isinstance(example_of({"type": "string", "default": 5}, b"1"), str)


def test_null_comes_last_and_seeds_differ() -> None:
    schema = {"type": ["null", "object"], "properties": {"n": {"type": "integer"}}}
    values = [example_of(schema, bytes([number])) for number in range(20)]
    assert all(isinstance(value, dict) for value in values)
    assert len({value["n"] for value in values}) > 5


def test_one_member_does_not_change_the_others() -> None:
    small = {"type": "object", "properties": {"a": {"type": "string"}}}
    large = {"type": "object", "properties": {"z": {"type": "integer"}, "a": {"type": "string"}}}
    assert example_of(small, b"1")["a"] == example_of(large, b"1")["a"]
