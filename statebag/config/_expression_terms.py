"""The terms of the expression language: what each means, reads, and looks like."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from statebag.config._names import Names
from statebag.config.paths import MISSING, Parts, print_path, quote
from statebag.errors import NodeFailed

__all__ = [
    "Budget",
    "Combined",
    "Compared",
    "Constant",
    "Defined",
    "ListOf",
    "Negated",
    "Reference",
    "Term",
    "is_truthy",
    "json_equal",
]


class Budget:
    """Steps that an evaluation may still take."""

    __slots__ = ("_left", "_limit")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._left = limit

    def spend(self, steps: int = 1) -> None:
        """Take ``steps``.

        Raises:
            NodeFailed: ``EVALUATION_LIMIT``, when none are left.
        """
        self._left -= steps
        if self._left < 0:
            raise NodeFailed(
                f"evaluation stopped after {self._limit} steps. "
                "Simplify the expression or template, or let it read less data.",
                code="EVALUATION_LIMIT",
            )


class Term(Protocol):
    """A part of an expression. ``str()`` gives text that parses to an equal term."""

    def evaluate(self, names: Names, budget: Budget) -> Any: ...

    def references(self) -> Iterator[Parts]:
        """Every path below this term."""
        ...


@dataclass(frozen=True)
class Constant:
    """A literal: null, a boolean, a number, a text."""

    value: Any

    def evaluate(self, names: Names, budget: Budget) -> Any:  # noqa: ARG002
        """The value itself."""
        budget.spend()
        return self.value

    def references(self) -> Iterator[Parts]:
        """None."""
        return iter(())

    def __str__(self) -> str:
        return quote(self.value) if isinstance(self.value, str) else json.dumps(self.value)


@dataclass(frozen=True)
class Reference:
    """A path; null where nothing is."""

    parts: Parts

    def evaluate(self, names: Names, budget: Budget) -> Any:
        """The value found, or null."""
        budget.spend(1 + len(self.parts))
        value = names.resolve(self.parts)
        return None if value is MISSING else value

    def references(self) -> Iterator[Parts]:
        """This path."""
        yield self.parts

    def __str__(self) -> str:
        return print_path(self.parts)


@dataclass(frozen=True)
class ListOf:
    """A list of terms."""

    items: tuple[Term, ...]

    def evaluate(self, names: Names, budget: Budget) -> Any:
        """A list of the items' values."""
        budget.spend()
        return [item.evaluate(names, budget) for item in self.items]

    def references(self) -> Iterator[Parts]:
        """Those of the items."""
        for item in self.items:
            yield from item.references()

    def __str__(self) -> str:
        return f"[{', '.join(map(str, self.items))}]"


@dataclass(frozen=True)
class Negated:
    """``not``."""

    term: Term

    def evaluate(self, names: Names, budget: Budget) -> bool:
        """True where the term is not truthy."""
        budget.spend()
        return not is_truthy(self.term.evaluate(names, budget))

    def references(self) -> Iterator[Parts]:
        """Those of the term."""
        return self.term.references()

    def __str__(self) -> str:
        return f"not ({self.term})"


@dataclass(frozen=True)
class Combined:
    """``and`` or ``or`` over at least two terms; stops at the first that decides. Always a boolean."""

    word: str
    terms: tuple[Term, ...]

    def evaluate(self, names: Names, budget: Budget) -> bool:
        """True where all terms, or any of them, are truthy."""
        budget.spend()
        decided_by = self.word == "or"
        for term in self.terms:
            if is_truthy(term.evaluate(names, budget)) is decided_by:
                return decided_by
        return not decided_by

    def references(self) -> Iterator[Parts]:
        """Those of the terms."""
        for term in self.terms:
            yield from term.references()

    def __str__(self) -> str:
        return f" {self.word} ".join(f"({term})" for term in self.terms)


@dataclass(frozen=True)
class Compared:
    """A comparison or a test of membership."""

    operator: str
    left: Term
    right: Term

    def evaluate(self, names: Names, budget: Budget) -> bool:
        """Whether the relation holds."""
        budget.spend()
        left = self.left.evaluate(names, budget)
        right = self.right.evaluate(names, budget)
        if self.operator in ("==", "!="):
            return json_equal(left, right, budget) is (self.operator == "==")
        if self.operator in ("in", "not in"):
            return _contains(right, left, budget) is (self.operator == "in")
        return _ordered(self.operator, left, right)

    def references(self) -> Iterator[Parts]:
        """Those of both sides."""
        yield from self.left.references()
        yield from self.right.references()

    def __str__(self) -> str:
        return f"({self.left}) {self.operator} ({self.right})"


@dataclass(frozen=True)
class Defined:
    """``x is defined``: a template's question whether something is there, be it null."""

    parts: Parts
    wanted: bool

    def evaluate(self, names: Names, budget: Budget) -> bool:
        """Whether the path leads somewhere, or does not, as asked."""
        budget.spend(1 + len(self.parts))
        return (names.resolve(self.parts) is not MISSING) is self.wanted

    def references(self) -> Iterator[Parts]:
        """This path."""
        yield self.parts

    def __str__(self) -> str:
        return f"{print_path(self.parts)} is {'defined' if self.wanted else 'undefined'}"


def is_truthy(value: Any) -> bool:
    """False for null, false, zero and what is empty; the text ``false`` is a text like any other."""
    return bool(value)


def json_equal(left: Any, right: Any, budget: Budget | None = None) -> bool:
    """Equality of JSON values: ``1 == 1.0``, but ``true != 1`` and ``"1" != 1``."""
    pending = [(left, right)]
    while pending:
        one, other = pending.pop()
        if budget is not None:
            budget.spend()
        if isinstance(one, list) and isinstance(other, list):
            if len(one) != len(other):
                return False
            pending.extend(zip(one, other, strict=True))
        elif isinstance(one, Mapping) and isinstance(other, Mapping):
            if one.keys() != other.keys():
                return False
            pending.extend((value, other[key]) for key, value in one.items())
        elif isinstance(one, bool) or isinstance(other, bool):
            if one is not other:
                return False
        elif one != other:
            return False
    return True


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _ordered(operator: str, left: Any, right: Any) -> bool:
    comparable = (_is_number(left) and _is_number(right)) or (isinstance(left, str) and isinstance(right, str))
    if not comparable:
        return False
    if operator == "<":
        return left < right
    if operator == "<=":
        return left <= right
    if operator == ">":
        return left > right
    return left >= right


def _contains(container: Any, wanted: Any, budget: Budget) -> bool:
    if isinstance(container, list):
        return any(json_equal(item, wanted, budget) for item in container)
    if isinstance(container, str | Mapping):
        return isinstance(wanted, str) and wanted in container
    return False
