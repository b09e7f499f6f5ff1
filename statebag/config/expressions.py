"""The language of conditions: paths, literals, comparisons, membership, ``and``, ``or``, ``not``.

Paths start with ``$``: ``$.order.items[0].price``, ``$['any text']``. A path that leads nowhere is null. ``==`` is the
equality of JSON values (``1 == 1.0``, ``true != 1``); ``<`` and its like hold only between two numbers or two texts;
``in`` looks into a list, for a text in a text, or for a key in an object. Whatever is not of the language is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from statebag.config._expression_parser import MAX_LENGTH, Parser
from statebag.config._expression_terms import Budget, Constant, ListOf, Term, is_truthy, json_equal
from statebag.config._names import Fields, Names, Source, names_of
from statebag.config.paths import ExpressionError, Parts

__all__ = [
    "EVALUATION_LIMIT",
    "MAX_LENGTH",
    "Expression",
    "ExpressionError",
    "Fields",
    "Names",
    "Source",
    "json_equal",
    "literal_of",
    "names_of",
    "parse_expression",
    "top_level_names",
]

EVALUATION_LIMIT: Final = 100_000
"""Steps that one evaluation may take: values touched, values compared."""


@dataclass(frozen=True, kw_only=True)
class Expression:
    """A parsed expression; ``str()`` gives text with the same meaning."""

    text: str
    """As it was written."""
    term: Term
    """Its meaning."""

    def evaluate(self, root: Any, lookup: Source | None = None, *, limit: int = EVALUATION_LIMIT) -> Any:
        """The expression's value.

        Args:
            root: What ``$`` is: a JSON value, a scope (whose fields are fetched only when read), or a function
                that makes the value when it is read.
            lookup: Where ``$.name`` is searched, if not in the root: a scope, a mapping, or a function of the name.
            limit: Steps it may take.

        Raises:
            NodeFailed: ``EVALUATION_LIMIT``, when the steps are used up.
        """
        return self.term.evaluate(names_of(root, lookup), Budget(limit))

    def holds(self, root: Any, lookup: Source | None = None, *, limit: int = EVALUATION_LIMIT) -> bool:
        """Whether the value is neither null, false, zero nor empty."""
        return is_truthy(self.evaluate(root, lookup, limit=limit))

    def fields(self) -> frozenset[str] | None:
        """The top-level names it reads; null when it reads ``$`` as a whole."""
        return top_level_names(self.term.references())

    def __str__(self) -> str:
        return str(self.term)


def literal_of(value: Any) -> str:
    """A value as the language writes it; objects, which it can't write, are not accepted."""
    return str(_constant(value))


def _constant(value: Any) -> Term:
    return ListOf(tuple(_constant(item) for item in value)) if isinstance(value, list) else Constant(value)


def top_level_names(paths: Iterable[Parts]) -> frozenset[str] | None:
    """The first names of some paths; null when one of them has none."""
    names: set[str] = set()
    for parts in paths:
        if not parts or not isinstance(parts[0], str):
            return None
        names.add(parts[0])
    return frozenset(names)


@lru_cache(maxsize=4096)
def parse_expression(text: str) -> Expression:
    """Read an expression.

    Raises:
        ExpressionError: it is empty, or outside the language; the message names the place and the remedy.
    """
    if not text.strip():
        raise ExpressionError("the condition is empty. Write one, such as `$.score > 0.9`.")
    parser = Parser(text)
    term = parser.expression()
    parser.expect_end()
    return Expression(text=text, term=term)
