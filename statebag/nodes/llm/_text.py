"""Texts that satisfy a pattern or a format, drawn from a number."""

from __future__ import annotations

import importlib
import re
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

__all__ = ["Draw", "formatted_text", "matching_texts", "plain_words"]

Draw: TypeAlias = Callable[[str, int], int]
"""``draw(place, n)``: a number below ``n`` that depends on the place alone."""

_WORDS = [
    "amber",
    "anchor",
    "arch",
    "atlas",
    "basin",
    "beacon",
    "birch",
    "bridge",
    "canyon",
    "cedar",
    "cliff",
    "cloud",
    "coral",
    "delta",
    "dune",
    "ember",
    "fern",
    "field",
    "fjord",
    "forest",
    "garden",
    "glacier",
    "grove",
    "harbor",
    "hill",
    "island",
    "juniper",
    "lagoon",
    "lake",
    "maple",
    "meadow",
    "mesa",
    "moss",
    "ocean",
    "orchard",
    "pebble",
    "pine",
    "plain",
    "prairie",
    "quarry",
    "reef",
    "ridge",
    "river",
    "sand",
    "shore",
    "slope",
    "spring",
    "spruce",
    "stone",
    "stream",
    "summit",
    "tide",
    "trail",
    "valley",
    "vine",
    "wave",
    "willow",
    "wind",
]
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ -_.,:;/@#+*=()[]{}<>!?$%&'\"\\|^~`\t\n"
_EPOCH = datetime(2024, 1, 1, tzinfo=UTC)


def plain_words(draw: Draw, place: str, count: int) -> str:
    """``count`` plain English words."""
    return " ".join(_WORDS[draw(f"{place}#{index}", len(_WORDS))] for index in range(count))


def formatted_text(kind: str, number: int) -> str | None:
    """A text of the JSON Schema format ``kind``; None where the format is not known."""
    moment = _EPOCH + timedelta(minutes=number % 1_000_000)
    word = _WORDS[number % len(_WORDS)]
    number %= 1_000_000
    texts: dict[str, str] = {
        "date-time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "date": moment.strftime("%Y-%m-%d"),
        "time": moment.strftime("%H:%M:%SZ"),
        "duration": f"PT{number}S",
        "email": f"{word}{number}@example.com",
        "idn-email": f"{word}{number}@example.com",
        "hostname": f"{word}{number}.example.com",
        "idn-hostname": f"{word}{number}.example.com",
        "ipv4": f"192.0.2.{number % 256}",
        "ipv6": f"2001:db8::{number % 65536:x}",
        "uri": f"https://example.com/{word}/{number}",
        "uri-reference": f"/{word}/{number}",
        "iri": f"https://example.com/{word}/{number}",
        "iri-reference": f"/{word}/{number}",
        "uri-template": f"/{word}/{number}/{{id}}",
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"https://example.com/{number}")),
        "json-pointer": f"/{word}/{number}",
        "relative-json-pointer": f"0/{word}/{number}",
        "regex": f"^{word}{number}$",
    }
    return texts.get(kind)


def matching_texts(pattern: str, draw: Draw, place: str, *, min_length: int) -> Iterator[str]:
    """Texts that should match ``pattern``; look-arounds are left to the caller's check."""
    # The parsed form of an expression has no public name in the standard library.
    tree: Any = importlib.import_module("re._parser").parse(pattern)
    for extra in (draw(place, 3), 1, 0, 2, 3, 5, 8, min_length, 2 * min_length + 1):
        text = _Walk(draw=draw, place=f"{place}+{extra}", extra=extra).text(tree)
        yield text
        # These fit where the pattern is not anchored at its end.
        yield text + plain_words(draw, f"{place}+{extra}", 1)
        if len(text) < min_length:
            yield text + "a" * (min_length - len(text))


class _Walk:
    """One text out of a parsed expression; every repetition takes ``extra`` rounds more than it must."""

    def __init__(self, *, draw: Draw, place: str, extra: int) -> None:
        self._draw = draw
        self._place = place
        self._extra = extra
        self._step = 0
        self._groups: dict[int, str] = {}

    def text(self, tree: Any) -> str:
        return "".join(self._piece(str(operation), argument) for operation, argument in tree)

    def _number(self, count: int) -> int:
        self._step += 1
        return self._draw(f"{self._place}@{self._step}", count)

    def _piece(self, operation: str, argument: Any) -> str:
        match operation:
            case "LITERAL":
                return chr(argument)
            case "NOT_LITERAL":
                return self._character(lambda character: character != chr(argument), "")
            case "ANY":
                return self._character(lambda character: character != "\n", "")
            case "IN":
                return self._character(lambda character: _is_in(character, argument), _first_of(argument))
            case "BRANCH":
                branches = argument[1]
                return self.text(branches[self._number(len(branches))])
            case "SUBPATTERN":
                text = self.text(argument[3])
                if argument[0] is not None:
                    self._groups[argument[0]] = text
                return text
            case "ATOMIC_GROUP":
                return self.text(argument)
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                low, high, tree = argument
                return "".join(self.text(tree) for _ in range(min(low + self._extra, int(high))))
            case "GROUPREF":
                return self._groups.get(argument, "")
            case _:
                return ""

    def _character(self, fits: Callable[[str], bool], otherwise: str) -> str:
        # Letters and digits first: the signs only where nothing else fits.
        plain = [character for character in _ALPHABET[:62] if fits(character)]
        choice = plain or [character for character in _ALPHABET[62:] if fits(character)]
        return choice[self._number(len(choice))] if choice else otherwise


def _is_in(character: str, items: Any) -> bool:
    found = False
    negated = False
    for operation, argument in items:
        match str(operation):
            case "NEGATE":
                negated = True
            case "LITERAL":
                found = found or ord(character) == argument
            case "RANGE":
                found = found or argument[0] <= ord(character) <= argument[1]
            case _:
                found = found or _is_of(character, str(argument))
    return found != negated


def _is_of(character: str, category: str) -> bool:
    kinds = {"DIGIT": r"\d", "SPACE": r"\s", "WORD": r"\w"}
    name = category.rsplit("_", 1)[-1]
    matched = name in kinds and re.match(kinds[name], character) is not None
    return matched != ("_NOT_" in category)


def _first_of(items: Any) -> str:
    for operation, argument in items:
        if str(operation) == "LITERAL":
            return chr(argument)
        if str(operation) == "RANGE":
            return chr(argument[0])
    return ""
