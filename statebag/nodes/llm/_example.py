"""An instance of a JSON Schema, the same one each time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from referencing.exceptions import Unresolvable

from statebag.canonical import canonical_bytes
from statebag.config.schemas import resolver_of, validator_of, violation
from statebag.errors import NodeFailed
from statebag.nodes.llm._keywords import Keywords, all_of, applicable, fold, join
from statebag.nodes.llm._numbers import bounded_numbers
from statebag.nodes.llm._text import formatted_text, matching_texts, plain_words

__all__ = ["example_of"]

_TYPES = ("string", "object", "array", "integer", "number", "boolean", "null")
_HINTS: Mapping[str, frozenset[str]] = {
    "object": frozenset({"properties", "required", "additionalProperties", "patternProperties", "minProperties"}),
    "array": frozenset({"items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains"}),
    "string": frozenset({"minLength", "maxLength", "pattern", "format"}),
    "number": frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}),
}
_SPARE_DEPTH = 5
"""From here on only what must be there: recursive schemas end."""
_DEEPEST = 40
_LONGEST = 1_000_000
_CANDIDATES = 2_000
_CHECKS = 100_000
_NOTHING = object()


def example_of(schema: Any, seed: bytes) -> Any:
    """A value that satisfies ``schema``, optional properties included.

    The same ``schema`` and ``seed`` give the same value on every machine.
    ``default`` and ``examples`` are taken where they fit; lists get one to
    three items; references may be recursive but not leave the schema.

    Raises:
        NodeFailed: no such value was found. Schemas that contradict themselves have none; of those that can only be
            satisfied by search (``not``, look-arounds in patterns) some are not found.
    """
    try:
        value = _Builder(schema, seed).one(schema, "$", 0)
    except Unresolvable as cause:
        raise NodeFailed(
            f"No example of the JSON Schema can be made: its `$ref` {cause.ref!r} leads out of the schema or nowhere. "
            "Define it under `$defs`."
        ) from cause
    except RecursionError as cause:
        raise NodeFailed(
            "No example of the JSON Schema can be made: a `$ref` leads back to itself without end. "
            "Let it pass through a property or an item."
        ) from cause
    if value is _NOTHING:
        raise NodeFailed(
            "No example of the JSON Schema can be made: no value was found that satisfies all of it. "
            "Remove what contradicts itself, give a `default`, or set `mock_response`."
        )
    if broken := violation(value, schema):
        raise NodeFailed(f"No example of the JSON Schema can be made: the best one found breaks it {broken}.")
    return value


class _Builder:
    """The search behind one call: a place names each choice, so that choices don't depend on each other."""

    def __init__(self, schema: Any, seed: bytes) -> None:
        self._seed = seed
        self._validator: Any = validator_of(schema)
        self._resolver = resolver_of(schema)
        self._checks = 0

    def draw(self, place: str, count: int) -> int:
        return int.from_bytes(hashlib.sha256(self._seed + place.encode()).digest()[:8], "big") % count

    def one(self, schema: Any, place: str, depth: int, *, but: frozenset[bytes] = frozenset()) -> Any:
        """The first fitting value whose canonical form is not in ``but``."""
        if depth > _DEEPEST or (keywords := fold(schema, self._resolver)) is None:
            return _NOTHING
        validator = self._validator.evolve(schema=schema)
        for value in islice(self._candidates(keywords, place, depth), _CANDIDATES):
            self._checks += 1
            if self._checks > _CHECKS:
                return _NOTHING
            if validator.is_valid(value) and not (but and canonical_bytes(value) in but):
                return value
        return _NOTHING

    def _candidates(self, keywords: Keywords, place: str, depth: int) -> Iterator[Any]:
        words = keywords.words
        if keywords.choices:
            branches, *others = keywords.choices
            rest = Keywords(words=words, choices=tuple(others), conditions=keywords.conditions)
            for number, branch in self._ordered(branches, place, depth):
                yield from self._narrowed(rest, (branch,), f"{place}|{number}", depth)
        elif keywords.conditions:
            (if_, then, else_), *others = keywords.conditions
            rest = Keywords(words=words, conditions=tuple(others))
            yield from self._narrowed(rest, (if_, then), place, depth)
            yield from self._narrowed(rest, (else_,), place, depth)
        elif "enum" in words:
            yield from self._turned(words["enum"], place)
        else:
            yield from ([words["default"]] if "default" in words else [])
            yield from words.get("examples", ())
            for kind in self._types(words, place):
                yield from self._of_type(kind, words, place, depth)

    def _narrowed(self, base: Keywords, schemas: Sequence[Any], place: str, depth: int) -> Iterator[Any]:
        total: Keywords | None = base
        for schema in schemas:
            part = fold(schema, self._resolver)
            total = None if total is None or part is None else join(total, part)
        if total is not None:
            yield from self._candidates(total, place, depth)

    def _turned(self, values: Sequence[Any], place: str) -> list[Any]:
        start = self.draw(place, len(values)) if values else 0
        return [*values[start:], *values[:start]]

    def _ordered(self, branches: Sequence[Any], place: str, depth: int) -> list[tuple[int, Any]]:
        order = self._turned(list(enumerate(branches)), place)
        if depth >= _SPARE_DEPTH:
            order.sort(key=lambda pair: b'"$ref"' in canonical_bytes(pair[1]))
        return order

    def _types(self, words: Mapping[str, Any], place: str) -> list[str]:
        if "type" in words:
            return sorted(self._turned(words["type"], f"{place}!"), key=lambda kind: kind == "null")
        hinted = [kind for kind, hints in _HINTS.items() if hints & words.keys()]
        return [*hinted, *(kind for kind in _TYPES if kind not in hinted)]

    def _of_type(self, kind: str, words: Mapping[str, Any], place: str, depth: int) -> Iterator[Any]:
        match kind:
            case "object":
                yield from self._objects(words, place, depth)
            case "array":
                yield from self._arrays(words, place, depth)
            case "string":
                yield from self._strings(words, place)
            case "boolean":
                yield from self._turned((True, False), place)
            case "null":
                yield None
            case _:
                yield from bounded_numbers(words, self.draw, place, whole=kind == "integer")

    def _strings(self, keywords: Mapping[str, Any], place: str) -> Iterator[str]:
        low = int(keywords.get("minLength", 0))
        high = int(keywords.get("maxLength", max(low, 10_000)))
        if low > min(high, _LONGEST):
            return
        if "format" in keywords:
            number = self.draw(place, 1_000_000)
            for text in (formatted_text(keywords["format"], number + at) for at in range(100)):
                yield from [text] if text is not None else []
        for pattern in keywords.get("pattern", ()):
            for at in range(20):
                yield from matching_texts(pattern, self.draw, f"{place}~{at}", min_length=low)
        for at in range(1, 100):
            text = plain_words(self.draw, f"{place}{at}", min(high, 2 + low // 3))
            yield text[:high]
            yield text[high - low :][:high] if low else text[: at % (high + 1)]

    def _arrays(self, keywords: Mapping[str, Any], place: str, depth: int) -> Iterator[list[Any]]:
        contains: Any = keywords.get("contains")
        wanted = int(keywords.get("minContains", 1)) if contains is not None else 0
        low = max(int(keywords.get("minItems", 0)), wanted)
        high = int(keywords.get("maxItems", low + 3))
        prefix: list[Any] = keywords.get("prefixItems", [])
        roomy = low if depth >= _SPARE_DEPTH else max(low, min(len(prefix), high) or 1 + self.draw(place, 3))
        if low > min(high, _LONGEST):
            return
        for size in dict.fromkeys((min(roomy, high), low, min(low + 1, high), *range(low, min(high, low + 8)))):
            items: list[Any] = []
            taken: set[bytes] = set()
            while len(items) < size:
                at = len(items)
                schema = prefix[at] if at < len(prefix) else keywords.get("items", True)
                unlike = frozenset(taken) if keywords.get("uniqueItems") else frozenset[bytes]()
                value = _NOTHING
                if at < wanted:
                    value = self.one(all_of(schema, contains), f"{place}[{at}]", depth + 1, but=unlike)
                if value is _NOTHING:
                    value = self.one(schema, f"{place}[{at}]", depth + 1, but=unlike)
                if value is _NOTHING:
                    break
                items.append(value)
                taken.add(canonical_bytes(value))
            if len(items) >= low:
                yield items

    def _objects(self, keywords: Mapping[str, Any], place: str, depth: int) -> Iterator[dict[str, Any]]:
        must: list[str] = keywords.get("required", [])
        may: list[str] = [] if depth >= _SPARE_DEPTH else [*keywords.get("properties", {})]
        most = int(keywords.get("maxProperties", _LONGEST))
        for wished in ([name for name in may if name not in must][: max(0, most - len(must))], []):
            narrowed: Keywords | None = Keywords(words=keywords)
            names = _with_dependencies([*must, *wished], keywords.get("dependentRequired", {}))
            for name in names & keywords.get("dependentSchemas", {}).keys():
                part = fold(keywords["dependentSchemas"][name], self._resolver)
                narrowed = None if narrowed is None or part is None else join(narrowed, part)
            if narrowed is not None:
                names |= dict.fromkeys(narrowed.words.get("required", ())).keys()
                yield from self._filled(narrowed.words, names, place, depth)

    def _filled(self, keywords: Mapping[str, Any], names: set[str], place: str, depth: int) -> Iterator[dict[str, Any]]:
        declared = [name for name in keywords.get("properties", {}) if name in names]
        built: dict[str, Any] = {}
        for name in [*declared, *sorted(names.difference(declared))]:
            value = self.one(applicable(keywords, name), f"{place}.{name}", depth + 1)
            if value is not _NOTHING:
                built[name] = value
            elif name in keywords.get("required", ()):
                return
        least = int(keywords.get("minProperties", 0))
        for name in self._new_names(keywords, place, depth) if len(built) < least else ():
            if name not in built:
                value = self.one(applicable(keywords, name), f"{place}.{name}", depth + 1)
                built |= {} if value is _NOTHING else {name: value}
            if len(built) >= least:
                break
        yield built

    def _new_names(self, keywords: Mapping[str, Any], place: str, depth: int) -> Iterator[str]:
        yield from keywords.get("properties", {})
        pattern: str
        for pattern in keywords.get("patternProperties", {}):
            for at in range(20):
                yield from matching_texts(pattern, self.draw, f"{place}&{at}", min_length=0)
        schema = all_of({"type": "string"}, keywords.get("propertyNames", True))
        seen: set[bytes] = set()
        while (name := self.one(schema, f"{place}&", depth + 1, but=frozenset(seen))) is not _NOTHING:
            seen.add(canonical_bytes(name))
            yield name


def _with_dependencies(names: Sequence[str], dependencies: Mapping[str, Sequence[str]]) -> set[str]:
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += dependencies.get(name, ())
    return found
