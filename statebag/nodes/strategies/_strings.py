"""Strategies on texts: null is the empty text, lists and objects are refused."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import regex

from statebag.config.templates import render_text
from statebag.errors import NodeFailed
from statebag.nodes.strategies._kinds import kind_of, list_in, text_in
from statebag.nodes.strategies._params import Param, word
from statebag.nodes.strategies._strategy import Strategy, StrategyContext

__all__ = ["STRATEGIES"]

_WORDS = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[^\W_A-Z\d])(?=[A-Z])|(?<=\d)(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
MATCH_SECONDS = 2.0
"""Time one pattern may take on one text: some patterns take ages by nature."""
_MAX_LENGTH: Final = 1_000_000


def _string_template(value: Any, params: Mapping[str, Any], context: StrategyContext) -> str:
    names = context.state.over(value) if context.given and isinstance(value, Mapping) else context.state
    return render_text(params["template"], names.over(params["context"]))


def _string_split(value: Any, params: Mapping[str, Any], context: StrategyContext) -> list[str]:
    text = text_in(value)
    if not text:
        return []
    parts = text.split(params["delimiter"], params["max_split"])
    return [part.strip() for part in parts] if params["trim"] else parts


def _string_join(value: Any, params: Mapping[str, Any], context: StrategyContext) -> str:
    return params["delimiter"].join(map(text_in, list_in(value)))


def _regex_extract(value: Any, params: Mapping[str, Any], context: StrategyContext) -> Any:
    pattern: regex.Pattern[str] = params["pattern"]
    group = params["group"]
    if isinstance(group, str) and group.isdecimal():
        group = int(group)
    known = group in pattern.groupindex if isinstance(group, str) else 0 <= group <= pattern.groups
    if not known:
        raise NodeFailed(f"the pattern has no group {group!r}. Use 0 for the whole match, or one of its groups.")
    text = text_in(value)
    with _in_time(pattern):
        if params["all"]:
            return [match[group] for match in pattern.finditer(text, timeout=MATCH_SECONDS)]
        found = pattern.search(text, timeout=MATCH_SECONDS)
        return found[group] if found else None


def _regex_replace(value: Any, params: Mapping[str, Any], context: StrategyContext) -> str:
    pattern: regex.Pattern[str] = params["pattern"]
    text = text_in(value)
    try:
        with _in_time(pattern):
            return pattern.sub(params["replacement"], text, count=params["count"], timeout=MATCH_SECONDS)
    except (regex.error, IndexError) as cause:
        raise NodeFailed(f"param `replacement` can't be used: {cause}. Write groups as \\1 or \\g<name>.") from cause


def _regex_match(value: Any, params: Mapping[str, Any], context: StrategyContext) -> bool:
    pattern: regex.Pattern[str] = params["pattern"]
    match = pattern.fullmatch if params["full_match"] else pattern.search
    text = text_in(value)
    with _in_time(pattern):
        return match(text, timeout=MATCH_SECONDS) is not None


@contextmanager
def _in_time(pattern: regex.Pattern[str]) -> Generator[None]:
    try:
        yield
    except TimeoutError as cause:
        raise NodeFailed(
            f"the pattern {pattern.pattern[:80]!r} took more than {MATCH_SECONDS:g} s on this text. "
            "Avoid repetitions inside of repetitions.",
            code="EVALUATION_LIMIT",
        ) from cause


def _string_trim(value: Any, params: Mapping[str, Any], context: StrategyContext) -> str:
    text, characters = text_in(value), params["chars"]
    if params["side"] == "left":
        return text.lstrip(characters)
    return text.rstrip(characters) if params["side"] == "right" else text.strip(characters)


def _string_case(value: Any, params: Mapping[str, Any], context: StrategyContext) -> str:
    text, case = text_in(value), params["case"]
    if case in ("lower", "upper", "title", "capitalize"):
        return getattr(text, case)()
    words = [found.lower() for found in _WORDS.findall(_CAMEL.sub(" ", text))]
    if case == "snake_case":
        return "_".join(words)
    if case == "kebab_case":
        return "-".join(words)
    capitalized = [found.capitalize() for found in words]
    return "".join(words[:1] + capitalized[1:] if case == "camel_case" else capitalized)


def _string_truncate(value: Any, params: Mapping[str, Any], context: StrategyContext) -> str:
    text, limit, suffix = text_in(value), params["max_length"], params["suffix"]
    if len(text) <= limit:
        return text
    return text[: limit - len(suffix)] + suffix if len(suffix) < limit else text[:limit]


def _string_pad(value: Any, params: Mapping[str, Any], context: StrategyContext) -> str:
    text, length, character = text_in(value), params["length"], params["char"]
    if params["side"] == "left":
        return text.rjust(length, character)
    return text.ljust(length, character) if params["side"] == "right" else text.center(length, character)


def _group_is_name_or_number(params: Mapping[str, Any]) -> str | None:
    group = params["group"]
    if isinstance(group, bool) or not isinstance(group, int | str):
        return f"param `group` is {kind_of(group)}. Give a number or the name of a group."
    return None


def _delimiter_is_not_empty(params: Mapping[str, Any]) -> str | None:
    return None if params["delimiter"] else "param `delimiter` is empty. Give at least one character."


def _char_is_one(params: Mapping[str, Any]) -> str | None:
    return None if len(params["char"]) == 1 else "param `char` must be exactly one character."


_PATTERN: Final = Param(kind="pattern", required=True)

STRATEGIES: Final = (
    Strategy(
        name="string_template",
        apply=_string_template,
        params={"template": Param(kind="template", required=True), "context": Param(kind="object", default={})},
        takes_state=False,
    ),
    Strategy(
        name="string_split",
        apply=_string_split,
        params={
            "delimiter": Param(kind="text", default=","),
            "max_split": Param(kind="integer", default=-1),
            "trim": Param(kind="boolean", default=True),
        },
        demands=_delimiter_is_not_empty,
    ),
    Strategy(name="string_join", apply=_string_join, params={"delimiter": Param(kind="text", default=", ")}),
    Strategy(
        name="regex_extract",
        apply=_regex_extract,
        params={"pattern": _PATTERN, "group": Param(default=0), "all": Param(kind="boolean", default=False)},
        demands=_group_is_name_or_number,
    ),
    Strategy(
        name="regex_replace",
        apply=_regex_replace,
        params={
            "pattern": _PATTERN,
            "replacement": Param(kind="text", default=""),
            "count": Param(kind="integer", default=0, minimum=0),
        },
    ),
    Strategy(
        name="regex_match",
        apply=_regex_match,
        params={"pattern": _PATTERN, "full_match": Param(kind="boolean", default=False)},
    ),
    Strategy(
        name="string_trim",
        apply=_string_trim,
        params={
            "chars": Param(kind="text"),
            "side": Param(kind="word", default="both", choices=word("both", "left", "right")),
        },
    ),
    Strategy(
        name="string_case",
        apply=_string_case,
        params={
            "case": Param(
                kind="word",
                default="lower",
                choices=word(
                    "lower",
                    "upper",
                    "title",
                    "capitalize",
                    "snake_case",
                    "camel_case",
                    "pascal_case",
                    "kebab_case",
                ),
            )
        },
    ),
    Strategy(
        name="string_truncate",
        apply=_string_truncate,
        params={
            "max_length": Param(kind="integer", default=100, minimum=0),
            "suffix": Param(kind="text", default="..."),
        },
    ),
    Strategy(
        name="string_pad",
        apply=_string_pad,
        params={
            "length": Param(kind="integer", default=10, minimum=0, maximum=_MAX_LENGTH),
            "char": Param(kind="text", default=" "),
            "side": Param(kind="word", default="left", choices=word("left", "right", "both", center="both")),
        },
        demands=_char_is_one,
    ),
)
