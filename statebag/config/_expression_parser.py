"""From text to terms: ``or`` < ``and`` < ``not`` < comparison < primary."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from statebag.config._expression_terms import Combined, Compared, Constant, Defined, ListOf, Negated, Reference, Term
from statebag.config._expression_tokens import Token, refuse, tokenize
from statebag.config.paths import MAX_DEPTH, ExpressionError, Part, Parts

__all__ = ["MAX_LENGTH", "MAX_NESTING", "Parser"]

MAX_LENGTH: Final = 10_000
"""Characters that an expression may have."""
MAX_NESTING: Final = 40
"""Parentheses, lists and ``not`` inside one another."""

_COMPARISONS: Final = frozenset({"==", "!=", ">=", "<=", ">", "<"})
_CONSTANTS: Final = {"true": True, "false": False, "null": None, "none": None}
_WORDS: Final = frozenset({"and", "or", "not", "in", "is", *_CONSTANTS})
_PATHS_HINT: Final = "paths start with `$.`: write `$.{0}`"


class Parser:
    """Reads one expression, or the parts of a template's tag.

    Args:
        source: The text.
        bare: Whether names without ``$.`` are paths, and ``is defined`` a test, as in templates.
    """

    def __init__(self, source: str, *, bare: bool = False) -> None:
        if len(source) > MAX_LENGTH:
            raise ExpressionError(
                f"an expression of {len(source)} characters is too long: {MAX_LENGTH} are the most. Split it."
            )
        self.source = source
        self._bare = bare
        self._tokens = tokenize(source, hyphens=bare)
        self._next = 0
        self._nesting = 0

    @property
    def token(self) -> Token:
        """The one that is read next."""
        return self._tokens[self._next]

    def advance(self) -> Token:
        """Take the next token."""
        token = self.token
        if token.kind != "end":
            self._next += 1
        return token

    def take(self, sign: str) -> bool:
        """Take the next token if it is this sign."""
        found = self.token.kind == "sign" and self.token.text == sign
        if found:
            self.advance()
        return found

    def take_word(self, word: str) -> bool:
        """Take the next token if it is this word, in any case."""
        found = self.token.kind == "word" and self.token.text.lower() == word
        if found:
            self.advance()
        return found

    def expect(self, sign: str, remedy: str) -> None:
        """Take this sign, or refuse."""
        if not self.take(sign):
            raise self.refuse(f"`{sign}` is missing", remedy)

    def refuse(self, what: str, remedy: str) -> ExpressionError:
        """The error for the next token's place."""
        return refuse(self.source, self.token.position, what, remedy)

    def expect_end(self) -> None:
        """Refuse whatever is left."""
        token = self.token
        if token.kind == "end":
            return
        if token.kind == "sign" and token.text in _COMPARISONS:
            raise self.refuse("comparisons can't be chained", "join them with `and`")
        if token.kind == "sign" and token.text == "|":
            raise self.refuse("unknown text", "write `or`")
        if token.kind == "number" and token.text.startswith("-"):
            raise self.refuse("there is no arithmetic here", "a name with a hyphen is written `$['a-b']`")
        raise self.refuse("unexpected text", "join conditions with `and` or `or`, and quote texts")

    def expression(self) -> Term:
        """A whole expression: everything down from ``or``."""
        return self._combined("or", lambda: self._combined("and", self._negation))

    def _combined(self, word: str, operand: Callable[[], Term]) -> Term:
        terms = [operand()]
        while self.take_word(word):
            terms.append(operand())
        return terms[0] if len(terms) == 1 else Combined(word, tuple(terms))

    def _negation(self) -> Term:
        if not self.take_word("not"):
            return self._comparison()
        self._enter()
        term = Negated(self._negation())
        self._nesting -= 1
        return term

    def _comparison(self) -> Term:
        left = self.primary()
        if self.token.kind == "sign" and self.token.text in _COMPARISONS:
            return Compared(self.advance().text, left, self.primary())
        if self.take_word("in"):
            return Compared("in", left, self.primary())
        if self.token.kind == "word" and self.token.text.lower() == "not":
            self.advance()
            if not self.take_word("in"):
                raise self.refuse("`not` stands in the wrong place", "write `not in`, or `not` before the condition")
            return Compared("not in", left, self.primary())
        if self._bare and self.take_word("is"):
            return self._definition(left)
        return left

    def _definition(self, left: Term) -> Term:
        wanted = not self.take_word("not")
        for word, meaning in (("defined", True), ("undefined", False)):
            if self.take_word(word):
                if isinstance(left, Reference):
                    return Defined(left.parts, meaning is wanted)
                raise self.refuse("only a path can be defined", "write `name is defined`")
        raise self.refuse("unknown test", "after `is` write `defined` or `undefined`")

    def primary(self) -> Term:
        """A path, a literal, a list, or something in parentheses."""
        token = self.token
        if token.kind in ("number", "text"):
            return Constant(self.advance().value)
        if token.kind == "word":
            return self._word(token)
        if self.take("$"):
            return Reference(self._steps([]))
        if self.take("("):
            self._enter()
            term = self.expression()
            self.expect(")", "close the parenthesis")
            self._nesting -= 1
            return term
        if self.take("["):
            return self._list()
        if token.kind == "end":
            raise self.refuse("something is missing", "write a path such as `$.score`, or a literal")
        raise self.refuse("a path or literal is missing", "paths start with `$.`, texts stand in quotes")

    def _word(self, token: Token) -> Term:
        word = token.text.lower()
        if word in _CONSTANTS:
            self.advance()
            return Constant(_CONSTANTS[word])
        if word in _WORDS:
            raise self.refuse(f"`{token.text}` stands in the wrong place", "write a path or literal there")
        if not self._bare:
            hint = _PATHS_HINT.format(token.text)
            raise self.refuse(f"`{token.text}` is no path", f"{hint}, or quote it if it is a text")
        self.advance()
        return Reference(self._steps([token.text]))

    def _list(self) -> Term:
        self._enter()
        items: list[Term] = []
        while not self.take("]"):
            if items:
                self.expect(",", "separate the items of a list by commas, and close it with `]`")
            items.append(self.expression())
        self._nesting -= 1
        return ListOf(tuple(items))

    def _steps(self, parts: list[Part]) -> Parts:
        while self.token.adjoins:
            if self.take("."):
                token = self.advance()
                if token.kind != "word" or not token.adjoins:
                    raise self._refuse_at(
                        token, "a name is missing after the dot", "write `$.name`, or `$['any text']`"
                    )
                parts.append(token.text)
            elif self.take("["):
                token = self.advance()
                whole_number = isinstance(token.value, int) and abs(token.value) < 10**9
                if not whole_number and token.kind != "text":
                    raise self._refuse_at(
                        token, "an index or quoted name is missing", "write `[0]`, `[-1]` or `['name']`"
                    )
                parts.append(token.value)
                self.expect("]", "close the bracket")
            else:
                break
        if len(parts) > MAX_DEPTH:
            raise self.refuse("the path is too deep", f"{MAX_DEPTH} parts are the most")
        return tuple(parts)

    def _refuse_at(self, token: Token, what: str, remedy: str) -> ExpressionError:
        return refuse(self.source, token.position, what, remedy)

    def _enter(self) -> None:
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            raise self.refuse("nested too deeply", f"{MAX_NESTING} levels are the most")
