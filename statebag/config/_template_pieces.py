"""The pieces of a parsed template, and how each is rendered."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from statebag.canonical import canonical_bytes
from statebag.config._expression_terms import Budget, Term, is_truthy
from statebag.config._names import Names
from statebag.config.paths import Parts
from statebag.errors import NodeFailed

__all__ = [
    "FILTERS",
    "OUTPUT_LIMIT",
    "Conditional",
    "Filter",
    "Loop",
    "Output",
    "Piece",
    "Placeholder",
    "Text",
    "WholeJson",
    "text_of",
]

OUTPUT_LIMIT: Final = 16 * 1024 * 1024
"""Characters that one rendering may produce."""


class Output:
    """Collects rendered text up to a limit."""

    __slots__ = ("_left", "_parts")

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._left = OUTPUT_LIMIT

    def write(self, text: str) -> None:
        """Append ``text``.

        Raises:
            NodeFailed: ``EVALUATION_LIMIT``, when the output grows too long.
        """
        self._left -= len(text)
        if self._left < 0:
            raise NodeFailed(
                f"a template renders to more than {OUTPUT_LIMIT} characters. Put fewer or smaller values into it.",
                code="EVALUATION_LIMIT",
            )
        self._parts.append(text)

    def text(self) -> str:
        """What has been written."""
        return "".join(self._parts)


class Piece(Protocol):
    """A part of a template."""

    def write(self, names: Names, budget: Budget, output: Output) -> None: ...

    def references(self) -> Iterator[Parts]:
        """Paths it reads from outside of the template; the empty path for everything."""
        ...


def text_of(value: Any) -> str:
    """A value inside of text: texts as they are, null as nothing, everything else as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else canonical_bytes(value).decode()


def _length(value: Any) -> int:
    if value is None:
        return 0
    if isinstance(value, str | list | Mapping):
        return len(value)
    raise NodeFailed(f"`length` of {text_of(value)}: only texts, lists and objects have one. Drop the filter.")


FILTERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "tojson": lambda value: canonical_bytes(value).decode(),
    "upper": lambda value: text_of(value).upper(),
    "lower": lambda value: text_of(value).lower(),
    "trim": lambda value: text_of(value).strip(),
    "length": _length,
}
"""Filters without an argument; ``default(literal)`` comes besides."""


@dataclass(frozen=True)
class Filter:
    """``| name`` or ``| default(literal)``."""

    name: str
    argument: Any = None

    def apply(self, value: Any) -> Any:
        """The filtered value."""
        if self.name == "default":
            return copy.deepcopy(self.argument) if value is None else value
        return FILTERS[self.name](value)


@dataclass(frozen=True)
class Text:
    """What stands between tags."""

    text: str

    def write(self, names: Names, budget: Budget, output: Output) -> None:  # noqa: ARG002
        """Copy it."""
        budget.spend()
        output.write(self.text)

    def references(self) -> Iterator[Parts]:
        """None."""
        return iter(())


@dataclass(frozen=True)
class WholeJson:
    """``__state_json``: everything, as JSON text."""

    def evaluate(self, names: Names, budget: Budget) -> str:
        """The JSON of ``$``."""
        budget.spend()
        return canonical_bytes(names.whole()).decode()

    def references(self) -> Iterator[Parts]:
        """Everything."""
        yield ()


@dataclass(frozen=True)
class Placeholder:
    """``{{ path | filter }}``."""

    term: Term
    filters: tuple[Filter, ...] = ()

    def value(self, names: Names, budget: Budget) -> Any:
        """The value, with its type."""
        value = self.term.evaluate(names, budget)
        for applied in self.filters:
            value = applied.apply(value)
        return value

    def write(self, names: Names, budget: Budget, output: Output) -> None:
        """Write the value's text."""
        output.write(text_of(self.value(names, budget)))

    def references(self) -> Iterator[Parts]:
        """The path."""
        return self.term.references()


@dataclass(frozen=True)
class Conditional:
    """``{% if %}``, ``{% elif %}``, ``{% else %}``."""

    branches: tuple[tuple[Term | None, tuple[Piece, ...]], ...]
    """Conditions with their blocks; null for ``else``."""

    def write(self, names: Names, budget: Budget, output: Output) -> None:
        """Write the first block whose condition holds."""
        for condition, block in self.branches:
            if condition is None or is_truthy(condition.evaluate(names, budget)):
                for piece in block:
                    piece.write(names, budget, output)
                return

    def references(self) -> Iterator[Parts]:
        """Those of all conditions and blocks."""
        for condition, block in self.branches:
            if condition is not None:
                yield from condition.references()
            yield from _references_of(block)


@dataclass(frozen=True)
class Loop:
    """``{% for name in path %}``; the body also sees ``loop`` (``index``, ``index0``, ``first``, ``last``, ``length``)."""

    name: str
    items: Term
    body: tuple[Piece, ...]

    def write(self, names: Names, budget: Budget, output: Output) -> None:
        """Write the body once for each item."""
        items = self.items.evaluate(names, budget)
        if items is None:
            return
        if not isinstance(items, list):
            raise NodeFailed(f"`{{% for {self.name} in {self.items} %}}` needs a list. Name a field that holds one.")
        for index, item in enumerate(items):
            budget.spend()
            position = {
                "index": index + 1,
                "index0": index,
                "first": index == 0,
                "last": index == len(items) - 1,
                "length": len(items),
            }
            inner = names.over({"loop": position, self.name: item})
            for piece in self.body:
                piece.write(inner, budget, output)

    def references(self) -> Iterator[Parts]:
        """Those of the list and the body, but for the names that the loop binds."""
        yield from self.items.references()
        for parts in _references_of(self.body):
            if not parts or parts[0] not in (self.name, "loop"):
                yield parts


def _references_of(pieces: Iterable[Piece]) -> Iterator[Parts]:
    for piece in pieces:
        yield from piece.references()
