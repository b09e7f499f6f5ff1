"""Several JSON Schemas that hold at once, folded into one set of keywords.

The fold may be wider than its parts (``not`` and the like are left out): who
builds a value from it checks the value against the parts.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from statebag.canonical import canonical_bytes

__all__ = ["Keywords", "all_of", "applicable", "fold"]

_HIGHEST = frozenset({"minimum", "minLength", "minItems", "minProperties", "minContains"})
_LOWEST = frozenset({"maximum", "maxLength", "maxItems", "maxProperties", "maxContains"})
_BOTH = frozenset({"additionalProperties", "propertyNames", "contains", "items", "additionalItems"})
_BY_NAME = frozenset({"patternProperties", "dependentSchemas"})


@dataclass(frozen=True, kw_only=True)
class Keywords:
    """What a value must satisfy, free of ``$ref`` and ``allOf``."""

    words: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Keyword to argument. ``enum`` stands for ``const`` too; ``multipleOf`` is a Fraction; ``pattern`` a list."""
    choices: tuple[tuple[Any, ...], ...] = ()
    """For each ``anyOf`` and ``oneOf`` its branches: one of each must hold."""
    conditions: tuple[tuple[Any, Any, Any], ...] = ()
    """For each ``if`` the three schemas of it."""


def all_of(*schemas: Any) -> Any:
    """One schema that asks for all of ``schemas``."""
    wanted = [schema for schema in schemas if schema is not True]
    if len(wanted) == 1:
        return wanted[0]
    return {"allOf": wanted} if wanted else True


def applicable(words: Mapping[str, Any], name: str) -> Any:
    """The schema that property ``name`` of an object must satisfy."""
    found: list[Any] = []
    properties: Mapping[str, Any] = words.get("properties", {})
    if name in properties:
        found.append(properties[name])
    patterns: Mapping[str, Any] = words.get("patternProperties", {})
    found += [schema for pattern, schema in patterns.items() if re.search(pattern, name)]
    return all_of(*found) if found else words.get("additionalProperties", True)


def fold(schema: Any, resolver: Any, *, hops: int = 50) -> Keywords | None:
    """The keywords of ``schema``; None where nothing can satisfy them."""
    if schema is True:
        return Keywords()
    if schema is False or hops == 0:
        return None
    total: Keywords | None = _own_keywords(schema)
    parts = list(schema.get("allOf", ()))
    parts += [resolver.lookup(schema[word]).contents for word in ("$ref", "$dynamicRef") if word in schema]
    for part in parts:
        other = fold(part, resolver, hops=hops - 1)
        total = None if total is None or other is None else join(total, other)
    return total


def join(first: Keywords, second: Keywords) -> Keywords | None:
    """Both at once; None where types or enumerations exclude each other."""
    words = dict(first.words)
    for word, argument in second.words.items():
        words[word] = _both(word, words[word], argument) if word in words else argument
    properties = [*first.words.get("properties", {}), *second.words.get("properties", {})]
    if properties:
        words["properties"] = {
            name: all_of(applicable(first.words, name), applicable(second.words, name)) for name in properties
        }
    if words.get("type") == [] or words.get("enum") == []:
        return None
    return Keywords(
        words=words,
        choices=first.choices + second.choices,
        conditions=first.conditions + second.conditions,
    )


def _own_keywords(schema: Mapping[str, Any]) -> Keywords:
    words = dict(schema)
    if isinstance(words.get("type"), str):
        words["type"] = [words["type"]]
    if "const" in words:
        const = words.pop("const")
        words["enum"] = [value for value in words.get("enum", [const]) if _same(value, const)]
    if "multipleOf" in words:
        words["multipleOf"] = Fraction(str(words["multipleOf"]))
    if "pattern" in words:
        words["pattern"] = [words["pattern"]]
    for name, dependency in words.pop("dependencies", {}).items():
        kind = "dependentRequired" if isinstance(dependency, list) else "dependentSchemas"
        words[kind] = {**words.get(kind, {}), name: dependency}
    if isinstance(words.get("items"), list):
        words["prefixItems"] = words["items"]
        words["items"] = words.pop("additionalItems", True)
    choices = tuple(tuple(words[word]) for word in ("anyOf", "oneOf") if word in words)
    conditions = ((words["if"], words.get("then", True), words.get("else", True)),) if "if" in words else ()
    return Keywords(words=words, choices=choices, conditions=conditions)


def _both(word: str, first: Any, second: Any) -> Any:
    if word in _HIGHEST or word == "exclusiveMinimum":
        return max(first, second)
    if word in _LOWEST or word == "exclusiveMaximum":
        return min(first, second)
    if word in _BOTH:
        return all_of(first, second)
    if word in _BY_NAME:
        return {name: all_of(first.get(name, True), second.get(name, True)) for name in [*first, *second]}
    match word:
        case "type":
            return _common_types(first, second)
        case "enum":
            return [value for value in first if any(_same(value, other) for other in second)]
        case "required" | "pattern":
            return list(dict.fromkeys([*first, *second]))
        case "dependentRequired":
            return {name: [*first.get(name, ()), *second.get(name, ())] for name in [*first, *second]}
        case "multipleOf":
            numerator = math.lcm(first.numerator, second.numerator)
            return Fraction(numerator, math.gcd(first.denominator, second.denominator))
        case "uniqueItems":
            return first or second
        case "prefixItems":
            longest = max(len(first), len(second))
            return [all_of(*first[at : at + 1], *second[at : at + 1]) for at in range(longest)]
        case _:
            return first


def _common_types(first: list[str], second: list[str]) -> list[str]:
    common = [name for name in first if name in second]
    if "integer" not in common and {"integer", "number"} <= {*first, *second}:
        common.append("integer")
    return common


def _same(first: Any, second: Any) -> bool:
    return canonical_bytes(first) == canonical_bytes(second)
